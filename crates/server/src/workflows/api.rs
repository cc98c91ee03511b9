//! `/v1/connect/{project}/workflows`: deploying, looking at, calling and deleting workflows.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::begin::{Cause, Start, begin, for_whom};
use super::file::Texts;
use super::view::{WorkflowRunView, WorkflowView};
use super::{Deployed, Workflow, deploy, field};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{InProject, InTenant, Server};
use crate::error::Result;
use crate::ids::WorkflowRunId;
use crate::paging::{Listed, Page};
use crate::path::Id;
use crate::query::Query;
use crate::scope::need;
use crate::users;

/// One file, as text.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct WorkflowFile {
    /// Where it stands in the workflow's folder, such as `steps/notify.mjs`.
    path: String,
    text: String,
}

/// A workflow that is to be deployed: a `workflow.yaml` with the files it names, or one file of
/// code.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct NewWorkflow {
    files: Vec<WorkflowFile>,
}

/// What was deployed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeployedWorkflow {
    data: WorkflowView,
    /// Whether it was not there already, the same.
    fresh: bool,
    /// The token that callers of its address prove themselves with. Shown once, when it is made.
    bearer_token: Option<String>,
}

/// One workflow.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldWorkflow {
    data: WorkflowView,
}

/// For whom, and with what, a workflow is run. A field that is none is refused: mistyped, the
/// user's would have the workflow run for another.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invocation {
    external_user_id: Option<String>,
    /// What its steps see as `steps.trigger.event`: any JSON.
    #[serde(default)]
    event: Value,
}

/// A run that was begun.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BegunRun {
    pub data: WorkflowRunView,
}

/// A workflow as callers see it.
pub(crate) async fn shown(app: &App, it: &Workflow) -> Result<WorkflowView> {
    let definition = deploy::definition(app, it, it.version).await?;
    let address = deploy::address(app, it).await?;
    Ok(WorkflowView::of(it, &definition, address))
}

/// Deploys a workflow, or the next version of one of that name. The same again changes nothing.
#[utoipa::path(post, path = "/v1/connect/{project}/workflows", tag = "Workflows",
    params(("project" = String, Path)), request_body = NewWorkflow,
    responses((status = 201, body = DeployedWorkflow),
        (status = 400, description = "`workflow_broken`, with the line or the field in `details`; \
            `component_broken`, with the step and the place in its code")),
    security(("client" = [])))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Json(new): Json<NewWorkflow>,
) -> Result<(StatusCode, axum::Json<DeployedWorkflow>)> {
    let mut files = Texts::new();
    for file in new.files {
        if files.insert(file.path, file.text).is_some() {
            return Err(field("files", "Two files have one path."));
        }
    }
    let Deployed { workflow, definition, fresh, bearer } =
        super::deploy(&app, &call.project, &files).await?;
    let event = Event::new("workflow.deploy", &call.caller.actor, &call.origin);
    let event = event.project(&call.project).target("workflow", workflow.id.as_str());
    let detail = json!({ "name": workflow.name, "version": workflow.version, "fresh": fresh });
    app.audit.record(event.detail(detail)).await?;
    let address = deploy::address(&app, &workflow).await?;
    let data = WorkflowView::of(&workflow, &definition, address);
    let bearer_token = bearer.map(|it| it.expose().to_owned());
    Ok((StatusCode::CREATED, axum::Json(DeployedWorkflow { data, fresh, bearer_token })))
}

/// Lists a project's workflows, newest first.
#[utoipa::path(get, path = "/v1/connect/{project}/workflows", tag = "Workflows",
    params(("project" = String, Path), ("limit" = Option<i64>, Query),
        ("after" = Option<String>, Query), ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<WorkflowView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    query: Query,
) -> Result<axum::Json<Listed<WorkflowView>>> {
    let page = Page::of(&query, &app.cursors, format!("workflows\n{:?}", call.project))?;
    let (found, page_info) = super::list(&app, &call.project, page).await?;
    let mut data = Vec::with_capacity(found.len());
    for it in &found {
        data.push(shown(&app, it).await?);
    }
    Ok(axum::Json(Listed { data, page_info }))
}

/// Gives one, by its id or name.
#[utoipa::path(get, path = "/v1/connect/{project}/workflows/{id}", tag = "Workflows",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = HeldWorkflow)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsRead>,
    Id(id): Id,
) -> Result<axum::Json<HeldWorkflow>> {
    let found = super::find(&app, &call.project, &id).await?;
    Ok(axum::Json(HeldWorkflow { data: shown(&app, &found).await? }))
}

/// Deletes one with all its versions and runs. What is under way ends after its step. One that a
/// trigger or the failure of another workflow starts is kept, unless this is forced.
#[utoipa::path(delete, path = "/v1/connect/{project}/workflows/{id}", tag = "Workflows",
    params(("project" = String, Path), ("id" = String, Path),
        ("force" = Option<bool>, Query, description = "Also where something starts it")),
    responses((status = 204),
        (status = 409, description = "`in_use`, with `details.triggers` and \
            `details.workflows`")),
    security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Id(id): Id,
    query: Query,
) -> Result<StatusCode> {
    let force = query.flag("force")?.unwrap_or(false);
    let found = super::find(&app, &call.project, &id).await?;
    let uses = super::delete(&app, &found, force).await?;
    let event = Event::new("workflow.delete", &call.caller.actor, &call.origin);
    let event = event.project(&call.project).target("workflow", found.id.as_str());
    let detail = json!({ "name": found.name, "started_by": uses.counts() });
    app.audit.record(event.detail(detail)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a run. It is answered as soon as the run is stored.
#[utoipa::path(post, path = "/v1/connect/{project}/workflows/{id}/invoke", tag = "Workflows",
    params(("project" = String, Path), ("id" = String, Path),
        ("x-pd-environment" = String, Header)), request_body = Invocation,
    responses((status = 202, body = BegunRun)), security(("client" = [])))]
pub(crate) async fn invoke(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::WorkflowInvoke>,
    Id(id): Id,
    Json(body): Json<Invocation>,
) -> Result<(StatusCode, axum::Json<BegunRun>)> {
    let found = super::find(&app, &call.tenant.project, &id).await?;
    let id = WorkflowRunId::mint();
    let mut start = Start {
        id: Some(id.clone()),
        cause: Cause::Call,
        event: body.event,
        external_id: body.external_user_id,
        environment: Some(call.tenant.environment),
        ..Start::default()
    };
    let definition = deploy::definition(&app, &found, found.version).await?;
    let external_id = for_whom(&found, &definition, &start).await?;
    users::check_external_id(&external_id)?;
    let event = Event::new("workflow.invoke", &call.caller.actor, &call.origin);
    let event = event.tenant(&call.tenant).target("run", id.as_str()).user(&external_id);
    app.audit.record(event.detail(json!({ "workflow": found.id }))).await?;
    start.external_id = Some(external_id);
    let run = begin(&app, &found, start).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(BegunRun { data: (&run).into() })))
}
