//! One step of a run: its condition and fields are evaluated, its accounts chosen, its code run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grantkeep_runtime::{CallError, Failure, Op};
use serde_json::{Map, Value, json};

use super::answer::Listening;
use super::begin::{Cause, Start, begin};
use super::expression::{self, Expressions, Scope};
use super::sealed::{Given, Memory, Seal};
use super::store::steps;
use super::{Definition, GIVEN_BYTES_MAX, Run, Step, account, deploy};
use crate::app::App;
use crate::callers::{Actor, Caller, Origin};
use crate::clock::iso;
use crate::components::host::{Answering, Calls, RunHost};
use crate::components::outcome::{Observation, Outcome};
use crate::components::{self, Asked, Filled, Kind, Letter, Prepared};
use crate::error::{Error, Result};
use crate::meters::Meter;
use crate::scope::{Scope as Permit, Scopes};
use crate::tenant::Tenant;

/// How long what cannot be run just now is put off.
const LATER_MS: i64 = 2_000;

/// Bytes that are kept of the calls of one step, as JSON.
const CALLS_BYTES_MAX: usize = 512 * 1024;

/// What came of a step.
pub(super) enum Done {
    /// Its condition did not hold.
    Skipped,
    /// It could not be run just now, and nothing speaks against it.
    Later(i64),
    Ran(Box<Ran>),
}

/// What running it gave.
pub(super) struct Ran {
    pub given: Given,
    pub failed: Option<Failed>,
    /// What it asked of `$.flow`, as the worker says it; `null` for nothing.
    pub flow: Value,
    pub responded: Vec<Value>,
    /// What it said by `$.send`.
    pub letters: Vec<Letter>,
    pub started_ms: i64,
    pub ended_ms: i64,
}

/// Why it failed.
pub(super) struct Failed {
    /// As it is kept: with `name`, `message`, `code` and more.
    pub error: Value,
    /// Whether trying again may help.
    pub passing: bool,
}

/// A step about to be run.
pub(super) struct Turn<'a> {
    pub app: &'a Arc<App>,
    pub run: &'a Run,
    pub definition: &'a Definition,
    pub step: &'a Step,
    pub memory: &'a Memory,
    /// What the steps before it gave, as code sees it.
    pub steps: Value,
}

/// What the steps so far gave, as code sees it.
pub(super) async fn so_far(app: &App, seal: &Seal, run: &Run, memory: &Memory) -> Result<Value> {
    let context = json!({ "id": run.id, "ts": iso(run.created_at_ms) });
    let trigger = json!({ "event": memory.event, "context": context });
    let mut all = Map::from_iter([("trigger".to_owned(), trigger)]);
    for row in steps::of(&app.db, run).await? {
        let mut exports = seal.given(&run.id, row.nth, &row.sealed)?.exports;
        if let Some(data) = memory.resumed.get(&row.name) {
            exports.insert("$resume_data".to_owned(), data.clone());
        }
        all.insert(row.name, Value::Object(exports));
    }
    Ok(Value::Object(all))
}

/// Whether nothing speaks against the workflow: the step could not be run just now.
fn passes(error: &Error) -> bool {
    matches!(error.kind().status, 403 | 429 | 502..=504)
}

impl Turn<'_> {
    /// # Errors
    /// Of the store. What speaks against the step is in what it gives.
    pub async fn perform(&self) -> Result<Done> {
        let started_ms = self.app.clock.now_ms();
        let props = match self.filled().await? {
            Ok(None) => return Ok(Done::Skipped),
            Ok(Some(props)) => props,
            Err(why) => {
                let error = json!({ "name": "ExpressionError", "message": why,
                    "code": "expression" });
                return Ok(self.broken(Given::default(), (error, started_ms)));
            }
        };
        let mut given = Given { props, ..Given::default() };
        // Each step was held to the limit, but what resumes a run comes to it as well.
        if self.steps.to_string().len() > GIVEN_BYTES_MAX {
            return Ok(self.broken(given, (too_large(), started_ms)));
        }
        match self.run(&mut given).await {
            Ok(done) => {
                let (project, sent) = (&self.run.tenant.project, &done.gathered.sent);
                let room = components::room_for_letters(self.app, project, sent).await?;
                Ok(Done::Ran(Box::new(self.within(ran(self.app, given, (done, room))))))
            }
            Err(error) if passes(&error) => Ok(Done::Later(started_ms + LATER_MS)),
            Err(error) if error.kind().status >= 500 => Err(error),
            Err(error) => {
                let error = json!({ "name": error.kind().code, "message": error.text(),
                    "code": error.kind().code, "details": error.details() });
                Ok(self.broken(given, (error, started_ms)))
            }
        }
    }

    /// What a step gave fails it where all steps together would have given too much. It is left out
    /// then.
    fn within(&self, mut ran: Ran) -> Ran {
        let gives = serde_json::to_string(&ran.given.exports).map_or(usize::MAX, |it| it.len());
        let all = self.steps.to_string().len().saturating_add(gives);
        if all.saturating_add(self.step.name.len()) <= GIVEN_BYTES_MAX {
            return ran;
        }
        ran.given.exports = Map::new();
        if ran.failed.is_some() {
            return ran;
        }
        let (error, ts) = (too_large(), ran.ended_ms);
        let err = Some(error.clone());
        ran.given.log.push(Observation { k: "error".to_owned(), ts, msg: None, err: err.clone() });
        (ran.given.error, ran.given.flow, ran.flow) = (err, None, Value::Null);
        ran.letters = Vec::new();
        ran.failed = Some(Failed { error, passing: false });
        ran
    }

    /// The condition, and then the fields. The inner error says what cannot be evaluated.
    async fn filled(&self) -> Result<Result<Option<Map<String, Value>>, String>> {
        let scope = Scope::from_iter([
            ("steps".to_owned(), self.steps.clone()),
            ("event".to_owned(), self.memory.event.clone()),
            ("context".to_owned(), self.context()),
        ]);
        let (condition, props) = (self.step.condition.clone(), self.step.props.clone());
        let evaluated = expression::apart(move || {
            let all = Expressions::new(&scope).map_err(|it| it.to_string())?;
            if let Some(condition) = condition {
                let holds = all.holds(&condition);
                if !holds.map_err(|it| format!("`if` cannot be evaluated: {it}"))? {
                    return Ok(None);
                }
            }
            let mut filled = Map::new();
            for (name, value) in props {
                let value = all.filled(&value);
                let value = value.map_err(|it| format!("`{name}` cannot be evaluated: {it}"))?;
                filled.insert(name, value);
            }
            Ok(Some(filled))
        });
        evaluated.await
    }

    /// A step that cannot be run, and will not be if it is tried again.
    fn broken(&self, mut given: Given, (error, started_ms): (Value, i64)) -> Done {
        let ended_ms = self.app.clock.now_ms();
        given.error = Some(error.clone());
        given.log.push(Observation {
            k: "error".to_owned(),
            ts: ended_ms,
            msg: None,
            err: Some(error.clone()),
        });
        Done::Ran(Box::new(Ran {
            given,
            failed: Some(Failed { error, passing: false }),
            flow: Value::Null,
            responded: Vec::new(),
            letters: Vec::new(),
            started_ms,
            ended_ms,
        }))
    }

    async fn run(&self, given: &mut Given) -> Result<Outcome> {
        let Self { app, run, step, .. } = self;
        let component = deploy::component(app, &run.tenant.project, step).await?;
        let rule = step.account.unwrap_or(self.definition.account);
        let mut configured = given.props.clone();
        given.accounts = account::choose(app, run, (&component, rule), &mut configured).await?;
        let caller = server(&run.tenant);
        let (key, origin) = (component.key.clone(), Origin::default());
        let asked = Asked {
            tenant: &run.tenant,
            external_id: &run.external_id,
            caller: &caller,
            origin: &origin,
            kind: Kind::Actions,
            key: &key,
            version: None,
            configured,
            dynamic_props: None,
        };
        let prepared = components::prepare_found(app, asked, component, Filled::Whole).await?;
        let _slot = components::runs_now(app, &run.tenant)?;
        prepared.recorded("workflow.step", run.id.as_str()).await?;
        crate::failpoint::reached("workflow.begun");
        let done = self.performed(&prepared).await?;
        given.calls = first(prepared.calls());
        Ok(done)
    }

    async fn performed(&self, prepared: &Prepared) -> Result<Outcome> {
        let Self { app, run, step, .. } = self;
        let more = Map::from_iter([
            ("steps".to_owned(), self.steps.clone()),
            ("context".to_owned(), self.context()),
        ]);
        let mut op = Op::run(prepared.input(more));
        if let Some(ms) = step.timeout_ms {
            op = op.within(Duration::from_millis(ms.cast_unsigned()));
        }
        app.meters.count(&run.tenant, Meter::ActionRuns, app.clock.now_ms());
        let mut host = RunHost::new(prepared).answering(self.calls());
        let listening = Listening::default();
        if let Some(taker) = listening.taker(app, run, (self.definition, self.memory)) {
            host = host.telling(taker);
        }
        let done = prepared.perform(op, host).await?;
        listening.done().await;
        metrics::counter!(
            "grantkeep_component_runs_total", "about" => "workflow", "outcome" => done.word()
        )
        .increment(1);
        Ok(done)
    }

    /// What `$.context` is. The idempotency key is the same however often the step is tried, and
    /// another one each time that the step itself asks to be run again.
    fn context(&self) -> Value {
        let Self { app, run, step, memory, .. } = self;
        let now_ms = app.clock.now_ms();
        let url = |verb| app.url(&format!("/v1/workflows/{verb}/{}", memory.key)).to_string();
        let runs = run.reruns + 1;
        let again = if runs > 1 { format!("/{runs}") } else { String::new() };
        let wall_ms = step.timeout_ms.unwrap_or_else(|| app.config.code_wall_ms.ms());
        json!({
            "id": run.id,
            "trace_id": run.id,
            "ts": iso(run.created_at_ms),
            "workflow_id": run.workflow,
            "deployment_id": format!("{}/{}", run.workflow, run.version),
            "owner_id": run.tenant.project,
            "environment": run.tenant.environment.as_str(),
            "external_user_id": run.external_id,
            "emitter_id": memory.emitter,
            "replay": run.cause == "replay",
            "JIT": false,
            "platform_version": env!("CARGO_PKG_VERSION"),
            "deadline": now_ms + wall_ms,
            "idempotency_key": format!("{}/{}{again}", run.id, step.name),
            "run": { "runs": runs, "context": memory.context,
                "callback_request": memory.callback },
            "resume_url": url("resume"),
            "cancel_url": url("cancel"),
        })
    }

    /// Answers what code asks of its workflow.
    fn calls(&self) -> Calls {
        let (app, run) = (Arc::clone(self.app), self.run.clone());
        let context = self.context();
        let depth = self.memory.depth + 1;
        // Those of one try are counted, so that another try starts no run again.
        let (count, key) = (AtomicU64::new(0), context["idempotency_key"].clone());
        Arc::new(move |method: &str, params: Value| -> Answering {
            let done = match method {
                "flow.trigger" => {
                    let (app, run) = (Arc::clone(&app), run.clone());
                    let nth = count.fetch_add(1, Ordering::Relaxed);
                    let once = format!("{}/{nth}", key.as_str().unwrap_or_default());
                    return Box::pin(
                        async move { trigger(&app, &run, (params, depth, once)).await },
                    );
                }
                "flow.urls" => Ok(json!({ "resume_url": context["resume_url"],
                    "cancel_url": context["cancel_url"] })),
                "db.set" | "flow.refreshTimeout" | "http.respond" => Ok(Value::Null),
                _ => Err(CallError::new("NotHere", "This does not work in a workflow.")
                    .with_code("not_here")),
            };
            Box::pin(std::future::ready(done))
        })
    }
}

fn ran(app: &App, mut given: Given, (done, room): (Outcome, usize)) -> Ran {
    given.log = done.observations();
    given.exports = done.gathered.exports;
    let (started_ms, ended_ms) = (done.started_ms, done.ended_ms);
    let responded = done.gathered.responded;
    let (flow, failed) = match done.result {
        Ok(mut value) => {
            given.exports.insert("$return_value".to_owned(), value["ret"].take());
            (value["flow"].take(), None)
        }
        Err(failure) => {
            let error = given.log.last().and_then(|it| it.err.clone()).unwrap_or_default();
            given.error = Some(error.clone());
            (asked_before(&failure), Some(Failed { error, passing: passing(&failure) }))
        }
    };
    let (letters, refused) = components::letters(app, (done.gathered.sent, room), ended_ms);
    given.log.extend(refused);
    given.flow = Some(flow.clone()).filter(|it| !it.is_null());
    Ran { given, failed, flow, responded, letters, started_ms, ended_ms }
}

/// The calls that are kept of a step: the first.
fn first(calls: Vec<Value>) -> Vec<Value> {
    let mut left = CALLS_BYTES_MAX;
    let fits = |it: &Value| {
        left = left.saturating_sub(it.to_string().len());
        left > 0
    };
    calls.into_iter().take_while(fits).collect()
}

fn too_large() -> Value {
    let text = format!("The steps together gave more than {GIVEN_BYTES_MAX} bytes.");
    json!({ "name": "TooLarge", "message": text, "code": "too_large" })
}

/// Starts another workflow of the same project for the same user.
async fn trigger(
    app: &Arc<App>,
    run: &Run,
    (params, depth, once): (Value, i64, String),
) -> Result<Value, CallError> {
    let told = |error: Error| {
        CallError::new("WorkflowNotStarted", error.text()).with_code(error.kind().code)
    };
    let named = params["workflow"].as_str().unwrap_or_default();
    let workflow = deploy::find(app, &run.tenant.project, named).await.map_err(told)?;
    let start = Start {
        cause: Cause::Flow(run.id.clone()),
        event: params["payload"].clone(),
        external_id: Some(run.external_id.clone()),
        environment: Some(run.tenant.environment),
        depth,
        once: Some(once),
        ..Start::default()
    };
    let begun = begin(app, &workflow, start).await.map_err(told)?;
    Ok(json!({ "run_id": begun.id }))
}

/// The server itself. It may make a link where a missing account can be connected.
fn server(tenant: &Tenant) -> Caller {
    Caller {
        actor: Actor::System,
        scopes: Scopes::of(&[Permit::TokensCreate, Permit::Connect]),
        project: Some(tenant.project.clone()),
        connect: None,
        reach: None,
    }
}

/// What a step asked of `$.flow` before it threw.
fn asked_before(failure: &Failure) -> Value {
    match failure {
        Failure::Thrown(it) => it.flow.clone().unwrap_or_default(),
        _ => Value::Null,
    }
}

/// Whoever configured the step has to mend what it says of its configuration.
fn passing(failure: &Failure) -> bool {
    match failure {
        Failure::Thrown(it) => !it.configuration,
        Failure::Load(_) => false,
        _ => true,
    }
}
