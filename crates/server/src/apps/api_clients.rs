//! `/v1/connect/{project}/oauth_apps`: the project's own OAuth clients at the apps.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use grantkeep_vault::Secret;
use serde::{Deserialize, Deserializer};

use super::view::{OAuthAppView, oauth_app_view};
use super::{Edit, OAuthApp};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InProject, Server};
use crate::error::{self, Result};
use crate::paging::{Boundary, Listed, Page};
use crate::path::Id;
use crate::query::Query;
use crate::scope::{Need, need};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct OAuthAppWish {
    /// Slug or id; only when a client is made.
    #[schema(example = "github")]
    app: Option<String>,
    name: Option<String>,
    description: Option<String>,
    client_id: Option<String>,
    /// Written and never shown. Blank keeps the stored one.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    client_secret: Option<Secret>,
    /// Scopes to ask for; the app's own when absent.
    scopes: Option<Vec<String>>,
    additional_scopes: Option<Vec<String>>,
    /// PEM (PKCS#8, PKCS#1, SEC 1) or JWK, for apps whose clients prove themselves with a key.
    /// Written and never shown. Blank keeps the stored one.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, max_length = 65536)]
    private_key: Option<Secret>,
    /// Has a P-256 key made here, in the place of one that is there. Register `public_jwk` or
    /// `jwks_uri` of the answer at the app.
    generate_key: Option<bool>,
    /// The name under which the app knows the key; the key's thumbprint when absent.
    #[schema(max_length = 200)]
    key_id: Option<String>,
    /// PEM with its chain, the client's own first; the private key must be its own. Null takes it
    /// away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 32768)]
    client_certificate: Wish<String>,
}

/// A field that may be absent (leave it), null (take it away), or given.
#[allow(clippy::option_option, reason = "these are three cases, and serde has this form for them")]
type Wish<T> = Option<Option<T>>;

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Wish<String>, D::Error> {
    Option::deserialize(from).map(Some)
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

impl OAuthAppWish {
    fn edit(self) -> Edit {
        Edit {
            name: self.name,
            description: self.description.map(Some),
            client_id: self.client_id,
            client_secret: self.client_secret,
            scopes: self.scopes,
            additional_scopes: self.additional_scopes,
            private_key: self.private_key,
            generate_key: self.generate_key.unwrap_or_default(),
            key_id: self.key_id,
            client_certificate: self.client_certificate,
        }
    }
}

#[utoipa::path(get, path = "/v1/connect/{project}/oauth_apps", tag = "OAuth clients",
    params(("project" = String, Path), ("app" = Option<String>, Query),
        ("q" = Option<String>, Query), ("limit" = Option<i64>, Query),
        ("after" = Option<String>, Query), ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<OAuthAppView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<OAuthAppView>>> {
    let slug = match query.narrowing("app")? {
        None => None,
        Some(name) => Some(super::find(&app, &call.project, name).await?.slug.clone()),
    };
    let part = query.one("q")?;
    let name = format!("oauth_apps\n{}\n{slug:?}\n{part:?}", call.project);
    let page = Page::of(&query, &app.cursors, name)?;
    let (found, total) =
        super::list_oauth_apps(&app, &call.project, slug.as_deref(), part, &page).await?;
    let boundary =
        |it: &OAuthApp| Boundary { key: it.created_at_ms, id: it.id.as_str().to_owned() };
    let (found, page_info) = page.answer(&app.cursors, found, total, boundary);
    let mut data = Vec::with_capacity(found.len());
    for client in &found {
        data.push(oauth_app_view(&app, client).await?);
    }
    Ok(axum::Json(Listed { data, page_info }))
}

/// Enters a client. Id and secret may follow by `PUT`, since the redirect URI to register at the
/// app is only known from this answer.
#[utoipa::path(post, path = "/v1/connect/{project}/oauth_apps", tag = "OAuth clients",
    params(("project" = String, Path)), request_body = OAuthAppWish,
    responses((status = 201, body = OAuthAppView)), security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Json(mut wish): Json<OAuthAppWish>,
) -> Result<(StatusCode, axum::Json<OAuthAppView>)> {
    let name = wish.app.take().ok_or_else(|| error::INVALID_FIELD.saying("`app` is missing."))?;
    let made = super::create_oauth_app(&app, &call.project, &name, wish.edit()).await?;
    record(&app, &call, "oauth_app.create", &made).await?;
    Ok((StatusCode::CREATED, axum::Json(oauth_app_view(&app, &made).await?)))
}

#[utoipa::path(get, path = "/v1/connect/{project}/oauth_apps/{id}", tag = "OAuth clients",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = OAuthAppView)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    Id(id): Id,
) -> Result<axum::Json<OAuthAppView>> {
    let found = super::find_oauth_app(&app, &call.project, &id).await?;
    Ok(axum::Json(oauth_app_view(&app, &found).await?))
}

#[utoipa::path(put, path = "/v1/connect/{project}/oauth_apps/{id}", tag = "OAuth clients",
    params(("project" = String, Path), ("id" = String, Path)), request_body = OAuthAppWish,
    responses((status = 200, body = OAuthAppView)), security(("client" = [])))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Id(id): Id,
    Json(wish): Json<OAuthAppWish>,
) -> Result<axum::Json<OAuthAppView>> {
    let changed = super::update_oauth_app(&app, &call.project, &id, wish.edit()).await?;
    record(&app, &call, "oauth_app.update", &changed).await?;
    Ok(axum::Json(oauth_app_view(&app, &changed).await?))
}

#[utoipa::path(delete, path = "/v1/connect/{project}/oauth_apps/{id}", tag = "OAuth clients",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 204)), security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Id(id): Id,
) -> Result<StatusCode> {
    let found = super::find_oauth_app(&app, &call.project, &id).await?;
    super::delete_oauth_app(&app, &call.project, &id).await?;
    record(&app, &call, "oauth_app.delete", &found).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn record<N: Need>(
    app: &App,
    call: &InProject<Server, N>,
    action: &'static str,
    client: &OAuthApp,
) -> Result<()> {
    let event = Event::new(action, &call.caller.actor, &call.origin).project(&call.project);
    app.audit.record(event.target("oauth_app", client.id.as_str())).await
}
