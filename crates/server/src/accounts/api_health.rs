//! An account's health by HTTP: how it is, refreshing it now, keeping it alive.

use std::sync::Arc;

use axum::extract::State;

use super::api::Named;
use super::health::{self, HealthView};
use super::refresh::{Why, refresh};
use super::view::{AccountView, account_view};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{Anyone, InTenant, Server};
use crate::error::Result;
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

/// Tells how an account is: what is wrong with it, what was tried, what comes next, and when it
/// will end as far as the app's rules are known.
#[utoipa::path(get, path = "/v1/connect/{project}/accounts/{account}/health", tag = "Accounts",
    params(("project" = String, Path), ("account" = String, Path),
        ("x-pd-environment" = String, Header), ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HealthView), (status = 404, description = "No such account")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    Path(Named { account }): Path<Named>,
    query: Query,
) -> Result<axum::Json<HealthView>> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let account = super::find(&app, &call.tenant, &account, user.as_deref()).await?;
    Ok(axum::Json(health::health(&app, &account).await?))
}

/// Refreshes an account's access token now, however long it would last. Without a body.
#[utoipa::path(post, path = "/v1/connect/{project}/accounts/{account}/refresh", tag = "Accounts",
    params(("project" = String, Path), ("account" = String, Path),
        ("x-pd-environment" = String, Header), ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = AccountView), (status = 404, description = "No such account"),
        (status = 409, description = "Only a reconnect helps, or there is nothing to refresh"),
        (status = 502, description = "The app's server gave an answer that cannot be used"),
        (status = 503, description = "The app does not answer; see `Retry-After`")),
    security(("client" = [])))]
pub(crate) async fn refresh_now(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::AccountsWrite>,
    Path(Named { account }): Path<Named>,
    query: Query,
) -> Result<axum::Json<AccountView>> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let account = super::find(&app, &call.tenant, &account, user.as_deref()).await?;
    let event = Event::new("account.refresh_asked", &call.caller.actor, &call.origin)
        .tenant(&call.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id);
    app.audit.note(event);
    refresh(&app, &account, Why::Forced).await?;
    let account = super::find(&app, &call.tenant, account.id.as_str(), None).await?;
    Ok(axum::Json(account_view(&app, account, None).await))
}

/// What of an account can be changed.
#[derive(serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct AccountChange {
    /// Whether it is refreshed before the app would end the grant for being idle.
    keep_alive: Option<bool>,
}

/// Changes how an account is looked after.
#[utoipa::path(patch, path = "/v1/connect/{project}/accounts/{account}", tag = "Accounts",
    params(("project" = String, Path), ("account" = String, Path),
        ("x-pd-environment" = String, Header), ("external_user_id" = Option<String>, Query)),
    request_body = AccountChange,
    responses((status = 200, body = HealthView), (status = 404, description = "No such account")),
    security(("client" = [])))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::AccountsWrite>,
    Path(Named { account }): Path<Named>,
    query: Query,
    Json(change): Json<AccountChange>,
) -> Result<axum::Json<HealthView>> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let mut account = super::find(&app, &call.tenant, &account, user.as_deref()).await?;
    if let Some(on) = change.keep_alive {
        account = health::set_keep_alive(&app, account, on).await?;
        let event = Event::new("account.change", &call.caller.actor, &call.origin)
            .tenant(&call.tenant)
            .target("account", account.id.as_str())
            .user(&account.external_id)
            .detail(serde_json::json!({ "keep_alive": on }));
        app.audit.note(event);
    }
    Ok(axum::Json(health::health(&app, &account).await?))
}
