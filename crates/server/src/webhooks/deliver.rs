//! One try: opened, signed, sent, judged, and its end stored.

use std::sync::Arc;

use serde_json::json;

use super::announce::{self, SWITCHED_OFF};
use super::schedule::{self, GIVE_UP_MS};
use super::send::{Letter, send};
use super::store::deliveries::{self, Tried};
use super::store::{self, Treatment};
use super::{Condition, Delivery, Endpoint, Kind, Progress, endpoints};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::db::Tx;
use crate::egress::EgressError;
use crate::error::{Error, Result};

/// How a try ended.
enum Outcome {
    Delivered(u16),
    /// 410: the endpoint wants nothing any more.
    Gone,
    Refused {
        status: u16,
        wait_ms: Option<i64>,
    },
    Unreached(EgressError),
    /// What is stored cannot be posted, ever.
    Unpostable(&'static str),
    /// Our own trouble: the endpoint is not to blame.
    Ours(Error),
}

impl Outcome {
    fn label(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Gone => "gone",
            Self::Refused { .. } => "refused",
            Self::Unreached(error) => error.failure().name(),
            Self::Unpostable(_) => "unpostable",
            Self::Ours(_) => "internal",
        }
    }

    fn status(&self) -> Option<i64> {
        match self {
            Self::Delivered(status) | Self::Refused { status, .. } => Some(i64::from(*status)),
            Self::Gone => Some(410),
            _ => None,
        }
    }

    /// For the product's people: nothing of it tells more of a network than that an address does
    /// not answer.
    fn text(&self) -> Option<String> {
        Some(match self {
            Self::Delivered(_) => return None,
            Self::Gone => "answered 410: nothing more is wanted".to_owned(),
            Self::Refused { status, .. } => format!("answered {status}"),
            Self::Unreached(error) => error.to_string(),
            Self::Unpostable(why) => (*why).to_owned(),
            Self::Ours(_) => "could not be sent by us; it is tried again".to_owned(),
        })
    }
}

/// Tries `delivery` once. Whatever happens is stored; if that fails, the lease ends by itself and
/// it is tried again.
pub(super) async fn deliver(app: &Arc<App>, endpoint: &Endpoint, delivery: &Delivery) {
    let outcome = attempt(app, endpoint, delivery).await;
    let label = outcome.label();
    metrics::counter!("grantkeep_webhook_deliveries_total", "outcome" => label).increment(1);
    match &outcome {
        Outcome::Unreached(error) => tracing::info!(endpoint = %endpoint.id,
            delivery = %delivery.id, outcome = label, detail = error.detail(), "news not taken"),
        Outcome::Ours(error) => tracing::error!(endpoint = %endpoint.id, delivery = %delivery.id,
            %error, detail = error.log(), "news could not be sent"),
        _ => tracing::debug!(endpoint = %endpoint.id, delivery = %delivery.id, outcome = label,
            status = outcome.status(), "news sent"),
    }
    if let Err(error) = store_end(app, endpoint, delivery, &outcome).await {
        tracing::error!(%error, delivery = %delivery.id, "a delivery's end could not be stored");
    }
}

async fn attempt(app: &Arc<App>, endpoint: &Endpoint, delivery: &Delivery) -> Outcome {
    let opened = match announce::open(app, delivery).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return Outcome::Unpostable("its body is gone"),
        Err(error) if error.kind().status == 503 => return Outcome::Ours(error),
        Err(_) => return Outcome::Unpostable("its body cannot be read; the operator was told"),
    };
    let secrets = match endpoints::secrets(app, endpoint).await {
        Ok(secrets) => secrets,
        Err(error) => return Outcome::Ours(error),
    };
    let letter = Letter {
        tenant: &delivery.tenant,
        message: &delivery.message,
        body: opened.body(),
        emitted: opened.emitted(),
    };
    match send(app, opened.url(endpoint), &letter, &secrets).await {
        Err(error) => Outcome::Unreached(error),
        Ok(answer) if answer.status.is_success() => Outcome::Delivered(answer.status.as_u16()),
        Ok(answer) if answer.status.as_u16() == 410 => Outcome::Gone,
        Ok(answer) => Outcome::Refused { status: answer.status.as_u16(), wait_ms: answer.wait_ms },
    }
}

/// The endpoint's row is written first by everybody, so that tries which end at once wait for each
/// other and never in a circle.
async fn store_end(
    app: &Arc<App>,
    endpoint: &Endpoint,
    delivery: &Delivery,
    outcome: &Outcome,
) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let error = outcome.text();
    let mut tx = app.db.begin().await?;
    let off = match outcome {
        Outcome::Delivered(_) => {
            store::clear(&mut tx, endpoint, now_ms).await?;
            Off::No
        }
        Outcome::Unpostable(_) | Outcome::Ours(_) => Off::No,
        _ => blame(&mut tx, endpoint, outcome, now_ms).await?,
    };
    let (state, next_at_ms) = match next(delivery, outcome, now_ms) {
        Next::Done => (Progress::Delivered, delivery.next_at_ms),
        Next::At(at_ms) if off == Off::No => (Progress::Waiting, at_ms),
        Next::At(_) | Next::Never => (Progress::Failed, delivery.next_at_ms),
    };
    let tried =
        Tried { state, status: outcome.status(), error: error.as_deref(), next_at_ms, now_ms };
    deliveries::end_try(&mut tx, delivery, tried).await?;
    if off == Off::Now {
        deliveries::fail_waiting(&mut tx, endpoint, SWITCHED_OFF, now_ms).await?;
    }
    tx.commit().await?;
    if off == Off::Now {
        note_off(app, endpoint, error.as_deref());
    }
    Ok(())
}

enum Next {
    Done,
    At(i64),
    Never,
}

fn next(delivery: &Delivery, outcome: &Outcome, now_ms: i64) -> Next {
    let asked_ms = match outcome {
        Outcome::Delivered(_) => return Next::Done,
        Outcome::Gone | Outcome::Unpostable(_) => return Next::Never,
        Outcome::Refused { wait_ms, .. } => wait_ms.unwrap_or(0),
        Outcome::Unreached(_) | Outcome::Ours(_) => 0,
    };
    let (id, queued_at_ms) = (delivery.id.as_str(), delivery.queued_at_ms);
    // Where tries are few, as at an endpoint that is spared, they must not go on for months.
    if now_ms - queued_at_ms >= GIVE_UP_MS {
        return Next::Never;
    }
    let at_ms = schedule::next_try(id, delivery.attempts, queued_at_ms, now_ms);
    at_ms.map_or(Next::Never, |at_ms| Next::At(at_ms.max(now_ms + asked_ms)))
}

/// Whether nothing more is sent to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Off {
    No,
    /// By this very failure.
    Now,
    /// It was before, or is gone.
    Before,
}

/// Counts a failure against the endpoint and spares it accordingly.
async fn blame(tx: &mut Tx, endpoint: &Endpoint, outcome: &Outcome, now_ms: i64) -> Result<Off> {
    let error = outcome.text().unwrap_or_default();
    let Some(failing) = store::count_failure(tx, endpoint, &error, now_ms).await? else {
        return Ok(Off::Before);
    };
    let (state, pause_ms) = schedule::after_failures(failing.failures);
    let asked_ms = match outcome {
        Outcome::Refused { status: 429 | 503, wait_ms } => wait_ms.unwrap_or(0),
        _ => 0,
    };
    let over = now_ms - failing.failing_since_ms >= GIVE_UP_MS;
    // One connect token's address does not speak for all of its origin.
    let off = endpoint.kind != Kind::Token && (matches!(outcome, Outcome::Gone) || over);
    let state = if off { Condition::Deactivated } else { state };
    let pause_until_ms = now_ms + pause_ms.max(asked_ms);
    let done = store::treat(tx, endpoint, Treatment { state, pause_until_ms, now_ms }).await?;
    Ok(match (done, off) {
        (false, _) => Off::Before,
        (true, true) => Off::Now,
        (true, false) => Off::No,
    })
}

fn note_off(app: &App, endpoint: &Endpoint, why: Option<&str>) {
    tracing::warn!(endpoint = %endpoint.id, project = %endpoint.tenant.project, why,
        "an endpoint was switched off");
    let event = Event::new("webhook.deactivate", &Actor::System, &Origin::default())
        .tenant(&endpoint.tenant)
        .target("webhook", endpoint.id.as_str())
        .detail(json!({ "why": why }));
    app.audit.note(event);
}
