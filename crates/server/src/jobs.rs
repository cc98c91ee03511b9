//! Takes jobs from the outbox and calls the noun that does them. At least once each.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::Result;
use crate::outbox::{self, Claimed, Done, Job};
use crate::tenant::Tenant;

/// How often the outbox is looked at when it was empty.
const IDLE: Duration = Duration::from_millis(500);
/// A job that is not finished by then is taken by another worker.
const LEASE_MS: i64 = 60_000;
/// Jobs taken at once.
const BATCH: i64 = 16;
/// First and longest wait before a failed job is tried again; each try doubles it.
const BACKOFF_MS: i64 = 5_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;

/// Works until `stop`; what was begun is finished.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match round(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(%error, "the outbox cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Does the jobs that are due now; tells how many there were.
pub async fn round(app: &Arc<App>) -> Result<usize> {
    let now_ms = app.clock.now_ms();
    let jobs = outbox::claim(&app.db, now_ms, now_ms + LEASE_MS, BATCH).await?;
    let count = jobs.len();
    futures::future::join_all(jobs.into_iter().map(|job| one(app, job))).await;
    Ok(count)
}

async fn one(app: &Arc<App>, claimed: Claimed) {
    let Claimed { id, job, attempts, .. } = claimed;
    let done = match job {
        Ok(job) => perform(app, &job, attempts).await,
        // Left for the newer process that wrote it.
        Err(error) => Err(crate::error::INTERNAL.logging(error)),
    };
    let stored = match done {
        Ok(Done::Finished) => outbox::finish(&app.db, &id).await,
        Ok(Done::Later(at_ms)) => outbox::put_off(&app.db, &id, at_ms, "").await,
        Err(error) => {
            let wait = (BACKOFF_MS << attempts.clamp(1, 16).cast_unsigned()).min(BACKOFF_MS_MAX);
            let at_ms = app.clock.now_ms() + wait;
            outbox::put_off(&app.db, &id, at_ms, error.kind().code).await
        }
    };
    if let Err(error) = stored {
        // The lease ends by itself, and the job is done again.
        tracing::error!(%error, job = %id, "a job's end could not be stored");
    }
}

async fn perform(app: &Arc<App>, job: &Job, attempts: i64) -> Result<Done> {
    match job {
        Job::RevokeGrant { project, environment, account } => {
            let tenant = Tenant { project: project.clone(), environment: *environment };
            crate::accounts::revoke_grant(app, &tenant, account, attempts).await
        }
        Job::EraseUser { project, environment, erasure } => {
            let tenant = Tenant { project: project.clone(), environment: *environment };
            crate::accounts::go_on_erasing(app, &tenant, erasure).await
        }
        Job::EmptyStash { project, environment, file } => {
            let tenant = Tenant { project: project.clone(), environment: *environment };
            crate::stash::forget(app, &tenant, file).await?;
            Ok(Done::Finished)
        }
    }
}
