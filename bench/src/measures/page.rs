//! The connect page in a browser: bytes over the wire, and time until it can be used.

use grantkeep_torture::trouble::{Doing, Result, Trouble};
use serde::Deserialize;
use tokio::process::Command;

use super::Plan;
use crate::record::Record;
use crate::upstream::Upstream;

/// Measures with the browser tests' own stage; prints one line of JSON.
const SCRIPT: &str = "tests/browser/page-weight.mjs";

#[derive(Deserialize)]
struct Said {
    bytes: f64,
    requests: f64,
    interactive_ms: f64,
}

pub async fn measure(plan: &Plan, _: &Upstream, record: &mut Record) -> Result<()> {
    if !std::path::Path::new("tests/browser/node_modules").is_dir() {
        record.left_out("page", "the browser's packages are not installed");
        return Ok(());
    }
    let mut command = Command::new("node");
    command.arg(SCRIPT).env("GRANTKEEP_BIN", &plan.server).kill_on_drop(true);
    let output = command.output().await.doing("cannot start node")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = text.lines().last().and_then(|it| serde_json::from_str::<Said>(it).ok());
    let said = said.ok_or_else(|| {
        Trouble(format!("{SCRIPT}: {text}{}", String::from_utf8_lossy(&output.stderr)))
    })?;
    record.page(said.bytes, said.requests, said.interactive_ms);
    Ok(())
}
