//! When a token is refreshed ahead of its end, and the loop that does so.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{Account, refresh, store};
use crate::app::App;
use crate::config::Config;
use crate::error::Result;

/// Part of the margin by which accounts of one moment are spread.
const SPREAD: i64 = 4;
/// Accounts looked up at once.
const BATCH: i64 = 200;

/// Refreshes what is due until `stop`, then waits for the refreshes under way: each of them holds
/// tokens that nobody has stored yet.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    while app.config.refresh_scheduler && !stop.is_cancelled() {
        match due(&app, &stop).await {
            Ok(refreshed) if i64::try_from(refreshed) == Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "accounts that are due cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(app.config.refresh_interval_ms.duration()) => {}
            () = stop.cancelled() => {}
        }
    }
    stop.cancelled().await;
    app.refreshes.landed().await;
}

/// Refreshes the accounts that are due now, a few at once for each provider. Gives how many it
/// refreshed.
pub async fn due(app: &Arc<App>, stop: &CancellationToken) -> Result<usize> {
    let accounts = store::due(&app.db, app.clock.now_ms(), BATCH).await?;
    let mut providers: BTreeMap<String, Vec<Account>> = BTreeMap::new();
    for account in accounts {
        providers.entry(account.app_slug.clone()).or_default().push(account);
    }
    let at_once = usize::try_from(app.config.refresh_per_provider_max).unwrap_or(1);
    let one = |account: Account| async move {
        // What failed was noted in the row, in the audit log and in metrics.
        !stop.is_cancelled() && refresh::refresh(app, &account).await.is_ok()
    };
    let each: FuturesUnordered<_> = providers
        .into_values()
        .map(|accounts| {
            let done = stream::iter(accounts).map(one).buffer_unordered(at_once);
            done.filter(|done| std::future::ready(*done)).count()
        })
        .collect();
    Ok(each.fold(0, |sum, count| std::future::ready(sum + count)).await)
}

/// When to refresh next: before the end by the greater of a share of the token's life and the least
/// margin, and earlier by up to a quarter of that, so that accounts connected together are not
/// refreshed together. A life too short for the least margin is halved. `None`: the token does not
/// end, or cannot be refreshed.
pub(super) fn next_refresh(
    config: &Config,
    account: &Account,
    renewable: bool,
    now_ms: i64,
) -> Option<i64> {
    let end_ms = account.expires_at_ms.filter(|_| renewable)?;
    let life_ms = (end_ms - now_ms).max(0);
    let share_ms = life_ms / 100 * i64::from(config.refresh_margin_percent);
    let margin_ms = share_ms.max(config.refresh_margin_min_ms.ms()).min(life_ms / 2);
    let spread_ms = (margin_ms / SPREAD).min(life_ms / 2 - margin_ms / 2);
    let early_ms = if spread_ms > 0 { place(account) % (spread_ms + 1) } else { 0 };
    Some(end_ms - margin_ms - early_ms)
}

/// A number that is spread evenly over accounts and versions (FNV-1a), in the place of a random
/// one.
fn place(account: &Account) -> i64 {
    let version = account.version.to_be_bytes();
    let hash =
        account.id.as_str().bytes().chain(version).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    (hash >> 16).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Binding, Health};
    use crate::ids::{AccountId, ProjectId, UserId};
    use crate::tenant::{Environment, Tenant};

    fn account(expires_at_ms: Option<i64>) -> Account {
        Account {
            id: AccountId::mint(),
            tenant: Tenant { project: ProjectId::mint(), environment: Environment::Development },
            user: UserId::mint(),
            external_id: "u".into(),
            app_slug: "x".into(),
            oauth_app: None,
            name: None,
            scopes: Vec::new(),
            missing_scopes: Vec::new(),
            binding: Binding::None,
            health: Health::Healthy,
            expires_at_ms,
            last_refreshed_at_ms: None,
            next_refresh_at_ms: None,
            created_at_ms: 0,
            updated_at_ms: 0,
            version: 1,
            attempts: 0,
            sealed: Vec::new(),
        }
    }

    fn next(life_ms: i64) -> i64 {
        let config = Config::from_pairs(&[]).unwrap();
        next_refresh(&config, &account(Some(life_ms)), true, 0).unwrap()
    }

    #[test]
    fn an_hour_is_refreshed_within_its_last_quarter() {
        for _ in 0..1_000 {
            let at_ms = next(3_600_000);
            assert!((2_700_000..=2_880_000).contains(&at_ms), "{at_ms}");
        }
    }

    #[test]
    fn accounts_of_one_moment_are_spread() {
        let times: std::collections::BTreeSet<_> = (0..100).map(|_| next(3_600_000)).collect();
        assert!(times.len() > 90, "{}", times.len());
    }

    #[test]
    fn a_short_life_is_not_refreshed_before_its_middle_is_near_nor_after_its_end() {
        for life_ms in [0, 1, 5_000, 30_000, 90_000, 120_000] {
            let at_ms = next(life_ms);
            assert!(at_ms <= life_ms && at_ms >= life_ms / 4, "{at_ms} of {life_ms}");
        }
    }

    #[test]
    fn what_does_not_end_or_cannot_be_renewed_is_left_alone() {
        let config = Config::from_pairs(&[]).unwrap();
        assert_eq!(next_refresh(&config, &account(None), true, 0), None);
        assert_eq!(next_refresh(&config, &account(Some(9)), false, 0), None);
    }
}
