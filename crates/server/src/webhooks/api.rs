//! `/v1/connect/{project}/webhooks...`: endpoints for news, and what became of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::view::{
    DeliveryView, EndpointView, ProbeView, delivery_view, endpoint_view, probe_view,
};
use super::{Delivery, Edit, Endpoint, Progress, Topic, Which};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InTenant, Server};
use crate::error::{self, Result};
use crate::paging::{Boundary, Listed, Page};
use crate::path::Id;
use crate::query::Query;
use crate::scope::{Need, need};

/// A field that may be absent (leave it), null (all topics), or given.
#[allow(clippy::option_option, reason = "these are three cases, and serde has this form for them")]
type Wish<T> = Option<Option<T>>;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct EndpointWish {
    /// https, port 443 or 8443, at most 2048 characters.
    url: Option<String>,
    /// What to post; null for all, which is what a new endpoint gets.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<Topic>>)]
    topics: Wish<Vec<String>>,
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Wish<Vec<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayWish {
    /// Only what failed at this endpoint.
    endpoint_id: Option<String>,
    /// Only this one.
    delivery_id: Option<String>,
}

/// How much was queued.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReplayView {
    replayed: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Endpoints {
    data: Vec<EndpointView>,
}

fn topics(wish: Wish<Vec<String>>) -> Result<Wish<Vec<Topic>>> {
    let Some(Some(names)) = wish else { return Ok(wish.map(|_| None)) };
    let unknown = || {
        let all: Vec<_> = Topic::ALL.iter().map(|it| it.as_str()).collect();
        error::INVALID_FIELD
            .saying(format!("`topics` may hold: {}.", all.join(", ")))
            .with(json!({ "field": "topics" }))
    };
    let parsed: Option<Vec<_>> = names.iter().map(|it| Topic::parse(it)).collect();
    let mut parsed = parsed.ok_or_else(unknown)?;
    parsed.sort_by_key(|it| it.as_str());
    parsed.dedup();
    Ok(Some(Some(parsed)))
}

/// A project must be named: the older paths, which name a user in its place, have no webhooks.
pub(super) fn here<N: Need>(call: &InTenant<Server, N>) -> Result<()> {
    if call.is_older_path() { Err(error::NOT_FOUND.into()) } else { Ok(()) }
}

pub(super) async fn record<N: Need>(
    app: &App,
    call: &InTenant<Server, N>,
    action: &'static str,
    endpoint: &Endpoint,
) -> Result<()> {
    let event = Event::new(action, &call.caller.actor, &call.origin).tenant(&call.tenant);
    app.audit.record(event.target("webhook", endpoint.id.as_str())).await
}

/// Records what is about to be done with an endpoint that there is: without a record, nothing is.
async fn noted<N: Need>(
    app: &App,
    call: &InTenant<Server, N>,
    action: &'static str,
    id: &str,
) -> Result<()> {
    let endpoint = super::find(app, &call.tenant, id).await?;
    record(app, call, action, &endpoint).await
}

/// Lists the endpoints of project and environment, the oldest first.
#[utoipa::path(get, path = "/v1/connect/{project}/webhooks", tag = "Webhooks",
    params(("project" = String, Path)), responses((status = 200, body = Endpoints)),
    security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsRead>,
) -> Result<axum::Json<Endpoints>> {
    here(&call)?;
    let found = super::list(&app, &call.tenant).await?;
    let data = found.iter().map(|it| endpoint_view(it, None)).collect();
    Ok(axum::Json(Endpoints { data }))
}

/// Makes an endpoint. Its signing secret is in this answer and in no other.
#[utoipa::path(post, path = "/v1/connect/{project}/webhooks", tag = "Webhooks",
    params(("project" = String, Path)), request_body = EndpointWish,
    responses((status = 201, body = EndpointView)), security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Json(wish): Json<EndpointWish>,
) -> Result<(StatusCode, axum::Json<EndpointView>)> {
    here(&call)?;
    let url = wish.url.ok_or_else(|| error::INVALID_FIELD.saying("`url` is missing."))?;
    let topics = topics(wish.topics)?.flatten();
    let (made, secret) = super::create(&app, &call.tenant, &url, topics).await?;
    record(&app, &call, "webhook.create", &made).await?;
    Ok((StatusCode::CREATED, axum::Json(endpoint_view(&made, Some(&secret)))))
}

#[utoipa::path(get, path = "/v1/connect/{project}/webhooks/{id}", tag = "Webhooks",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = EndpointView)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsRead>,
    Id(id): Id,
) -> Result<axum::Json<EndpointView>> {
    here(&call)?;
    Ok(axum::Json(endpoint_view(&super::find(&app, &call.tenant, &id).await?, None)))
}

/// Changes address or topics. What is waiting goes to the new address.
#[utoipa::path(patch, path = "/v1/connect/{project}/webhooks/{id}", tag = "Webhooks",
    params(("project" = String, Path), ("id" = String, Path)), request_body = EndpointWish,
    responses((status = 200, body = EndpointView)), security(("client" = [])))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Id(id): Id,
    Json(wish): Json<EndpointWish>,
) -> Result<axum::Json<EndpointView>> {
    here(&call)?;
    let edit = Edit { url: wish.url, topics: topics(wish.topics)? };
    noted(&app, &call, "webhook.update", &id).await?;
    let changed = super::update(&app, &call.tenant, &id, edit).await?;
    Ok(axum::Json(endpoint_view(&changed, None)))
}

/// Takes an endpoint away, with all that was still to be posted to it.
#[utoipa::path(delete, path = "/v1/connect/{project}/webhooks/{id}", tag = "Webhooks",
    params(("project" = String, Path), ("id" = String, Path)), responses((status = 204)),
    security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Id(id): Id,
) -> Result<StatusCode> {
    here(&call)?;
    noted(&app, &call, "webhook.delete", &id).await?;
    super::delete(&app, &call.tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an endpoint another signing secret. The one before signs beside it for a day.
#[utoipa::path(post, path = "/v1/connect/{project}/webhooks/{id}/rotate", tag = "Webhooks",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = EndpointView)), security(("client" = [])))]
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Id(id): Id,
) -> Result<axum::Json<EndpointView>> {
    here(&call)?;
    noted(&app, &call, "webhook.rotate", &id).await?;
    let (endpoint, secret) = super::rotate(&app, &call.tenant, &id).await?;
    Ok(axum::Json(endpoint_view(&endpoint, Some(&secret))))
}

/// Starts afresh with an endpoint that was switched off or is being spared.
#[utoipa::path(post, path = "/v1/connect/{project}/webhooks/{id}/reset", tag = "Webhooks",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = EndpointView)), security(("client" = [])))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Id(id): Id,
) -> Result<axum::Json<EndpointView>> {
    here(&call)?;
    noted(&app, &call, "webhook.reset", &id).await?;
    let endpoint = super::reset(&app, &call.tenant, &id).await?;
    Ok(axum::Json(endpoint_view(&endpoint, None)))
}

/// Posts a signed event of type `webhook.test` at once, and says what came back.
#[utoipa::path(post, path = "/v1/connect/{project}/webhooks/{id}/test", tag = "Webhooks",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = ProbeView)), security(("client" = [])))]
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Id(id): Id,
) -> Result<axum::Json<ProbeView>> {
    here(&call)?;
    let probe = super::probe(&app, &call.tenant, &id).await?;
    record(&app, &call, "webhook.test", &probe.endpoint).await?;
    Ok(axum::Json(probe_view(probe)))
}

/// Lists what was to be posted, the newest first, with how it went. `state` is `waiting`,
/// `delivered` (kept for 7 days) or `failed` (kept for 30).
#[utoipa::path(get, path = "/v1/connect/{project}/webhooks/deliveries", tag = "Webhooks",
    params(("project" = String, Path), ("endpoint" = Option<String>, Query),
        ("state" = Option<String>, Query), ("limit" = Option<i64>, Query),
        ("after" = Option<String>, Query), ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<DeliveryView>)), security(("client" = [])))]
pub(crate) async fn deliveries(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<DeliveryView>>> {
    here(&call)?;
    let endpoint = query.one("endpoint")?;
    let state = match query.one("state")? {
        None => None,
        Some(text) => {
            let found = Progress::ALL.into_iter().find(|it| it.as_str() == text);
            Some(found.ok_or_else(|| {
                error::INVALID_PARAMETER
                    .saying("`state` must be `waiting`, `delivered` or `failed`.")
            })?)
        }
    };
    let tenant = &call.tenant;
    let name = format!(
        "webhook_deliveries\n{}\n{}\n{endpoint:?}\n{state:?}",
        tenant.project, tenant.environment
    );
    let page = Page::of(&query, &app.cursors, name)?;
    let which = Which { endpoint, state, delivery: None };
    let (found, total) = super::deliveries(&app, tenant, which, &page).await?;
    let boundary =
        |it: &Delivery| Boundary { key: it.created_at_ms, id: it.id.as_str().to_owned() };
    let (found, page_info) = page.answer(&app.cursors, found, total, boundary);
    Ok(axum::Json(Listed { data: found.iter().map(delivery_view).collect(), page_info }))
}

/// Posts anew what was given up, with the ids and the bytes of before.
#[utoipa::path(post, path = "/v1/connect/{project}/webhooks/replay", tag = "Webhooks",
    params(("project" = String, Path)), request_body = ReplayWish,
    responses((status = 200, body = ReplayView)), security(("client" = [])))]
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsWrite>,
    Json(wish): Json<ReplayWish>,
) -> Result<axum::Json<ReplayView>> {
    here(&call)?;
    let (endpoint, delivery) = (wish.endpoint_id.as_deref(), wish.delivery_id.as_deref());
    let which = Which { endpoint, state: None, delivery };
    let replayed = super::replay(&app, &call.tenant, which).await?;
    let event = Event::new("webhook.replay", &call.caller.actor, &call.origin);
    let detail = json!({ "endpoint": endpoint, "delivery": delivery, "replayed": replayed });
    app.audit.record(event.tenant(&call.tenant).detail(detail)).await?;
    Ok(axum::Json(ReplayView { replayed }))
}
