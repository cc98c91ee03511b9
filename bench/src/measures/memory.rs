//! What the process holds: after its start, and at the most under load.

use std::time::Duration;

use grantkeep_torture::trouble::{Doing, Result};

use crate::record::Record;
use crate::stage::Stage;

/// How long it is left alone before it counts as idle.
const REST: Duration = Duration::from_secs(3);
const LOAD: Duration = Duration::from_secs(3);
const CONNECTIONS: u32 = 64;

pub async fn measure(stage: &Stage, record: &mut Record) -> Result<()> {
    let running = stage.start().await?;
    tokio::time::sleep(REST).await;
    let pid = running.server.pid();
    let idle = mebibytes(pid, "VmRSS:")?;
    stage.vend(&running.url).fire(CONNECTIONS, LOAD).await?;
    record.memory(idle, mebibytes(pid, "VmHWM:")?);
    Ok(())
}

/// A line of `/proc/<pid>/status` (proc(5)), which is in KiB.
pub(super) fn mebibytes(pid: u32, line: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).doing("/proc")?;
    let value = status.lines().find_map(|it| it.strip_prefix(line)).doing(line)?;
    let kibibytes: f64 = value.trim().trim_end_matches(" kB").parse().doing(line)?;
    Ok(kibibytes / 1024.0)
}
