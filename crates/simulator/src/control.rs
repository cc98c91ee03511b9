//! The control plane, `/_control`: the same switches as the methods of `Simulator`, as JSON.
//!
//! Answers loopback only. Everything behind it is pretend, so it asks for nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apps;
use crate::brands::{PEOPLE, Rotation};
use crate::faults::FaultRule;
use crate::grants::Client;
use crate::pages::PASSWORD;
use crate::provider::{Provider, World, client_id, client_secret};
use crate::server::Peer;

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/_control", get(overview))
        .route("/_control/advance", post(advance))
        .route("/_control/{provider}/counters", get(counters))
        .route("/_control/{provider}/ledger", get(ledger))
        .route("/_control/{provider}/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_control/{provider}/rotation", post(set_rotation))
        .route("/_control/{provider}/clients", post(register))
        .route("/_control/{provider}/revoke_user", post(revoke_user))
        .route("/_control/{provider}/expire_access_tokens", post(expire))
        .route("/_control/{provider}/reset", post(reset))
        .merge(apps::control())
        .route_layer(from_fn(loopback_only))
}

async fn loopback_only(request: Request, next: Next) -> Response {
    match request.extensions().get::<Peer>() {
        Some(Peer(peer)) if peer.ip().to_canonical().is_loopback() => next.run(request).await,
        _ => StatusCode::FORBIDDEN.into_response(),
    }
}

/// The provider named in the path; 404 when there is none.
struct Named(Arc<Provider>);

impl FromRequestParts<Arc<World>> for Named {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        world: &Arc<World>,
    ) -> Result<Self, Self::Rejection> {
        let slug = Path::<String>::from_request_parts(parts, world).await;
        let slug = slug.map_err(|_| StatusCode::NOT_FOUND)?;
        world.providers.get(slug.as_str()).cloned().map(Self).ok_or(StatusCode::NOT_FOUND)
    }
}

async fn overview(State(world): State<Arc<World>>) -> Json<Value> {
    let provider = |it: &Arc<Provider>| {
        let slug = it.brand.slug;
        json!({
            "slug": slug,
            "name": it.brand.name,
            "base_url": format!("{}/{slug}", world.base_url),
            "client_id": client_id(slug),
            "client_secret": client_secret(slug),
            "counters": it.books().counters,
        })
    };
    let people: Vec<_> = PEOPLE.iter().map(|it| it.login).collect();
    let providers: Vec<_> = world.providers.values().map(provider).collect();
    Json(json!({ "people": people, "password": PASSWORD, "providers": providers }))
}

#[derive(Deserialize)]
struct Advance {
    ms: u64,
}

async fn advance(State(world): State<Arc<World>>, Json(by): Json<Advance>) -> StatusCode {
    world.clock.advance(Duration::from_millis(by.ms));
    StatusCode::NO_CONTENT
}

async fn counters(Named(provider): Named) -> Json<Value> {
    Json(json!(provider.books().counters))
}

async fn ledger(Named(provider): Named) -> Json<Value> {
    let now_ms = provider.clock.now_ms();
    Json(json!({ "grants": provider.books().ledger(now_ms) }))
}

async fn faults(Named(provider): Named) -> Json<Value> {
    Json(json!({ "faults": provider.books().faults }))
}

async fn add_fault(Named(provider): Named, Json(rule): Json<FaultRule>) -> StatusCode {
    provider.books().faults.push(rule);
    StatusCode::NO_CONTENT
}

async fn clear_faults(Named(provider): Named) -> StatusCode {
    provider.books().faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct SetRotation {
    class: Rotation,
}

async fn set_rotation(Named(provider): Named, Json(set): Json<SetRotation>) -> StatusCode {
    provider.books().rules = Some((set.class, set.class.grace_ms()));
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Registration {
    client_id: String,
    #[serde(default)]
    client_secret: String,
    redirect_uri: String,
}

async fn register(Named(provider): Named, Json(it): Json<Registration>) -> StatusCode {
    register_client(&provider, &it.client_id, &it.client_secret, &it.redirect_uri);
    StatusCode::NO_CONTENT
}

/// Adds a client, or a redirect URI to it. An empty secret makes (or keeps) none.
pub(crate) fn register_client(provider: &Provider, id: &str, secret: &str, redirect_uri: &str) {
    let mut books = provider.books();
    let client = books.clients.entry(id.to_owned()).or_insert_with(|| Client {
        secret: secret.to_owned(),
        name: "Acme".to_owned(),
        redirect_uris: Vec::new(),
    });
    if !secret.is_empty() {
        secret.clone_into(&mut client.secret);
    }
    if !client.redirect_uris.iter().any(|it| it == redirect_uri) {
        client.redirect_uris.push(redirect_uri.to_owned());
    }
}

#[derive(Deserialize)]
struct Of {
    user: String,
}

async fn revoke_user(Named(provider): Named, Json(of): Json<Of>) -> Json<Value> {
    Json(json!({ "revoked": provider.books().revoke_user(&of.user) }))
}

async fn expire(Named(provider): Named) -> Json<Value> {
    let now_ms = provider.clock.now_ms();
    Json(json!({ "expired": provider.books().expire_access(now_ms) }))
}

async fn reset(Named(provider): Named) -> StatusCode {
    provider.reset();
    StatusCode::NO_CONTENT
}
