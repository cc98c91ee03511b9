//! Acme's morning note, a workflow: deployed by its operator, run by its backend, step by step on
//! the calendar of whoever is signed in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::acme::Acme;
use super::{Doing, Result, Trouble};
use crate::app::App;
use crate::ids::ProjectId;
use crate::workflows;

const FILE: &str = include_str!("morning.yaml");
const NAME: &str = "morning-note";
/// The pretend calendar.
const CALENDAR: &str = "short";

/// Deploys it. Where no code can be run, the answer says why, and what to install.
pub(super) async fn deploy(app: &Arc<App>, project: &ProjectId) -> Result<()> {
    let files = BTreeMap::from([("workflow.yaml".to_owned(), FILE.to_owned())]);
    let deployed = workflows::deploy(app, project, &files).await;
    deployed.map(|_| ()).doing("the morning note cannot be deployed")
}

/// Starts a run for a user, and gives its id.
pub(super) async fn start(acme: &Acme, user: &str, providers: &str) -> Result<String> {
    let event = json!({ "calendar": format!("{providers}/{CALENDAR}/api/items") });
    acme.invoke(NAME, user, &event).await
}

/// A run as Acme's page shows it.
pub(super) async fn look(acme: &Acme, run: &str) -> Result<Value> {
    let run = acme.run(run).await?;
    let steps = run["steps"].as_array().cloned().unwrap_or_default();
    let shown: Vec<Value> = steps.iter().map(step).collect();
    let note = steps.last().map(|it| it["exports"]["$return_value"].clone());
    Ok(json!({
        "ended": run["state"] == "ended",
        "outcome": run["outcome"],
        "reason": run["reason"],
        "ms": run["duration_ms"],
        "steps": shown,
        "note": note.filter(Value::is_string).filter(|_| run["outcome"] == "ok"),
    }))
}

fn step(it: &Value) -> Value {
    let calls = it["calls"].as_array().cloned().unwrap_or_default();
    let call = |it: &Value| {
        json!({ "method": it["method"], "path": it["path"],
        "status": it["status"], "ms": it["ms"] })
    };
    let logs = it["os"].as_array().cloned().unwrap_or_default();
    let said: Vec<Value> = logs.iter().map(|it| it["msg"].clone()).collect();
    json!({
        "name": it["name"],
        "state": it["state"],
        "ms": it["duration_ms"],
        "summary": it["exports"]["$summary"],
        "error": it["error"]["message"],
        "calls": calls.iter().map(call).collect::<Vec<_>>(),
        "said": said,
    })
}

/// What a run came to, in a line.
pub(super) fn told(run: &Value) -> Result<String> {
    let steps = run["steps"].as_array().cloned().unwrap_or_default();
    if run["outcome"] != "ok" {
        let why = steps.iter().find_map(|it| it["error"].as_str()).or(run["reason"].as_str());
        return Err(Trouble::new(format!("the run ended as {}: {why:?}", run["outcome"])));
    }
    let done = steps.iter().filter(|it| it["state"] == "ok").count();
    let calls: usize = steps.iter().filter_map(|it| it["calls"].as_array()).map(Vec::len).sum();
    Ok(format!("{done} steps recorded, {calls} call with the token put in outside of the code"))
}
