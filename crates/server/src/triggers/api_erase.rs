//! `DELETE /v1/connect/{project}/users/{id}` and `/v1/connect/projects/{id}`: erasing a user, or
//! deleting a project, with all that runs for them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::accounts::ErasureView;
use crate::accounts::api::by;
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Anyone, Call, InTenant, Server};
use crate::error::{self, Result};
use crate::projects::api::reach;
use crate::query::Query;
use crate::scope::need;

/// Path parameters in any of the forms; `project` is read by the extractors.
#[derive(serde::Deserialize)]
pub(crate) struct Rest {
    rest: String,
}

/// Erases a user: all his accounts, his triggers, his connect tokens, and the key that sealed what
/// is stored of him. Before that the `deactivate` hooks of his triggers run, for 10 seconds at
/// most. His grants are revoked in the background. A user with more than 500 accounts is gone at
/// once for every caller, and what is stored of him within the hour: the answer is 202, and names
/// an erasure that tells how far it is.
#[utoipa::path(delete, path = "/v1/connect/{project}/users/{*rest}", tag = "Users",
    params(("project" = String, Path),
        ("*rest" = String, Path, description = "Your own id of the user"),
        ("x-pd-environment" = String, Header), ("revoke" = Option<bool>, Query)),
    responses((status = 204), (status = 202, body = ErasureView),
        (status = 404, description = "No such user")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn delete_user(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::UsersWrite>,
    Path(Rest { rest }): Path<Rest>,
    query: Query,
) -> Result<Response> {
    let user = call.only_user(Some(&rest))?.ok_or(error::NOT_FOUND)?;
    let Some(begun) = super::erase_user(&app, &call.caller, by(&call, &query)?, &user).await?
    else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    Ok((StatusCode::ACCEPTED, axum::Json(ErasureView::from(begun))).into_response())
}

/// Deletes a project that has no connected account any more, with all that it has. Before that the
/// `deactivate` hooks of its triggers run, for 10 seconds at most.
#[utoipa::path(delete, path = "/v1/connect/projects/{id}", tag = "Projects",
    params(("id" = String, Path)),
    responses((status = 204)), security(("client" = [])))]
pub(crate) async fn delete_project(
    State(app): State<Arc<App>>,
    call: Call<Server, need::ProjectsWrite>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let id = reach(&call, &id)?;
    super::delete_project(&app, &call.caller, &id).await?;
    let event = Event::new("project.delete", &call.caller.actor, &call.origin);
    app.audit.record(event.project(&id).target("project", id.as_str())).await?;
    Ok(StatusCode::NO_CONTENT)
}
