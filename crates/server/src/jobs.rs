//! Takes jobs from the outbox and calls the noun that does them. At least once each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::components::SealedLetter as Sealed;
use crate::error::Result;
use crate::ids::JobId;
use crate::outbox::{self, Claimed, Done, Job, Lane, Queue};
use crate::tenant::Tenant;

/// How often the outbox is looked at when nothing happens.
const IDLE: Duration = Duration::from_millis(500);
/// A job that is not finished by then is taken by another worker.
const LEASE_MS: i64 = 60_000;
/// First and longest wait before a failed job is tried again; each try doubles it.
const BACKOFF_MS: i64 = 5_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;

/// Jobs under way at once in this process.
#[derive(Clone, Copy)]
struct AtOnce {
    all: usize,
    /// Those to one group of receivers, whoever has them asked.
    receivers: usize,
    project: usize,
    queue: usize,
}

fn at_once(lane: Lane) -> AtOnce {
    match lane {
        Lane::Own => AtOnce { all: 16, receivers: 16, project: 4, queue: 4 },
        // They mostly wait for others.
        Lane::Letters => AtOnce { all: 256, receivers: 64, project: 32, queue: 8 },
        Lane::Revocations => AtOnce { all: 64, receivers: 16, project: 16, queue: 8 },
    }
}

/// A job that is under way.
struct Flight {
    queue: Queue,
    job: JobId,
    attempts: i64,
}

/// Jobs of one lane under way. A place is filled again as soon as it is free: nobody waits for the
/// slowest.
struct Flying {
    lane: Lane,
    set: JoinSet<()>,
    of: HashMap<Id, Flight>,
}

impl Flying {
    fn new(lane: Lane) -> Self {
        Self { lane, set: JoinSet::new(), of: HashMap::new() }
    }

    fn count(&self, is_one: impl Fn(&Flight) -> bool) -> usize {
        self.of.values().filter(|it| is_one(it)).count()
    }

    fn of_project(&self, queue: &Queue) -> usize {
        self.count(|it| it.queue.parts().0 == queue.parts().0)
    }

    fn room(&self, queue: &Queue) -> usize {
        let most = at_once(self.lane);
        let receivers = queue.parts().1;
        let to_them = match receivers {
            "" => 0,
            _ => self.count(|it| it.queue.parts().1 == receivers),
        };
        [
            most.all.saturating_sub(self.of.len()),
            most.receivers.saturating_sub(to_them),
            most.project.saturating_sub(self.of_project(queue)),
            most.queue.saturating_sub(self.count(|it| it.queue == *queue)),
        ]
        .into_iter()
        .min()
        .unwrap_or_default()
    }

    fn start(&mut self, flight: Flight, job: impl Future<Output = ()> + Send + 'static) {
        self.of.insert(self.set.spawn(job).id(), flight);
    }

    /// Waits for a job to end; for ever when there is none. Gives one that panicked.
    async fn landed(&mut self) -> Option<Flight> {
        match self.set.join_next_with_id().await {
            None => std::future::pending().await,
            Some(ended) => self.ended(ended),
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> Option<Flight> {
        let id = ended.as_ref().map_or_else(JoinError::id, |it| it.0);
        let flight = self.of.remove(&id);
        let error = ended.err()?;
        tracing::error!(%error, job = flight.as_ref().map(|it| it.job.as_str()), "a job panicked");
        flight
    }
}

/// Works until `stop`; what was begun is finished.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    let [own, revocations, letters] = Lane::ALL.map(|lane| in_lane(&app, lane, &stop));
    tokio::join!(own, revocations, letters);
}

async fn in_lane(app: &Arc<App>, lane: Lane, stop: &CancellationToken) {
    let mut flying = Flying::new(lane);
    while !stop.is_cancelled() {
        if let Err(error) = take(app, &mut flying).await {
            tracing::error!(%error, "the outbox cannot be read");
        }
        let panicked = tokio::select! {
            panicked = flying.landed() => panicked,
            () = tokio::time::sleep(IDLE) => None,
            () = stop.cancelled() => None,
        };
        given_back(app, panicked).await;
        while let Some(ended) = flying.set.try_join_next_with_id() {
            let panicked = flying.ended(ended);
            given_back(app, panicked).await;
        }
    }
    drain(app, flying).await;
}

async fn drain(app: &App, mut flying: Flying) {
    while !flying.of.is_empty() {
        let panicked = flying.landed().await;
        given_back(app, panicked).await;
    }
}

/// Does the jobs that are due now; tells how many there were.
pub async fn round(app: &Arc<App>) -> Result<usize> {
    let mut count = 0;
    for lane in Lane::ALL {
        let mut flying = Flying::new(lane);
        count += take(app, &mut flying).await?;
        drain(app, flying).await;
    }
    Ok(count)
}

/// Begins what is due and has room: of the projects with the fewest jobs under way first, and among
/// them what has waited longest.
async fn take(app: &Arc<App>, flying: &mut Flying) -> Result<usize> {
    if flying.of.len() >= at_once(flying.lane).all {
        return Ok(0);
    }
    let now_ms = app.clock.now_ms();
    let mut queues = outbox::queues(&app.db, flying.lane, now_ms).await?;
    queues.sort_by_cached_key(|(queue, since_ms)| (flying.of_project(queue), *since_ms));
    let mut count = 0;
    for (queue, _) in queues {
        let room = i64::try_from(flying.room(&queue)).unwrap_or(0);
        if room == 0 {
            continue;
        }
        let times = (now_ms, now_ms + LEASE_MS);
        for claimed in outbox::claim(&app.db, (flying.lane, &queue), times, room).await? {
            count += 1;
            let (job, attempts) = (claimed.id.clone(), claimed.attempts);
            let flight = Flight { queue: queue.clone(), job, attempts };
            let app = Arc::clone(app);
            flying.start(flight, async move { one(&app, claimed).await });
        }
    }
    Ok(count)
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
            let at_ms = next_try(app, attempts);
            outbox::put_off(&app.db, &id, at_ms, error.kind().code).await
        }
    };
    told(&id, stored);
}

fn next_try(app: &App, attempts: i64) -> i64 {
    let wait = (BACKOFF_MS << attempts.clamp(1, 16).cast_unsigned()).min(BACKOFF_MS_MAX);
    app.clock.now_ms() + wait
}

/// A panic costs a job its try.
async fn given_back(app: &App, panicked: Option<Flight>) {
    let Some(Flight { job, attempts, .. }) = panicked else { return };
    let at_ms = next_try(app, attempts);
    told(&job, outbox::put_off(&app.db, &job, at_ms, "panicked").await);
}

fn told(job: &JobId, stored: sqlx::Result<()>) {
    if let Err(error) = stored {
        // The lease ends by itself, and the job is done again.
        tracing::error!(%error, %job, "a job's end could not be stored");
    }
}

async fn perform(app: &Arc<App>, job: &Job, (attempts, created_at_ms): (i64, i64)) -> Result<Done> {
    match job {
        Job::RevokeGrant { project, environment, account, .. } => {
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
        Job::SendLetter { project, environment, user, letter, sealed, .. } => {
            let tenant = Tenant { project: project.clone(), environment: *environment };
            let sealed = Sealed { tenant: &tenant, user, letter, sealed };
            crate::components::send_letter(app, sealed, (attempts, created_at_ms)).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(queue: &str) -> Flight {
        Flight { queue: Queue::from(queue), job: JobId::mint(), attempts: 1 }
    }

    #[tokio::test]
    async fn a_panic_costs_a_job_its_try_and_its_place_is_free_again() {
        let mut flying = Flying::new(Lane::Own);
        let bad = flight("a");
        let name = bad.job.to_string();
        flying.start(bad, async { panic!("on purpose") });
        assert_eq!(flying.landed().await.unwrap().job.as_str(), name);
        flying.start(flight("a"), async {});
        assert!(flying.landed().await.is_none());
        assert_eq!(flying.of.len(), 0);
    }

    #[tokio::test]
    async fn nobody_takes_all_places() {
        let mut flying = Flying::new(Lane::Letters);
        let mut fill = |queue: &str| {
            let before = flying.of.len();
            while flying.room(&Queue::from(queue)) > 0 {
                flying.start(flight(queue), std::future::pending());
            }
            flying.of.len() - before
        };
        // One slow receiver, and then some more of the same project.
        let of_one = ["a 00", "a 01", "a 02", "a 03", "a 04"].map(&mut fill);
        assert_eq!(of_one, [8, 8, 8, 8, 0]);
        // One slow receiver that everybody asks.
        let of_each: usize = (0..20).map(|nth| fill(&format!("b{nth} 00"))).sum();
        assert_eq!(of_each, 64 - 8);
        assert_eq!(fill("c 01"), 8);
    }
}
