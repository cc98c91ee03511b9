//! `/v1/connect/{project}/workflow-runs`: what ran, step by step, and doing it again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::api::BegunRun;
use super::begin::{Cause, Start, begin};
use super::view::{WholeRunView, WorkflowRunView};
use super::{Run, Workflow, past, store};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{InTenant, Server};
use crate::error::{self, Result};
use crate::ids::WorkflowRunId;
use crate::paging::{Listed, Page};
use crate::path::Id;
use crate::query::Query;
use crate::scope::need;
use crate::tenant::Tenant;

/// One run.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldWorkflowRun {
    data: WholeRunView,
}

/// Lists runs of an environment, newest first.
#[utoipa::path(get, path = "/v1/connect/{project}/workflow-runs", tag = "Workflows",
    params(("project" = String, Path),
        ("workflow" = Option<String>, Query, description = "Id or name of a workflow"),
        ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<WorkflowRunView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<WorkflowRunView>>> {
    let workflow = match query.one("workflow")? {
        None => None,
        Some(named) => Some(super::find(&app, &call.tenant.project, named).await?),
    };
    let only = workflow.as_ref().map(|it| it.id.as_str());
    let page = Page::of(&query, &app.cursors, format!("runs\n{only:?}\n{:?}", call.tenant))?;
    let (found, page_info) = super::runs(&app, &call.tenant, workflow.as_ref(), page).await?;
    let data = found.iter().map(WorkflowRunView::from).collect();
    Ok(axum::Json(Listed { data, page_info }))
}

/// Gives one with its timeline: what each step got, gave, logged and called.
#[utoipa::path(get, path = "/v1/connect/{project}/workflow-runs/{id}", tag = "Workflows",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = HeldWorkflowRun)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::ProjectsRead>,
    Id(id): Id,
) -> Result<axum::Json<HeldWorkflowRun>> {
    Ok(axum::Json(HeldWorkflowRun { data: whole(&app, &call.tenant, &id).await? }))
}

/// A run with its timeline.
///
/// # Errors
/// [`error::NOT_FOUND`].
pub(crate) async fn whole(app: &App, tenant: &Tenant, id: &str) -> Result<WholeRunView> {
    let run = super::run_of(app, tenant, id).await?;
    let memory = past::memory(app, &run).await?;
    let steps = super::steps_of(app, &run).await?;
    Ok(WholeRunView::of(&run, memory, steps))
}

fn noted(
    call: &InTenant<Server, need::WorkflowInvoke>,
    action: &'static str,
    (id, external_id): (&WorkflowRunId, &str),
) -> Event {
    Event::new(action, &call.caller.actor, &call.origin)
        .tenant(&call.tenant)
        .target("run", id.as_str())
        .user(external_id)
}

/// Starts a run with the event of another one, of the workflow as it is now.
#[utoipa::path(post, path = "/v1/connect/{project}/workflow-runs/{id}/replay", tag = "Workflows",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 202, body = BegunRun)), security(("client" = [])))]
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::WorkflowInvoke>,
    Id(id): Id,
) -> Result<(StatusCode, axum::Json<BegunRun>)> {
    let (workflow, mut start) = repeating(&app, &call.tenant, &id).await?;
    let run = WorkflowRunId::mint();
    let whom = start.external_id.clone().unwrap_or_default();
    let event = noted(&call, "workflow.replay", (&run, &whom));
    app.audit.record(event.detail(json!({ "of": id }))).await?;
    start.id = Some(run);
    let run = begin(&app, &workflow, start).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(BegunRun { data: (&run).into() })))
}

/// Starts a run with the event of another one.
///
/// # Errors
/// [`error::NOT_FOUND`], and those of starting a run.
pub(crate) async fn again(app: &Arc<App>, tenant: &Tenant, id: &str) -> Result<Run> {
    let (workflow, start) = repeating(app, tenant, id).await?;
    begin(app, &workflow, start).await
}

/// What a run is begun with that repeats another one.
async fn repeating(app: &App, tenant: &Tenant, id: &str) -> Result<(Workflow, Start)> {
    let former = super::run_of(app, tenant, id).await?;
    let memory = past::memory(app, &former).await?;
    let found = store::find(&app.db, &tenant.project, &former.workflow).await?;
    let workflow = found.ok_or(error::NOT_FOUND)?;
    if memory.unkept {
        return Err(error::INVALID_REQUEST.saying("What started this run was not to be kept."));
    }
    let start = Start {
        cause: Cause::Replay(former.id.clone()),
        event: memory.event,
        external_id: Some(former.external_id.clone()),
        environment: Some(tenant.environment),
        ..Start::default()
    };
    Ok((workflow, start))
}

/// Ends a run. What its steps did stays done.
#[utoipa::path(post, path = "/v1/connect/{project}/workflow-runs/{id}/cancel", tag = "Workflows",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = BegunRun),
        (status = 409, description = "`run_busy`: it went on meanwhile, or has ended")),
    security(("client" = [])))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::WorkflowInvoke>,
    Id(id): Id,
) -> Result<axum::Json<BegunRun>> {
    let run = super::run_of(&app, &call.tenant, &id).await?;
    let event = noted(&call, "workflow.cancel", (&run.id, &run.external_id));
    app.audit.record(event).await?;
    super::cancel(&app, &run).await?;
    let run = super::run_of(&app, &call.tenant, &id).await?;
    Ok(axum::Json(BegunRun { data: (&run).into() }))
}
