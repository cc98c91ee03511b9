//! What is known of an account's health: what was tried, what comes next, when it will end.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::forecast::{self, Forecast};
use super::store::{self, refreshing as rows};
use super::{Account, Health, schedule, seal};
use crate::app::App;
use crate::apps::{self, asking};
use crate::audit::{self, Past};
use crate::clock::iso;
use crate::error::{self, Result};
use crate::ids::AccountId;

/// Tries that are shown, the newest first.
const ATTEMPTS_MAX: i64 = 20;

/// How an account is, and how it came to that.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HealthView {
    pub account_id: AccountId,
    /// `healthy`, `error` or `dead`.
    pub status: &'static str,
    /// A stable word for what is wrong.
    pub reason: Option<String>,
    /// What is wrong, as a sentence.
    pub text: Option<String>,
    /// When the access token ends.
    pub expires_at: Option<String>,
    pub last_refreshed_at: Option<String>,
    /// When it is refreshed next by itself.
    pub next_attempt_at: Option<String>,
    /// Failed refreshes in a row.
    pub failures: i64,
    /// An app's answer was lost, and what became of the grant is not known yet.
    pub in_doubt: bool,
    /// Whether it is kept from ending for being idle.
    pub keep_alive: bool,
    /// When it will end whatever is done here, as far as the app's rules are known.
    pub forecast: Option<Forecast>,
    /// The last refreshes, the newest first.
    pub attempts: Vec<Attempt>,
}

/// A refresh that was tried.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Attempt {
    pub tried_at: String,
    /// `ok`, or the reason of the failure.
    pub outcome: String,
    /// `needed`, `ahead`, `forced` or `recovery`.
    pub why: Option<String>,
}

pub async fn health(app: &App, account: &Account) -> Result<HealthView> {
    let at = |time: Option<i64>| time.map(iso);
    app.audit.settle().await;
    let past = audit::refreshes(&app.db, &account.tenant, &account.id, ATTEMPTS_MAX).await?;
    let found = apps::find(app, &account.tenant.project, &account.app_slug).await.ok();
    Ok(HealthView {
        account_id: account.id.clone(),
        status: account.health.as_str(),
        reason: account.health.reason().map(str::to_owned),
        text: account.health.text().map(str::to_owned),
        expires_at: at(account.expires_at_ms),
        last_refreshed_at: at(account.last_refreshed_at_ms),
        next_attempt_at: at(account.next_refresh_at_ms),
        failures: account.attempts,
        in_doubt: account.refreshing.sent || account.refreshing.unknown_at_ms.is_some(),
        keep_alive: account.keep_alive,
        forecast: found.and_then(|it| forecast::of(&it, account)),
        attempts: past.into_iter().map(attempt).collect(),
    })
}

fn attempt(past: Past) -> Attempt {
    let detail: Value =
        past.detail.and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default();
    let why = detail["why"].as_str().map(str::to_owned);
    Attempt { tried_at: iso(past.at_ms), outcome: past.outcome, why }
}

/// Says whether the account is to be kept from ending for being idle.
///
/// # Errors
/// [`error::NOT_FOUND`] when it was deleted or reconnected meanwhile.
pub(super) async fn set_keep_alive(app: &Arc<App>, account: Account, on: bool) -> Result<Account> {
    let mut next = account;
    next.keep_alive = on;
    let refresh_token = seal::open(app, &next).await?.credentials.refresh_token.is_some();
    if let Ok(found) = apps::find(app, &next.tenant.project, &next.app_slug).await {
        let renewable = asking::renewable(&found, refresh_token);
        let since_ms = next.last_refreshed_at_ms.unwrap_or(next.created_at_ms);
        if next.health == Health::Healthy {
            next.next_refresh_at_ms =
                schedule::next_refresh(&app.config, &found, &next, (renewable, since_ms));
        }
        next.refreshing.ends_at_ms = forecast::ending(&found, &next, renewable).map(|it| it.at_ms);
    }
    if !rows::set_keep_alive(&app.db, &next).await? {
        return Err(error::NOT_FOUND.into());
    }
    store::find(&app.db, &next.tenant, &next.id).await?.ok_or_else(|| error::NOT_FOUND.into())
}
