//! The worker: takes triggers that are due, in any process, and works them off.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fire;
use super::lease::{LEASE_MS, Lease};
use super::store;
use crate::app::App;
use crate::error::Result;

/// How often it is looked for what is due.
const IDLE: Duration = Duration::from_millis(250);
/// Triggers without code that are worked off at once in this process.
const NATIVE_AT_ONCE: usize = 64;
/// How long a deployment may take whose process died.
const DEPLOYING_MS_MAX: i64 = 15 * 60_000;
/// How often what dead processes left is cleared away.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Triggers under way.
#[derive(Default)]
struct Flying {
    native: JoinSet<()>,
    sources: JoinSet<()>,
}

impl Flying {
    /// Waits for one to end; for ever when there is none.
    async fn landed(&mut self) {
        let ended = tokio::select! {
            Some(ended) = self.native.join_next() => ended,
            Some(ended) = self.sources.join_next() => ended,
            else => return std::future::pending().await,
        };
        if let Err(error) = ended {
            // Its lease ends by itself.
            tracing::error!(%error, "a trigger's run panicked");
        }
    }

    fn is_empty(&self) -> bool {
        self.native.is_empty() && self.sources.is_empty()
    }
}

/// Works until `stop`; what was begun is finished.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let tidying = tokio::spawn(tidy_on(Arc::clone(&app), stop.clone()));
    let mut flying = Flying::default();
    while !stop.is_cancelled() {
        if let Err(error) = take(&app, &mut flying).await {
            tracing::error!(%error, "triggers that are due cannot be read");
        }
        tokio::select! {
            () = flying.landed() => {}
            () = app.triggers_due.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }
    while !flying.is_empty() {
        flying.landed().await;
    }
    let _ = tidying.await;
}

/// Works off what is due now, each trigger once, and gives how many there were.
pub async fn round(app: &Arc<App>) -> Result<usize> {
    let mut flying = Flying::default();
    let count = take(app, &mut flying).await?;
    while !flying.is_empty() {
        flying.landed().await;
    }
    Ok(count)
}

async fn take(app: &Arc<App>, flying: &mut Flying) -> Result<usize> {
    if !store::any_due(&app.db, app.clock.now_ms()).await? {
        return Ok(0);
    }
    let room = NATIVE_AT_ONCE.saturating_sub(flying.native.len());
    let native = claim(app, false, room, &mut flying.native).await?;
    // Those that would only wait for a worker are left to other processes.
    let workers = app.config.code_workers_max as usize;
    let room = workers.saturating_sub(flying.sources.len());
    Ok(native + claim(app, true, room, &mut flying.sources).await?)
}

async fn claim(app: &Arc<App>, sources: bool, room: usize, set: &mut JoinSet<()>) -> Result<usize> {
    if room == 0 {
        return Ok(0);
    }
    let now_ms = app.clock.now_ms();
    let most = i64::try_from(room).unwrap_or(i64::MAX);
    let due = store::claim(&app.db, sources, (now_ms, now_ms + LEASE_MS), most).await?;
    let count = due.len();
    for it in due {
        let app = Arc::clone(app);
        set.spawn(async move {
            let lease = Lease { fence: it.fence };
            match fire::found(&app, &it).await {
                Ok(Some(trigger)) => fire::fire(&app, &trigger, lease).await,
                // Deleted meanwhile, or its user is being erased.
                Ok(None) => {}
                Err(error) => tracing::error!(%error, trigger = %it.id, "a trigger is not read"),
            }
        });
    }
    Ok(count)
}

async fn tidy_on(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tidy(&app).await {
            tracing::error!(%error, "what dead processes were deploying cannot be cleared away");
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Clears away what a process that died was deploying.
pub async fn tidy(app: &Arc<App>) -> Result<()> {
    let now_ms = app.clock.now_ms();
    store::forget_undone(&app.db, now_ms - DEPLOYING_MS_MAX, now_ms).await?;
    Ok(())
}
