//! `DELETE /v1/connect/{project}/users/{id}`: erasing a user with all that runs for him.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::accounts::ErasureView;
use crate::accounts::api::by;
use crate::app::App;
use crate::callers::{Anyone, InTenant};
use crate::error::{self, Result};
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
