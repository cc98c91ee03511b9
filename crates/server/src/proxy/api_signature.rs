//! `POST /v1/oauth1/signature`: signs a request to an app with OAuth 1.0a, for whoever was handed
//! a token for that among an account's credentials.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::inject::Injection;
use super::sign::Signer;
use super::signature::authorization;
use crate::accounts::{self, signer};
use crate::app::App;
use crate::apps;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{Actor, Origin};
use crate::error::{self, Error, Result};

/// A request that is to be signed, as code writes it that was made for such an address.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wish {
    request_data: RequestData,
    token: Token,
}

#[derive(Deserialize)]
struct RequestData {
    method: Option<String>,
    /// Whole, with its query.
    url: String,
    /// The parameters of a form: an object, or as they are sent. Another body is not signed.
    data: Option<Value>,
}

/// The credential, under one of the names by which it is passed on.
#[derive(Deserialize)]
struct Token {
    #[serde(alias = "oauth_access_token")]
    key: String,
}

/// Gives the request's `Authorization`, as plain text.
///
/// # Errors
/// [`error::INVALID_TOKEN`], also when the account is gone; those of [`authorization`] and of
/// [`accounts::usable`].
pub(crate) async fn sign(
    State(app): State<Arc<App>>,
    origin: Origin,
    Json(wish): Json<Wish>,
) -> Result<Response> {
    let whose = signer::account_of(&app, &wish.token.key);
    let (tenant, id) = match whose {
        Ok(whose) => whose,
        Err(error) => {
            app.attempts.failed(origin.ip)?;
            return Err(error);
        }
    };
    let usable = accounts::usable(&app, &tenant, &id, None).await;
    let gone = |it: Error| if it.kind().status == 404 { error::INVALID_TOKEN.into() } else { it };
    let usable = usable.map_err(gone)?;
    let found = apps::find(&app, &tenant.project, &usable.account.app_slug).await?;
    let injection = Injection::prepare(&app, found, usable).await?;
    let signer = Signer::of(&app, &injection).await?;
    let RequestData { method, url, data } = wish.request_data;
    let method = method.as_deref().unwrap_or("GET");
    let form = parameters(data);
    let text = authorization(&app, (&injection, &signer), (method, &url), &form).await?;
    let host = Url::parse(&url).ok().and_then(|it| it.host_str().map(str::to_owned));
    let event = Event::new("account.sign", &Actor::System, &origin).tenant(&tenant);
    let event = event.target("account", id.as_str()).user(&injection.usable.account.external_id);
    let detail = json!({ "app": injection.found.slug, "host": host, "by": "signer" });
    app.audit.record(event.detail(detail)).await?;
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

/// What a form's parameters are in the two ways of writing them; a JSON text is none.
fn parameters(data: Option<Value>) -> Vec<(String, String)> {
    let text = |it: Value| match it {
        Value::String(it) => it,
        other => other.to_string(),
    };
    let of_object = |it: Map<String, Value>| it.into_iter().map(|(name, it)| (name, text(it)));
    match data {
        Some(Value::Object(it)) => of_object(it).collect(),
        Some(Value::String(it)) if !it.starts_with(['{', '[']) => {
            form_urlencoded::parse(it.as_bytes()).into_owned().collect()
        }
        _ => Vec::new(),
    }
}
