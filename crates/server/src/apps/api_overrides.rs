//! `/v1/connect/{project}/app_overrides`: values that users are not asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::view::{AppView, app_view};
use super::{AppOverride, OverrideEdit};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InProject, Server};
use crate::clock::iso;
use crate::error::Result;
use crate::ids::{OAuthAppId, OverrideId, ProjectId};
use crate::paging::{Boundary, Listed, Page};
use crate::path::Id;
use crate::query::Query;
use crate::scope::{Need, need};

/// Values set for an app.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OverrideView {
    id: OverrideId,
    name: String,
    app: AppView,
    /// The OAuth client that is used with it.
    oauth_app_id: Option<OAuthAppId>,
    /// Field name to value.
    cfmap: BTreeMap<String, String>,
    owner_id: ProjectId,
    created_at: String,
    updated_at: String,
}

/// A field that may be absent (leave it), null (take it away), or given.
#[allow(clippy::option_option, reason = "these are three cases, and serde has this form for them")]
type Wish<T> = Option<Option<T>>;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewOverride {
    /// Slug or id.
    #[schema(example = "zendesk")]
    app: String,
    /// 1 to 120 visible characters, unique in the project.
    #[schema(max_length = 120, example = "Acme's Zendesk")]
    name: String,
    oauth_app_id: Option<String>,
    /// Field name to value. Secret fields are refused.
    #[schema(value_type = Option<Object>, example = json!({ "subdomain": "acme" }))]
    cfmap: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct ChangedOverride {
    #[schema(max_length = 120)]
    name: Option<String>,
    /// Null detaches it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    oauth_app_id: Wish<String>,
    /// All values anew.
    #[schema(value_type = Option<Object>)]
    cfmap: Option<BTreeMap<String, Value>>,
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Wish<String>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[utoipa::path(get, path = "/v1/connect/{project}/app_overrides", tag = "App overrides",
    params(("project" = String, Path), ("app" = Option<String>, Query),
        ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<OverrideView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<OverrideView>>> {
    let slug = match query.narrowing("app")? {
        None => None,
        Some(name) => Some(super::find(&app, &call.project, name).await?.slug.clone()),
    };
    let name = format!("app_overrides\n{}\n{slug:?}", call.project);
    let page = Page::of(&query, &app.cursors, name)?;
    let (found, total) = super::list_overrides(&app, &call.project, slug.as_deref(), &page).await?;
    let boundary =
        |it: &AppOverride| Boundary { key: it.created_at_ms, id: it.id.as_str().to_owned() };
    let (found, page_info) = page.answer(&app.cursors, found, total, boundary);
    let mut data = Vec::with_capacity(found.len());
    for it in found {
        data.push(view(&app, it).await?);
    }
    Ok(axum::Json(Listed { data, page_info }))
}

/// Sets values of an app's fields, and perhaps a client, for users who connect with the override.
#[utoipa::path(post, path = "/v1/connect/{project}/app_overrides", tag = "App overrides",
    params(("project" = String, Path)), request_body = NewOverride,
    responses((status = 201, body = OverrideView),
        (status = 400, description = "A secret or unknown field, a value that the field does not \
            take, or a name that is taken: `details.field`")),
    security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Json(new): Json<NewOverride>,
) -> Result<(StatusCode, axum::Json<OverrideView>)> {
    let edit = OverrideEdit {
        name: Some(new.name),
        oauth_app: new.oauth_app_id.map(Some),
        fields: new.cfmap.map(super::field_texts).transpose()?,
    };
    let made = super::create_override(&app, &call.project, &new.app, edit).await?;
    record(&app, &call, "app_override.create", made.id.as_str()).await?;
    Ok((StatusCode::CREATED, axum::Json(view(&app, made).await?)))
}

#[utoipa::path(get, path = "/v1/connect/{project}/app_overrides/{id}", tag = "App overrides",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = OverrideView)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    Id(id): Id,
) -> Result<axum::Json<OverrideView>> {
    let found = super::find_override(&app, &call.project, &id).await?;
    Ok(axum::Json(view(&app, found).await?))
}

#[utoipa::path(put, path = "/v1/connect/{project}/app_overrides/{id}", tag = "App overrides",
    params(("project" = String, Path), ("id" = String, Path)), request_body = ChangedOverride,
    responses((status = 200, body = OverrideView),
        (status = 400, description = "As when it is made"),
        (status = 409, description = "Somebody changed it meanwhile")),
    security(("client" = [])))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Id(id): Id,
    Json(wish): Json<ChangedOverride>,
) -> Result<axum::Json<OverrideView>> {
    let edit = OverrideEdit {
        name: wish.name,
        oauth_app: wish.oauth_app_id,
        fields: wish.cfmap.map(super::field_texts).transpose()?,
    };
    let changed = super::update_override(&app, &call.project, &id, edit).await?;
    record(&app, &call, "app_override.update", changed.id.as_str()).await?;
    Ok(axum::Json(view(&app, changed).await?))
}

/// Accounts that were connected with it stay connected.
#[utoipa::path(delete, path = "/v1/connect/{project}/app_overrides/{id}", tag = "App overrides",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 204)), security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Id(id): Id,
) -> Result<StatusCode> {
    super::delete_override(&app, &call.project, &id).await?;
    record(&app, &call, "app_override.delete", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn view(app: &App, it: AppOverride) -> Result<OverrideView> {
    let found = super::find(app, &it.project, &it.app_slug).await?;
    Ok(OverrideView {
        id: it.id,
        name: it.name,
        app: app_view(app, &found),
        oauth_app_id: it.oauth_app,
        cfmap: it.fields,
        owner_id: it.project,
        created_at: iso(it.created_at_ms),
        updated_at: iso(it.updated_at_ms),
    })
}

async fn record<N: Need>(
    app: &App,
    call: &InProject<Server, N>,
    action: &'static str,
    id: &str,
) -> Result<()> {
    let event = Event::new(action, &call.caller.actor, &call.origin).project(&call.project);
    app.audit.record(event.target("app_override", id)).await
}
