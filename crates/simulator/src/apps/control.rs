//! The switches of the pretend apps, below `/_control/apps`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AppCall, AppFault, PretendApp, app_routes};
use crate::provider::World;

/// Stands inside the control plane, which answers loopback only.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/_control/apps", get(overview))
        .route("/_control/apps/{slug}/calls", get(calls).delete(forget))
        .route("/_control/apps/{slug}/revoked", post(revoke))
        .route("/_control/apps/{slug}/faults", post(fault))
        .route("/_control/apps/{slug}/page_max", post(page_max))
        .route("/_control/apps/{slug}/reset", post(reset))
}

fn app<'a>(world: &'a World, slug: &str) -> Result<&'a PretendApp, StatusCode> {
    world.apps.get(slug).ok_or(StatusCode::NOT_FOUND)
}

async fn overview(State(world): State<Arc<World>>) -> Json<Value> {
    let routes =
        app_routes().iter().map(|(host, path)| (*host, format!("{}{path}", world.base_url)));
    let routes: BTreeMap<_, _> = routes.collect();
    Json(json!({ "apps": world.apps.slugs(), "routes": routes }))
}

type Slug = Path<String>;

async fn calls(
    State(world): State<Arc<World>>,
    Path(slug): Slug,
) -> Result<Json<Vec<AppCall>>, StatusCode> {
    Ok(Json(app(&world, &slug)?.calls()))
}

async fn forget(
    State(world): State<Arc<World>>,
    Path(slug): Slug,
) -> Result<StatusCode, StatusCode> {
    app(&world, &slug)?.forget_calls();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Revoked {
    /// None: all of them.
    #[serde(default)]
    credential: Option<String>,
    revoked: bool,
}

async fn revoke(
    State(world): State<Arc<World>>,
    Path(slug): Slug,
    Json(it): Json<Revoked>,
) -> Result<StatusCode, StatusCode> {
    app(&world, &slug)?.revoke(it.credential.as_deref(), it.revoked);
    Ok(StatusCode::NO_CONTENT)
}

async fn fault(
    State(world): State<Arc<World>>,
    Path(slug): Slug,
    Json(fault): Json<AppFault>,
) -> Result<StatusCode, StatusCode> {
    app(&world, &slug)?.fault(fault);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct PageMax {
    items: usize,
}

async fn page_max(
    State(world): State<Arc<World>>,
    Path(slug): Slug,
    Json(it): Json<PageMax>,
) -> Result<StatusCode, StatusCode> {
    app(&world, &slug)?.set_page_max(it.items);
    Ok(StatusCode::NO_CONTENT)
}

async fn reset(
    State(world): State<Arc<World>>,
    Path(slug): Slug,
) -> Result<StatusCode, StatusCode> {
    app(&world, &slug)?.reset();
    Ok(StatusCode::NO_CONTENT)
}
