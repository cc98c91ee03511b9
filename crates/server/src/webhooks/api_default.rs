//! `/v1/connect/{project}/webhook`: the one endpoint of project and environment, as older clients
//! know it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::api::{here, record};
use super::view::{WebhookView, webhook_view};
use crate::app::App;
use crate::body::Json;
use crate::callers::{InTenant, Server};
use crate::error::{self, Error, Result};
use crate::scope::need;

#[derive(Serialize, utoipa::ToSchema)]
pub struct Held {
    /// Null when no address is set.
    data: Option<WebhookView>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct WebhookWish {
    /// https, port 443 or 8443, at most 2048 characters.
    url: String,
}

/// Tells where the news of project and environment is posted to.
#[utoipa::path(get, path = "/v1/connect/{project}/webhook", tag = "Webhooks",
    params(("project" = String, Path)), responses((status = 200, body = Held)),
    security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsRead>,
) -> Result<axum::Json<Held>> {
    here(&call)?;
    let found = super::default(&app, &call.tenant).await?;
    Ok(axum::Json(Held { data: found.map(|it| webhook_view(&it, None)) }))
}

/// Sets the address. When it is set for the first time, `signing_key` is in the answer.
#[utoipa::path(put, path = "/v1/connect/{project}/webhook", tag = "Webhooks",
    params(("project" = String, Path)), request_body = WebhookWish,
    responses((status = 200, body = Held)), security(("client" = [])))]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Json(wish): Json<WebhookWish>,
) -> Result<axum::Json<Held>> {
    here(&call)?;
    let (endpoint, secret) = super::set_default(&app, &call.tenant, &wish.url).await?;
    let action = if secret.is_some() { "webhook.create" } else { "webhook.update" };
    record(&app, &call, action, &endpoint).await?;
    Ok(axum::Json(Held { data: Some(webhook_view(&endpoint, secret.as_ref())) }))
}

/// Takes the address away, with all that was still to be posted to it.
#[utoipa::path(delete, path = "/v1/connect/{project}/webhook", tag = "Webhooks",
    params(("project" = String, Path)), responses((status = 204)), security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
) -> Result<StatusCode> {
    here(&call)?;
    let found = found(&app, &call).await?;
    record(&app, &call, "webhook.delete", &found).await?;
    super::delete(&app, &call.tenant, found.id.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes another signing key. The one before signs beside it for a day.
#[utoipa::path(post, path = "/v1/connect/{project}/webhook/regenerate_signing_key",
    tag = "Webhooks", params(("project" = String, Path)),
    responses((status = 200, body = Held)), security(("client" = [])))]
pub(crate) async fn regenerate(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
) -> Result<axum::Json<Held>> {
    here(&call)?;
    record(&app, &call, "webhook.rotate", &found(&app, &call).await?).await?;
    let (endpoint, secret) = super::rotate_default(&app, &call.tenant).await?;
    Ok(axum::Json(Held { data: Some(webhook_view(&endpoint, Some(&secret))) }))
}

/// Starts afresh with an address that was switched off or is being spared.
#[utoipa::path(post, path = "/v1/connect/{project}/webhook/reset_delivery_state",
    tag = "Webhooks", params(("project" = String, Path)),
    responses((status = 200, body = Held)), security(("client" = [])))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
) -> Result<axum::Json<Held>> {
    here(&call)?;
    let found = found(&app, &call).await?;
    record(&app, &call, "webhook.reset", &found).await?;
    let endpoint = super::reset(&app, &call.tenant, found.id.as_str()).await?;
    Ok(axum::Json(Held { data: Some(webhook_view(&endpoint, None)) }))
}

async fn found<N: crate::scope::Need>(
    app: &App,
    call: &InTenant<Server, N>,
) -> Result<super::Endpoint> {
    let found = super::default(app, &call.tenant).await?;
    found.ok_or_else(|| Error::from(error::NOT_FOUND))
}
