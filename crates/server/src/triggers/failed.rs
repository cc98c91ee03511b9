//! A run that failed: kept, counted, made again later; and after many, the trigger is paused and
//! its product told.

use std::sync::Arc;

use serde_json::{Value, json};

use super::commit::{Cause, due};
use super::lease::Lease;
use super::sealed::{Seal, Spot};
use super::store::{self, Standing, calls, interfaces};
use super::{BACKOFF_MS, BACKOFF_MS_MAX, CALL_TRIES_MAX, FAILURES_MAX, State, Trigger};
use crate::app::App;
use crate::components::outcome::Observation;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::webhooks::{self, News, Topic};

/// Observations that are kept of a failure, the last ones; and characters of each.
const KEPT_MAX: usize = 20;
const KEPT_CHARS_MAX: usize = 2_000;
/// How long what cannot be run just now is put off.
const LATER_MS: i64 = 5_000;

/// Why a run failed.
pub(super) struct Trouble {
    /// One stable word.
    pub code: String,
    /// A sentence for people.
    pub text: String,
    pub observations: Vec<Observation>,
    /// More about it: for an account, where it can be connected.
    pub details: Option<Value>,
    /// Whether no further run can help.
    pub for_good: bool,
}

impl Trouble {
    pub fn of(error: &Error, now_ms: i64) -> Self {
        let err = json!({ "name": error.kind().code, "message": error.text(),
            "details": error.details() });
        let at = Observation { k: "error".to_owned(), ts: now_ms, msg: None, err: Some(err) };
        Self {
            code: error.kind().code.to_owned(),
            text: error.text().to_owned(),
            observations: vec![at],
            details: error.details().cloned(),
            // The component is gone, or can no longer be filled.
            for_good: error.kind().status == 404,
        }
    }

    pub fn of_code(observations: Vec<Observation>) -> Self {
        let last = observations.iter().rev().find_map(|it| it.err.as_ref());
        let said = last.and_then(|it| it["message"].as_str()).unwrap_or("the code failed");
        Self {
            code: "code_failed".to_owned(),
            text: said.chars().take(KEPT_CHARS_MAX).collect(),
            observations,
            details: None,
            for_good: false,
        }
    }

    fn kept(&self) -> Vec<Observation> {
        let from = self.observations.len().saturating_sub(KEPT_MAX);
        let short = |it: &Observation| {
            let mut it = it.clone();
            it.msg = it.msg.map(|it| it.chars().take(KEPT_CHARS_MAX).collect());
            it
        };
        self.observations[from..].iter().map(short).collect()
    }
}

/// Whether nothing speaks against the trigger: it could not be run just now.
pub(super) fn passes(error: &Error) -> bool {
    matches!(error.kind().status, 403 | 429 | 502..=504)
}

/// Puts what could not be run off, and counts nothing.
pub(super) async fn later(app: &App, trigger: &Trigger, lease: Lease) -> Result<()> {
    let until_ms = app.clock.now_ms() + LATER_MS;
    Ok(store::put_off(&app.db, trigger, lease.fence, until_ms).await?)
}

/// Writes a failure down.
pub(super) async fn failed(
    app: &Arc<App>,
    trigger: &Trigger,
    (lease, cause): (Lease, &Cause),
    trouble: &Trouble,
) -> Result<()> {
    let seal = Seal::of(app, trigger).await?;
    let sealed = seal.seal(Spot::trouble(trigger.id.as_str()), &trouble.kept())?;
    let failures = trigger.failures + 1;
    let pause = trouble.for_good || failures >= FAILURES_MAX;
    let state = if pause { State::Paused } else { trigger.state };
    let mut tx = app.db.begin().await?;
    if store::lock(&mut tx, trigger, Some(lease.fence), 0).await?.is_none() {
        return Ok(());
    }
    put_back(&mut tx, trigger, cause).await?;
    let now_ms = app.clock.now_ms();
    let not_before_ms = now_ms + backoff_ms(failures);
    let due_at_ms = due(&mut tx, trigger, (state, now_ms)).await?.max(not_before_ms);
    let trouble_now = Some(sealed.as_slice());
    let standing =
        Standing { state, failures, trouble: trouble_now, due_at_ms, not_before_ms, now_ms };
    store::settle(&mut tx, trigger, standing).await?;
    if pause {
        tell(app, &mut tx, trigger, (failures, trouble)).await?;
    }
    tx.commit().await?;
    tracing::info!(trigger = %trigger.id, failures, paused = pause, code = trouble.code,
        "a trigger failed");
    metrics::counter!("grantkeep_trigger_failures_total").increment(1);
    Ok(())
}

fn backoff_ms(failures: i64) -> i64 {
    let doubled = (failures - 1).clamp(0, 16).cast_unsigned();
    (BACKOFF_MS << doubled).min(BACKOFF_MS_MAX)
}

/// A timer waits for its next time. A request is given some more runs, and dropped after the last.
async fn put_back(tx: &mut Tx, trigger: &Trigger, cause: &Cause) -> Result<()> {
    match cause {
        Cause::Timer { id, next_ms } => interfaces::set_due(tx, id, *next_ms).await?,
        Cause::Call(id) => {
            if calls::failed(tx, trigger, id).await? >= CALL_TRIES_MAX {
                calls::delete(tx, trigger, id).await?;
            }
        }
        Cause::Person => {}
    }
    Ok(())
}

async fn tell(
    app: &App,
    tx: &mut Tx,
    trigger: &Trigger,
    (failures, trouble): (i64, &Trouble),
) -> Result<()> {
    let body = json!({
        "trigger_id": trigger.id,
        "external_user_id": trigger.external_id,
        "component": trigger.component_key,
        "reason": trouble.code,
        "message": trouble.text,
        "details": trouble.details,
        "failures": failures,
    });
    let news = News {
        tenant: &trigger.tenant,
        topic: Topic::TriggerPaused,
        account: None,
        body,
        webhook_uri: None,
    };
    webhooks::announce(app, tx, news).await
}
