//! `/v1/connect/{project}/deployed-triggers/{id}/...`: a trigger's events, workflows and webhooks.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{count, found, noted, texts};
use super::{Event, Trigger};
use crate::app::App;
use crate::body::Json;
use crate::callers::{Anyone, InTenant, Server, Who};
use crate::error::Result;
use crate::path::Id;
use crate::query::Query;
use crate::scope::{Need, need};
use crate::webhooks::view::{WebhookView, webhook_view};
use crate::webhooks::{self, Endpoint};

/// The latest events of a trigger, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Events {
    data: Vec<EventView>,
}

/// Something that a trigger emitted.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EventView {
    /// What was emitted.
    #[schema(value_type = Object)]
    e: Value,
    /// `emit`.
    k: &'static str,
    /// Milliseconds since 1970.
    ts: i64,
    id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<String>,
}

impl From<Event> for EventView {
    fn from(it: Event) -> Self {
        Self { e: it.e, k: "emit", ts: it.ts, id: it.id, sum: it.sum }
    }
}

/// The workflows that a trigger starts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Workflows {
    pub workflow_ids: Vec<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct WorkflowsWish {
    workflow_ids: Option<Vec<String>>,
}

/// The addresses that a trigger posts to. Servers get the keys as well.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TriggerWebhooks {
    webhook_urls: Vec<String>,
    webhooks: Vec<WebhookView>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct WebhooksWish {
    webhook_urls: Option<Vec<String>>,
}

/// One of them, with its key.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldWebhook {
    data: WebhookView,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    id: String,
    webhook: String,
}

/// Lists what one emitted last, the newest first: of the 100 events that are kept, `n`.
#[utoipa::path(get, path = "/v1/connect/{project}/deployed-triggers/{id}/events",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path), ("n" = Option<i64>, Query),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = Events)), security(("client" = []), ("connect" = [])))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersRead>,
    Id(id): Id,
    query: Query,
) -> Result<axum::Json<Events>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    let found = super::events(&app, &trigger, count(&query)?).await?;
    Ok(axum::Json(Events { data: found.into_iter().map(EventView::from).collect() }))
}

/// Lists the workflows that one starts.
#[utoipa::path(get, path = "/v1/connect/{project}/deployed-triggers/{id}/pipelines",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = Workflows)), security(("client" = []), ("connect" = [])))]
pub(crate) async fn workflows(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersRead>,
    Id(id): Id,
    query: Query,
) -> Result<axum::Json<Workflows>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    Ok(axum::Json(Workflows { workflow_ids: super::workflows(&app, &trigger).await? }))
}

/// Sets the workflows that one starts.
#[utoipa::path(put, path = "/v1/connect/{project}/deployed-triggers/{id}/pipelines",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    request_body = WorkflowsWish,
    responses((status = 200, body = Workflows)), security(("client" = []), ("connect" = [])))]
pub(crate) async fn set_workflows(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersWrite>,
    Id(id): Id,
    query: Query,
    Json(body): Json<WorkflowsWish>,
) -> Result<axum::Json<Workflows>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    let ids = texts("workflow_ids", body.workflow_ids.as_ref())?;
    app.audit.record(noted(&call, "trigger.workflows", &trigger)).await?;
    let workflow_ids = super::set_workflows(&app, &trigger, ids).await?;
    Ok(axum::Json(Workflows { workflow_ids }))
}

async fn shown<W: Who, N: Need>(
    app: &App,
    call: &InTenant<W, N>,
    all: &[Endpoint],
) -> Result<axum::Json<TriggerWebhooks>> {
    let mut views = Vec::with_capacity(all.len());
    for it in all {
        let key = match &call.caller.connect {
            Some(_) => None,
            None => Some(webhooks::secret(app, it).await?),
        };
        views.push(webhook_view(it, key.as_ref()));
    }
    let webhook_urls = all.iter().map(|it| it.url.clone()).collect();
    Ok(axum::Json(TriggerWebhooks { webhook_urls, webhooks: views }))
}

/// Lists the addresses that one posts to. Without any, it posts to that of project and environment.
#[utoipa::path(get, path = "/v1/connect/{project}/deployed-triggers/{id}/webhooks",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = TriggerWebhooks)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn webhooks(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersRead>,
    Id(id): Id,
    query: Query,
) -> Result<axum::Json<TriggerWebhooks>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    let all = webhooks::of_emitter(&app, &call.tenant, &trigger.id).await?;
    shown(&app, &call, &all).await
}

/// Sets the addresses that one posts to. Those that stay keep their ids and keys.
#[utoipa::path(put, path = "/v1/connect/{project}/deployed-triggers/{id}/webhooks",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    request_body = WebhooksWish,
    responses((status = 200, body = TriggerWebhooks)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn set_webhooks(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersWrite>,
    Id(id): Id,
    query: Query,
    Json(body): Json<WebhooksWish>,
) -> Result<axum::Json<TriggerWebhooks>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    let urls = texts("webhook_urls", body.webhook_urls.as_ref())?;
    app.audit.record(noted(&call, "trigger.webhooks", &trigger)).await?;
    let mut tx = app.db.begin().await?;
    let of = (&call.tenant, &trigger.id);
    let all = webhooks::set_of_emitter(&app, &mut tx, of, urls).await?;
    tx.commit().await?;
    shown(&app, &call, &all).await
}

/// The trigger, and the address of it, that a call names.
async fn one<N: Need>(
    app: &App,
    call: &InTenant<Server, N>,
    (query, named): (&Query, &Named),
) -> Result<Trigger> {
    let trigger = found(app, call, (query, &named.id)).await?;
    let of = (&call.tenant, &trigger.id);
    webhooks::find_of_emitter(app, of, &named.webhook).await?;
    Ok(trigger)
}

/// Gives one address with its signing key.
#[utoipa::path(get, path = "/v1/connect/{project}/deployed-triggers/{id}/webhooks/{webhook}",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path), ("webhook" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldWebhook)), security(("client" = [])))]
pub(crate) async fn webhook(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::DeployedTriggersRead>,
    Path(named): Path<Named>,
    query: Query,
) -> Result<axum::Json<HeldWebhook>> {
    let trigger = one(&app, &call, (&query, &named)).await?;
    let of = (&call.tenant, &trigger.id);
    let endpoint = webhooks::find_of_emitter(&app, of, &named.webhook).await?;
    let key = webhooks::secret(&app, &endpoint).await?;
    let event = noted(&call, "trigger.webhook_key", &trigger);
    app.audit.record(event.detail(serde_json::json!({ "webhook": endpoint.id }))).await?;
    Ok(axum::Json(HeldWebhook { data: webhook_view(&endpoint, Some(&key)) }))
}

/// Makes another signing key for one address. The one before signs beside it for a day.
#[utoipa::path(post,
    path = "/v1/connect/{project}/deployed-triggers/{id}/webhooks/{webhook}/regenerate_signing_key",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path), ("webhook" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldWebhook)), security(("client" = [])))]
pub(crate) async fn regenerate(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::DeployedTriggersWrite>,
    Path(named): Path<Named>,
    query: Query,
) -> Result<axum::Json<HeldWebhook>> {
    let trigger = one(&app, &call, (&query, &named)).await?;
    let of = (&call.tenant, &trigger.id);
    let (endpoint, key) = webhooks::rotate_of_emitter(&app, of, &named.webhook).await?;
    let event = noted(&call, "trigger.webhook_rotate", &trigger);
    app.audit.record(event.detail(serde_json::json!({ "webhook": endpoint.id }))).await?;
    Ok(axum::Json(HeldWebhook { data: webhook_view(&endpoint, Some(&key)) }))
}

/// Starts afresh with an address that was switched off or is being spared.
#[utoipa::path(post,
    path = "/v1/connect/{project}/deployed-triggers/{id}/webhooks/{webhook}/reset_delivery_state",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path), ("webhook" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldWebhook)), security(("client" = [])))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::DeployedTriggersWrite>,
    Path(named): Path<Named>,
    query: Query,
) -> Result<axum::Json<HeldWebhook>> {
    let trigger = one(&app, &call, (&query, &named)).await?;
    let of = (&call.tenant, &trigger.id);
    let endpoint = webhooks::reset_of_emitter(&app, of, &named.webhook).await?;
    let key = webhooks::secret(&app, &endpoint).await?;
    let event = noted(&call, "trigger.webhook_reset", &trigger);
    app.audit.record(event.detail(serde_json::json!({ "webhook": endpoint.id }))).await?;
    Ok(axum::Json(HeldWebhook { data: webhook_view(&endpoint, Some(&key)) }))
}
