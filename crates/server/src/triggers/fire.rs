//! What is due of one trigger: its next timer or waiting request, worked off under its lease.

use std::sync::Arc;

use serde_json::Value;

use super::code::{self, Running, Woken};
use super::commit::{self, Cause, Good};
use super::dedupe::{Dedupe, Emit};
use super::failed::{self, Trouble};
use super::lease::{self, Lease};
use super::sealed::{Seal, Spot};
use super::state::Session;
use super::store::{self, calls, interfaces};
use super::{FAILURES_MAX, Interface, State, Trigger, Wakes};
use crate::app::App;
use crate::components::outcome::Outcome;
use crate::error::Result;
use crate::ids::{CallId, Emitter};

/// Works one thing off. The lease is given back with what comes of it.
pub(super) async fn fire(app: &Arc<App>, trigger: &Trigger, lease: Lease) {
    let done = lease::holding(app, trigger, lease, turn(app, trigger, lease)).await;
    match done {
        Some(Ok(())) => {}
        None => tracing::warn!(trigger = %trigger.id, "a run lost its lease and was dropped"),
        Some(Err(error)) => {
            tracing::error!(trigger = %trigger.id, %error, detail = error.log(),
                "a trigger could not be run");
            if let Err(error) = failed::later(app, trigger, lease).await {
                // The lease ends by itself.
                tracing::error!(%error, trigger = %trigger.id, "a trigger could not be put off");
            }
        }
    }
}

async fn turn(app: &Arc<App>, trigger: &Trigger, lease: Lease) -> Result<()> {
    let seal = Seal::of(app, trigger).await?;
    let all = interfaces::of(&app.db, trigger).await?;
    let Some((cause, event)) = next(app, trigger, (&seal, &all)).await? else {
        return commit::idle(app, trigger, lease).await;
    };
    if trigger.kind != Emitter::Source {
        let emits = vec![Emit { event, id: None, summary: None, ts: None }];
        let good = Good::native(emits);
        commit::good(app, trigger, (Some(lease), &cause, State::Active), good).await?;
        return Ok(());
    }
    let woken = Woken { event, answer: None };
    source(app, (trigger, Some(lease)), &all, (cause, woken)).await.map(drop)
}

/// What is to be worked off next, and what the code is given for it: the timer that is due or the
/// request, whichever has waited longer, so that neither can keep the other waiting for ever.
async fn next(
    app: &App,
    trigger: &Trigger,
    (seal, all): (&Seal, &[Interface]),
) -> Result<Option<(Cause, Value)>> {
    let now_ms = app.clock.now_ms();
    let due = |it: &Interface| match &it.wakes {
        Wakes::Timer { schedule, due_at_ms, .. } if *due_at_ms <= now_ms => {
            Some((*due_at_ms, it.id.clone(), schedule.clone()))
        }
        _ => None,
    };
    let timer = all.iter().filter_map(due).min_by_key(|it| it.0);
    let call = calls::first(&app.db, trigger).await?;
    let is_older = |due_ms| call.as_ref().is_none_or(|it| due_ms <= it.created_at_ms);
    if let Some((due_ms, id, schedule)) = timer.filter(|it| is_older(it.0)) {
        let next_ms = schedule.next(due_ms, now_ms).unwrap_or(super::NEVER);
        let event = match trigger.kind {
            Emitter::Source => schedule.event(due_ms),
            _ => schedule.clock_event(due_ms),
        };
        return Ok(Some((Cause::Timer { id, next_ms }, event)));
    }
    let Some(call) = call else { return Ok(None) };
    Ok(Some((Cause::Call(call.id.clone()), opened(seal, &call.id, &call.sealed)?)))
}

fn opened(seal: &Seal, id: &CallId, sealed: &[u8]) -> Result<Value> {
    seal.open(Spot::call(id.as_str()), sealed)
}

/// Runs a source on an event, and writes what came of it. Without a lease it runs beside another
/// run, and says nothing of how the trigger stands. Gives why it failed, if it did.
///
/// # Errors
/// Of the store. What speaks against the trigger is written down instead.
pub(super) async fn source(
    app: &Arc<App>,
    (trigger, lease): (&Trigger, Option<Lease>),
    all: &[Interface],
    (cause, woken): (Cause, Woken),
) -> Result<Option<Trouble>> {
    let now_ms = app.clock.now_ms();
    let trouble = match run(app, trigger, all, woken).await {
        Err(error) if failed::passes(&error) => {
            if let Some(lease) = lease {
                failed::later(app, trigger, lease).await?;
            }
            return Ok(Some(Trouble::of(&error, now_ms)));
        }
        Err(error) if error.kind().status >= 500 => return Err(error),
        Err(error) => Trouble::of(&error, now_ms),
        Ok((done, session, dedupe)) => match code::emitted(&done) {
            Some(emits) if done.result.is_ok() => {
                let written = session.written();
                let good = Good { written, emits, dedupe, silent: false };
                let how = (lease, &cause, State::Active);
                commit::good(app, trigger, how, good).await?;
                return Ok(None);
            }
            _ => Trouble::of_code(code::observations(&done)),
        },
    };
    match (lease, &cause) {
        (None, _) => {}
        // Who sent it is told, and it says nothing of the next request.
        (Some(lease), Cause::Person) => commit::idle(app, trigger, lease).await?,
        (Some(lease), _) => failed::failed(app, trigger, (lease, &cause), &trouble).await?,
    }
    Ok(Some(trouble))
}

/// The first failure, and the one that pauses, say where a missing account can be connected.
fn may_link(trigger: &Trigger) -> bool {
    trigger.failures == 0 || trigger.failures + 1 == FAILURES_MAX
}

async fn run(
    app: &Arc<App>,
    trigger: &Trigger,
    all: &[Interface],
    woken: Woken,
) -> Result<(Outcome, Session, Dedupe)> {
    let seal = Seal::of(app, trigger).await?;
    let configured = code::configured(&seal, trigger)?;
    let component = code::component(app, trigger).await?;
    let dedupe = Dedupe::of(component.described.dedupe.as_deref());
    let values = code::filled(app, &seal, configured.values.clone(), all)?;
    let caller = code::server(&trigger.tenant.project, may_link(trigger));
    let prepared = code::ready(app, trigger, &caller, (component, &configured, values)).await?;
    let session = Session::open(app, &seal, trigger).await?;
    let running = Running { app, trigger, prepared: &prepared, session: &session };
    let done = running.run(woken).await?;
    Ok((done, session, dedupe))
}

/// The trigger as it is now, for whoever found its name in a list.
pub(super) async fn found(app: &App, due: &store::Due) -> Result<Option<Trigger>> {
    let Some(tenant) = due.tenant() else { return Ok(None) };
    Ok(store::find(&app.db, &tenant, &due.id).await?)
}
