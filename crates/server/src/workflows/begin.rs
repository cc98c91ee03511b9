//! Starting a run: it is stored, and with that it will be done.

use std::sync::Arc;

use grantkeep_vault::{Secret, token};
use serde_json::{Value, json};

use super::deploy::definition;
use super::expression::{self, Expressions};
use super::sealed::{Memory, Seal};
use super::store::runs;
use super::{
    DEPTH_MAX, Definition, PAYLOAD_BYTES_MAX, QUEUED_MAX, Run, State, Workflow, field, refused,
};
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::{UserId, WorkflowRunId};
use crate::tenant::{Environment, Tenant};
use crate::users;

/// Due when nothing is to be done.
const NEVER: i64 = i64::MAX;
/// Random bytes of the secret part of addresses that resume a run.
const KEY_BYTES: usize = 24;
/// What the names of workflows' own users begin with.
pub(super) const OWN_USER: &str = "workflow:";
/// Characters of a user's id.
const USER_CHARS_MAX: usize = 250;

/// What started a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// A request to its address.
    Http,
    /// A call of the API.
    #[default]
    Call,
    Timer,
    /// An event of a deployed trigger.
    Trigger,
    /// A step of a run, by `$.flow.trigger`.
    Flow(WorkflowRunId),
    /// A run that failed.
    Error(WorkflowRunId),
    /// It repeats a run.
    Replay(WorkflowRunId),
}

impl Cause {
    fn parts(&self) -> (&'static str, Option<&WorkflowRunId>) {
        match self {
            Self::Http => ("http", None),
            Self::Call => ("call", None),
            Self::Timer => ("timer", None),
            Self::Trigger => ("trigger", None),
            Self::Flow(of) => ("flow", Some(of)),
            Self::Error(of) => ("error", Some(of)),
            Self::Replay(of) => ("replay", Some(of)),
        }
    }
}

/// What a run begins with.
#[derive(Default)]
pub struct Start {
    /// The run's id, where its caller said it before. `None`: it gets one.
    pub id: Option<WorkflowRunId>,
    pub cause: Cause,
    pub event: Value,
    /// Whom it is for. `None`: the workflow's file says.
    pub external_id: Option<String>,
    /// `None`: the workflow's file says.
    pub environment: Option<Environment>,
    /// How many runs started each other before it.
    pub depth: i64,
    /// Whether it is only recorded.
    pub idle: bool,
    /// Whether the event, and what steps made of it, are forgotten when it ends.
    pub unkept: bool,
    /// The deployed trigger whose event it is.
    pub emitter: Option<String>,
    /// There is one run of a workflow at most of each such name.
    pub once: Option<String>,
}

pub(super) fn new_key() -> String {
    let key: Secret = token::hex("", KEY_BYTES);
    key.expose().to_owned()
}

/// Stores a run, which any process will do.
///
/// # Errors
/// [`error::BODY_TOO_LARGE`]; [`error::RATE_LIMITED`] when too many wait;
/// [`error::INVALID_EXTERNAL_USER`].
pub async fn begin(app: &Arc<App>, workflow: &Workflow, start: Start) -> Result<Run> {
    let it = definition(app, workflow, workflow.version).await?;
    if start.event.to_string().len() > PAYLOAD_BYTES_MAX {
        let text = format!("What starts a run has at most {PAYLOAD_BYTES_MAX} bytes.");
        return Err(refused(error::BODY_TOO_LARGE, text));
    }
    if start.depth > DEPTH_MAX {
        let text = format!("Runs start runs at most {DEPTH_MAX} deep.");
        return Err(refused(error::INVALID_REQUEST, text));
    }
    if let Some(once) = &start.once
        && let Some(run) = runs::by_once(&app.db, &workflow.project, (&workflow.id, once)).await?
    {
        return Ok(run);
    }
    let environment = start.environment.unwrap_or(it.environment);
    let tenant = Tenant { project: workflow.project.clone(), environment };
    let external_id = for_whom(workflow, &it, &start).await?;
    users::check_external_id(&external_id)?;
    let mut tx = app.db.begin().await?;
    if runs::queued(&mut tx, &workflow.project, &workflow.id).await? >= QUEUED_MAX {
        let text = format!("{QUEUED_MAX} runs of this workflow wait for their turn already.");
        return Err(refused(error::RATE_LIMITED, text).retry_after(10));
    }
    let now_ms = app.clock.now_ms();
    let user = users::ensure(&mut tx, &tenant, &external_id, now_ms).await?.id;
    let run = stored(app, &mut tx, workflow, (start, tenant), (user, external_id)).await?;
    tx.commit().await?;
    app.workflows_due.notify_one();
    Ok(run)
}

/// Whom a run is for: whom its caller names, or else whom the workflow's file says.
pub(super) async fn for_whom(
    workflow: &Workflow,
    it: &Definition,
    start: &Start,
) -> Result<String> {
    match (&start.external_id, &it.user) {
        (Some(named), _) => Ok(named.clone()),
        (None, Some(text)) => whom(text, &start.event).await,
        (None, None) => Ok(own_user(workflow)),
    }
}

/// A workflow that is for nobody in particular has accounts of its own, of a user of its name.
pub(super) fn own_user(workflow: &Workflow) -> String {
    format!("{OWN_USER}{}", workflow.name)
}

/// Whom a run is for, as the event says.
pub(super) async fn whom(text: &str, event: &Value) -> Result<String> {
    let scope = json!({ "event": event, "steps": { "trigger": { "event": event } } });
    let scope = scope.as_object().cloned().unwrap_or_default();
    let wanted = Value::from(text);
    let filled = expression::apart(move || {
        let filled = Expressions::new(&scope).and_then(|it| it.filled(&wanted));
        filled.map_err(|it| it.to_string())
    });
    let id = match filled.await? {
        Ok(Value::String(id)) => id,
        Ok(Value::Number(id)) => id.to_string(),
        Ok(_) => String::new(),
        Err(why) => {
            let text = format!("The event does not say whom this run is for: {why}.");
            return Err(field("user", text));
        }
    };
    if id.is_empty() || id.chars().count() > USER_CHARS_MAX {
        let text = format!("The event does not say whom this run is for: `{text}` gives no id.");
        return Err(field("user", text));
    }
    Ok(id)
}

/// Writes the row within a transaction.
pub(super) async fn stored(
    app: &App,
    tx: &mut Tx,
    workflow: &Workflow,
    (start, tenant): (Start, Tenant),
    (user, external_id): (UserId, String),
) -> Result<Run> {
    let seal = Seal::ensure(app, tx, &tenant, &user).await?;
    let id = start.id.unwrap_or_else(WorkflowRunId::mint);
    let now_ms = app.clock.now_ms();
    let (cause, of_run) = start.cause.parts();
    let (cause, of_run) = (cause.to_owned(), of_run.cloned());
    let memory = Memory {
        event: start.event,
        key: new_key(),
        depth: start.depth,
        unkept: start.unkept,
        emitter: start.emitter,
        ..Memory::default()
    };
    let idle = start.idle;
    let run = Run {
        sealed: seal.seal_memory(&id, 0, &memory)?,
        id,
        workflow: workflow.id.clone(),
        tenant,
        user,
        external_id,
        version: workflow.version,
        cause,
        of_run,
        state: if idle { State::Ended } else { State::Queued },
        outcome: idle.then(|| "not_run".to_owned()),
        step: 0,
        failures: 0,
        reruns: 0,
        begun: 0,
        revision: 0,
        created_at_ms: now_ms,
        started_at_ms: None,
        ended_at_ms: idle.then_some(now_ms),
    };
    runs::insert(tx, &run, (if idle { NEVER } else { now_ms }, start.once.as_deref())).await?;
    Ok(run)
}
