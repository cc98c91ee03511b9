//! An account as callers see it.

use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Account, Binding, Health};
use crate::app::App;
use crate::apps;
use crate::apps::view::{AppView, app_json};
use crate::clock::iso;
use crate::ids::AccountId;

/// A connected account. Every field is always sent, `null` where there is nothing to say.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AccountView {
    id: AccountId,
    /// The account's name at the app, such as a mail address.
    name: Option<String>,
    /// Your own id of the user.
    external_id: String,
    /// False while refreshing fails, and when the account is dead.
    healthy: bool,
    /// Whether only a reconnect helps.
    dead: bool,
    #[schema(value_type = Option<AppView>)]
    app: Option<Arc<RawValue>>,
    created_at: String,
    updated_at: String,
    authorized_scopes: Vec<String>,
    /// Scopes that were asked for and not granted.
    missing_scopes: Vec<String>,
    /// How sure it is that the person who connected is this user.
    binding: Binding,
    /// `healthy`, `error` or `dead`.
    status: &'static str,
    /// A stable word for what is wrong.
    status_reason: Option<String>,
    /// What is wrong, as a sentence.
    error: Option<String>,
    /// Only with `include_credentials=true`, and never to a browser.
    #[schema(value_type = Option<Object>)]
    credentials: Option<Map<String, Value>>,
    /// When the access token ends.
    expires_at: Option<String>,
    last_refreshed_at: Option<String>,
    next_refresh_at: Option<String>,
}

/// The view of an account; without credentials unless they are given.
pub(crate) async fn account_view(
    app: &App,
    account: Account,
    credentials: Option<Map<String, Value>>,
) -> AccountView {
    // An app whose file was taken away leaves its accounts behind.
    let found = apps::find(app, &account.tenant.project, &account.app_slug).await.ok();
    shown(app, account, (found, credentials)).await
}

/// The same without credentials, for news that is written within a transaction.
pub(super) async fn account_in_news(app: &App, account: &Account) -> AccountView {
    let found = apps::known(app, &account.tenant.project, &account.app_slug).await;
    shown(app, account.clone(), (found, None)).await
}

async fn shown(
    app: &App,
    account: Account,
    (found, credentials): (Option<Arc<CatalogApp>>, Option<Map<String, Value>>),
) -> AccountView {
    let found = match &found {
        Some(found) => app_json(app, found).await,
        None => None,
    };
    let at = |time: Option<i64>| time.map(iso);
    AccountView {
        healthy: account.health == Health::Healthy,
        dead: matches!(account.health, Health::Dead { .. }),
        app: found,
        created_at: iso(account.created_at_ms),
        updated_at: iso(account.updated_at_ms),
        status: account.health.as_str(),
        status_reason: account.health.reason().map(str::to_owned),
        error: account.health.text().map(str::to_owned),
        credentials,
        expires_at: at(account.expires_at_ms),
        last_refreshed_at: at(account.last_refreshed_at_ms),
        next_refresh_at: at(account.next_refresh_at_ms),
        id: account.id,
        name: account.name,
        external_id: account.external_id,
        authorized_scopes: account.scopes,
        missing_scopes: account.missing_scopes,
        binding: account.binding,
    }
}
