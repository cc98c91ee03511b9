//! What came of a run, written in one transaction: events, the news of them, what the source
//! remembers, and that what woke it is done.

use std::sync::Arc;

use super::dedupe::{Dedupe, Emit};
use super::lease::Lease;
use super::sealed::{Seal, Spot};
use super::state::{Stored, Written};
use super::store::events::EventRow;
use super::store::{self, Standing, calls, events, interfaces, starts as waiting};
use super::{Event, NEVER, State, Trigger};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{CallId, EmitterId};
use crate::meters::Meter;
use crate::webhooks::{self, Emitted};

/// What woke a trigger.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// A timer, and when it is due next.
    Timer {
        id: EmitterId,
        next_ms: i64,
    },
    Call(CallId),
    /// Somebody who waits for it.
    Person,
}

/// What came of a run that went well.
pub(super) struct Good {
    pub written: Written,
    pub emits: Vec<Emit>,
    pub dedupe: Dedupe,
    /// Whether events are only remembered, and told nobody.
    pub silent: bool,
}

impl Good {
    /// Events that are made without code.
    pub fn native(emits: Vec<Emit>) -> Self {
        Self { written: Written::default(), emits, dedupe: Dedupe::None, silent: false }
    }
}

/// Writes what came of a run. With a lease, it also says how the trigger stands, and gives the
/// lease back. `false`: another run took over, and nothing was written.
pub(super) async fn good(
    app: &Arc<App>,
    trigger: &Trigger,
    (lease, cause, state): (Option<Lease>, &Cause, State),
    good: Good,
) -> Result<bool> {
    let seal = Seal::of(app, trigger).await?;
    let mut tx = app.db.begin().await?;
    let fence = lease.map(|it| it.fence);
    if store::lock(&mut tx, trigger, fence, 0).await?.is_none() {
        return Ok(false);
    }
    let count = take_in(app, &mut tx, (trigger, &seal), good).await?;
    finish_cause(&mut tx, trigger, cause).await?;
    if lease.is_some() {
        let now_ms = app.clock.now_ms();
        let due_at_ms = due(&mut tx, trigger, (state, now_ms)).await?;
        let standing =
            Standing { state, failures: 0, trouble: None, due_at_ms, not_before_ms: 0, now_ms };
        store::settle(&mut tx, trigger, standing).await?;
    }
    tx.commit().await?;
    for _ in 0..count {
        app.meters.count(&trigger.tenant, Meter::SourceEmits, app.clock.now_ms());
    }
    app.triggers_due.notify_one();
    Ok(true)
}

/// Adds the events that are new, and what the run wrote. The row is locked. Gives how many there
/// were.
pub(super) async fn take_in(
    app: &App,
    tx: &mut Tx,
    (trigger, seal): (&Trigger, &Seal),
    good: Good,
) -> Result<usize> {
    let now_ms = app.clock.now_ms();
    let mut stored = Stored::read(tx, seal, trigger).await?;
    stored.apply(good.written);
    let fresh = stored.now.memory.sift(good.dedupe, good.emits, now_ms);
    stored.write(tx, seal, trigger).await?;
    if good.silent || fresh.is_empty() {
        return Ok(0);
    }
    let more = i64::try_from(fresh.len()).unwrap_or(i64::MAX);
    let before = store::lock(tx, trigger, None, more).await?.unwrap_or_default();
    let mut rows = Vec::with_capacity(fresh.len());
    let mut bodies = Vec::with_capacity(fresh.len());
    for (nth, emit) in (before + 1..).zip(fresh) {
        bodies.push(emit.event.to_string());
        let id = format!("{now_ms}-{nth}");
        let event =
            Event { e: shown(emit.event), ts: emit.ts.unwrap_or(now_ms), id, sum: emit.summary };
        let sealed = seal.seal(Spot::event(trigger.id.as_str(), nth), &event)?;
        rows.push(EventRow { nth, at_ms: now_ms, sealed });
    }
    events::add(tx, trigger, &rows).await?;
    let mut starts = false;
    for row in &rows {
        starts |= waiting::add(tx, trigger, (row.nth, &row.sealed), now_ms).await?;
    }
    if starts {
        // The transaction is not committed yet; the worker looks again soon.
        app.workflows_due.notify_one();
    }
    let emitted = Emitted {
        tenant: &trigger.tenant,
        emitter: &trigger.id,
        external_id: &trigger.external_id,
        bodies: &bodies,
    };
    webhooks::emit(app, tx, emitted).await?;
    Ok(rows.len())
}

/// Lists of events hold objects; strict clients fail on anything else.
fn shown(event: serde_json::Value) -> serde_json::Value {
    if event.is_object() { event } else { serde_json::json!({ "value": event }) }
}

async fn finish_cause(tx: &mut Tx, trigger: &Trigger, cause: &Cause) -> Result<()> {
    match cause {
        Cause::Timer { id, next_ms } => interfaces::set_due(tx, id, *next_ms).await?,
        Cause::Call(id) => calls::delete(tx, trigger, id).await?,
        Cause::Person => {}
    }
    Ok(())
}

/// When there is something to do next. The row is locked, so that no request comes meanwhile.
pub(super) async fn due(
    tx: &mut Tx,
    trigger: &Trigger,
    (state, now_ms): (State, i64),
) -> Result<i64> {
    if state != State::Active {
        return Ok(NEVER);
    }
    if calls::count(tx, trigger).await? > 0 {
        return Ok(now_ms);
    }
    Ok(interfaces::first_due(tx, trigger).await?.unwrap_or(NEVER))
}

/// Nothing was to be done: says when there is, and gives the lease back.
pub(super) async fn idle(app: &App, trigger: &Trigger, lease: Lease) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if store::lock(&mut tx, trigger, Some(lease.fence), 0).await?.is_none() {
        return Ok(());
    }
    let now_ms = app.clock.now_ms();
    let due_at_ms = due(&mut tx, trigger, (trigger.state, now_ms)).await?;
    let standing = Standing {
        state: trigger.state,
        failures: trigger.failures,
        trouble: trigger.trouble.as_deref(),
        due_at_ms,
        not_before_ms: 0,
        now_ms,
    };
    store::settle(&mut tx, trigger, standing).await?;
    tx.commit().await?;
    Ok(())
}
