//! `/v1/connect/rate_limits`: limits that customers set for themselves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::RateLimit;
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{Call, Caller, Origin, Server};
use crate::clock::iso;
use crate::error::{self, Result};
use crate::ids::{ProjectId, RateLimitId};
use crate::paging::{Listed, Page};
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct RateLimitWish {
    /// Length of a window in seconds, 1 to 86400. Windows begin on the clock: those of 60 seconds
    /// with each minute.
    #[schema(minimum = 1, maximum = 86400, example = 60)]
    window_size_seconds: i64,
    /// Requests that a window takes.
    #[schema(minimum = 1, maximum = 100_000_000, example = 100)]
    requests_per_window: i64,
}

/// A limit of one's own.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RateLimitView {
    /// What requests send as `x-pd-rate-limit`. It is a name, and opens nothing.
    token: RateLimitId,
    window_size_seconds: u32,
    requests_per_window: u32,
    /// ISO 8601.
    created_at: String,
}

impl From<RateLimit> for RateLimitView {
    fn from(limit: RateLimit) -> Self {
        Self {
            token: limit.id,
            window_size_seconds: limit.quota.window_s,
            requests_per_window: limit.quota.most,
            created_at: iso(limit.created_at_ms),
        }
    }
}

/// Makes a limit of your own. Requests with the header `x-pd-rate-limit` and its token count in it
/// together, in each process of the server by itself; beyond it they are answered with 429.
///
/// A client of one project makes it for that project, any other for every project.
#[utoipa::path(post, path = "/v1/connect/rate_limits", tag = "Rate limits",
    request_body = RateLimitWish, responses((status = 200, body = RateLimitView)),
    security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsWrite>,
    Json(wish): Json<RateLimitWish>,
) -> Result<axum::Json<RateLimitView>> {
    let project = call.caller.project.as_ref();
    let numbers = (wish.window_size_seconds, wish.requests_per_window);
    let made = super::create_rate_limit(&app, project, numbers).await?;
    let event = event("rate_limit.create", (&call.caller, &call.origin), &made.id);
    app.audit.record(event).await?;
    Ok(axum::Json(made.into()))
}

/// Lists your own limits, newest first.
#[utoipa::path(get, path = "/v1/connect/rate_limits", tag = "Rate limits",
    params(("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<RateLimitView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<RateLimitView>>> {
    let project = call.caller.project.as_ref();
    let name = format!("rate_limits\n{}", project.map_or("", ProjectId::as_str));
    let page = Page::of(&query, &app.cursors, name)?;
    let (items, total) = super::list_rate_limits(&app, project, &page).await?;
    let (items, page_info) = page.answer(&app.cursors, items, total, RateLimit::boundary);
    let data = items.into_iter().map(RateLimitView::from).collect();
    Ok(axum::Json(Listed { data, page_info }))
}

/// Deletes a limit of your own. Requests that still name it are refused.
#[utoipa::path(delete, path = "/v1/connect/rate_limits/{token}", tag = "Rate limits",
    params(("token" = String, Path, description = "The limit's token")),
    responses((status = 204), (status = 404, description = "No such limit")),
    security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsWrite>,
    Path(token): Path<String>,
) -> Result<StatusCode> {
    let id = RateLimitId::parse(&token).ok_or(error::NOT_FOUND)?;
    super::delete_rate_limit(&app, call.caller.project.as_ref(), &id).await?;
    let event = event("rate_limit.delete", (&call.caller, &call.origin), &id);
    app.audit.record(event).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn event(action: &'static str, (by, from): (&Caller, &Origin), id: &RateLimitId) -> Event {
    let event = Event::new(action, &by.actor, from).target("rate_limit", id.as_str());
    match &by.project {
        Some(project) => event.project(project),
        None => event,
    }
}
