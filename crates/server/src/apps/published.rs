//! What apps fetch to know our clients by. Anybody may read it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use grantkeep_catalog::App as CatalogApp;
use serde_json::{Value, json};

use super::{OAuthApp, register, store};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::OAuthAppId;

/// Fetched again after this, so that a new key is found soon.
const FOR_NOW: &str = "public, max-age=300";

/// `GET /connect/oauth/{oauth_app}/jwks.json`: the client's public key (RFC 7517 section 5).
pub(crate) async fn jwks(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response> {
    let key = find(&app, &id).await?.public_jwk.ok_or(error::NOT_FOUND)?;
    let key: Value = serde_json::from_str(&key).map_err(|it| error::INTERNAL.logging(it))?;
    Ok(published(&json!({ "keys": [key] })))
}

/// `GET /connect/oauth/{oauth_app}/client.json`: the document by which a server knows the client,
/// whose id is this address (OAuth Client ID Metadata Document).
pub(crate) async fn client(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = find(&app, &id).await?;
    let document = register::about(&app, &found).await?.ok_or(error::NOT_FOUND)?;
    Ok(published(&Value::Object(document)))
}

/// The app of the OAuth client that an address names, as anybody may know it who has the address.
///
/// # Errors
/// [`error::NOT_FOUND`]; as for [`super::find`].
pub(crate) async fn published_app(app: &App, id: &str) -> Result<Arc<CatalogApp>> {
    let client = find(app, id).await?;
    super::find(app, &client.project, &client.app_slug).await
}

async fn find(app: &App, id: &str) -> Result<OAuthApp> {
    let id = OAuthAppId::parse(id).ok_or(error::NOT_FOUND)?;
    let found = store::published(&app.db, &id).await?.filter(|it| it.owner.is_none());
    found.ok_or_else(|| error::NOT_FOUND.into())
}

fn published(document: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, FOR_NOW),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, document.to_string()).into_response()
}
