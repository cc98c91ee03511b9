//! What was used, counted in memory until it is written down (`usage`): no call waits for that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::ids::BatchId;
use crate::tenant::Tenant;

/// Milliseconds of the pieces of time that are counted by.
pub const HOUR_MS: i64 = 3_600_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meter {
    /// Calls to apps through the proxy, whatever the app answered.
    ProxyCalls,
    /// Accounts whose credentials were handed out.
    Vends,
    /// Accounts connected, or connected again.
    Connects,
    /// Tokens refreshed, and stored.
    Refreshes,
    ActionRuns,
    SourceEmits,
}

impl Meter {
    pub const ALL: [Self; 6] = [
        Self::ProxyCalls,
        Self::Vends,
        Self::Connects,
        Self::Refreshes,
        Self::ActionRuns,
        Self::SourceEmits,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProxyCalls => "proxy_calls",
            Self::Vends => "vends",
            Self::Connects => "connects",
            Self::Refreshes => "refreshes",
            Self::ActionRuns => "action_runs",
            Self::SourceEmits => "source_emits",
        }
    }
}

/// So many more of something, by a tenant in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub tenant: Tenant,
    /// When the hour begins.
    pub hour_ms: i64,
    pub meter: Meter,
    pub amount: i64,
}

/// Counts on their way into the store. The id makes sure that they are added once, though it may
/// have to be tried again.
pub struct Batch {
    pub id: BatchId,
    pub counts: Vec<Count>,
}

type OfTenant = HashMap<Tenant, [AtomicU64; Meter::ALL.len()]>;

/// The counts of this process that are not in the store yet.
#[derive(Default)]
pub struct Meters {
    hours: RwLock<HashMap<i64, OfTenant>>,
    /// What was taken out and has not arrived for certain.
    pub leaving: tokio::sync::Mutex<Option<Batch>>,
}

impl Meters {
    /// Counts one more.
    pub fn count(&self, tenant: &Tenant, meter: Meter, now_ms: i64) {
        let hour_ms = now_ms - now_ms.rem_euclid(HOUR_MS);
        let one = |of: &OfTenant| {
            let counts = of.get(tenant)?;
            counts[meter as usize].fetch_add(1, Ordering::Relaxed);
            Some(())
        };
        {
            let hours = self.hours.read().unwrap_or_else(PoisonError::into_inner);
            if hours.get(&hour_ms).and_then(one).is_some() {
                return;
            }
        }
        let mut hours = self.hours.write().unwrap_or_else(PoisonError::into_inner);
        let counts = hours.entry(hour_ms).or_default().entry(tenant.clone()).or_default();
        *counts[meter as usize].get_mut() += 1;
    }

    /// Takes all counts out, in an order that all processes agree on.
    pub fn take(&self) -> Vec<Count> {
        let hours = {
            let mut hours = self.hours.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *hours)
        };
        let mut all = Vec::new();
        for (hour_ms, tenants) in hours {
            for (tenant, counts) in tenants {
                for (meter, count) in Meter::ALL.into_iter().zip(counts) {
                    let amount = i64::try_from(count.into_inner()).unwrap_or(i64::MAX);
                    if amount > 0 {
                        all.push(Count { tenant: tenant.clone(), hour_ms, meter, amount });
                    }
                }
            }
        }
        all.sort_by(|a, b| key(a).cmp(&key(b)));
        all
    }
}

fn key(it: &Count) -> (i64, &str, &str, Meter) {
    (it.hour_ms, it.tenant.project.as_str(), it.tenant.environment.as_str(), it.meter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProjectId;
    use crate::tenant::Environment;

    #[test]
    fn nothing_is_missed_while_counts_are_taken_out() {
        let meters = Meters::default();
        let tenant = Tenant { project: ProjectId::mint(), environment: Environment::Production };
        let sum = |counts: Vec<Count>| counts.iter().map(|it| it.amount).sum::<i64>();
        let taken = std::thread::scope(|scope| {
            let count = |nth: i64| {
                for at in 0..1_000 {
                    meters.count(&tenant, Meter::Vends, HOUR_MS * nth + at);
                }
            };
            let counting: Vec<_> = (0..4).map(|nth| scope.spawn(move || count(nth % 2))).collect();
            let mut taken = 0;
            while !counting.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                taken += sum(meters.take());
            }
            taken
        });
        assert_eq!(taken + sum(meters.take()), 4_000);
        assert!(meters.take().is_empty());
    }

    #[test]
    fn counts_fall_into_their_hour_and_tenant() {
        let meters = Meters::default();
        let tenant = Tenant { project: ProjectId::mint(), environment: Environment::Production };
        let other = Tenant { environment: Environment::Development, ..tenant.clone() };
        meters.count(&tenant, Meter::ProxyCalls, 2 * HOUR_MS - 1);
        meters.count(&tenant, Meter::ProxyCalls, 2 * HOUR_MS);
        meters.count(&other, Meter::ProxyCalls, 2 * HOUR_MS + 1);
        let taken = meters.take();
        let shown: Vec<_> =
            taken.iter().map(|it| (it.hour_ms, it.tenant.environment, it.amount)).collect();
        assert_eq!(
            shown,
            [
                (HOUR_MS, Environment::Production, 1),
                (2 * HOUR_MS, Environment::Development, 1),
                (2 * HOUR_MS, Environment::Production, 1),
            ]
        );
    }
}
