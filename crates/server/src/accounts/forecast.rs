//! When a grant will end whatever we do, as far as the app's rules are known.

use grantkeep_catalog::App as CatalogApp;
use serde::Serialize;

use super::Account;
use crate::clock::iso;

/// An end to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub at_ms: i64,
    /// `expired_idle`, `expired_lifetime` or `no_refresh_token`: the reason that the account will
    /// be dead for.
    pub reason: &'static str,
}

/// An end to come, as callers see it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Forecast {
    /// Until then the grant can be kept; after it only a reconnect helps.
    pub ends_at: String,
    /// `expired_idle`, `expired_lifetime` or `no_refresh_token`.
    pub reason: &'static str,
    pub text: &'static str,
}

/// The first of the ends that nothing prevents. `renewable`: there is a refresh token.
pub(super) fn ending(found: &CatalogApp, account: &Account, renewable: bool) -> Option<Ending> {
    if !renewable {
        let at_ms = account.expires_at_ms?;
        return Some(Ending { at_ms, reason: "no_refresh_token" });
    }
    let life =
        lifetime_ends_ms(found, account).map(|at_ms| Ending { at_ms, reason: "expired_lifetime" });
    let idle = idle_ends_ms(found, account)
        .filter(|_| !account.keep_alive)
        .map(|at_ms| Ending { at_ms, reason: "expired_idle" });
    [life, idle].into_iter().flatten().min_by_key(|it| it.at_ms)
}

/// What is known of an account's end. `None`: nothing that anybody has written down.
pub(super) fn of(found: &CatalogApp, account: &Account) -> Option<Forecast> {
    let at_ms = account.refreshing.ends_at_ms?;
    // Which of the ends it is, follows from when it is.
    let reason = match () {
        () if lifetime_ends_ms(found, account) == Some(at_ms) => "expired_lifetime",
        () if idle_ends_ms(found, account) == Some(at_ms) => "expired_idle",
        () => "no_refresh_token",
    };
    Some(Forecast { ends_at: iso(at_ms), reason, text: text(reason) })
}

/// The end that has come, if the app's rules explain why a grant is gone.
pub(super) fn ended(found: &CatalogApp, account: &Account, now_ms: i64) -> Option<&'static str> {
    let over = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms <= now_ms);
    match () {
        () if over(lifetime_ends_ms(found, account)) => Some("expired_lifetime"),
        () if over(idle_ends_ms(found, account)) => Some("expired_idle"),
        () => None,
    }
}

pub(super) fn text(reason: &str) -> &'static str {
    match reason {
        "expired_lifetime" => "The app lets no grant live longer, used or not",
        "expired_idle" => "The app ends grants that are not used for so long",
        _ => "The access token ends, and the app gave no way to renew it",
    }
}

fn lifetime_ends_ms(found: &CatalogApp, account: &Account) -> Option<i64> {
    let life_ms = ms(found.oauth2()?.grant.life_s?);
    Some(account.refreshing.granted_at_ms + life_ms)
}

fn idle_ends_ms(found: &CatalogApp, account: &Account) -> Option<i64> {
    let idle_ms = ms(found.oauth2()?.grant.idle_s?);
    Some(account.last_refreshed_at_ms.unwrap_or(account.refreshing.granted_at_ms) + idle_ms)
}

/// When to refresh at the latest, so that the app does not drop the grant for being idle: with a
/// fifth of the time left.
pub(super) fn keep_alive_ms(found: &CatalogApp, account: &Account, now_ms: i64) -> Option<i64> {
    let idle_ms = ms(found.oauth2()?.grant.idle_s?);
    account.keep_alive.then(|| now_ms + idle_ms / 5 * 4)
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX / 2_000).saturating_mul(1_000)
}
