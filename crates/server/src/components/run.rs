//! Running an action for a user.

use std::sync::Arc;

use grantkeep_runtime::{Failure, Op};
use serde_json::{Map, Value, json};

use super::host::RunHost;
use super::letters::{self, Letter};
use super::outcome::{Observation, Outcome};
use super::prepare::{Asked, Filled, Prepared, prepare_found};
use super::stashed::Stash;
use super::{Component, What, check_types, find, missing, past, runs_now};
use crate::app::App;
use crate::error::Result;
use crate::ids::RunId;
use crate::meters::Meter;

/// Where a run's files come from and go to.
pub enum Stashing {
    None,
    New,
    In(String),
}

/// What an action did.
pub struct Ran {
    pub exports: Map<String, Value>,
    pub observations: Vec<Observation>,
    pub ret: Value,
    /// The id of its stash.
    pub stash: Option<String>,
    /// `ok`, or what kind of failure it was.
    pub outcome: &'static str,
    pub failure: Option<Failure>,
}

/// Runs it, and keeps what came of it. What its code does wrong is in the observations.
///
/// # Errors
/// [`crate::error::INVALID_FIELD`]; those of [`prepare_found`];
/// [`crate::error::TOO_MANY_RUNS`]; [`crate::error::CODE_UNAVAILABLE`], when nothing was run.
pub async fn run(app: &Arc<App>, asked: Asked<'_>, stashing: Stashing) -> Result<Ran> {
    let which = (asked.kind, asked.key, asked.version);
    let component = find(app, &asked.tenant.project, which).await?;
    check_types(&component.described.props, &asked.configured)?;
    run_found(app, (asked, component), stashing).await
}

/// The same with a version that is at hand.
pub async fn run_found(
    app: &Arc<App>,
    (asked, component): (Asked<'_>, Component),
    stashing: Stashing,
) -> Result<Ran> {
    let _slot = runs_now(app, asked.tenant)?;
    let prepared = prepare_found(app, asked, component, Filled::Whole).await?;
    if prepared.component.what() != What::Action {
        return Err(missing());
    }
    let id = RunId::mint();
    prepared.recorded("action.run", id.as_str()).await?;
    let stash = match stashing {
        Stashing::None => None,
        Stashing::New => Some(None),
        Stashing::In(id) => Some(Some(id)),
    };
    let stash = stash.map(|id| Arc::new(Stash::new(id, &prepared.tenant, &prepared.external_id)));
    let mut more = Map::from_iter([("context".to_owned(), context(app, &id))]);
    if let Some(stash) = &stash {
        more.insert("files".to_owned(), stash.files(app, &prepared.user).await?);
    }
    let host = RunHost::new(&prepared).stashing(stash.clone());
    app.meters.count(&prepared.tenant, Meter::ActionRuns, app.clock.now_ms());
    let done = prepared.perform(Op::run(prepared.input(more)), host).await?;
    finished(app, (&prepared, id), done, stash).await
}

/// What `$.context` is where no workflow runs.
fn context(app: &App, id: &RunId) -> Value {
    let now_ms = app.clock.now_ms();
    json!({ "id": id, "trace_id": id, "ts": crate::clock::iso(now_ms), "JIT": false,
        "deadline": now_ms + app.config.code_wall_ms.ms(), "replay": false,
        "platform_version": env!("CARGO_PKG_VERSION"), "run": { "runs": 1 } })
}

/// Takes out what is to be sent. What only a workflow could do is a line in the log.
fn told_alone(app: &App, (done, room): (&mut Outcome, usize)) -> Vec<Letter> {
    let at_ms = done.ended_ms;
    let gathered = &mut done.gathered;
    let sent = std::mem::take(&mut gathered.sent);
    let (mut letters, refused) = letters::letters(app, (sent, room), at_ms);
    gathered.log.extend(refused);
    let mut asked = Vec::new();
    let before = letters.len();
    letters.retain(|it| matches!(it, Letter::Http(_)));
    if letters.len() < before {
        asked.push("$.send.emit".to_owned());
    }
    if !gathered.responded.is_empty() {
        asked.push("$.respond".to_owned());
    }
    let flow = match &done.result {
        Ok(value) => value["flow"]["kind"].as_str(),
        Err(Failure::Thrown(it)) => it.flow.as_ref().and_then(|it| it["kind"].as_str()),
        Err(_) => None,
    };
    if let Some(kind @ ("suspend" | "delay" | "rerun")) = flow {
        asked.push(format!("$.flow.{kind}"));
    }
    let line = |what| Observation {
        k: "console.warn".to_owned(),
        ts: at_ms,
        msg: Some(format!("{what} works in a workflow, and did nothing here.")),
        err: None,
    };
    gathered.log.extend(asked.into_iter().map(line));
    letters
}

async fn finished(
    app: &Arc<App>,
    (prepared, id): (&Prepared, RunId),
    mut done: Outcome,
    stash: Option<Arc<Stash>>,
) -> Result<Ran> {
    if let Some(stash) = &stash {
        let left = stash.shown(app)?;
        done.gathered.exports.insert("$filestash_uploads".to_owned(), Value::Array(left));
    }
    metrics::counter!(
        "grantkeep_component_runs_total", "about" => "action", "outcome" => done.word()
    )
    .increment(1);
    let sent = &done.gathered.sent;
    let room = letters::room_for_letters(app, &prepared.tenant.project, sent).await?;
    let letters = told_alone(app, (&mut done, room));
    past::keep(app, prepared, (id, "action"), (&done, &letters)).await?;
    let observations = done.observations();
    let outcome = done.word();
    let (ret, failure) = match done.result {
        Ok(mut value) => (value["ret"].take(), None),
        Err(failure) => (Value::Null, Some(failure)),
    };
    Ok(Ran {
        exports: done.gathered.exports,
        observations,
        ret,
        stash: stash.map(|it| it.id.clone()),
        outcome,
        failure,
    })
}
