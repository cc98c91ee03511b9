//! The worker: takes runs that are due, in any process, and goes on with them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::store::runs::{self, Due};
use super::{RUNS_KEPT_MAX, Run, starts, timers, turn};
use crate::app::App;
use crate::error::Result;

/// How often it is looked for what is due.
const IDLE: Duration = Duration::from_millis(250);
/// How long a lease holds that nobody renews, and how often it is renewed.
pub(super) const LEASE_MS: i64 = 20_000;
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// How often runs are forgotten that are over, beyond those that are kept.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Works until `stop`; steps that were begun are finished.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let tidying = tokio::spawn(tidy_on(Arc::clone(&app), stop.clone()));
    let mut flying = JoinSet::new();
    while !stop.is_cancelled() {
        if let Err(error) = take(&app, &mut flying).await {
            tracing::error!(%error, "runs of workflows that are due cannot be read");
        }
        tokio::select! {
            Some(ended) = flying.join_next() => told(ended),
            () = app.workflows_due.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }
    while let Some(ended) = flying.join_next().await {
        told(ended);
    }
    let _ = tidying.await;
}

async fn tidy_on(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tidy(&app).await {
            tracing::error!(%error, "old runs of workflows cannot be forgotten");
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Forgets the oldest runs that are over, beyond those that an environment keeps.
pub async fn tidy(app: &App) -> Result<()> {
    for tenant in runs::crowded(&app.db, RUNS_KEPT_MAX).await? {
        runs::forget(&app.db, &tenant, RUNS_KEPT_MAX).await?;
    }
    Ok(())
}

/// Goes on with what is due now, each run once, and gives how many there were.
pub async fn round(app: &Arc<App>) -> Result<usize> {
    let mut flying = JoinSet::new();
    let count = take(app, &mut flying).await?;
    while let Some(ended) = flying.join_next().await {
        told(ended);
    }
    Ok(count)
}

fn told(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // Its lease ends by itself.
        tracing::error!(%error, "a run of a workflow panicked");
    }
}

/// Takes runs that are due, and begins what timers and triggers start: neither waits for the other
/// to be good. Runs that would only wait for a worker are left to other processes.
async fn take(app: &Arc<App>, flying: &mut JoinSet<()>) -> Result<usize> {
    let room = (app.config.code_workers_max as usize).saturating_sub(flying.len());
    let mut count = 0;
    if room > 0 {
        let now_ms = app.clock.now_ms();
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        let due = runs::claim(&app.db, (now_ms, now_ms + LEASE_MS), most).await?;
        count = due.len();
        for it in due {
            let app = Arc::clone(app);
            flying.spawn(async move { Box::pin(one(&app, it)).await });
        }
    }
    let (rung, started) = (timers::fire(app).await, starts::take(app).await);
    Ok(count + rung? + started?)
}

async fn one(app: &Arc<App>, due: Due) {
    let Some(tenant) = due.tenant() else { return };
    let run = match runs::find(&app.db, &tenant, &due.id).await {
        Ok(Some(run)) => run,
        // Deleted meanwhile, or its user is being erased.
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, run = %due.id, "a run of a workflow is not read");
            return;
        }
    };
    let held = run.clone();
    let done = tokio::select! {
        done = turn::go_on(app, run, due.fence) => Some(done),
        () = renewing(app, &held, due.fence) => None,
    };
    match done {
        Some(Ok(())) => {}
        None => tracing::warn!(run = %due.id, "a run lost its lease and was dropped"),
        Some(Err(error)) => {
            // It is due again once the lease ends.
            tracing::error!(run = %due.id, %error, detail = error.log(), "a run cannot go on");
        }
    }
}

/// Renews until that is refused.
async fn renewing(app: &App, run: &Run, fence: i64) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let until_ms = app.clock.now_ms() + LEASE_MS;
        match runs::hold(&app.db, run, fence, until_ms).await {
            Ok(true) => {}
            Ok(false) => return,
            // It may work again before the lease ends.
            Err(error) => tracing::error!(%error, run = %run.id, "a lease is not renewed"),
        }
    }
}
