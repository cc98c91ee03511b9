//! What orchestrators ask: is it alive, and may it be sent requests. Neither tells anything else.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{self, Error};

/// How long the store may take to say that it is there.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The process runs. Restarting it mends nothing while this answers.
pub async fn healthz() -> (StatusCode, Json<Value>) {
    (StatusCode::OK, Json(json!({ "status": "ok" })))
}

/// The store answers too, so that requests can be.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Json<Value>, Error> {
    match tokio::time::timeout(STORE_TIMEOUT, app.db.ping()).await {
        Ok(Ok(())) => Ok(Json(json!({ "status": "ready" }))),
        Ok(Err(failure)) => Err(error::STORE_UNAVAILABLE.logging(failure)),
        Err(_) => Err(error::STORE_UNAVAILABLE.logging("the store does not answer in time")),
    }
}
