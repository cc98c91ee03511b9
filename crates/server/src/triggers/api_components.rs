//! `DELETE /v1/connect/{project}/components/{key}`: taking a component away, unless it is deployed.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::audit::Event;
use crate::callers::{InProject, Server};
use crate::error::Result;
use crate::query::Query;
use crate::scope::need;

#[derive(serde::Deserialize)]
pub(crate) struct Named {
    key: String,
}

/// Takes a component of the project's own away, with all its versions. One whose source is deployed
/// as a trigger is kept, unless this is forced: such triggers stop working.
#[utoipa::path(delete, path = "/v1/connect/{project}/components/{*key}", tag = "Components",
    params(("project" = String, Path), ("*key" = String, Path),
        ("force" = Option<bool>, Query, description = "Also where triggers are made of it")),
    responses((status = 204),
        (status = 409, description = "`component_in_use`, with the triggers in \
            `details.triggers`")),
    security(("client" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InProject<Server, need::ProjectsWrite>,
    Path(Named { key }): Path<Named>,
    query: Query,
) -> Result<StatusCode> {
    let force = query.flag("force")?.unwrap_or(false);
    let left = super::delete_component(&app, &call.project, &key, force).await?;
    let event = Event::new("component.delete", &call.caller.actor, &call.origin);
    let event = event.project(&call.project).target("component", key);
    app.audit.record(event.detail(json!({ "triggers": left }))).await?;
    Ok(StatusCode::NO_CONTENT)
}
