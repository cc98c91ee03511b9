//! `/v1/connect/projects...`: projects over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::{Change, FreezeScope, Project};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{Call, Caller, InProject, Server};
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;
use crate::paging::{Boundary, Listed, Page};
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

#[derive(Serialize, utoipa::ToSchema)]
pub struct ProjectView {
    id: ProjectId,
    name: String,
    app_name: Option<String>,
    support_email: Option<String>,
    connect_require_key_auth_test: bool,
    /// Where browsers are sent to be confirmed by your backend.
    verify_url: Option<String>,
    /// The origin of its clients' redirect URIs; that of the server when null.
    callback_origin: Option<String>,
    /// Whether users choose how much they allow.
    scope_choice: bool,
    /// External users that the environment `development` takes. Null: any number.
    development_users_max: Option<u32>,
    /// Whether components' code sees placeholders in the place of credentials.
    blind_tokens: bool,
    /// Names of packages that mean `@grantkeep/runtime` in components' code.
    component_packages: Vec<String>,
    /// The only hosts that your code may call here, beside those of the apps whose accounts it
    /// gets. Null: all that are public.
    code_hosts: Option<Vec<String>>,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            name: project.name,
            app_name: project.app_name,
            support_email: project.support_email,
            connect_require_key_auth_test: project.require_key_test,
            verify_url: project.settings.verify_url,
            callback_origin: project.callback_origin,
            scope_choice: project.settings.scope_choice,
            development_users_max: project.settings.development_users_max,
            blind_tokens: project.settings.blind_tokens,
            component_packages: project.settings.component_packages,
            code_hosts: project.settings.code_hosts.map(|it| it.entries().to_vec()),
        }
    }
}

/// A field that may be absent (leave it), null (take it away), or given.
#[allow(clippy::option_option, reason = "these are three cases, and serde has this form for them")]
type Wish<T> = Option<Option<T>>;

#[derive(Deserialize, utoipa::ToSchema)]
pub struct ProjectWish {
    /// 1 to 120 visible characters; needed when a project is made.
    #[schema(max_length = 120, example = "Acme")]
    name: Option<String>,
    /// The product's name as its users know it. Null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    app_name: Wish<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    support_email: Wish<String>,
    /// Whether keys that users enter are tried out before they are stored.
    connect_require_key_auth_test: Option<bool>,
    /// Where browsers are sent to be confirmed by your backend: https, exact. Null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    verify_url: Wish<String>,
    /// The origin of its clients' redirect URIs: one of those that the operator permits. All of
    /// them change with it, so register the new ones at the apps first. Null: the server's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    callback_origin: Wish<String>,
    /// Whether users choose on the connect page how much they allow, where the app knows several
    /// measures.
    scope_choice: Option<bool>,
    /// External users that the environment `development` takes: a call that would make one more is
    /// refused, and those that are there stay. Null: any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, example = 10)]
    development_users_max: Wish<u32>,
    /// Whether components' code sees placeholders in the place of credentials: only on the way to
    /// the app itself they become what they stand for. True for new projects.
    blind_tokens: Option<bool>,
    /// Names of packages that mean `@grantkeep/runtime` in components' code.
    component_packages: Option<Vec<String>>,
    /// The only hosts that your code may call here, beside those of the apps whose accounts it
    /// gets: `api.example.com`, or `*.example.com` for all below it. Empty: no others. Null: all
    /// that are public.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["api.example.com"]))]
    code_hosts: Wish<Vec<String>>,
}

impl ProjectWish {
    /// What the audit log is told beside who and when: where code may go.
    fn event(&self, name: &'static str, call: &Call<Server, need::ProjectsWrite>) -> Event {
        let event = Event::new(name, &call.caller.actor, &call.origin);
        match &self.code_hosts {
            Some(hosts) => event.detail(json!({ "code_hosts": hosts })),
            None => event,
        }
    }

    /// Whether the caller may change that.
    fn check(&self, caller: &Caller) -> Result<()> {
        if self.blind_tokens == Some(false) {
            caller.may_show_credentials("`blind_tokens: false`")?;
        }
        Ok(())
    }

    fn change(self) -> Change {
        Change {
            name: self.name,
            app_name: self.app_name,
            support_email: self.support_email,
            require_key_test: self.connect_require_key_auth_test,
            settings: None,
            verify_url: self.verify_url,
            callback_origin: self.callback_origin,
            scope_choice: self.scope_choice,
            development_users_max: self.development_users_max,
            blind_tokens: self.blind_tokens,
            component_packages: self.component_packages,
            code_hosts: self.code_hosts,
        }
    }
}

/// Tells `null` from absent.
fn present<'de, D, T>(from: D) -> Result<Wish<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(from).map(Some)
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct LogoWish {
    /// A `data:` URL of a PNG, JPEG, GIF or WebP image of at most 256 KiB.
    logo: String,
}

/// Lists the projects that the caller reaches, newest first.
#[utoipa::path(get, path = "/v1/connect/projects", tag = "Projects",
    params(("q" = Option<String>, Query), ("limit" = Option<i64>, Query),
        ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<ProjectView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<ProjectView>>> {
    let part = query.one("q")?.map(str::to_lowercase);
    let name = format!("projects\n{}\n{part:?}", call.caller.actor.id());
    let page = Page::of(&query, &app.cursors, name)?;
    let mut all = super::list(&app.db).await?;
    all.retain(|project| {
        let reached = call.caller.project.as_ref().is_none_or(|bound| *bound == project.id);
        reached && part.as_ref().is_none_or(|part| project.name.to_lowercase().contains(part))
    });
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let boundary = |it: &Project| Boundary { key: it.created_at_ms, id: it.id.as_str().to_owned() };
    let items = page.cut(all, boundary);
    let (items, page_info) = page.answer(&app.cursors, items, total, boundary);
    let data = items.into_iter().map(ProjectView::from).collect();
    Ok(axum::Json(Listed { data, page_info }))
}

/// Makes a project. A caller that is bound to one project cannot.
#[utoipa::path(post, path = "/v1/connect/projects", tag = "Projects", request_body = ProjectWish,
    responses((status = 201, body = ProjectView)), security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsWrite>,
    Json(wish): Json<ProjectWish>,
) -> Result<(StatusCode, axum::Json<ProjectView>)> {
    if call.caller.project.is_some() {
        return Err(error::SCOPE_MISSING.saying("This client is bound to one project."));
    }
    wish.check(&call.caller)?;
    let name =
        wish.name.clone().ok_or_else(|| error::INVALID_FIELD.saying("`name` is missing."))?;
    let event = wish.event("project.create", &call);
    let project = super::create(&app, &name, wish.change()).await?;
    app.audit.record(event.project(&project.id).target("project", project.id.as_str())).await?;
    Ok((StatusCode::CREATED, axum::Json(project.into())))
}

#[utoipa::path(get, path = "/v1/connect/projects/{id}", tag = "Projects",
    params(("id" = String, Path)),
    responses((status = 200, body = ProjectView)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsRead>,
    Path(id): Path<String>,
) -> Result<axum::Json<ProjectView>> {
    let id = reach(&call, &id)?;
    Ok(axum::Json(super::find(&app.db, &id).await?.into()))
}

#[utoipa::path(patch, path = "/v1/connect/projects/{id}", tag = "Projects",
    params(("id" = String, Path)),
    request_body = ProjectWish, responses((status = 200, body = ProjectView)),
    security(("client" = [])))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsWrite>,
    Path(id): Path<String>,
    Json(wish): Json<ProjectWish>,
) -> Result<axum::Json<ProjectView>> {
    let id = reach(&call, &id)?;
    wish.check(&call.caller)?;
    let event = wish.event("project.update", &call);
    let project = super::update(&app, &id, wish.change()).await?;
    app.audit.record(event.project(&id).target("project", id.as_str())).await?;
    Ok(axum::Json(project.into()))
}

#[utoipa::path(post, path = "/v1/connect/projects/{id}/logo", tag = "Projects",
    params(("id" = String, Path)),
    request_body = LogoWish, responses((status = 200)), security(("client" = [])))]
pub(crate) async fn set_logo(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsWrite>,
    Path(id): Path<String>,
    Json(wish): Json<LogoWish>,
) -> Result<StatusCode> {
    let id = reach(&call, &id)?;
    super::set_logo(&app, &id, &wish.logo).await?;
    let event = Event::new("project.update", &call.caller.actor, &call.origin);
    app.audit.record(event.project(&id).target("project", id.as_str())).await?;
    Ok(StatusCode::OK)
}

/// The product's logo, for the connect page. Public: everybody who connects an account sees it.
pub(crate) async fn logo(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response> {
    let missing = || Error::from(error::NOT_FOUND);
    let id = ProjectId::parse(&id).ok_or_else(missing)?;
    let (kind, bytes) = super::logo(&app.db, &id).await?.ok_or_else(missing)?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

/// The project that a path names, if the caller may reach it.
pub(crate) fn reach<N: crate::scope::Need>(call: &Call<Server, N>, id: &str) -> Result<ProjectId> {
    ProjectId::parse(id)
        .filter(|id| call.caller.project.as_ref().is_none_or(|bound| bound == id))
        .ok_or_else(|| error::NOT_FOUND.into())
}

/// What is frozen of a project.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FreezeView {
    /// Whether no credentials of the project are handed out.
    frozen: bool,
    /// Slugs of the apps whose credentials are not handed out.
    apps: Vec<String>,
}

async fn freeze_view(app: &Arc<App>, project: &ProjectId) -> Result<axum::Json<FreezeView>> {
    let (mut frozen, mut apps) = (false, Vec::new());
    for it in super::freezes(app).await? {
        if it.scope.project.is_none_or(|of| of == *project) {
            match it.scope.app {
                None => frozen = true,
                Some(slug) => apps.push(slug),
            }
        }
    }
    apps.sort();
    apps.dedup();
    Ok(axum::Json(FreezeView { frozen, apps }))
}

/// Says whether credentials of the project are held back, by its own freezes or by one of the
/// whole server.
#[utoipa::path(get, path = "/v1/connect/{project}/freeze", tag = "Projects",
    params(("project" = String, Path)), responses((status = 200, body = FreezeView)),
    security(("client" = [])))]
pub(crate) async fn frozen(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::Freeze>,
) -> Result<axum::Json<FreezeView>> {
    freeze_view(&app, &call.project).await
}

/// Stops handing out the project's credentials, or one app's, within a second and in every process.
/// They are refreshed as before. Needs the scope `credentials:freeze`, which is in no star.
#[utoipa::path(put, path = "/v1/connect/{project}/freeze", tag = "Projects",
    params(("project" = String, Path),
        ("app" = Option<String>, Query, description = "Slug or id of an app; all without it")),
    responses((status = 200, body = FreezeView), (status = 404, description = "No such app")),
    security(("client" = [])))]
pub(crate) async fn freeze(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::Freeze>,
    query: Query,
) -> Result<axum::Json<FreezeView>> {
    let scope = FreezeScope::new(&app, Some(call.project.clone()), query.narrowing("app")?);
    super::freeze(&app, &scope, (&call.caller.actor, &call.origin)).await?;
    freeze_view(&app, &call.project).await
}

/// Lifts a freeze of the project, or of one app in it.
#[utoipa::path(delete, path = "/v1/connect/{project}/freeze", tag = "Projects",
    params(("project" = String, Path), ("app" = Option<String>, Query)),
    responses((status = 200, body = FreezeView), (status = 404, description = "No such freeze")),
    security(("client" = [])))]
pub(crate) async fn unfreeze(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::Freeze>,
    query: Query,
) -> Result<axum::Json<FreezeView>> {
    let scope = FreezeScope::new(&app, Some(call.project.clone()), query.narrowing("app")?);
    super::unfreeze(&app, &scope, (&call.caller.actor, &call.origin)).await?;
    freeze_view(&app, &call.project).await
}
