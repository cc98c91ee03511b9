//! Runs that are over: kept for a look back, sealed under their users' keys.

use std::sync::Arc;

use grantkeep_vault::Place;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RUNS_KEPT_MAX;
use super::letters::{self, Letter};
use super::outcome::{Observation, Outcome};
use super::prepare::Prepared;
use super::store::runs::{self as store, RunRow};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::{RunId, UserId};
use crate::keys::unreadable;
use crate::paging::{Boundary, Page};
use crate::tenant::Tenant;

/// Bytes of what is kept of one run. Beyond it, only the log's beginning is.
const KEPT_BYTES_MAX: usize = 256 * 1024;
/// Lines of a log of which more cannot be kept.
const LINES_MAX: usize = 20;

/// What a run said and did, without secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Detail {
    pub log: Vec<Observation>,
    pub exports: Map<String, Value>,
    pub ret: Value,
    /// Calls to apps, each with method, host, path, status and more.
    #[serde(default)]
    pub calls: Vec<Value>,
    /// Whether there was more than is kept.
    #[serde(default)]
    pub cut: bool,
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub user: UserId,
    pub component: String,
    pub version: String,
    pub about: String,
    pub started_at_ms: i64,
    pub ended_at_ms: i64,
    /// `ok`, or what kind of failure it was.
    pub outcome: String,
    pub detail: Detail,
}

impl Run {
    pub(super) fn boundary(&self) -> Boundary {
        Boundary { key: self.started_at_ms, id: self.id.as_str().to_owned() }
    }
}

fn place<'a>(tenant: &'a Tenant, id: &'a RunId) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "component_runs",
        record: id.as_str(),
        column: "sealed",
        version: 0,
    }
}

/// Keeps what came of a run, and leaves what it wants sent: either both happen or neither.
pub async fn keep(
    app: &Arc<App>,
    prepared: &Prepared,
    (id, about): (RunId, &str),
    (done, letters): (&Outcome, &[Letter]),
) -> Result<()> {
    let mut detail = Detail {
        log: done.observations(),
        exports: done.gathered.exports.clone(),
        ret: done.result.as_ref().map_or(Value::Null, |it| it["ret"].clone()),
        calls: prepared.guard.calls().into_iter().collect(),
        cut: false,
    };
    detail.exports.remove("$filestash_uploads");
    let mut text = serde_json::to_vec(&detail).map_err(|it| error::INTERNAL.logging(it))?;
    if text.len() > KEPT_BYTES_MAX {
        let short = |mut it: Observation| {
            it.msg = it.msg.map(|it| it.chars().take(200).collect());
            it.err = it.err.map(|it| Value::String(it.to_string().chars().take(2_000).collect()));
            it
        };
        let log = detail.log.into_iter().take(LINES_MAX).map(short).collect();
        let cut = Detail { log, cut: true, ..Detail::default() };
        text = serde_json::to_vec(&cut).map_err(|it| error::INTERNAL.logging(it))?;
    }
    let (tenant, user) = (&prepared.tenant, &prepared.user);
    // Most users have one; the transaction is short then.
    let known = app.keys.user(&app.db, tenant, user).await.ok();
    let mut tx = app.db.begin().await?;
    let key = match known {
        Some(key) => key,
        None => app.keys.user_for_sealing(&mut tx, tenant, user, done.ended_ms).await?,
    };
    let row = RunRow {
        sealed: key.seal(&place(tenant, &id), &text),
        id,
        user_id: user.clone(),
        component: prepared.component.key.clone(),
        version: prepared.component.version.clone(),
        about: about.to_owned(),
        started_at_ms: done.started_ms,
        ended_at_ms: done.ended_ms,
        outcome: done.word().to_owned(),
    };
    store::insert(&mut tx, tenant, &row, RUNS_KEPT_MAX).await?;
    letters::leave(app, &mut tx, (tenant, user), letters).await?;
    tx.commit().await?;
    Ok(())
}

/// One page, newest first, and how many there are. With a user, only his.
pub async fn runs(
    app: &App,
    tenant: &Tenant,
    external_id: Option<&str>,
    page: &Page,
) -> Result<(Vec<Run>, i64)> {
    let user = match external_id {
        None => None,
        Some(name) => match crate::users::find(&app.db, tenant, name).await? {
            Some(user) => Some(user.id),
            None => return Ok((Vec::new(), 0)),
        },
    };
    let (rows, total) = store::page(&app.db, tenant, user.as_ref(), page).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(opened(app, tenant, row).await?);
    }
    Ok((all, total))
}

/// # Errors
/// [`error::NOT_FOUND`].
pub async fn find(app: &App, tenant: &Tenant, id: &str) -> Result<Run> {
    let missing = || error::NOT_FOUND.saying("There is no such run, or it is no longer kept.");
    let id = RunId::parse(id).ok_or_else(missing)?;
    let row = store::find(&app.db, tenant, &id).await?.ok_or_else(missing)?;
    opened(app, tenant, row).await
}

async fn opened(app: &App, tenant: &Tenant, row: RunRow) -> Result<Run> {
    let key = app.keys.user(&app.db, tenant, &row.user_id).await?;
    let plain = key.open(&place(tenant, &row.id), &row.sealed).map_err(unreadable)?;
    let detail = serde_json::from_slice(plain.expose());
    Ok(Run {
        detail: detail.map_err(|it| error::INTERNAL.logging(it))?,
        id: row.id,
        user: row.user_id,
        component: row.component,
        version: row.version,
        about: row.about,
        started_at_ms: row.started_at_ms,
        ended_at_ms: row.ended_at_ms,
        outcome: row.outcome,
    })
}
