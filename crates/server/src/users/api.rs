//! `GET /v1/connect/{project}/users`: who has connected accounts, or could.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::User;
use crate::app::App;
use crate::callers::{InTenant, Server};
use crate::clock::iso;
use crate::error::{self, Result};
use crate::ids::UserId;
use crate::paging::{Boundary, Listed, Page};
use crate::query::Query;
use crate::scope::need;

#[derive(Serialize, utoipa::ToSchema)]
pub struct UserView {
    id: UserId,
    /// Your own id of the user.
    external_id: String,
    created_at: String,
    updated_at: String,
}

/// Lists the external users of one environment, newest first. `q` is a part of the external id.
#[utoipa::path(get, path = "/v1/connect/{project}/users", tag = "Users",
    params(("project" = String, Path), ("x-pd-environment" = String, Header),
        ("q" = Option<String>, Query),
        ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<UserView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::UsersRead>,
    query: Query,
) -> Result<axum::Json<Listed<UserView>>> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let part = query.one("q")?;
    let name = format!("users\n{:?}\n{part:?}", call.tenant);
    let page = Page::of(&query, &app.cursors, name)?;
    let (users, total) = super::list(&app.db, &call.tenant, part, &page).await?;
    let boundary = |it: &User| Boundary { key: it.created_at_ms, id: it.id.as_str().to_owned() };
    let (users, page_info) = page.answer(&app.cursors, users, total, boundary);
    let data = users
        .into_iter()
        .map(|user| UserView {
            id: user.id,
            external_id: user.external_id,
            created_at: iso(user.created_at_ms),
            updated_at: iso(user.updated_at_ms),
        })
        .collect();
    Ok(axum::Json(Listed { data, page_info }))
}
