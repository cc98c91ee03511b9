//! `/v1/connect/{project}/custom_apps`: apps that a project describes for itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::custom::judge;
use super::view::{AppView, ProblemView, app_view};
use super::{CustomApp, Replacement, Written};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InProject, Server};
use crate::clock::iso;
use crate::error::Result;
use crate::paging::{Boundary, Listed, Page};
use crate::path::Path;
use crate::query::Query;
use crate::scope::{Need, need};

/// An app of the project's own.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CustomAppView {
    slug: String,
    /// As the catalogue shows apps; `null` when this version of the server cannot read the
    /// definition any more, which `problems` explains then.
    app: Option<AppView>,
    /// The app file (TOML) as it was given. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<String>,
    problems: Vec<ProblemView>,
    /// Where the endpoints were read, for apps that were discovered.
    #[schema(value_type = Option<Object>)]
    discovered: Option<Value>,
    /// Grows with each definition.
    version: i64,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewCustomApp {
    /// An app file (TOML), at most 64 KiB.
    #[schema(example = "slug = \"parcels\"\nname = \"Parcels\"\n...", max_length = 65536)]
    definition: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct ReplacedCustomApp {
    /// An app file (TOML) with the same slug, at most 64 KiB.
    #[schema(max_length = 65536)]
    definition: String,
    /// The version that you read; when it is not the newest, nothing is written.
    version: Option<i64>,
    /// Credentials that are there may go to the new addresses. Without it, a definition that moves
    /// an app in use to other addresses is refused.
    confirm_endpoint_change: Option<bool>,
}

/// Path parameters; `project` is read by the extractors.
#[derive(Deserialize)]
pub(crate) struct Named {
    slug: String,
}

/// Lists the project's own apps, newest first.
#[utoipa::path(get, path = "/v1/connect/{project}/custom_apps", tag = "Custom apps",
    params(("project" = String, Path), ("limit" = Option<i64>, Query),
        ("after" = Option<String>, Query), ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<CustomAppView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<CustomAppView>>> {
    let page = Page::of(&query, &app.cursors, format!("custom_apps\n{}", call.project))?;
    let found = super::list_custom_apps(&app, &call.project).await?;
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let boundary = |it: &CustomApp| Boundary { key: it.created_at_ms, id: it.slug.clone() };
    let (found, page_info) = page.answer(&app.cursors, page.cut(found, boundary), total, boundary);
    let view = |it| CustomAppView { definition: None, ..view(&app, it) };
    Ok(axum::Json(Listed { data: found.into_iter().map(view).collect(), page_info }))
}

/// Takes an app in, described by the same file as those of the catalogue. A file with errors is
/// refused with all of them.
#[utoipa::path(post, path = "/v1/connect/{project}/custom_apps", tag = "Custom apps",
    params(("project" = String, Path)), request_body = NewCustomApp,
    responses((status = 201, body = CustomAppView),
        (status = 400, description = "`invalid_definition` with `details.problems`, \
            `slug_taken`, or `too_many`")),
    security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Json(new): Json<NewCustomApp>,
) -> Result<(StatusCode, axum::Json<CustomAppView>)> {
    let made = super::create_custom_app(&app, &call.project, new.definition, None).await?;
    record(&app, &call, "custom_app.create", &made).await?;
    Ok((StatusCode::CREATED, axum::Json(view(&app, made.row))))
}

#[utoipa::path(get, path = "/v1/connect/{project}/custom_apps/{slug}", tag = "Custom apps",
    params(("project" = String, Path), ("slug" = String, Path)),
    responses((status = 200, body = CustomAppView)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    Path(Named { slug }): Path<Named>,
) -> Result<axum::Json<CustomAppView>> {
    let found = super::find_custom_app(&app, &call.project, &slug).await?;
    Ok(axum::Json(view(&app, found)))
}

/// Replaces a definition. The slug stays.
#[utoipa::path(put, path = "/v1/connect/{project}/custom_apps/{slug}", tag = "Custom apps",
    params(("project" = String, Path), ("slug" = String, Path)),
    request_body = ReplacedCustomApp,
    responses((status = 200, body = CustomAppView),
        (status = 400, description = "`invalid_definition` with `details.problems`"),
        (status = 409, description = "`changed_meanwhile`; or `endpoints_changed`, with the \
            addresses in `details.moved`, until the change is confirmed")),
    security(("client" = [])))]
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Path(Named { slug }): Path<Named>,
    Json(new): Json<ReplacedCustomApp>,
) -> Result<axum::Json<CustomAppView>> {
    let replacement = Replacement {
        definition: new.definition,
        discovered: None,
        version: new.version,
        confirm_endpoint_change: new.confirm_endpoint_change.unwrap_or_default(),
    };
    let done = super::replace_custom_app(&app, &call.project, &slug, replacement).await?;
    record(&app, &call, "custom_app.update", &done).await?;
    Ok(axum::Json(view(&app, done.row)))
}

/// Deletes an app that nothing uses.
#[utoipa::path(delete, path = "/v1/connect/{project}/custom_apps/{slug}", tag = "Custom apps",
    params(("project" = String, Path), ("slug" = String, Path)),
    responses((status = 204),
        (status = 409, description = "`in_use`, with counts of what depends on it")),
    security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Path(Named { slug }): Path<Named>,
) -> Result<StatusCode> {
    super::delete_custom_app(&app, &call.project, &slug).await?;
    let event = Event::new("custom_app.delete", &call.caller.actor, &call.origin);
    app.audit.record(event.project(&call.project).target("custom_app", slug)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn view(app: &App, row: CustomApp) -> CustomAppView {
    let judged = judge(app, &row.definition);
    CustomAppView {
        slug: row.slug,
        app: judged.app.map(|it| app_view(app, &it)),
        problems: judged.problems.iter().map(ProblemView::of).collect(),
        definition: Some(row.definition),
        discovered: row.discovered.and_then(|it| serde_json::from_str(&it).ok()),
        version: row.version,
        created_at: iso(row.created_at_ms),
        updated_at: iso(row.updated_at_ms),
    }
}

async fn record<N: Need>(
    app: &App,
    call: &InProject<Server, N>,
    action: &'static str,
    done: &Written,
) -> Result<()> {
    let event = Event::new(action, &call.caller.actor, &call.origin).project(&call.project);
    let event = event.target("custom_app", done.row.slug.as_str());
    app.audit.record(event.detail(audited(done))).await
}

/// What audit keeps of a change: which definition it was, and which addresses are others.
pub(crate) fn audited(done: &Written) -> Value {
    json!({ "version": done.row.version, "moved": done.moved })
}
