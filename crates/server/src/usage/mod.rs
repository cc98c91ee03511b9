//! What was used, by project, environment and hour: for bills, for capacity, and to see a client
//! that has gone wild.
//!
//! Calls are counted in memory (`meters.rs`) and written down every [`FLUSH_EVERY`]; several
//! processes add up. A process that is killed loses what it counted since.

pub mod api;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{self, Result};
use crate::ids::{BatchId, ProjectId};
use crate::meters::{Batch, HOUR_MS, Meter};
use crate::tenant::Environment;

/// How often counts are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(10);
/// Milliseconds of a day in UTC.
const DAY_MS: i64 = 86_400_000;
/// Longest time that can be asked for at once, in days and in hours.
const DAYS_MAX: i64 = 400;
const HOURS_MAX: i64 = 31 * 24;
/// How long usage is kept.
const KEPT_MS: i64 = DAYS_MAX * DAY_MS;
/// How long it is remembered that a batch was added. None is tried again for so long.
const BATCH_KEPT_MS: i64 = DAY_MS;

/// Into which pieces usage is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Hour,
    Day,
}

impl Step {
    fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    fn most(self) -> i64 {
        match self {
            Self::Hour => HOURS_MAX,
            Self::Day => DAYS_MAX,
        }
    }
}

/// Whose usage is asked for. `None` stands for all.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    pub project: Option<&'a ProjectId>,
    pub environment: Option<Environment>,
}

/// A time whose usage is asked for: from the beginning on, up to the end and without it.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    start_ms: i64,
    end_ms: i64,
    step: Step,
}

impl Range {
    /// From seconds since 1970.
    ///
    /// # Errors
    /// [`error::INVALID_PARAMETER`] when it ends before it begins, or is too long.
    pub fn new(start_s: i64, end_s: i64, step: Step) -> Result<Self> {
        let ms = |it: i64| it.checked_mul(1_000).filter(|it| (0..=i64::MAX / 4).contains(it));
        let wrong = |why: &str| error::INVALID_PARAMETER.saying(why.to_owned());
        let (Some(start_ms), Some(end_ms)) = (ms(start_s), ms(end_s)) else {
            return Err(wrong("`start_ts` and `end_ts` are seconds since 1970."));
        };
        if start_ms >= end_ms {
            return Err(wrong("`start_ts` must be before `end_ts`."));
        }
        if end_ms - start_ms > step.most() * step.ms() {
            return Err(wrong("Ask for at most 400 days at once, or for 31 days by the hour."));
        }
        Ok(Self { start_ms, end_ms, step })
    }

    /// Its pieces: hours or days of UTC, the first and last of which may be cut.
    fn pieces(self) -> impl Iterator<Item = (i64, i64)> {
        let step_ms = self.step.ms();
        let first = self.start_ms.div_euclid(step_ms);
        let last = (self.end_ms - 1).div_euclid(step_ms);
        (first..=last).map(move |nth| {
            let (from, to) = (nth * step_ms, (nth + 1) * step_ms);
            (from.max(self.start_ms), to.min(self.end_ms))
        })
    }
}

/// What was used in a piece of time.
#[derive(Clone, Debug)]
pub struct Used {
    pub start_ms: i64,
    pub end_ms: i64,
    amounts: BTreeMap<Meter, i64>,
}

impl Used {
    pub fn of(&self, meter: Meter) -> i64 {
        self.amounts.get(&meter).copied().unwrap_or_default()
    }
}

/// What was used, for every piece of the range, also where that is nothing. Usage is known by the
/// hour: an hour counts where it begins. What this process has counted is written down first; other
/// processes may be [`FLUSH_EVERY`] behind.
pub async fn used(app: &Arc<App>, whose: Whose<'_>, range: Range) -> Result<Vec<Used>> {
    if let Err(error) = flush(app).await {
        tracing::warn!(%error, "usage is shown without the last seconds");
    }
    let from_ms = range.start_ms - range.start_ms.rem_euclid(HOUR_MS);
    let step_ms = range.step.ms();
    let sums = store::sums(&app.db, whose, (from_ms, range.end_ms), step_ms).await?;
    let mut by_piece: BTreeMap<i64, BTreeMap<Meter, i64>> = BTreeMap::new();
    for (piece, name, amount) in sums {
        if let Some(meter) = Meter::ALL.into_iter().find(|it| it.as_str() == name) {
            by_piece.entry(piece).or_default().insert(meter, amount);
        }
    }
    let used = |(start_ms, end_ms): (i64, i64)| {
        let amounts = by_piece.remove(&start_ms.div_euclid(step_ms)).unwrap_or_default();
        Used { start_ms, end_ms, amounts }
    };
    Ok(range.pieces().map(used).collect())
}

/// Writes down what was counted. What could not be written, or of which it is not known whether it
/// was, is tried again at the next time, and added once.
pub async fn flush(app: &Arc<App>) -> Result<()> {
    let mut leaving = app.meters.leaving.lock().await;
    // First what is left of an earlier time, then what was counted since.
    for _ in 0..2 {
        if leaving.is_none() {
            let counts = app.meters.take();
            if counts.is_empty() {
                break;
            }
            *leaving = Some(Batch { id: BatchId::mint(), counts });
        }
        if let Some(batch) = &*leaving {
            store::add(&app.db, batch, app.clock.now_ms()).await?;
        }
        *leaving = None;
    }
    Ok(())
}

/// Forgets what is too old to be asked for.
pub async fn forget_old(app: &Arc<App>) -> Result<()> {
    let now_ms = app.clock.now_ms();
    Ok(store::forget(&app.db, now_ms - KEPT_MS, now_ms - BATCH_KEPT_MS).await?)
}

/// Writes counts down until `stop`. The last ones are the caller's to flush, once no call is under
/// way.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut forgotten_ms = i64::MIN;
    while !stop.is_cancelled() {
        if let Err(error) = flush(&app).await {
            tracing::error!(%error, "usage cannot be written down; it will be tried again");
        }
        let now_ms = app.clock.now_ms();
        if forgotten_ms.saturating_add(DAY_MS) < now_ms && forget_old(&app).await.is_ok() {
            forgotten_ms = now_ms;
        }
        tokio::select! {
            () = tokio::time::sleep(FLUSH_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_falls_into_days_of_utc() {
        let day_s = DAY_MS / 1_000;
        let range = Range::new(day_s / 2, 2 * day_s + 60, Step::Day).unwrap();
        let pieces: Vec<_> = range.pieces().collect();
        let expected =
            [(DAY_MS / 2, DAY_MS), (DAY_MS, 2 * DAY_MS), (2 * DAY_MS, 2 * DAY_MS + 60_000)];
        assert_eq!(pieces, expected);
        let one = Range::new(0, day_s, Step::Day).unwrap();
        assert_eq!(one.pieces().collect::<Vec<_>>(), [(0, DAY_MS)]);
        for (start_s, end_s, step) in [
            (1, 1, Step::Day),
            (2, 1, Step::Day),
            (-1, 1, Step::Day),
            (0, i64::MAX, Step::Day),
            (0, DAYS_MAX * day_s + 1, Step::Day),
            (0, 32 * day_s, Step::Hour),
        ] {
            assert!(Range::new(start_s, end_s, step).is_err(), "{start_s} {end_s}");
        }
    }
}
