//! `POST /v1/connect/{project}/tokens`, and the project-less form of API keys.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Wish, create};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InTenant, Server};
use crate::clock::iso;
use crate::error::{self, Error, Result};
use crate::limits::{Limit, Standing};
use crate::scope::need;
use crate::tenant::Tenant;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewToken {
    /// Your own id of the user, 1 to 250 characters.
    #[serde(alias = "external_id")]
    #[schema(required, nullable = false, min_length = 1, max_length = 250, example = "user-1")]
    external_user_id: Option<String>,
    /// The user's name, 1 to 120 visible characters: links that nothing proves show it to whoever
    /// opens them.
    external_user_name: Option<String>,
    /// Web origins that may use the token and frame the connect page.
    allowed_origins: Option<Vec<String>>,
    success_redirect_uri: Option<String>,
    error_redirect_uri: Option<String>,
    webhook_uri: Option<String>,
    /// Life in seconds, 1 to 14400.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 14400)]
    expires_in: Option<serde_json::Value>,
    /// Space-separated; `connect:*` when absent.
    scope: Option<String>,
    /// Whether the user chooses on the page how much of it he allows, as with the project's
    /// `scope_choice`. False when absent.
    allow_progressive_scopes: Option<bool>,
    /// App slug or id that the token is for.
    #[serde(alias = "app_slug")]
    app_id: Option<String>,
    /// OAuth client that the token is for.
    oauth_app_id: Option<String>,
    /// The only apps that the token connects, by slug or id, 1 to 100. A connect page without an
    /// app lists these alone.
    allowed_apps: Option<Vec<String>>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenAnswer {
    token: String,
    /// ISO 8601.
    expires_at: String,
    /// Ends in a query string, so that `&app=...` can be appended.
    connect_link_url: String,
}

/// Makes a connect token for one of your users.
#[utoipa::path(post, path = "/v1/connect/{project}/tokens", tag = "Connect tokens",
    params(("project" = String, Path), ("x-pd-environment" = String, Header)),
    request_body = NewToken, responses((status = 200, body = TokenAnswer)),
    security(("client" = [])))]
pub(crate) async fn create_token(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::TokensCreate>,
    Json(body): Json<NewToken>,
) -> Result<Response> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let wish = Wish {
        external_user_id: body.external_user_id.ok_or(error::INVALID_EXTERNAL_USER)?,
        external_user_name: body.external_user_name,
        allowed_origins: body.allowed_origins.unwrap_or_default(),
        success_redirect_uri: body.success_redirect_uri,
        error_redirect_uri: body.error_redirect_uri,
        webhook_uri: body.webhook_uri,
        expires_in_s: whole_seconds(body.expires_in.as_ref())?,
        scope: body.scope,
        allow_progressive_scopes: body.allow_progressive_scopes.unwrap_or_default(),
        app: body.app_id.filter(|text| !text.is_empty()),
        oauth_app: body.oauth_app_id.filter(|text| !text.is_empty()),
        allowed_apps: body.allowed_apps,
    };
    let standing = within_limit(&app, &call.tenant, &wish.external_user_id)?;
    let (token, secret) = create(&app, &call.caller, &call.tenant, wish).await?;
    let event = Event::new("connect_token.create", &call.caller.actor, &call.origin);
    app.audit.record(event.tenant(&token.tenant).user(&token.external_id)).await?;
    let mut link = app.url("/_static/connect.html");
    link.query_pairs_mut().append_pair("token", secret.expose()).append_pair("connectLink", "true");
    if let Some(slug) = &token.app_slug {
        link.query_pairs_mut().append_pair("app", slug);
    }
    if let Some(id) = &token.oauth_app {
        link.query_pairs_mut().append_pair("oauthAppId", id.as_str());
    }
    let answer = TokenAnswer {
        token: secret.expose().to_owned(),
        expires_at: iso(token.expires_at_ms),
        connect_link_url: link.into(),
    };
    let mut response = axum::Json(answer).into_response();
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    Ok(response)
}

/// Counts one more token for the user.
fn within_limit(app: &App, tenant: &Tenant, user: &str) -> Result<Option<Standing>> {
    let limit = Limit::ConnectTokens;
    let Some(quota) = limit.quota(&app.config) else { return Ok(None) };
    let taken = app.limits.take((limit, tenant, user), quota, app.clock.now_ms() / 1_000);
    taken.map(Some).map_err(|it| it.by_operator(limit, tenant.project.as_str()))
}

fn whole_seconds(value: Option<&serde_json::Value>) -> Result<Option<i64>> {
    match value {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(Error::from(error::INVALID_EXPIRES_IN)),
        },
    }
}
