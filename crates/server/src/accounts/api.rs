//! Accounts by HTTP: below `/v1/connect/{project}`, without a project for connect tokens and API
//! keys, and with a user's id in the project's place for clients of the older style.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream;
use grantkeep_vault::token;
use serde_json::{Map, Value, json};

use super::api_older::{self, OlderList};
use super::view::{AccountView, account_view};
use super::{Account, Binding, By, ErasureView, Filter, Form, Outcome, RevocationView, vend};
use crate::app::App;
use crate::audit::Event;
use crate::body::{self, Json};
use crate::callers::{Anyone, Browser, InTenant, Server, Who};
use crate::error::{self, Result};
use crate::ids::AccountId;
use crate::paging::{Listed, Page};
use crate::query::Query;
use crate::scope::{Need, need};
use crate::{apps, tokens};

/// Says what became of a deleted account's grant.
const REVOCATION: HeaderName = HeaderName::from_static("x-grantkeep-revocation");
/// Accounts whose credentials are made ready at once for one list.
const VENDED_AT_ONCE: usize = 8;
/// Longest life that a caller may ask an access token to have left, in seconds: a day. One that
/// lives shorter is given as long as it has more than half of its life.
const MIN_TTL_S_MAX: i64 = 86_400;

/// Path parameters in any of the forms; `project` is read by the extractors.
#[derive(serde::Deserialize)]
pub(crate) struct Named {
    pub(super) account: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct NamedApp {
    pub(super) app: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct NamedErasure {
    id: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct Rest {
    pub(super) rest: String,
}

/// What connects an app that takes keys.
#[derive(serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct NewAccount {
    /// Slug or id.
    #[schema(example = "sendgrid")]
    app_slug: String,
    /// The app's fields: a JSON text that holds an object of texts.
    #[schema(value_type = String, example = "{\"api_key\":\"...\"}")]
    cfmap_json: Value,
    /// The bearer once more.
    connect_token: Option<String>,
    name: Option<String>,
    /// An account of the same user and app, to be reconnected in place.
    account_id: Option<String>,
    /// Its values stand in for fields of `cfmap_json`.
    app_override_id: Option<String>,
}

/// Connects an app that takes keys, and uses the connect token up. Apps with OAuth are connected
/// on the connect page.
#[utoipa::path(post, path = "/v1/connect/{project}/accounts", tag = "Accounts",
    params(("project" = String, Path), ("external_user_id" = Option<String>, Query)),
    request_body = NewAccount,
    responses((status = 200, body = AccountView),
        (status = 400, description = "A field is wrong, or the app does not accept the keys"),
        (status = 409, description = "Another account than the one to be reconnected"),
        (status = 410, description = "The connect token was used meanwhile"),
        (status = 502, description = "The app's server gave an answer that cannot be used"),
        (status = 503, description = "The app does not answer; see `Retry-After`")),
    security(("connect" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: InTenant<Browser, need::AccountsWrite>,
    query: Query,
    Json(new): Json<NewAccount>,
) -> Result<axum::Json<AccountView>> {
    call.only_user(query.narrowing("external_user_id")?)?;
    let grant = call.caller.connect.as_ref().ok_or(error::WRONG_TOKEN_TYPE)?;
    let same = |it: &String| token::equal(&token::digest(it), &grant.hash);
    if !new.connect_token.as_ref().is_none_or(same) {
        return Err(error::INVALID_REQUEST.saying("`connect_token` is not the bearer."));
    }
    let reconnect = match new.account_id.as_deref() {
        None => None,
        Some(id) => Some(AccountId::parse(id).ok_or(error::NOT_FOUND)?),
    };
    let mut fields = fields(&new.cfmap_json)?;
    if let Some(id) = new.app_override_id.as_deref().filter(|it| !it.is_empty()) {
        fields.extend(apps::override_fields(&app, &call.tenant.project, id, &new.app_slug).await?);
    }
    let form = Form {
        app: new.app_slug,
        fields,
        name: new.name,
        reconnect,
        // A call with the token alone does not show whose browser it came from.
        binding: Binding::None,
    };
    let token = tokens::find_by_hash(&app, &grant.hash).await?.ok_or(error::INVALID_TOKEN)?;
    let account = super::connect_keys(&app, &token, form, &call.origin).await?;
    Ok(axum::Json(account_view(&app, account, None).await))
}

/// Reads the map of fields, which comes as JSON within JSON; numbers and truth values are taken as
/// they are written.
fn fields(map: &Value) -> Result<BTreeMap<String, String>> {
    let wrong =
        |why: &'static str| error::INVALID_FIELD.saying(why).with(json!({ "field": "cfmap_json" }));
    let inner = match map {
        Value::String(text) if body::check(text.as_bytes()).is_err() => {
            return Err(wrong("`cfmap_json` is not valid JSON that names each field once."));
        }
        Value::String(text) => {
            serde_json::from_str(text).map_err(|_| wrong("`cfmap_json` is not valid JSON."))?
        }
        other => other.clone(),
    };
    let Value::Object(members) = inner else {
        return Err(wrong("`cfmap_json` must hold an object."));
    };
    apps::field_texts(members)
}

/// Lists accounts, newest first.
#[utoipa::path(get, path = "/v1/connect/{project}/accounts", tag = "Accounts",
    params(("project" = String, Path), ("x-pd-environment" = String, Header),
        ("external_user_id" = Option<String>, Query, description = "Your own id of a user"),
        ("app" = Option<String>, Query, description = "Slug or id of an app"),
        ("oauth_app_id" = Option<String>, Query),
        ("include_credentials" = Option<bool>, Query,
            description = "Needs the scope `credentials:read`; never for browsers"),
        ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<AccountView>)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    query: Query,
) -> Result<Response> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let filter = Filter {
        external_id: user.as_deref(),
        app: query.narrowing("app")?,
        oauth_app: query.narrowing("oauth_app_id")?,
    };
    let older = call.is_older_path();
    listed(&app, &call, &query, (filter, older)).await
}

/// A page of those accounts, in the older envelope if that is wanted.
pub(super) async fn listed<N: Need>(
    app: &Arc<App>,
    call: &InTenant<Anyone, N>,
    query: &Query,
    (filter, older): (Filter<'_>, bool),
) -> Result<Response> {
    let secrets = wants_credentials(app, call, query)?;
    let mut page = Page::of(query, &app.cursors, format!("{:?}\n{filter:?}", call.tenant))?;
    if older && query.one("limit")?.is_none() {
        page.limit = api_older::LIMIT;
    }
    let (accounts, total) = super::list(app, &call.tenant, filter, &page).await?;
    let (accounts, page_info) = page.answer(&app.cursors, accounts, total, Account::boundary);
    let data = views(app, call, accounts, secrets).await?;
    Ok(if older {
        axum::Json(OlderList { accounts: &data, data: &data, page_info }).into_response()
    } else {
        axum::Json(Listed { data, page_info }).into_response()
    })
}

/// Gives one account.
#[utoipa::path(get, path = "/v1/connect/{project}/accounts/{account}", tag = "Accounts",
    params(("project" = String, Path), ("account" = String, Path),
        ("x-pd-environment" = String, Header), ("external_user_id" = Option<String>, Query),
        ("include_credentials" = Option<bool>, Query,
            description = "Needs the scope `credentials:read`; never for browsers"),
        ("min_ttl" = Option<i64>, Query, minimum = 0, maximum = 86400,
            description = "Seconds that the access token must still last, at most 86400")),
    responses((status = 200, body = AccountView), (status = 404, description = "No such account"),
        (status = 409, description = "Credentials are wanted, and only a reconnect helps"),
        (status = 503, description = "Credentials have ended, and the app does not answer")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    Path(Named { account }): Path<Named>,
    query: Query,
) -> Result<axum::Json<AccountView>> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let secrets = wants_credentials(&app, &call, &query)?;
    let account = super::find(&app, &call.tenant, &account, user.as_deref()).await?;
    let Some(Secrets { min_ttl_ms }) = secrets else {
        return Ok(axum::Json(account_view(&app, account, None).await));
    };
    if app.freezes().await?.hold(&call.tenant.project, &account.app_slug) {
        withheld(&app, &call, "frozen", Some(&account));
        return Err(error::FROZEN.into());
    }
    record_reads(&app, &call, std::slice::from_ref(&account)).await?;
    let usable = vend::usable_of(&app, account, min_ttl_ms).await?;
    let credentials = vend::credentials(&app, &usable).await?;
    Ok(axum::Json(account_view(&app, usable.account, Some(credentials)).await))
}

/// Deletes an account. Its grant is revoked at the provider, as far as the app has a way: the
/// header `x-grantkeep-revocation` says `revoked`, `unsupported`, `failed` or `pending`.
#[utoipa::path(delete, path = "/v1/connect/{project}/accounts/{account}", tag = "Accounts",
    params(("project" = String, Path), ("account" = String, Path),
        ("x-pd-environment" = String, Header), ("external_user_id" = Option<String>, Query),
        ("revoke" = Option<bool>, Query, description = "`false` keeps the grant at the provider")),
    responses((status = 204, headers(("x-grantkeep-revocation" = String,
            description = "What became of the grant, unless `revoke=false`"))),
        (status = 404, description = "No such account")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsWrite>,
    Path(Named { account }): Path<Named>,
    query: Query,
) -> Result<Response> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    let outcome = super::delete(&app, by(&call, &query)?, &account, user.as_deref()).await?;
    Ok(no_content(outcome))
}

/// Says what became of the grant of a deleted account.
#[utoipa::path(get, path = "/v1/connect/{project}/accounts/{account}/revocation",
    tag = "Accounts",
    params(("project" = String, Path), ("account" = String, Path),
        ("x-pd-environment" = String, Header)),
    responses((status = 200, body = RevocationView),
        (status = 404, description = "No such account was deleted")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn revocation(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    Path(Named { account }): Path<Named>,
) -> Result<axum::Json<RevocationView>> {
    let view = super::revocation(&app, &call.tenant, &account).await?;
    // Whoever is limited to a user sees that user's only.
    if call.only_user(None)?.is_some_and(|user| user != view.external_id) {
        return Err(error::NOT_FOUND.into());
    }
    Ok(axum::Json(view))
}

/// Deletes all accounts of an app. Their grants are revoked in the background.
#[utoipa::path(delete, path = "/v1/connect/{project}/apps/{app}/accounts", tag = "Accounts",
    params(("project" = String, Path),
        ("app" = String, Path, description = "Slug or id of an app, or the id of an OAuth client"),
        ("x-pd-environment" = String, Header), ("external_user_id" = Option<String>, Query),
        ("revoke" = Option<bool>, Query)),
    responses((status = 204), (status = 404, description = "No such app")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn delete_by_app(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsWrite>,
    Path(NamedApp { app: name }): Path<NamedApp>,
    query: Query,
) -> Result<StatusCode> {
    let user = call.only_user(query.narrowing("external_user_id")?)?;
    super::delete_by_app(&app, by(&call, &query)?, &name, user.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists all accounts of a user, as a bare array.
#[utoipa::path(get, path = "/v1/connect/{project}/users/{*rest}", tag = "Accounts",
    params(("project" = String, Path),
        ("*rest" = String, Path, description = "Your own id of the user, then `/accounts`"),
        ("x-pd-environment" = String, Header), ("app" = Option<String>, Query),
        ("include_credentials" = Option<bool>, Query)),
    responses((status = 200, body = Vec<AccountView>)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn list_of_user(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::AccountsRead>,
    Path(Rest { rest }): Path<Rest>,
    query: Query,
) -> Result<axum::Json<Vec<AccountView>>> {
    // An external id may hold slashes, and some clients do not encode them.
    let user = rest.strip_suffix("/accounts").ok_or(error::NOT_FOUND)?;
    let user = call.only_user(Some(user))?.ok_or(error::NOT_FOUND)?;
    let secrets = wants_credentials(&app, &call, &query)?;
    let accounts = super::list_of_user(&app, &call.tenant, &user, query.narrowing("app")?).await?;
    Ok(axum::Json(views(&app, &call, accounts, secrets).await?))
}

/// Says how far the erasure of a user with many accounts is.
#[utoipa::path(get, path = "/v1/connect/{project}/erasures/{id}", tag = "Users",
    params(("project" = String, Path), ("id" = String, Path),
        ("x-pd-environment" = String, Header)),
    responses((status = 200, body = ErasureView),
        (status = 404, description = "No such erasure")),
    security(("client" = [])))]
pub(crate) async fn erasure(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::UsersRead>,
    Path(NamedErasure { id }): Path<NamedErasure>,
) -> Result<axum::Json<ErasureView>> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    Ok(axum::Json(super::erasure(&app, &call.tenant, &id).await?.into()))
}

pub(crate) fn by<'a, W: Who, N: Need>(call: &'a InTenant<W, N>, query: &Query) -> Result<By<'a>> {
    Ok(By {
        tenant: &call.tenant,
        actor: &call.caller.actor,
        origin: &call.origin,
        revoke: query.flag("revoke")?.unwrap_or(true),
    })
}

fn no_content(outcome: Option<Outcome>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(outcome) = outcome {
        let value = HeaderValue::from_static(outcome.as_str());
        response.headers_mut().insert(REVOCATION, value);
    }
    response
}

/// What is asked of credentials that are to be shown.
#[derive(Clone, Copy)]
struct Secrets {
    /// The least life that an access token must have left.
    min_ttl_ms: Option<i64>,
}

/// Whether credentials are to be shown. Browsers ask in vain, since old ones do so by habit.
fn wants_credentials<W: Who, N: Need>(
    app: &App,
    call: &InTenant<W, N>,
    query: &Query,
) -> Result<Option<Secrets>> {
    let min_ttl_ms = min_ttl_ms(query)?;
    if !query.flag("include_credentials")?.unwrap_or(false) || call.caller.connect.is_some() {
        return Ok(None);
    }
    if !call.may_read_credentials() {
        withheld(app, call, "scope_missing", None);
        return Err(error::SCOPE_MISSING
            .saying("Credentials are shown to callers with the scope `credentials:read` only."));
    }
    Ok(Some(Secrets { min_ttl_ms }))
}

fn min_ttl_ms(query: &Query) -> Result<Option<i64>> {
    let Some(text) = query.one("min_ttl")? else { return Ok(None) };
    let seconds = text.parse::<i64>().ok().filter(|it| (0..=MIN_TTL_S_MAX).contains(it));
    let wrong = || {
        let text = format!("`min_ttl` is a whole number of seconds, at most {MIN_TTL_S_MAX}.");
        error::INVALID_PARAMETER.saying(text).with(json!({ "parameter": "min_ttl" }))
    };
    Ok(Some(seconds.ok_or_else(wrong)? * 1_000))
}

/// Says in the audit log who reads what, before anything is shown.
async fn record_reads<W: Who, N: Need>(
    app: &App,
    call: &InTenant<W, N>,
    accounts: &[Account],
) -> Result<()> {
    let event = |account: &Account| {
        Event::new("credentials.read", &call.caller.actor, &call.origin)
            .tenant(&account.tenant)
            .target("account", account.id.as_str())
            .user(&account.external_id)
    };
    if let [account] = accounts {
        return app.audit.record(event(account)).await;
    }
    let written = accounts.iter().map(|account| app.audit.record(event(account)));
    futures::future::join_all(written).await.into_iter().collect()
}

/// Says in the audit log that somebody asked for credentials in vain.
fn withheld<W: Who, N: Need>(
    app: &App,
    call: &InTenant<W, N>,
    why: &'static str,
    account: Option<&Account>,
) {
    let mut event = Event::new("credentials.read", &call.caller.actor, &call.origin)
        .tenant(&call.tenant)
        .outcome(why);
    if let Some(account) = account {
        event = event.target("account", account.id.as_str()).user(&account.external_id);
    }
    app.audit.note(event);
}

async fn views<W: Who, N: Need>(
    app: &Arc<App>,
    call: &InTenant<W, N>,
    accounts: Vec<Account>,
    secrets: Option<Secrets>,
) -> Result<Vec<AccountView>> {
    let Some(secrets) = secrets else {
        let views = stream::iter(accounts).then(|it| account_view(app, it, None));
        return Ok(views.collect().await);
    };
    // One frozen app does not hide the others; all of them frozen is the answer itself.
    if app.freezes().await?.hold_all(&call.tenant.project) {
        withheld(app, call, "frozen", None);
        return Err(error::FROZEN.into());
    }
    record_reads(app, call, &accounts).await?;
    let views = stream::iter(accounts).map(|it| view_with_credentials(app, it, secrets));
    Ok(views.buffered(VENDED_AT_ONCE).collect().await)
}

/// In a list, one account that cannot be used does not hide the others: it comes without
/// credentials, and says what is wrong.
async fn view_with_credentials(
    app: &Arc<App>,
    account: Account,
    Secrets { min_ttl_ms }: Secrets,
) -> AccountView {
    let credentials = async {
        let usable = vend::usable_of(app, account.clone(), min_ttl_ms).await?;
        let credentials = vend::credentials(app, &usable).await?;
        Ok::<(Account, Map<String, Value>), error::Error>((usable.account, credentials))
    };
    if let Ok((account, credentials)) = credentials.await {
        return account_view(app, account, Some(credentials)).await;
    }
    let now = super::find(app, &account.tenant, account.id.as_str(), None).await;
    account_view(app, now.unwrap_or(account), None).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_map_of_fields_is_texts_or_refused(text in "[\\[{\"a:1,}\\]\\\\ ]{0,30}", inner in "\\PC{0,20}") {
            if let Err(error) = fields(&Value::String(text)) {
                prop_assert_eq!(error.kind().code, "invalid_field");
            }
            let map = json!({ "a": inner, "b": 7, "c": true, "d": null }).to_string();
            let read = fields(&Value::String(map)).unwrap();
            prop_assert_eq!(read.into_values().collect::<Vec<_>>(), [inner, "7".into(), "true".into()]);
        }
    }
}
