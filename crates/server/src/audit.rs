//! Who did what, when, from where. Always on: events are written in groups, one commit for many.

mod groups;
mod ledger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::callers::{Actor, Origin};
use crate::clock::Clock;
use crate::db::{Db, Tx};
use crate::error::{self, Result};
use crate::ids::{AccountId, EventId, ProjectId};
use crate::on;
use crate::tenant::{Environment, Tenant};

use self::ledger::Ledger;

/// Events that may wait for the writer. A caller beyond that waits for a place.
const QUEUE_EVENTS_MAX: usize = 4_096;

/// What happens when an event cannot be stored.
#[derive(Clone, Debug)]
pub enum Policy {
    /// The act is refused.
    Strict,
    /// The event goes to a file of at most `bytes_max`, and from there to the store once that works
    /// again.
    Spool { file: PathBuf, bytes_max: u64 },
}

/// An act, as it is to be remembered. Holds names and outcomes, never a credential.
#[derive(Clone, Debug)]
pub struct Event {
    pub action: &'static str,
    pub actor: Actor,
    pub origin: Origin,
    project: Option<ProjectId>,
    environment: Option<Environment>,
    target: Option<(&'static str, String)>,
    external_id: Option<String>,
    outcome: &'static str,
    detail: Option<Value>,
}

impl Event {
    pub fn new(action: &'static str, actor: &Actor, origin: &Origin) -> Self {
        Self {
            action,
            actor: actor.clone(),
            origin: origin.clone(),
            project: None,
            environment: None,
            target: None,
            external_id: None,
            outcome: "ok",
            detail: None,
        }
    }

    #[must_use]
    pub fn tenant(mut self, tenant: &Tenant) -> Self {
        self.project = Some(tenant.project.clone());
        self.environment = Some(tenant.environment);
        self
    }

    #[must_use]
    pub fn project(mut self, project: &ProjectId) -> Self {
        self.project = Some(project.clone());
        self
    }

    #[must_use]
    pub fn target(mut self, kind: &'static str, id: impl Into<String>) -> Self {
        self.target = Some((kind, id.into()));
        self
    }

    #[must_use]
    pub fn user(mut self, external_id: &str) -> Self {
        self.external_id = Some(external_id.to_owned());
        self
    }

    /// `ok` unless said otherwise; a short stable word.
    #[must_use]
    pub fn outcome(mut self, outcome: &'static str) -> Self {
        self.outcome = outcome;
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }
}

/// One row, ready to be stored or spooled.
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    id: String,
    project_id: Option<String>,
    environment: Option<String>,
    at_ms: i64,
    actor_kind: String,
    actor_id: String,
    action: String,
    target_kind: Option<String>,
    target_id: Option<String>,
    external_id: Option<String>,
    ip: Option<String>,
    request_id: Option<String>,
    outcome: String,
    detail: Option<String>,
}

impl Row {
    fn of(event: Event, at_ms: i64) -> Self {
        // PostgreSQL's texts cannot hold it, and callers may name what is not there.
        let fit = |text: String| text.replace('\0', "\u{fffd}");
        let (target_kind, target_id) =
            event.target.map_or((None, None), |(kind, id)| (Some(kind.to_owned()), Some(fit(id))));
        Self {
            id: EventId::mint_at(at_ms).as_str().to_owned(),
            project_id: event.project.map(|id| id.as_str().to_owned()),
            environment: event.environment.map(|it| it.as_str().to_owned()),
            at_ms,
            actor_kind: event.actor.kind().to_owned(),
            actor_id: event.actor.id().to_owned(),
            action: event.action.to_owned(),
            target_kind,
            target_id,
            external_id: event.external_id.map(fit),
            ip: event.origin.ip.map(|ip| ip.to_string()),
            request_id: event.origin.request_id.map(|id| id.as_str().to_owned()),
            outcome: event.outcome.to_owned(),
            detail: event.detail.map(|detail| detail.to_string()),
        }
    }

    fn values(&self) -> [&dyn rusqlite::ToSql; 14] {
        [
            &self.id,
            &self.project_id,
            &self.environment,
            &self.at_ms,
            &self.actor_kind,
            &self.actor_id,
            &self.action,
            &self.target_kind,
            &self.target_id,
            &self.external_id,
            &self.ip,
            &self.request_id,
            &self.outcome,
            &self.detail,
        ]
    }
}

/// Where rows go, in the order of [`Row::values`].
macro_rules! columns {
    () => {
        "insert into audit_events (id, project_id, environment, at_ms, actor_kind, actor_id, \
         action, target_kind, target_id, external_id, ip, request_id, outcome, detail) "
    };
}
use columns;

/// A spool that was stored but not yet emptied is offered again.
const INSERT_ONE: &str = concat!(
    columns!(),
    "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict (id) do \
     nothing"
);

type Written = std::result::Result<(), ()>;

/// The way to the audit writer; cheap to clone.
#[derive(Clone)]
pub struct Audit {
    to: To,
    clock: Clock,
    /// Notes that are still on their way.
    notes: TaskTracker,
}

#[derive(Clone)]
enum To {
    Ledger(Ledger),
    Groups(mpsc::Sender<(Row, oneshot::Sender<Written>)>),
}

impl Audit {
    /// Starts the writer. It ends, with all it took kept, when the last clone is dropped.
    pub fn start(db: Db, clock: Clock, data_dir: &Path, policy: Policy) -> Self {
        let to = match &db {
            Db::Lite { .. } => To::Ledger(Ledger::start(db, data_dir, policy)),
            Db::Pg(pool) => {
                let (queue, events) = mpsc::channel(QUEUE_EVENTS_MAX);
                tokio::spawn(groups::write_groups(pool.clone(), policy, events));
                To::Groups(queue)
            }
        };
        Self { to, clock, notes: TaskTracker::new() }
    }

    /// Returns once the event is kept: it outlives this process, and in a second the machine.
    ///
    /// # Errors
    /// [`error::AUDIT_UNAVAILABLE`] when the policy cannot be kept; the caller must not do what it
    /// announced.
    pub async fn record(&self, event: Event) -> Result<()> {
        let row = Row::of(event, self.clock.now_ms());
        let written = match &self.to {
            To::Ledger(ledger) => ledger.add(row),
            To::Groups(queue) => {
                let (done, written) = oneshot::channel();
                queue.send((row, done)).await.map_err(|_| error::AUDIT_UNAVAILABLE)?;
                written.await.unwrap_or(Err(()))
            }
        };
        written.map_err(|()| error::AUDIT_UNAVAILABLE.into())
    }

    /// Keeps the event of a change with the change: both are stored, or neither.
    ///
    /// # Errors
    /// Of the store.
    pub async fn within(&self, tx: &mut Tx, event: Event) -> Result<()> {
        let row = Row::of(event, self.clock.now_ms());
        on!(tx.conn(), conn => sqlx::query(INSERT_ONE)
            .bind(row.id).bind(row.project_id).bind(row.environment).bind(row.at_ms)
            .bind(row.actor_kind).bind(row.actor_id).bind(row.action).bind(row.target_kind)
            .bind(row.target_id).bind(row.external_id).bind(row.ip).bind(row.request_id)
            .bind(row.outcome).bind(row.detail).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// For acts that already happened: stored in the background, and a failure is logged.
    pub fn note(&self, event: Event) {
        let this = self.clone();
        self.notes.spawn(async move {
            let action = event.action;
            if this.record(event).await.is_err() {
                tracing::error!(action, "an audit event could not be stored");
            }
        });
    }

    /// Waits until all that was recorded and noted is in the store, to be read there.
    pub async fn settle(&self) {
        self.notes.close();
        self.notes.wait().await;
        self.notes.reopen();
        if let To::Ledger(ledger) = &self.to {
            ledger.settle().await;
        }
    }
}

/// How often each act was recorded for a project.
pub async fn counts(db: &Db, project: &ProjectId) -> sqlx::Result<BTreeMap<String, i64>> {
    let sql = "select action, count(*) from audit_events where project_id = $1 group by action";
    let rows: Vec<(String, i64)> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?);
    Ok(rows.into_iter().collect())
}

/// A refresh of the past, as far as its account's history shows it.
#[derive(sqlx::FromRow)]
pub struct Past {
    pub at_ms: i64,
    pub outcome: String,
    pub detail: Option<String>,
}

/// The refreshes of an account, the newest first. Events that are not written yet are missing.
pub async fn refreshes(
    db: &Db,
    tenant: &Tenant,
    account: &AccountId,
    most: i64,
) -> sqlx::Result<Vec<Past>> {
    // The action stands here as it does in the index.
    let sql = "select at_ms, outcome, detail from audit_events where target_id = $1 and action = \
               'account.refresh' and project_id = $2 and environment = $3 order by at_ms desc, id \
               desc limit $4";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(account).bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(most).fetch_all(conn).await?))
}

/// An event, as somebody reads it who waits for it.
#[derive(sqlx::FromRow)]
pub struct Line {
    pub action: String,
    pub outcome: String,
    pub detail: Option<String>,
}

/// Lines that are read at once.
const LINES_MAX: i64 = 1_000;

/// What was done for a project, or for nobody that is known, the oldest first: acts whose names
/// begin with `prefix`.
pub async fn lines(db: &Db, project: &ProjectId, prefix: &str) -> sqlx::Result<Vec<Line>> {
    let sql = "select action, outcome, detail from audit_events where (project_id = $1 or \
               project_id is null) and substr(action, 1, length($2)) = $2 \
               order by at_ms, id limit $3";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(prefix).bind(LINES_MAX).fetch_all(conn).await?))
}
