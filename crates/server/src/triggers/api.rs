//! `/v1/connect/{project}/triggers/deploy` and `/deployed-triggers`: what runs by itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::view::{DeployedView, view};
use super::{Change, Deployed, New, Trigger, field};
use crate::app::App;
use crate::audit::Event;
use crate::body::Json;
use crate::callers::{Anyone, InTenant, Who};
use crate::components::api::{asked, here, one_of};
use crate::components::{ComponentWish, Kind};
use crate::error::{self, Result};
use crate::ids::Emitter;
use crate::paging::{Listed, Page};
use crate::path::Id;
use crate::query::Query;
use crate::scope::{Need, need};

/// What can emit events.
const EMITTERS: [&str; 4] = ["email", "http", "source", "timer"];

/// One deployed trigger.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HeldTrigger {
    pub data: DeployedView,
}

/// Which trigger, for whom, and how it is configured.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct DeployWish {
    #[serde(flatten)]
    wish: ComponentWish,
    /// A workflow that it starts.
    workflow_id: Option<String>,
    /// Where its events are posted to. Without one, it is the address of project and environment.
    webhook_url: Option<String>,
    /// Whether what its code finds of the past is told; true where it is left out.
    emit_on_deploy: Option<bool>,
}

/// What is to change of it. What is left out stays.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct TriggerChange {
    active: Option<bool>,
    /// All values, in the place of those before.
    #[schema(value_type = Option<Object>)]
    configured_props: Option<Map<String, Value>>,
    name: Option<String>,
    emit_on_deploy: Option<bool>,
}

impl TriggerChange {
    /// Whether there is nothing that it could change.
    fn is_empty(&self) -> bool {
        let Self { active, configured_props, name, emit_on_deploy } = self;
        active.is_none() && configured_props.is_none() && name.is_none() && emit_on_deploy.is_none()
    }
}

/// Who the call is about: named by the query or by the connect token.
pub(super) fn user<W: Who, N: Need>(call: &InTenant<W, N>, query: &Query) -> Result<String> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let user = call.only_user(query.one("external_user_id")?)?;
    user.ok_or_else(|| error::INVALID_EXTERNAL_USER.into())
}

/// The trigger that the call is about.
pub(super) async fn found<W: Who, N: Need>(
    app: &App,
    call: &InTenant<W, N>,
    (query, id): (&Query, &str),
) -> Result<Trigger> {
    let user = user(call, query)?;
    super::find(app, &call.tenant, (&user, id)).await
}

pub(super) fn noted<W: Who, N: Need>(
    call: &InTenant<W, N>,
    action: &'static str,
    trigger: &Trigger,
) -> Event {
    Event::new(action, &call.caller.actor, &call.origin)
        .tenant(&call.tenant)
        .target("trigger", trigger.id.as_str())
        .user(&trigger.external_id)
}

/// Deploys a trigger for a user; each call makes a new one. Its code's `deploy` and `activate`
/// hooks run before this is answered; when one fails, nothing is left.
#[utoipa::path(post, path = "/v1/connect/{project}/triggers/deploy", tag = "Deployed triggers",
    params(("project" = String, Path)), request_body = DeployWish,
    responses((status = 200, body = HeldTrigger),
        (status = 400, description = "`account_needed`, with a link where it can be connected; \
            `hook_failed`, with what the code said"),
        (status = 409, description = "`reauth_required`, with a link where the account can be \
            connected again")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn deploy(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::Triggers>,
    Json(body): Json<DeployWish>,
) -> Result<axum::Json<HeldTrigger>> {
    here(&call, Kind::Triggers)?;
    let user = body.wish.user(&call)?;
    let given = |it: &'_ Option<String>| it.clone().filter(|it| !it.is_empty());
    let (url, workflow) = (given(&body.webhook_url), given(&body.workflow_id));
    let new = New {
        asked: asked(&call, Kind::Triggers, (&body.wish, &user))?,
        emit_on_deploy: body.emit_on_deploy.unwrap_or(true),
        webhook_url: url.as_deref(),
        workflow: workflow.as_deref(),
    };
    let Deployed { trigger, signing_key } = super::deploy(&app, new).await?;
    // Browsers never get a key.
    let key = signing_key.filter(|_| call.caller.connect.is_none());
    let key = key.map(|it| it.expose().to_owned());
    Ok(axum::Json(HeldTrigger { data: view(&app, &trigger, key).await? }))
}

/// Lists what was deployed for a user, newest first: sources, unless another type is named.
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
    let user = user(&call, &query)?;
    one_of(&query, "emitter_type", &EMITTERS)?;
    let word = query.one("emitter_type")?.unwrap_or("source");
    let name = format!("deployed_triggers\n{user:?}\n{word}\n{:?}", call.tenant);
    let page = Page::of(&query, &app.cursors, name)?;
    let kind = Emitter::ALL.into_iter().find(|it| it.as_str() == word);
    let (found, total) = match kind {
        // This server takes no mail.
        None => (Vec::new(), 0),
        Some(kind) => super::list(&app, &call.tenant, (&user, kind), &page).await?,
    };
    let (found, page_info) = page.answer(&app.cursors, found, total, Trigger::boundary);
    let mut data = Vec::with_capacity(found.len());
    for trigger in &found {
        data.push(view(&app, trigger, None).await?);
    }
    Ok(axum::Json(Listed { data, page_info }))
}

/// Gives one.
#[utoipa::path(get, path = "/v1/connect/{project}/deployed-triggers/{id}",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    responses((status = 200, body = HeldTrigger)), security(("client" = []), ("connect" = [])))]
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersRead>,
    Id(id): Id,
    query: Query,
) -> Result<axum::Json<HeldTrigger>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    Ok(axum::Json(HeldTrigger { data: view(&app, &trigger, None).await? }))
}

/// Changes one. What is left out stays. With other values its code is deactivated and activated
/// anew; one that is switched off is deactivated.
#[utoipa::path(put, path = "/v1/connect/{project}/deployed-triggers/{id}",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query)),
    request_body = TriggerChange,
    responses((status = 200, body = HeldTrigger)), security(("client" = []), ("connect" = [])))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersWrite>,
    Id(id): Id,
    query: Query,
    Json(body): Json<TriggerChange>,
) -> Result<axum::Json<HeldTrigger>> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    if body.is_empty() {
        let text = "Nothing of it can be changed. The fields are `active`, `configured_props`, \
                    `name` and `emit_on_deploy`.";
        return Err(error::INVALID_REQUEST.saying(text));
    }
    if let Some(values) = &body.configured_props {
        crate::components::check_configured(values)?;
    }
    let event = noted(&call, "trigger.update", &trigger);
    app.audit.record(event.detail(serde_json::json!({ "active": body.active }))).await?;
    let TriggerChange { active, configured_props: configured, name, emit_on_deploy } = body;
    let change = Change { active, configured, name, emit_on_deploy };
    let trigger = super::change(&app, &call.caller, &trigger, change).await?;
    Ok(axum::Json(HeldTrigger { data: view(&app, &trigger, None).await? }))
}

/// Deletes one, after its code's `deactivate` hook; with `ignore_hook_errors` also when that fails.
#[utoipa::path(delete, path = "/v1/connect/{project}/deployed-triggers/{id}",
    tag = "Deployed triggers",
    params(("project" = String, Path), ("id" = String, Path),
        ("external_user_id" = Option<String>, Query),
        ("ignore_hook_errors" = Option<bool>, Query)),
    responses((status = 204)), security(("client" = []), ("connect" = [])))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    call: InTenant<Anyone, need::DeployedTriggersWrite>,
    Id(id): Id,
    query: Query,
) -> Result<StatusCode> {
    let trigger = found(&app, &call, (&query, &id)).await?;
    let anyway = query.flag("ignore_hook_errors")?.unwrap_or(false);
    app.audit.record(noted(&call, "trigger.delete", &trigger)).await?;
    super::delete(&app, &call.caller, &trigger, anyway).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many events are asked for.
pub(super) fn count(query: &Query) -> Result<i64> {
    const DEFAULT: i64 = 20;
    let Some(text) = query.one("n")? else { return Ok(DEFAULT) };
    let number = text.parse::<i64>().ok().filter(|it| *it >= 0);
    number.ok_or_else(|| {
        error::INVALID_PARAMETER.saying("`n` is a whole number; at most 100 events are kept.")
    })
}

/// Fields of wishes that are lists of texts.
pub(super) fn texts<'a>(name: &str, given: Option<&'a Vec<String>>) -> Result<&'a [String]> {
    let missing = || field(name, format!("`{name}` is missing: a list of texts."));
    given.map(Vec::as_slice).ok_or_else(missing)
}
