//! Usage by HTTP: as the wire has it, in credits for the whole server, and in our own words for a
//! project.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::{Range, Step, Used, Whose};
use crate::app::App;
use crate::callers::{Call, InTenant, Server};
use crate::clock::iso;
use crate::error::{self, Result};
use crate::meters::Meter;
use crate::query::Query;
use crate::scope::need;

/// A day's usage in credits. Each call through the proxy, each action run and each emitted event is
/// one. Nothing is charged.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Credits)]
pub struct DayInCredits {
    credits_used: i64,
    action_run_credits_used: i64,
    proxy_credits_used: i64,
    source_emit_credits_used: i64,
    /// Seconds since 1970.
    usage_start_ts: i64,
    usage_end_ts: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct CreditsList {
    data: Vec<DayInCredits>,
}

/// What a project used in a piece of time.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UsageView {
    /// ISO 8601.
    start: String,
    end: String,
    /// Seconds since 1970.
    start_ts: i64,
    end_ts: i64,
    /// Calls to apps through the proxy, whatever the app answered.
    proxy_calls: i64,
    /// Accounts whose credentials were handed out.
    vends: i64,
    /// Accounts connected, or connected again.
    connects: i64,
    /// Tokens refreshed.
    refreshes: i64,
    /// Runs of actions, also as steps of workflows.
    action_runs: i64,
    /// Events that triggers made.
    source_emits: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct UsageList {
    data: Vec<UsageView>,
}

impl From<Used> for DayInCredits {
    fn from(used: Used) -> Self {
        let (actions, proxy) = (used.of(Meter::ActionRuns), used.of(Meter::ProxyCalls));
        let emits = used.of(Meter::SourceEmits);
        Self {
            credits_used: actions + proxy + emits,
            action_run_credits_used: actions,
            proxy_credits_used: proxy,
            source_emit_credits_used: emits,
            usage_start_ts: used.start_ms / 1_000,
            usage_end_ts: used.end_ms / 1_000,
        }
    }
}

impl From<Used> for UsageView {
    fn from(used: Used) -> Self {
        Self {
            start: iso(used.start_ms),
            end: iso(used.end_ms),
            start_ts: used.start_ms / 1_000,
            end_ts: used.end_ms / 1_000,
            proxy_calls: used.of(Meter::ProxyCalls),
            vends: used.of(Meter::Vends),
            connects: used.of(Meter::Connects),
            refreshes: used.of(Meter::Refreshes),
            action_runs: used.of(Meter::ActionRuns),
            source_emits: used.of(Meter::SourceEmits),
        }
    }
}

/// Says what was used, day by day in UTC, in credits: of both environments, by every project that
/// the caller reaches.
#[utoipa::path(get, path = "/v1/connect/usage", tag = "Usage",
    params(("start_ts" = i64, Query, minimum = 0, description = "Seconds since 1970"),
        ("end_ts" = i64, Query, minimum = 0,
            description = "Seconds since 1970, at most 400 days later")),
    responses((status = 200, body = CreditsList)), security(("client" = [])))]
pub(crate) async fn credits(
    State(app): State<Arc<App>>,
    call: Call<Server, need::UsageRead>,
    query: Query,
) -> Result<Json<CreditsList>> {
    let whose = Whose { project: call.caller.project.as_ref(), environment: None };
    let used = super::used(&app, whose, range(&query, Step::Day)?).await?;
    Ok(Json(CreditsList { data: used.into_iter().map(DayInCredits::from).collect() }))
}

/// Says what a project used in an environment, by the day or by the hour in UTC. What other
/// processes of the server counted in the last ten seconds may be missing.
#[utoipa::path(get, path = "/v1/connect/{project}/usage", tag = "Usage",
    params(("project" = String, Path), ("x-pd-environment" = String, Header),
        ("start_ts" = i64, Query, minimum = 0, description = "Seconds since 1970"),
        ("end_ts" = i64, Query, minimum = 0,
            description = "Seconds since 1970: at most 400 days later, by the hour 31"),
        ("by" = Option<String>, Query)),
    responses((status = 200, body = UsageList)), security(("client" = [])))]
pub(crate) async fn by_meter(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::UsageRead>,
    query: Query,
) -> Result<Json<UsageList>> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let step = match query.one("by")? {
        None | Some("day") => Step::Day,
        Some("hour") => Step::Hour,
        Some(_) => return Err(error::INVALID_PARAMETER.saying("`by` is `day` or `hour`.")),
    };
    let (project, environment) = (Some(&call.tenant.project), Some(call.tenant.environment));
    let whose = Whose { project, environment };
    let used = super::used(&app, whose, range(&query, step)?).await?;
    Ok(Json(UsageList { data: used.into_iter().map(UsageView::from).collect() }))
}

fn range(query: &Query, step: Step) -> Result<Range> {
    let second = |name: &'static str| -> Result<i64> {
        let wrong = || {
            let text = format!("`{name}` is needed: seconds since 1970, as a whole number.");
            error::INVALID_PARAMETER.saying(text)
        };
        query.one(name)?.and_then(|it| it.parse().ok()).ok_or_else(wrong)
    };
    Range::new(second("start_ts")?, second("end_ts")?, step)
}
