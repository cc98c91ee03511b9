//! `DELETE /v1/connect/{project}/components/{key}`: taking a component away, unless it is
//! in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::audit::Event;
use crate::callers::{InProject, Server};
use crate::error::Result;
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

#[derive(serde::Deserialize)]
pub(crate) struct Named {
    key: String,
}

/// Takes a component of the project's own away, with all its versions. One that a trigger is made
/// of, or a workflow runs, is kept, unless this is forced: they stop working.
#[utoipa::path(delete, path = "/v1/connect/{project}/components/{*key}", tag = "Components",
    params(("project" = String, Path), ("*key" = String, Path),
        ("force" = Option<bool>, Query, description = "Also where it is used")),
    responses((status = 204),
        (status = 409, description = "`component_in_use`, with `details.triggers` and \
            `details.workflows`")),
    security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Path(Named { key }): Path<Named>,
    query: Query,
) -> Result<StatusCode> {
    let force = query.flag("force")?.unwrap_or(false);
    let uses = super::delete_component(&app, &call.project, &key, force).await?;
    let event = Event::new("component.delete", &call.caller.actor, &call.origin);
    let event = event.project(&call.project).target("component", key);
    app.audit.record(event.detail(uses.counts())).await?;
    Ok(StatusCode::NO_CONTENT)
}
