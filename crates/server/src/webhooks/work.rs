//! The worker: takes what is due, a few at once for each endpoint, and clears away what is old.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::announce::SWITCHED_OFF;
use super::store::{self, deliveries};
use super::{Delivery, Endpoint, Progress, deliver, schedule};
use crate::app::App;
use crate::error::Result;
use crate::ids::{ProjectId, WebhookId};

/// How often the queues are looked at when nothing happens.
const IDLE: Duration = Duration::from_millis(500);
/// What is announced is committed a moment later.
const SETTLE: Duration = Duration::from_millis(20);
/// A try that is not ended by then is made again, perhaps by another process. Longer than a try can
/// take.
const LEASE_MS: i64 = 60_000;
/// Tries under way at once in this process, over all endpoints.
const AT_ONCE_MAX: usize = 1_024;
/// Those of one project: its endpoints that do not answer leave place for others.
const PROJECT_AT_ONCE_MAX: usize = AT_ONCE_MAX / 4;
/// Endpoints looked at in one go.
const ENDPOINTS_AT_ONCE: i64 = 1_024;

/// How often what is old is cleared away, and the age of the oldest measured.
const TIDY_EVERY: Duration = Duration::from_mins(1);
/// Rows deleted by one statement.
const FORGET_BATCH: i64 = 1_000;
const DAY_MS: i64 = 24 * 3_600_000;
/// What is listed of news that waited too long.
const OVERDUE: &str = "waited for 5 days at an endpoint that fails";
/// What was delivered is listed this long, without its body.
const KEEP_DELIVERED_MS: i64 = 7 * DAY_MS;
/// What failed can be replayed this long.
const KEEP_FAILED_MS: i64 = 30 * DAY_MS;

/// Tries under way, by endpoint.
#[derive(Default)]
struct Flying {
    set: JoinSet<()>,
    of: HashMap<Id, (ProjectId, WebhookId)>,
}

impl Flying {
    fn room(&self, endpoint: &Endpoint) -> usize {
        let of_project = || self.of.values().filter(|(it, _)| *it == endpoint.tenant.project);
        let of_endpoint = of_project().filter(|(_, it)| *it == endpoint.id).count();
        let own = schedule::at_once(endpoint.state).saturating_sub(of_endpoint);
        let projects = PROJECT_AT_ONCE_MAX.saturating_sub(of_project().count());
        own.min(projects).min(AT_ONCE_MAX.saturating_sub(self.of.len()))
    }

    fn start(&mut self, app: &Arc<App>, endpoint: Arc<Endpoint>, delivery: Delivery) {
        let (app, whose) =
            (Arc::clone(app), (endpoint.tenant.project.clone(), endpoint.id.clone()));
        let task = async move { deliver::deliver(&app, &endpoint, &delivery).await };
        self.of.insert(self.set.spawn(task).id(), whose);
    }

    /// Waits for one try to end; for ever when there is none.
    async fn landed(&mut self) {
        let id = match self.set.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, ()))) => id,
            // The lease ends by itself.
            Some(Err(error)) => {
                tracing::error!(%error, "a delivery panicked");
                error.id()
            }
        };
        self.of.remove(&id);
    }
}

/// Sends until `stop`; what was begun is finished.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let tidying = tokio::spawn(tidy_on(Arc::clone(&app), stop.clone()));
    let mut flying = Flying::default();
    while !stop.is_cancelled() {
        if let Err(error) = take(&app, &mut flying).await {
            tracing::error!(%error, "news that is due cannot be read");
        }
        tokio::select! {
            () = flying.landed() => {}
            () = app.news.notified() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }
    while !flying.of.is_empty() {
        flying.landed().await;
    }
    let _ = tidying.await;
}

/// Sends what is due now, once, and gives how much it was.
pub async fn round(app: &Arc<App>) -> Result<usize> {
    let mut flying = Flying::default();
    let count = take(app, &mut flying).await?;
    while !flying.of.is_empty() {
        flying.landed().await;
    }
    Ok(count)
}

async fn take(app: &Arc<App>, flying: &mut Flying) -> Result<usize> {
    let now_ms = app.clock.now_ms();
    let mut count = 0;
    let most = (ENDPOINTS_AT_ONCE, PROJECT_AT_ONCE_MAX.try_into().unwrap_or(ENDPOINTS_AT_ONCE));
    for endpoint in store::ready(&app.db, now_ms, most).await? {
        let room = i64::try_from(flying.room(&endpoint)).unwrap_or(0);
        if room == 0 {
            continue;
        }
        let until_ms = now_ms + LEASE_MS;
        let taken = deliveries::claim(&app.db, &endpoint, now_ms, until_ms, room).await?;
        let endpoint = Arc::new(endpoint);
        for delivery in taken {
            count += 1;
            flying.start(app, Arc::clone(&endpoint), delivery);
        }
    }
    Ok(count)
}

async fn tidy_on(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tidy(&app).await {
            tracing::error!(%error, "old deliveries cannot be cleared away");
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Clears away what has been kept long enough, and measures how old the oldest is that waits.
pub async fn tidy(app: &Arc<App>) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let ages = [(Progress::Delivered, KEEP_DELIVERED_MS), (Progress::Failed, KEEP_FAILED_MS)];
    for (state, keep_ms) in ages {
        while deliveries::forget(&app.db, state, now_ms - keep_ms, FORGET_BATCH).await? > 0 {}
    }
    deliveries::fail_stranded(&app.db, SWITCHED_OFF, now_ms).await?;
    let times = (now_ms - schedule::GIVE_UP_MS, now_ms);
    deliveries::fail_overdue(&app.db, OVERDUE, times).await?;
    store::wipe_former(&app.db, now_ms).await?;
    store::forget_queues(&app.db, now_ms - KEEP_FAILED_MS).await?;
    let oldest = deliveries::oldest(&app.db).await?;
    let age_ms = oldest.map_or(0, |at_ms| (now_ms - at_ms).max(0));
    let age = Duration::from_millis(age_ms.unsigned_abs());
    metrics::gauge!("grantkeep_webhook_oldest_undelivered_seconds").set(age.as_secs_f64());
    Ok(())
}
