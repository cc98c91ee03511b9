//! One run of a trigger at a time, over all processes.

use std::sync::Arc;
use std::time::Duration;

use super::store;
use super::{Trigger, missing};
use crate::app::App;
use crate::error::{self, Result};

/// How long a lease holds that nobody renews, and how often it is renewed.
pub(super) const LEASE_MS: i64 = 30_000;
const RENEW_EVERY: Duration = Duration::from_secs(8);
/// How long a call waits for the run that is under way, and how often it looks.
const WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The right to run a trigger. It ends by itself after [`LEASE_MS`], or with what is written under
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub fence: i64,
}

/// Takes the lease as soon as nobody has it; gives the trigger as it is then.
///
/// # Errors
/// [`error::TRIGGER_BUSY`] when a run goes on for longer than a call waits; [`error::NOT_FOUND`].
pub(super) async fn take(app: &Arc<App>, trigger: &Trigger) -> Result<(Trigger, Lease)> {
    let end = tokio::time::Instant::now() + WAIT;
    loop {
        if let Some(lease) = try_take(app, trigger).await? {
            let now = store::find(&app.db, &trigger.tenant, &trigger.id).await?;
            return Ok((now.ok_or_else(missing)?, lease));
        }
        if store::find(&app.db, &trigger.tenant, &trigger.id).await?.is_none() {
            return Err(missing());
        }
        if tokio::time::Instant::now() > end {
            return Err(error::Error::from(error::TRIGGER_BUSY).retry_after(5));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same if nobody has it just now.
pub(super) async fn try_take(app: &App, trigger: &Trigger) -> Result<Option<Lease>> {
    let now_ms = app.clock.now_ms();
    let fence = store::take(&app.db, trigger, (now_ms, now_ms + LEASE_MS)).await?;
    Ok(fence.map(|fence| Lease { fence }))
}

/// Gives it back, with nothing written.
pub(super) async fn give_back(app: &App, trigger: &Trigger, lease: Lease) {
    let given = store::hold(&app.db, (&trigger.tenant, &trigger.id), lease.fence, 0).await;
    if let Err(error) = given {
        tracing::error!(%error, trigger = %trigger.id, "a lease ends only by itself");
    }
}

/// Does something under a lease, and renews it meanwhile. `None`: another took it, and what was
/// begun was dropped.
pub(super) async fn holding<T>(
    app: &App,
    trigger: &Trigger,
    lease: Lease,
    what: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        done = what => Some(done),
        () = renewing(app, trigger, lease) => None,
    }
}

/// Renews until that is refused.
async fn renewing(app: &App, trigger: &Trigger, lease: Lease) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let until_ms = app.clock.now_ms() + LEASE_MS;
        let of = (&trigger.tenant, &trigger.id);
        match store::hold(&app.db, of, lease.fence, until_ms).await {
            Ok(true) => {}
            Ok(false) => return,
            // It may work again before the lease ends.
            Err(error) => tracing::error!(%error, trigger = %trigger.id, "a lease is not renewed"),
        }
    }
}
