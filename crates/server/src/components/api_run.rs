//! `POST /v1/connect/{project}/actions/run`: an action, run on a user's accounts.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::{asked, here};
use super::outcome::Observation;
use super::wishes::ComponentWish;
use super::{Kind, Ran, Stashing, field, run as run_action};
use crate::app::App;
use crate::body::Json;
use crate::callers::{Anyone, InTenant};
use crate::error::Result;
use crate::scope::need;

/// Which action, for whom, and how it is configured.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct RunWish {
    #[serde(flatten)]
    wish: ComponentWish,
    /// `NEW`, or the id of a stash of this user, whose files the action gets.
    #[schema(value_type = Option<String>)]
    stash_id: Option<Value>,
}

/// What an action did. What its code threw is in `os`, as an item whose `k` is `error`.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RanView {
    /// What the code exported by name.
    #[schema(value_type = Object)]
    exports: Map<String, Value>,
    /// What the code logged, and what failed.
    os: Vec<Observation>,
    /// What the code returned: any JSON.
    ret: Value,
    stash_id: Option<String>,
    /// The same by another name, as some clients have it.
    #[serde(rename = "stashId")]
    stash_id_too: Option<String>,
}

/// Runs an action on accounts of a user. What its code throws is an answer with status 200; an
/// account that is missing or must be connected again is an error that says where.
#[utoipa::path(post, path = "/v1/connect/{project}/actions/run", tag = "Components",
    params(("project" = String, Path)), request_body = RunWish,
    responses((status = 200, body = RanView),
        (status = 400, description = "`account_needed`, with a link where it can be connected"),
        (status = 409, description = "`reauth_required`, with a link where the account can be \
            connected again"),
        (status = 429, description = "`too_many_runs`")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::Actions>,
    Json(body): Json<RunWish>,
) -> Result<axum::Json<RanView>> {
    here(&call, Kind::Actions)?;
    let user = body.wish.user(&call)?;
    let stashing = stashing(body.stash_id.as_ref())?;
    let asked = asked(&call, Kind::Actions, (&body.wish, &user))?;
    let Ran { exports, observations, ret, stash, .. } =
        Box::pin(run_action(&app, asked, stashing)).await?;
    Ok(axum::Json(RanView {
        exports,
        os: observations,
        ret,
        stash_id: stash.clone(),
        stash_id_too: stash,
    }))
}

/// What clients write for a stash, which is a lot.
fn stashing(asked: Option<&Value>) -> Result<Stashing> {
    match asked {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Stashing::None),
        Some(Value::Bool(true)) => Ok(Stashing::New),
        Some(Value::String(text)) if text.is_empty() || text == "NEW" => Ok(Stashing::New),
        Some(Value::String(text)) if crate::stash::is_id(text) => Ok(Stashing::In(text.clone())),
        Some(_) => Err(field("stash_id", "`stash_id` is `NEW`, or what an earlier answer gave.")),
    }
}
