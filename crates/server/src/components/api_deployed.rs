//! `/v1/connect/{project}/deployed-triggers`: what runs for a user by itself. None does yet.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::api::one_of;
use super::{DeployedView, unbuilt};
use crate::app::App;
use crate::callers::{Anyone, InTenant, Server, Who};
use crate::error::{self, Error, Result};
use crate::paging::{Boundary, Listed, Page};
use crate::query::Query;
use crate::scope::{Need, need};

/// What can emit events.
const EMITTERS: [&str; 4] = ["email", "http", "source", "timer"];

/// One deployed trigger.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldTrigger {
    pub data: DeployedView,
}

/// The latest events of a trigger.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Events {
    #[schema(value_type = Vec<Object>)]
    pub data: Vec<Value>,
}

/// The workflows that a trigger starts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Workflows {
    pub workflow_ids: Vec<String>,
}

/// The addresses that a trigger posts to.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TriggerWebhooks {
    pub webhook_urls: Vec<String>,
    #[schema(value_type = Vec<Object>)]
    pub webhooks: Vec<Value>,
}

/// One of them, with its key.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldWebhook {
    #[schema(value_type = Object)]
    pub data: Value,
}

/// All of these calls are about one user, named by the query or by the connect token.
fn of_user<W: Who, N: Need>(call: &InTenant<W, N>, query: &Query) -> Result<()> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let user = call.only_user(query.one("external_user_id")?)?;
    user.map(|_| ()).ok_or_else(|| error::INVALID_EXTERNAL_USER.into())
}

fn missing() -> Error {
    error::NOT_FOUND.saying("There is no such deployed trigger.")
}

/// Lists what was deployed for a user. Nothing can be yet, so the list is empty.
#[utoipa::path(get, path = "/v1/connect/{project}/deployed-triggers", tag = "Deployed triggers",
    params(("project" = String, Path), ("external_user_id" = Option<String>, Query),
        ("emitter_type" = Option<String>, Query,
            description = "`email`, `http`, `source` or `timer`"),
        ("limit" = Option<i64>, Query), ("after" = Option<String>, Query),
        ("before" = Option<String>, Query)),
    responses((status = 200, body = Listed<DeployedView>)),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersRead>,
    query: Query,
) -> Result<axum::Json<Listed<DeployedView>>> {
    of_user(&call, &query)?;
    one_of(&query, "emitter_type", &EMITTERS)?;
    let name = format!("deployed-triggers\n{:?}", call.tenant);
    let page = Page::of(&query, &app.cursors, name)?;
    let nowhere = |_: &DeployedView| Boundary { key: 0, id: String::new() };
    let (data, page_info) = page.answer(&app.cursors, Vec::new(), 0, nowhere);
    Ok(axum::Json(Listed { data, page_info }))
}

/// The calls about one deployed trigger. Those that read, delete or make a key anew find none;
/// those that change one are not built.
macro_rules! call {
    ($(#[$doc:meta])* $name:ident $verb:ident $path:literal $who:ident $need:ident
        -> $answer:ty, $failure:expr; $($about:tt)*) => {
        $(#[$doc])*
        #[utoipa::path($verb, path = concat!("/v1/connect/{project}/deployed-triggers/", $path),
            tag = "Deployed triggers", $($about)*)]
        pub(crate) async fn $name(
            call: InTenant<$who, need::$need>,
            query: Query,
        ) -> Result<$answer> {
            of_user(&call, &query)?;
            Err($failure)
        }
    };
}

call!(
    /// Gives one.
    retrieve get "{id}" Anyone DeployedTriggersRead -> axum::Json<HeldTrigger>, missing();
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldTrigger)),
    security(("client" = []), ("connect" = []))
);
call!(
    /// Would change one. Not built yet.
    update put "{id}" Anyone DeployedTriggersWrite -> axum::Json<HeldTrigger>,
    unbuilt("The trigger was not changed");
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    request_body = serde_json::Value,
    responses((status = 501, description = "Not built yet")),
    security(("client" = []), ("connect" = []))
);
call!(
    /// Deletes one.
    delete delete "{id}" Anyone DeployedTriggersWrite -> StatusCode, missing();
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query),
        ("ignore_hook_errors" = Option<bool>, Query)),
    responses((status = 204)), security(("client" = []), ("connect" = []))
);
call!(
    /// Lists what one emitted last.
    events get "{id}/events" Anyone DeployedTriggersRead -> axum::Json<Events>, missing();
    params(("project" = String, Path), ("id" = String, Path), ("n" = Option<i64>, Query),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = Events)), security(("client" = []), ("connect" = []))
);
call!(
    /// Lists the workflows that one starts.
    workflows get "{id}/pipelines" Anyone DeployedTriggersRead -> axum::Json<Workflows>, missing();
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = Workflows)), security(("client" = []), ("connect" = []))
);
call!(
    /// Would set the workflows that one starts. Not built yet.
    set_workflows put "{id}/pipelines" Anyone DeployedTriggersWrite -> axum::Json<Workflows>,
    unbuilt("The workflows were not set");
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    request_body = serde_json::Value,
    responses((status = 501, description = "Not built yet")),
    security(("client" = []), ("connect" = []))
);
call!(
    /// Lists the addresses that one posts to.
    webhooks get "{id}/webhooks" Anyone DeployedTriggersRead -> axum::Json<TriggerWebhooks>,
    missing();
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = TriggerWebhooks)), security(("client" = []), ("connect" = []))
);
call!(
    /// Would set the addresses that one posts to. Not built yet.
    set_webhooks put "{id}/webhooks" Anyone DeployedTriggersWrite -> axum::Json<TriggerWebhooks>,
    unbuilt("The addresses were not set");
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    request_body = serde_json::Value,
    responses((status = 501, description = "Not built yet")),
    security(("client" = []), ("connect" = []))
);
call!(
    /// Gives one address with its signing key.
    webhook get "{id}/webhooks/{webhook}" Server DeployedTriggersRead -> axum::Json<HeldWebhook>,
    missing();
    params(("project" = String, Path), ("id" = String, Path), ("webhook" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldWebhook)), security(("client" = []))
);
call!(
    /// Makes another signing key for one address.
    regenerate post "{id}/webhooks/{webhook}/regenerate_signing_key" Server
        DeployedTriggersWrite -> axum::Json<HeldWebhook>, missing();
    params(("project" = String, Path), ("id" = String, Path), ("webhook" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldWebhook)), security(("client" = []))
);
call!(
    /// Starts afresh with an address that was switched off.
    reset post "{id}/webhooks/{webhook}/reset_delivery_state" Server
        DeployedTriggersWrite -> axum::Json<HeldWebhook>, missing();
    params(("project" = String, Path), ("id" = String, Path), ("webhook" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldWebhook)), security(("client" = []))
);
