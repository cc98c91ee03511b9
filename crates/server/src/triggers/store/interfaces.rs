//! Rows of `trigger_interfaces` and of `trigger_workflows`.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{Emitter, EmitterId, ProjectId, WorkflowId};
use crate::on;
use crate::tenant::{Environment, Tenant};
use crate::triggers::{Interface, NEVER, Schedule, Trigger, Wakes};

#[derive(FromRow)]
struct Row {
    id: EmitterId,
    prop: String,
    key_hash: Option<Vec<u8>>,
    key_sealed: Option<Vec<u8>>,
    custom_response: bool,
    interval_s: Option<i64>,
    cron: Option<String>,
    timezone: String,
    due_at_ms: i64,
    changed_at_ms: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl TryFrom<Row> for Interface {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let Row { id, due_at_ms, changed_at_ms, custom_response, .. } = row;
        let wakes = if let (Some(key_hash), Some(key_sealed)) = (row.key_hash, row.key_sealed) {
            Wakes::Http { key_hash, key_sealed, custom_response }
        } else {
            let schedule = Schedule::stored(row.interval_s, row.cron, row.timezone);
            let bad = || sqlx::Error::Decode(format!("trigger_interfaces of {id}: when?").into());
            Wakes::Timer { schedule: schedule.ok_or_else(bad)?, due_at_ms, changed_at_ms }
        };
        let (created_at_ms, updated_at_ms) = (row.created_at_ms, row.updated_at_ms);
        Ok(Self { id, prop: row.prop, wakes, created_at_ms, updated_at_ms })
    }
}

macro_rules! columns {
    () => {
        "id, prop, key_hash, key_sealed, custom_response, interval_s, cron, timezone, due_at_ms, \
         changed_at_ms, created_at_ms, updated_at_ms"
    };
}

fn read(rows: Vec<Row>) -> sqlx::Result<Vec<Interface>> {
    rows.into_iter().map(Interface::try_from).collect()
}

pub(in crate::triggers) async fn insert(
    tx: &mut Tx,
    trigger: &Trigger,
    it: &Interface,
) -> sqlx::Result<()> {
    let sql = "insert into trigger_interfaces (id, trigger_id, prop, kind, key_hash, key_sealed, \
               custom_response, interval_s, cron, timezone, due_at_ms, changed_at_ms, \
               created_at_ms, updated_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
               $11, $12, $12, $12)";
    let (hash, sealed, custom) = match &it.wakes {
        Wakes::Http { key_hash, key_sealed, custom_response } => {
            (Some(key_hash), Some(key_sealed), *custom_response)
        }
        Wakes::Timer { .. } => (None, None, false),
    };
    let kind = if hash.is_some() { Emitter::Http } else { Emitter::Timer };
    let (schedule, due_at_ms) = match &it.wakes {
        Wakes::Timer { schedule, due_at_ms, .. } => (Some(schedule), *due_at_ms),
        Wakes::Http { .. } => (None, NEVER),
    };
    let interval_s = schedule.and_then(Schedule::interval_s);
    let (cron, zone) = (schedule.and_then(Schedule::cron), schedule.map(Schedule::timezone));
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&trigger.id).bind(&it.prop).bind(kind.as_str()).bind(hash).bind(sealed)
        .bind(custom).bind(interval_s).bind(cron).bind(zone.unwrap_or_default())
        .bind(due_at_ms).bind(it.created_at_ms).execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::triggers) async fn of(db: &Db, trigger: &Trigger) -> sqlx::Result<Vec<Interface>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from trigger_interfaces where trigger_id = $1 order by created_at_ms, id"
    );
    read(on!(db.read(), conn => sqlx::query_as(sql).bind(&trigger.id).fetch_all(conn).await?))
}

/// Whose address it is: the tenant, the trigger and the interface.
pub(in crate::triggers) async fn by_key(
    db: &Db,
    key_hash: &[u8],
) -> sqlx::Result<Option<(Tenant, EmitterId, EmitterId)>> {
    let sql = "select t.project_id, t.environment, t.id, i.id from trigger_interfaces i \
               join triggers t on t.id = i.trigger_id where i.key_hash = $1";
    let row: Option<(ProjectId, String, EmitterId, EmitterId)> = on!(db.read(), conn =>
        sqlx::query_as(sql).bind(key_hash).fetch_optional(conn).await?);
    let Some((project, environment, trigger, id)) = row else { return Ok(None) };
    let environment = Environment::parse(&environment)
        .ok_or_else(|| sqlx::Error::Decode(format!("triggers.environment of {trigger}").into()))?;
    Ok(Some((Tenant { project, environment }, trigger, id)))
}

/// Sets when a timer is due next.
pub(in crate::triggers) async fn set_due(
    tx: &mut Tx,
    id: &EmitterId,
    due_at_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update trigger_interfaces set due_at_ms = $2 where id = $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(id).bind(due_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Sets a timer anew.
pub(in crate::triggers) async fn set_schedule(
    tx: &mut Tx,
    id: &EmitterId,
    (schedule, due_at_ms, now_ms): (&Schedule, i64, i64),
) -> sqlx::Result<()> {
    let sql = "update trigger_interfaces set interval_s = $2, cron = $3, timezone = $4, \
               due_at_ms = $5, changed_at_ms = $6, updated_at_ms = $6 where id = $1";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(id).bind(schedule.interval_s()).bind(schedule.cron()).bind(schedule.timezone())
        .bind(due_at_ms).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(())
}

/// When the first of a trigger's timers is due.
pub(in crate::triggers) async fn first_due(
    tx: &mut Tx,
    trigger: &Trigger,
) -> sqlx::Result<Option<i64>> {
    let sql = "select min(due_at_ms) from trigger_interfaces where trigger_id = $1 and \
               kind = 'timer'";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(&trigger.id).fetch_one(conn).await?))
}

pub(in crate::triggers) async fn workflows(
    db: &Db,
    trigger: &Trigger,
) -> sqlx::Result<Vec<String>> {
    let sql = "select workflow_id from trigger_workflows where trigger_id = $1 order by nth";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(&trigger.id).fetch_all(conn).await?))
}

/// Makes these the workflows that it starts.
pub(in crate::triggers) async fn set_workflows(
    tx: &mut Tx,
    trigger: &Trigger,
    ids: &[String],
) -> sqlx::Result<()> {
    let sql = "delete from trigger_workflows where trigger_id = $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(&trigger.id)
        .execute(conn).await?.rows_affected());
    let sql = "insert into trigger_workflows (trigger_id, workflow_id, nth) values ($1, $2, $3)";
    for (nth, id) in (0_i64..).zip(ids) {
        on!(tx.conn(), conn => sqlx::query(sql).bind(&trigger.id).bind(id).bind(nth)
            .execute(conn).await?.rows_affected());
    }
    Ok(())
}

/// Takes a workflow that is gone out of those that triggers start.
pub(in crate::triggers) async fn forget_workflow(
    db: &Db,
    project: &ProjectId,
    workflow: &WorkflowId,
) -> sqlx::Result<()> {
    let sql = "delete from trigger_workflows where workflow_id = $2 and trigger_id in (select id \
               from triggers where project_id = $1)";
    on!(db.write(), conn => sqlx::query(sql).bind(project).bind(workflow)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Whether there is such a workflow.
pub(in crate::triggers) async fn is_workflow(
    tx: &mut Tx,
    project: &ProjectId,
    id: &str,
) -> sqlx::Result<bool> {
    let sql = "select count(*) from workflows where project_id = $1 and id = $2";
    let count: i64 = on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).bind(id)
        .fetch_one(conn).await?);
    Ok(count > 0)
}
