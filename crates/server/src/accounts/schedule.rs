//! When a token is refreshed ahead of its end, and the loop that does so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use grantkeep_catalog::App as CatalogApp;
use tokio_util::sync::CancellationToken;

use super::refresh::{Why, refresh};
use super::store::refreshing as rows;
use super::{Account, forecast, recover, verdict};
use crate::app::App;
use crate::apps;
use crate::config::Config;
use crate::error::Result;
use crate::webhooks::Topic;

/// Part of the margin by which accounts of one moment are spread.
const SPREAD: i64 = 4;
/// Accounts looked up at once.
const BATCH: i64 = 200;
/// How often dead processes and what they left are looked for.
const RECOVER_EVERY: Duration = Duration::from_secs(5);
/// How long before a known end the product is told of it.
const NOTICE_MS: i64 = 7 * 24 * 3_600_000;

/// Refreshes what is due until `stop`, then waits for the refreshes under way: each of them holds
/// tokens that nobody has stored yet.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    futures::future::join(Box::pin(ahead(&app, &stop)), recovering(&app, &stop)).await;
    stop.cancelled().await;
    app.refreshes.landed().await;
}

async fn ahead(app: &Arc<App>, stop: &CancellationToken) {
    while app.config.refresh_scheduler && !stop.is_cancelled() {
        let full = match due(app, stop).await {
            Ok(refreshed) => i64::try_from(refreshed) == Ok(BATCH),
            Err(error) => {
                tracing::error!(%error, "accounts that are due cannot be read");
                false
            }
        };
        if let Err(error) = notice(app).await {
            tracing::error!(%error, "accounts that end soon cannot be told of");
        }
        if !full {
            wait(app.config.refresh_interval_ms.duration(), stop).await;
        }
    }
}

/// Takes up what crashed processes left, here and on other machines.
async fn recovering(app: &Arc<App>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = recover(app).await {
            tracing::error!(%error, "what a dead process left cannot be taken up yet");
        }
        if let Err(error) = stranded(app, stop).await {
            tracing::error!(%error, "refreshes that were left open cannot be read");
        }
        wait(RECOVER_EVERY, stop).await;
    }
}

async fn wait(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

/// Refreshes the accounts that are due now, a few at once for each provider. Gives how many it
/// refreshed.
pub async fn due(app: &Arc<App>, stop: &CancellationToken) -> Result<usize> {
    let accounts = rows::due(&app.db, app.clock.now_ms(), BATCH).await?;
    Ok(each(app, stop, accounts, Why::Ahead).await)
}

/// Asks again where a process is gone that had asked.
pub async fn stranded(app: &Arc<App>, stop: &CancellationToken) -> Result<usize> {
    let mut refreshed = 0;
    loop {
        let accounts = rows::stranded(&app.db, app.db.now_ms().await?, BATCH).await?;
        if accounts.is_empty() || stop.is_cancelled() {
            return Ok(refreshed);
        }
        let done = each(app, stop, accounts, Why::Recovery).await;
        refreshed += done;
        // Those that failed are tried again later, as any other.
        if done == 0 {
            return Ok(refreshed);
        }
    }
}

async fn each(app: &Arc<App>, stop: &CancellationToken, accounts: Vec<Account>, why: Why) -> usize {
    let mut providers: BTreeMap<String, Vec<Account>> = BTreeMap::new();
    for account in accounts {
        providers.entry(account.app_slug.clone()).or_default().push(account);
    }
    let at_once = usize::try_from(app.config.refresh_per_provider_max).unwrap_or(1);
    let one = |account: Account| async move {
        app.refresh_rate.until_key_ready(&account.app_slug).await;
        // What failed was noted in the row, in the audit log and in metrics.
        !stop.is_cancelled() && refresh(app, &account, why).await.is_ok()
    };
    let each: FuturesUnordered<_> = providers
        .into_values()
        .map(|accounts| {
            let done = stream::iter(accounts).map(one).buffer_unordered(at_once);
            done.filter(|done| std::future::ready(*done)).count()
        })
        .collect();
    each.fold(0, |sum, count| std::future::ready(sum + count)).await
}

/// Tells products of accounts that will end soon. Gives how many.
pub async fn notice(app: &Arc<App>) -> Result<usize> {
    let accounts = rows::ending(&app.db, app.clock.now_ms() + NOTICE_MS, BATCH).await?;
    let mut told = 0;
    for account in accounts {
        apps::ready(app, &account.tenant.project).await?;
        let mut tx = app.db.begin().await?;
        if rows::set_end_told(&mut tx, &account).await? {
            verdict::tell(app, &mut tx, &account, Topic::AccountExpiring).await?;
            tx.commit().await?;
            told += 1;
        }
    }
    Ok(told)
}

/// When to refresh next: before the end by the greater of a share of the token's life and the least
/// margin, and earlier by up to a quarter of that, so that accounts connected together are not
/// refreshed together. A life too short for the least margin is halved. In any case before the app
/// drops the grant for being idle. `None`: nothing ends, or it cannot be refreshed.
pub(super) fn next_refresh(
    config: &Config,
    found: &CatalogApp,
    account: &Account,
    (renewable, now_ms): (bool, i64),
) -> Option<i64> {
    if !renewable {
        return None;
    }
    let before_end =
        account.expires_at_ms.map(|end_ms| before_end_ms(config, account, end_ms, now_ms));
    let alive = forecast::keep_alive_ms(found, account, now_ms);
    [before_end, alive].into_iter().flatten().min()
}

fn before_end_ms(config: &Config, account: &Account, end_ms: i64, now_ms: i64) -> i64 {
    let life_ms = (end_ms - now_ms).max(0);
    let share_ms = life_ms / 100 * i64::from(config.refresh_margin_percent);
    let margin_ms = share_ms.max(config.refresh_margin_min_ms.ms()).min(life_ms / 2);
    let spread_ms = (margin_ms / SPREAD).min(life_ms / 2 - margin_ms / 2);
    let early_ms = if spread_ms > 0 { place(account) % (spread_ms + 1) } else { 0 };
    end_ms - margin_ms - early_ms
}

/// A number that is spread evenly over accounts and versions (FNV-1a), in the place of a random
/// one.
pub(super) fn place(account: &Account) -> i64 {
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
    use crate::accounts::{Binding, Health, Refreshing};
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
            keep_alive: true,
            refreshing: Refreshing::default(),
            attempts: 0,
            sealed: Vec::new(),
            wrapped_key: None,
            client_id: None,
        }
    }

    fn app(slug: &str) -> std::sync::Arc<CatalogApp> {
        grantkeep_catalog::Catalog::builtin().get(slug).unwrap()
    }

    fn next(life_ms: i64) -> i64 {
        let config = Config::from_pairs(&[]).unwrap();
        next_refresh(&config, &app("slack"), &account(Some(life_ms)), (true, 0)).unwrap()
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
        assert_eq!(next_refresh(&config, &app("slack"), &account(None), (true, 0)), None);
        assert_eq!(next_refresh(&config, &app("slack"), &account(Some(9)), (false, 0)), None);
    }
}
