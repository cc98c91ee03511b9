//! Runs of an action with an empty body, beside the same function in a Node process that is always
//! there.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use grantkeep_torture::trouble::{Doing, Result, Trouble};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::Plan;
use super::memory::mebibytes;
use crate::load::{Shot, median, side_by_side};
use crate::record::{Record, Runs};
use crate::stage::{Running, Stage};

const CONNECTIONS: [u32; 2] = [1, 16];
/// The function, and what calls it where nothing stands between.
const COMPONENT: &str = include_str!("component.mjs");
const RESIDENT: &str = include_str!("run.mjs");
/// First runs of a user, and how long the server rests before each: it starts a process for the
/// next one meanwhile.
const COLD_RUNS: usize = 11;
const COLD_REST: Duration = Duration::from_millis(600);

pub async fn measure(plan: &Plan, stage: &Stage, record: &mut Record) -> Result<()> {
    let Some(node) = node() else {
        record.left_out("run", "there is no Node.js on the PATH");
        return Ok(());
    };
    let settings = [("code_node", node.to_string_lossy().into_owned())];
    let running = stage.start_with(&settings).await?;
    stage
        .post(
            &running.url,
            "components",
            &json!({ "files": [{ "path": "component.mjs",
        "text": COMPONENT }] }),
        )
        .await?;
    let first = cold(stage, &running, "first").await?;
    let resident = Resident::start(&node, stage.folder()).await?;
    let body = wish("model").to_string();
    let bare = Shot {
        url: resident.url.clone(),
        method: "POST",
        path: "/".to_owned(),
        count: 1,
        headers: Vec::new(),
        body_bytes: 0,
        json: Some(body.clone()),
    };
    let ours = stage.posting(&running.url, "actions/run", body);
    let mut rounds = Vec::new();
    for connections in CONNECTIONS {
        let both = side_by_side(&[&bare, &ours], connections, plan.rounds, plan.round).await?;
        rounds.push((connections, [both[0], both[1]]));
    }
    let worker = workers(running.server.pid())?;
    drop(running);
    let nothing_warm = [settings[0].clone(), ("code_warm", "0".to_owned())];
    let running = stage.start_with(&nothing_warm).await?;
    let from_nothing = cold(stage, &running, "nothing").await?;
    record.runs(&Runs { rounds, first, from_nothing, worker_mib: median(worker) });
    Ok(())
}

fn wish(user: &str) -> Value {
    json!({ "id": "~/bench-nothing", "external_user_id": user, "configured_props": {} })
}

/// The median first run, in milliseconds, each for a user who never ran anything.
async fn cold(stage: &Stage, running: &Running, name: &str) -> Result<f64> {
    let mut times = Vec::new();
    for nth in 0..COLD_RUNS {
        tokio::time::sleep(COLD_REST).await;
        let began = Instant::now();
        let ran = stage.post(&running.url, "actions/run", &wish(&format!("{name}-{nth}"))).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        if ran["os"] != json!([]) {
            return Err(Trouble(format!("a run failed: {ran}")));
        }
    }
    Ok(median(times))
}

/// What each worker below this process holds, in MiB.
fn workers(server: u32) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    let mut left = vec![server];
    while let Some(pid) = left.pop() {
        // proc(5): every thread has its own list.
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            left.extend(children.split_whitespace().filter_map(|it| it.parse::<u32>().ok()));
        }
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let node = command.split(|it| *it == 0).next().unwrap_or_default().ends_with(b"node");
        if node {
            found.push(mebibytes(pid, "VmRSS:")?);
        }
    }
    Ok(found)
}

/// Node.js, where there is one.
pub(super) fn node() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "where a shell would find it")]
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|it| it.join("node")).find(|it| it.is_file())
}

/// The function in a process that is always there. Killed when dropped.
struct Resident {
    _child: Child,
    url: String,
}

impl Resident {
    async fn start(node: &Path, folder: &Path) -> Result<Self> {
        let script = folder.join("run.mjs");
        std::fs::write(&script, RESIDENT).doing("cannot write")?;
        std::fs::write(folder.join("component.mjs"), COMPONENT).doing("cannot write")?;
        let mut command = Command::new(node);
        command.arg(script).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().doing("cannot start node")?;
        let out = child.stdout.take().doing("node's output")?;
        let line = BufReader::new(out).lines().next_line().await.doing("node")?;
        let port = line.and_then(|it| it.parse::<u16>().ok()).doing("node's port")?;
        Ok(Self { _child: child, url: format!("http://127.0.0.1:{port}") })
    }
}
