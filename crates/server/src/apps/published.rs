//! What apps fetch to know our clients by. Anybody may read it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::store;
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::OAuthAppId;

/// Fetched again after this, so that a new key is found soon.
const FOR_NOW: &str = "public, max-age=300";

/// `GET /connect/oauth/{oauth_app}/jwks.json`: the client's public key (RFC 7517 section 5).
pub(crate) async fn jwks(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response> {
    let id = OAuthAppId::parse(&id).ok_or(error::NOT_FOUND)?;
    let key = store::public_jwk(&app.db, &id).await?.ok_or(error::NOT_FOUND)?;
    let key: Value = serde_json::from_str(&key).map_err(|it| error::INTERNAL.logging(it))?;
    Ok(published(&json!({ "keys": [key] })))
}

fn published(document: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, FOR_NOW),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, document.to_string()).into_response()
}
