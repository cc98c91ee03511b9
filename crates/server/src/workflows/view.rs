//! Workflows and runs, as callers are shown them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::past::Past;
use super::sealed::{Memory, Tried, Wait};
use super::{Definition, Does, Entry, Run, State, Workflow};
use crate::clock::iso;
use crate::components::outcome::Observation;

/// A workflow.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WorkflowView {
    pub id: String,
    pub name: String,
    /// New runs are of this version.
    pub version: i64,
    /// Where it is called; null where it has no address.
    pub endpoint_url: Option<String>,
    /// How callers of its address prove who they are: `none`, `bearer` or `oauth`.
    pub auth: Option<String>,
    /// When its timer starts runs: `cron` and `timezone`, or `intervalSeconds`; null where it has
    /// none.
    #[schema(value_type = Option<Object>)]
    pub timer: Option<Value>,
    /// When its timer is due.
    pub due_at: Option<String>,
    /// Its steps, each with `name` and what it runs.
    #[schema(value_type = Vec<Object>)]
    pub steps: Vec<Value>,
    pub created_at: String,
    pub updated_at: String,
}

impl WorkflowView {
    pub(super) fn of(it: &Workflow, definition: &Definition, address: Option<String>) -> Self {
        let auth = match definition.entry {
            Entry::Http { auth, .. } => Some(auth.as_str().to_owned()),
            Entry::Timer { .. } | Entry::Call => None,
        };
        let step = |it: &super::Step| match &it.does {
            Does::Component { key, version } => serde_json::json!({ "name": it.name,
                "component": key, "version": version }),
            Does::Code { .. } => serde_json::json!({ "name": it.name, "component": null,
                "version": null }),
        };
        Self {
            id: it.id.as_str().to_owned(),
            name: it.name.clone(),
            version: it.version,
            endpoint_url: address,
            auth,
            timer: match &definition.entry {
                Entry::Timer { schedule, .. } => Some(schedule.clone()),
                _ => None,
            },
            due_at: it.due_at_ms.map(iso),
            steps: definition.steps.iter().map(step).collect(),
            created_at: iso(it.created_at_ms),
            updated_at: iso(it.updated_at_ms),
        }
    }
}

/// A run.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WorkflowRunView {
    pub id: String,
    pub workflow_id: String,
    pub version: i64,
    pub external_user_id: String,
    /// What started it: `http`, `call`, `timer`, `trigger`, `flow`, `error` or
    /// `replay`.
    pub cause: String,
    /// The run that it repeats, or whose failure or step started it.
    pub of_run: Option<String>,
    /// `queued`, `running`, `waiting` or `ended`.
    pub state: String,
    /// Once it has ended: `ok`, `exit`, `failed`, `cancelled`, `expired`, or `not_run`.
    pub outcome: Option<String>,
    pub created_at: String,
    pub started_at: Option<String>,
    pub ended_at: Option<String>,
    pub duration_ms: Option<i64>,
}

impl From<&Run> for WorkflowRunView {
    fn from(it: &Run) -> Self {
        Self {
            id: it.id.as_str().to_owned(),
            workflow_id: it.workflow.as_str().to_owned(),
            version: it.version,
            external_user_id: it.external_id.clone(),
            cause: it.cause.clone(),
            of_run: it.of_run.as_ref().map(|it| it.as_str().to_owned()),
            state: it.state.as_str().to_owned(),
            outcome: it.outcome.clone(),
            created_at: iso(it.created_at_ms),
            started_at: it.started_at_ms.map(iso),
            ended_at: it.ended_at_ms.map(iso),
            duration_ms: it.started_at_ms.zip(it.ended_at_ms).map(|(from, to)| to - from),
        }
    }
}

/// A step that is over. Secrets of the run are blacked out in all of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PastStepView {
    pub name: String,
    /// `ok`, `skipped` or `failed`.
    pub state: String,
    /// How often it was begun. A try that a crash interrupted counts, and has left nothing more.
    pub tries: i64,
    /// Its tries before the last one that failed, or asked to be run again; the latest 20.
    pub tried: Vec<TriedView>,
    pub started_at: String,
    pub ended_at: String,
    pub duration_ms: i64,
    /// What it was configured with.
    #[schema(value_type = Object)]
    pub props: Map<String, Value>,
    /// Which accounts it got, and by which rule.
    #[schema(value_type = Vec<Object>)]
    pub accounts: Vec<Value>,
    #[schema(value_type = Object)]
    pub exports: Map<String, Value>,
    pub os: Vec<Observation>,
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
    /// Calls to apps, each with method, host, path, status and more.
    #[schema(value_type = Vec<Object>)]
    pub calls: Vec<Value>,
}

impl From<Past> for PastStepView {
    fn from(it: Past) -> Self {
        let given = it.given;
        Self {
            name: it.name,
            state: it.state,
            tries: it.tries,
            tried: given.tried.into_iter().map(TriedView::from).collect(),
            started_at: iso(it.started_at_ms),
            ended_at: iso(it.ended_at_ms),
            duration_ms: it.ended_at_ms - it.started_at_ms,
            props: given.props,
            accounts: given.accounts,
            exports: given.exports,
            os: given.log,
            error: given.error,
            calls: given.calls,
        }
    }
}

/// A try of a step that another one followed, or will. At most 32 KiB are kept of each.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TriedView {
    pub started_at: String,
    pub ended_at: String,
    pub duration_ms: i64,
    pub os: Vec<Observation>,
    /// Why it failed; null where it asked to be run again.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
    /// Calls to apps, each with method, host, path, status and more.
    #[schema(value_type = Vec<Object>)]
    pub calls: Vec<Value>,
}

impl From<Tried> for TriedView {
    fn from(it: Tried) -> Self {
        Self {
            started_at: iso(it.started_at_ms),
            ended_at: iso(it.ended_at_ms),
            duration_ms: it.ended_at_ms - it.started_at_ms,
            os: it.log,
            error: it.error,
            calls: it.calls,
        }
    }
}

/// What a run took, so far.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct RunCost {
    /// Milliseconds in which code of its steps ran, without tries that a crash interrupted.
    pub code_ms: i64,
    /// How often steps were begun.
    pub code_runs: i64,
    /// Calls to apps and other hosts.
    pub calls: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

impl RunCost {
    fn of(steps: &[Past]) -> Self {
        let mut cost = Self::default();
        for it in steps.iter().filter(|it| it.state != "skipped") {
            cost.code_ms += it.ended_at_ms - it.started_at_ms;
            cost.code_runs += it.tries;
            let tried = &it.given.tried;
            cost.code_ms += tried.iter().map(|it| it.ended_at_ms - it.started_at_ms).sum::<i64>();
            for call in tried.iter().flat_map(|it| &it.calls).chain(&it.given.calls) {
                cost.calls += 1;
                cost.sent_bytes += call["sent_bytes"].as_u64().unwrap_or(0);
                cost.received_bytes += call["received_bytes"].as_u64().unwrap_or(0);
            }
        }
        cost
    }
}

/// A run with all that is known of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WholeRunView {
    #[serde(flatten)]
    pub run: WorkflowRunView,
    /// What started it.
    #[schema(value_type = Option<Object>)]
    pub event: Value,
    /// What it waits for, while it does: `suspend` (somebody), `delay`, `rerun` or `retry`.
    #[schema(value_type = Option<String>)]
    pub waits: Option<Wait>,
    /// Why it ended.
    pub reason: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
    pub cost: RunCost,
    /// Tries so far of the step that is next.
    pub tried: Vec<TriedView>,
    /// Its steps that are over, in their order.
    pub steps: Vec<PastStepView>,
}

impl WholeRunView {
    pub(super) fn of(run: &Run, memory: Memory, steps: Vec<Past>) -> Self {
        Self {
            run: run.into(),
            event: memory.event,
            waits: memory.waits.filter(|_| run.state == State::Waiting),
            reason: memory.reason,
            error: memory.error,
            cost: RunCost::of(&steps),
            tried: memory.tried.into_iter().map(TriedView::from).collect(),
            steps: steps.into_iter().map(PastStepView::from).collect(),
        }
    }
}
