//! What came of a step, written in one transaction with how the run stands after it.

use std::sync::Arc;

use grantkeep_vault::token;
use serde_json::{Map, Value, json};

use super::answer;
use super::begin::{Cause, Start, stored};
use super::sealed::{Memory, Seal};
use super::send;
use super::store::runs::{self, Standing};
use super::store::steps::{self, StepRow};
use super::{DEPTH_MAX, Definition, Outcome, QUEUED_MAX, Run, State, Workflow, store};
use crate::app::App;
use crate::components::Letter;
use crate::db::Tx;
use crate::error::Result;
use crate::webhooks::{self, News, Topic};

/// How a run stands next.
pub(super) struct Next {
    pub memory: Memory,
    pub state: State,
    pub outcome: Option<Outcome>,
    pub step: i64,
    pub failures: i64,
    pub reruns: i64,
    /// How often the step that is next was begun.
    pub begun: i64,
    pub due_at_ms: i64,
    /// A step that is over.
    pub recorded: Option<StepRow>,
    /// What the step said by `$.send`.
    pub letters: Vec<Letter>,
}

impl Next {
    /// The run goes on at once, as it stands.
    pub fn same(run: &Run, memory: Memory, now_ms: i64) -> Self {
        Self {
            memory,
            state: State::Running,
            outcome: None,
            step: run.step,
            failures: run.failures,
            reruns: run.reruns,
            begun: run.begun,
            due_at_ms: now_ms,
            recorded: None,
            letters: Vec::new(),
        }
    }

    /// Whether nothing of what the run was given is kept.
    fn forgets(&self) -> bool {
        self.memory.unkept && self.outcome.is_some()
    }

    pub fn ended(mut self, outcome: Outcome, reason: Option<String>) -> Self {
        self.state = State::Ended;
        self.outcome = Some(outcome);
        self.memory.reason = reason;
        self.memory.waits = None;
        self.due_at_ms = i64::MAX;
        self
    }
}

/// Writes it, if the run is still the one that was read; with a fence, for whoever has the lease,
/// who keeps it to go on. `false`: another took over, and nothing was written.
pub(super) async fn write(
    app: &Arc<App>,
    (run, fence): (&Run, Option<i64>),
    (seal, definition): (&Seal, &Definition),
    mut next: Next,
) -> Result<bool> {
    if next.forgets() {
        let told = next.memory.respond_now && !answer::recalled(app, run).await?;
        next.memory = forgetting(next.memory, told);
    }
    let after = match (next.outcome, &definition.on_error) {
        (Some(Outcome::Failed), Some(name)) => about_failure(app, run, name, &next).await?,
        _ => None,
    };
    let now_ms = app.clock.now_ms();
    let going = next.state == State::Running && fence.is_some();
    let hash = token::digest(&next.memory.key);
    let sealed = seal.seal_memory(&run.id, run.revision + 1, &next.memory)?;
    let standing = Standing {
        state: next.state,
        outcome: next.outcome.map(Outcome::as_str),
        step: next.step,
        failures: next.failures,
        reruns: next.reruns,
        begun: next.begun,
        sealed: &sealed,
        resume_hash: next.outcome.is_none().then_some(hash.as_slice()),
        due_at_ms: next.due_at_ms,
        keep: going,
        now_ms,
    };
    let mut tx = app.db.begin().await?;
    if !runs::settle(&mut tx, run, fence, &standing).await? {
        return Ok(false);
    }
    beside(app, &mut tx, (run, definition), &next).await?;
    if let Some((workflow, start)) = after {
        let queued = runs::queued(&mut tx, &workflow.project, &workflow.id).await?;
        if queued < QUEUED_MAX {
            let whom = (run.user.clone(), run.external_id.clone());
            stored(app, &mut tx, &workflow, (start, run.tenant.clone()), whom).await?;
        } else {
            tracing::warn!(run = %run.id, workflow = workflow.name,
                "a failed run starts no other: too many of its runs wait");
        }
    }
    if next.recorded.is_some() {
        crate::failpoint::reached("workflow.written");
    }
    tx.commit().await?;
    if next.recorded.is_some() {
        crate::failpoint::reached("workflow.recorded");
    }
    if let Some(outcome) = next.outcome {
        metrics::counter!("grantkeep_workflow_runs_total", "outcome" => outcome.as_str())
            .increment(1);
    }
    if !going {
        // Another may have its turn now.
        if definition.holds_back() {
            runs::call_next(&app.db, run, now_ms).await?;
        }
        app.workflows_due.notify_one();
    }
    Ok(true)
}

/// What a run still knows that is to keep nothing of what it was given: what its caller was not
/// told yet, which is forgotten with the telling.
fn forgetting(it: Memory, told: bool) -> Memory {
    let respond = it.respond.filter(|_| !told);
    Memory { event: Value::Null, resumed: Map::new(), tried: Vec::new(), respond, ..it }
}

/// What is written beside the run's row.
async fn beside(
    app: &App,
    tx: &mut Tx,
    (run, definition): (&Run, &Definition),
    next: &Next,
) -> Result<()> {
    if let Some(row) = &next.recorded {
        steps::insert(tx, run, row).await?;
    }
    if next.forgets() {
        steps::wipe(tx, run).await?;
    }
    send::leave(app, tx, run, &next.letters).await?;
    if next.outcome == Some(Outcome::Failed) {
        tell(app, tx, (run, definition), &next.memory).await?;
    }
    Ok(())
}

/// Tells the product that a run failed, and why.
async fn tell(
    app: &App,
    tx: &mut Tx,
    (run, definition): (&Run, &Definition),
    memory: &Memory,
) -> Result<()> {
    let body = json!({
        "workflow_id": run.workflow,
        "workflow": definition.name,
        "run_id": run.id,
        "external_user_id": run.external_id,
        "reason": memory.reason,
        "error": memory.error,
    });
    let news = News {
        tenant: &run.tenant,
        topic: Topic::WorkflowFailed,
        account: None,
        body,
        webhook_uri: None,
    };
    webhooks::announce(app, tx, news).await
}

/// The run that a failure starts: once, for the same user.
async fn about_failure(
    app: &Arc<App>,
    run: &Run,
    name: &str,
    next: &Next,
) -> Result<Option<(Workflow, Start)>> {
    let depth = next.memory.depth + 1;
    let found = store::by_name(&app.db, &run.tenant.project, name).await?;
    let Some(workflow) = found.filter(|_| depth <= DEPTH_MAX) else {
        tracing::warn!(run = %run.id, workflow = name, "a failed run starts no other");
        return Ok(None);
    };
    let event = json!({
        "workflow_id": run.workflow,
        "run_id": run.id,
        "error": next.memory.error,
        "event": next.memory.event,
        "external_user_id": run.external_id,
    });
    let start = Start {
        cause: Cause::Error(run.id.clone()),
        event,
        depth,
        unkept: next.memory.unkept,
        ..Start::default()
    };
    Ok(Some((workflow, start)))
}
