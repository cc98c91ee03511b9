//! A source's code, made ready and run.

use std::sync::{Arc, Mutex, PoisonError};

use grantkeep_runtime::Op;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::dedupe::Emit;
use super::respond::Said;
use super::sealed::{Seal, Spot};
use super::state::Session;
use super::{Configured, EMITS_MAX, Interface, Trigger, Wakes};
use crate::app::App;
use crate::callers::{Actor, Caller, Origin};
use crate::components::host::{Answering, Calls, RunHost};
use crate::components::outcome::{Observation, Outcome};
use crate::components::{self, Asked, Component, Filled, Kind, Prepared};
use crate::error::{self, Error, Result};
use crate::ids::{EmitterId, ProjectId, RunId};
use crate::scope::{Scope, Scopes};

/// Below this path of the server are the addresses of triggers.
pub(super) const HOOKS: &str = "/v1/hooks/";

/// The server itself, which runs what is due. It may make a link to connect an account once in a
/// while.
pub(super) fn server(project: &ProjectId, may_link: bool) -> Caller {
    let scopes = if may_link { Scopes::of(&[Scope::TokensCreate]) } else { Scopes::default() };
    Caller {
        actor: Actor::System,
        scopes,
        project: Some(project.clone()),
        connect: None,
        reach: None,
    }
}

/// The address of an interface.
pub(super) fn address(app: &App, key: &str) -> String {
    app.url(&format!("{HOOKS}{key}")).into()
}

/// The secret part of an interface's address.
pub(super) fn key_of(seal: &Seal, id: &EmitterId, sealed: &[u8]) -> Result<String> {
    seal.open(Spot::key(id.as_str()), sealed)
}

/// What it is configured with.
pub(super) fn configured(seal: &Seal, trigger: &Trigger) -> Result<Configured> {
    seal.open(Spot::configured(trigger.id.as_str(), trigger.revision), &trigger.sealed)
}

/// Values as code gets them: those that were given, and those that the server provides.
pub(super) fn filled(
    app: &App,
    seal: &Seal,
    mut values: Map<String, Value>,
    interfaces: &[Interface],
) -> Result<Map<String, Value>> {
    for it in interfaces {
        let value = match &it.wakes {
            Wakes::Http { key_sealed, .. } => {
                json!({ "endpoint": address(app, &key_of(seal, &it.id, key_sealed)?) })
            }
            Wakes::Timer { schedule, .. } => schedule.shown(),
        };
        values.insert(it.prop.clone(), value);
    }
    Ok(values)
}

/// The component that a trigger was made of.
///
/// # Errors
/// [`error::NOT_FOUND`] once it was deleted, or is no longer shipped.
pub(super) async fn component(app: &App, trigger: &Trigger) -> Result<Component> {
    let project = &trigger.tenant.project;
    components::find_by_id(app, project, &trigger.component, &trigger.version).await
}

/// Makes the code of a trigger ready, with its user's accounts.
///
/// # Errors
/// As for [`components::prepare_with`].
pub(super) async fn ready(
    app: &Arc<App>,
    trigger: &Trigger,
    caller: &Caller,
    (component, configured, values): (Component, &Configured, Map<String, Value>),
) -> Result<Prepared> {
    let (key, origin) = (component.key.clone(), Origin::default());
    let asked = Asked {
        tenant: &trigger.tenant,
        external_id: &trigger.external_id,
        caller,
        origin: &origin,
        kind: Kind::Triggers,
        key: &key,
        version: None,
        configured: values,
        dynamic_props: None,
    };
    let dynamic = configured.dynamic.clone();
    // Large ones, of which callers hold several.
    Box::pin(components::prepare_with(app, asked, component, (Filled::Whole, dynamic))).await
}

/// One run, or several hooks after each other, of a trigger's code.
pub(super) struct Running<'a> {
    pub app: &'a Arc<App>,
    pub trigger: &'a Trigger,
    pub prepared: &'a Prepared,
    pub session: &'a Session,
}

/// What code was woken with, and who waits for its answer.
pub(super) struct Woken {
    pub event: Value,
    pub answer: Option<oneshot::Sender<Said>>,
}

impl Running<'_> {
    /// Runs the code on an event.
    ///
    /// # Errors
    /// [`error::TOO_MANY_RUNS`] and [`error::CODE_UNAVAILABLE`], when nothing was run. What the
    /// code did wrong is in the outcome.
    pub async fn run(&self, woken: Woken) -> Result<Outcome> {
        let op = Op::run(self.input([("event".to_owned(), woken.event)]));
        self.perform(op, woken.answer).await
    }

    /// Runs a hook; one that the component does not have, does nothing.
    ///
    /// # Errors
    /// As for [`Running::run`]; [`error::HOOK_FAILED`] with what the code said.
    pub async fn hook(&self, name: &'static str) -> Result<Vec<Emit>> {
        if !self.prepared.component.described.hooks.iter().any(|it| it == name) {
            return Ok(Vec::new());
        }
        let op = Op::hook(self.input([]), name);
        let done = self.perform(op, None).await?;
        let emits = emitted(&done);
        if done.result.is_err() || emits.is_none() {
            return Err(hook_failed(name, &observations(&done)));
        }
        Ok(emits.unwrap_or_default())
    }

    fn input<const N: usize>(&self, more: [(String, Value); N]) -> Map<String, Value> {
        let db = [("db".to_owned(), self.session.all())];
        self.prepared.input(more.into_iter().chain(db).collect())
    }

    async fn perform(&self, op: Op, answer: Option<oneshot::Sender<Said>>) -> Result<Outcome> {
        let _slot = components::runs_now(self.app, &self.trigger.tenant)?;
        let host = RunHost::new(self.prepared).answering(calls(self.session.clone(), answer));
        let done = Box::pin(self.prepared.perform(op, host)).await?;
        metrics::counter!(
            "grantkeep_component_runs_total", "about" => "trigger", "outcome" => done.word()
        )
        .increment(1);
        let silent = done.result.is_ok() && done.gathered.log.is_empty();
        if !silent || !done.gathered.emitted.is_empty() {
            let about = (RunId::mint(), self.trigger.id.as_str());
            components::keep(self.app, self.prepared, about, (&done, &[])).await?;
        }
        Ok(done)
    }
}

/// Answers what code asks of its trigger.
fn calls(session: Session, answer: Option<oneshot::Sender<Said>>) -> Calls {
    let answer = Mutex::new(answer);
    Arc::new(move |method: &str, params: Value| -> Answering {
        let done = match method {
            "db.set" => session.set(&params),
            "http.respond" => {
                let waiting = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(waiting) = waiting {
                    // Whoever asked may have hung up.
                    let _ = waiting.send(Said::of(&params));
                }
                Ok(Value::Null)
            }
            "flow.refreshTimeout" => Ok(Value::Null),
            _ => Err(grantkeep_runtime::CallError::new(
                "NotHere",
                "This works in a workflow, and this is no part of one.",
            )
            .with_code("not_here")),
        };
        Box::pin(std::future::ready(done))
    })
}

/// The events of a run. `None`: they are more than one run may emit.
pub(super) fn emitted(done: &Outcome) -> Option<Vec<Emit>> {
    let all = &done.gathered.emitted;
    (all.len() <= EMITS_MAX)
        .then(|| all.iter().map(|(event, meta)| Emit::of(event.clone(), meta)).collect())
}

/// What a run logged, and what failed.
pub(super) fn observations(done: &Outcome) -> Vec<Observation> {
    let mut all = done.observations();
    if done.gathered.emitted.len() > EMITS_MAX {
        let text = format!("One run emits at most {EMITS_MAX} events, so none was taken.");
        let err = json!({ "name": "TooManyEvents", "message": text, "code": "too_many" });
        all.push(Observation {
            k: "error".to_owned(),
            ts: done.ended_ms,
            msg: None,
            err: Some(err),
        });
    }
    all
}

fn hook_failed(name: &str, observations: &[Observation]) -> Error {
    let last = observations.iter().rev().find_map(|it| it.err.as_ref());
    let said = last.and_then(|it| it["message"].as_str()).unwrap_or("no more is known");
    let text = format!("The trigger's `{name}` hook failed: {said}");
    error::HOOK_FAILED.saying(text).with(json!({ "hook": name, "observations": observations }))
}
