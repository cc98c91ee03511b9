//! Takes jobs from the outbox and calls the noun that does them. At least once each.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::components::SealedLetter as Sealed;
use crate::error::Result;
use crate::outbox::{self, Claimed, Done, Job, Lane};
use crate::tenant::Tenant;

/// How often the outbox is looked at when it was empty.
const IDLE: Duration = Duration::from_millis(500);
/// A job that is not finished by then is taken by another worker.
const LEASE_MS: i64 = 60_000;
/// Jobs taken at once; of the letters more, since they mostly wait for others.
const BATCH: i64 = 16;
const LETTERS_AT_ONCE: i64 = 64;
/// First and longest wait before a failed job is tried again; each try doubles it.
const BACKOFF_MS: i64 = 5_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;

/// Works until `stop`; what was begun is finished.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    tokio::join!(in_lane(&app, Lane::Own, &stop), in_lane(&app, Lane::Letters, &stop));
}

async fn in_lane(app: &Arc<App>, lane: Lane, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match take(app, lane).await {
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
    Ok(take(app, Lane::Own).await? + take(app, Lane::Letters).await?)
}

async fn take(app: &Arc<App>, lane: Lane) -> Result<usize> {
    let now_ms = app.clock.now_ms();
    let times = (now_ms, now_ms + LEASE_MS);
    let jobs = outbox::claim(&app.db, lane, times, batch(lane)).await?;
    let count = jobs.len();
    futures::future::join_all(jobs.into_iter().map(|job| one(app, job))).await;
    Ok(count)
}

fn batch(lane: Lane) -> i64 {
    match lane {
        Lane::Own => BATCH,
        Lane::Letters => LETTERS_AT_ONCE,
    }
}

async fn one(app: &Arc<App>, claimed: Claimed) {
    let Claimed { id, job, attempts, created_at_ms } = claimed;
    let done = match job {
        Ok(job) => perform(app, &job, (attempts, created_at_ms)).await,
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

async fn perform(app: &Arc<App>, job: &Job, (attempts, created_at_ms): (i64, i64)) -> Result<Done> {
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
        Job::SendLetter { project, environment, user, letter, sealed } => {
            let tenant = Tenant { project: project.clone(), environment: *environment };
            let sealed = Sealed { tenant: &tenant, user, letter, sealed };
            crate::components::send_letter(app, sealed, (attempts, created_at_ms)).await
        }
    }
}
