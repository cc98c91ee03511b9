//! `/v1/connect/{project}/runs`: what was run lately, for whom, and what came of it.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::outcome::Observation;
use super::past::{self, Run};
use crate::app::App;
use crate::callers::{InTenant, Server};
use crate::clock::iso;
use crate::error::{self, Result};
use crate::paging::{Listed, Page};
use crate::path::Path;
use crate::query::Query;
use crate::scope::need;

/// A run that is over. Secrets of the run are blacked out in all of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RunView {
    id: String,
    /// The component's key.
    component: String,
    version: String,
    /// `action`, or what else it was run for.
    about: String,
    /// This server's id of the user.
    user_id: String,
    started_at: String,
    ended_at: String,
    duration_ms: i64,
    /// `ok`, or what kind of failure it was: `thrown`, `timeout`, `memory` and so on.
    outcome: String,
    os: Vec<Observation>,
    #[schema(value_type = Object)]
    exports: Map<String, Value>,
    #[schema(value_type = Option<Object>)]
    ret: Value,
    /// Calls to apps, each with method, host, path, status and more.
    #[schema(value_type = Vec<Object>)]
    calls: Vec<Value>,
    /// Whether there was more than is kept.
    cut: bool,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.as_str().to_owned(),
            component: run.component,
            version: run.version,
            about: run.about,
            user_id: run.user.as_str().to_owned(),
            started_at: iso(run.started_at_ms),
            ended_at: iso(run.ended_at_ms),
            duration_ms: run.ended_at_ms - run.started_at_ms,
            outcome: run.outcome,
            os: run.detail.log,
            exports: run.detail.exports,
            ret: run.detail.ret,
            calls: run.detail.calls,
            cut: run.detail.cut,
        }
    }
}

/// One run.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldRun {
    data: RunView,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    id: String,
}

/// Lists what was run lately, newest first: the last thousand of an environment are kept.
#[utoipa::path(get, path = "/v1/connect/{project}/runs", tag = "Components",
    params(("project" = String, Path), ("external_user_id" = Option<String>, Query),
        ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<RunView>)), security(("client" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::Actions>,
    query: Query,
) -> Result<axum::Json<Listed<RunView>>> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let user = query.narrowing("external_user_id")?;
    let page = Page::of(&query, &app.cursors, format!("runs\n{user:?}\n{:?}", call.tenant))?;
    let (found, total) = past::runs(&app, &call.tenant, user, &page).await?;
    let (found, page_info) = page.answer(&app.cursors, found, total, Run::boundary);
    let data = found.into_iter().map(RunView::from).collect();
    Ok(axum::Json(Listed { data, page_info }))
}

/// Gives one run.
#[utoipa::path(get, path = "/v1/connect/{project}/runs/{id}", tag = "Components",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = HeldRun)), security(("client" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::Actions>,
    Path(Named { id }): Path<Named>,
) -> Result<axum::Json<HeldRun>> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let run = past::find(&app, &call.tenant, &id).await?;
    Ok(axum::Json(HeldRun { data: run.into() }))
}
