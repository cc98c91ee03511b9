//! Rows of `trigger_starts`: events that are still to start a workflow.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{EmitterId, ProjectId};
use crate::on;
use crate::tenant::{Environment, Tenant};
use crate::triggers::Trigger;

#[derive(FromRow)]
pub(in crate::triggers) struct StartRow {
    pub trigger_id: EmitterId,
    pub workflow_id: String,
    pub nth: i64,
    pub sealed: Vec<u8>,
    project_id: ProjectId,
    environment: String,
}

impl StartRow {
    pub fn tenant(&self) -> Option<Tenant> {
        let environment = Environment::parse(&self.environment)?;
        Some(Tenant { project: self.project_id.clone(), environment })
    }
}

/// Leaves an event for each workflow that the trigger starts. Gives whether there is one.
pub(in crate::triggers) async fn add(
    tx: &mut Tx,
    trigger: &Trigger,
    (nth, sealed): (i64, &[u8]),
    now_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "insert into trigger_starts (trigger_id, workflow_id, nth, sealed, due_at_ms) \
               select trigger_id, workflow_id, $2, $3, $4 from trigger_workflows \
               where trigger_id = $1";
    let added = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&trigger.id).bind(nth).bind(sealed).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(added > 0)
}

pub(in crate::triggers) async fn due(
    db: &Db,
    now_ms: i64,
    most: i64,
) -> sqlx::Result<Vec<StartRow>> {
    let sql = "select s.trigger_id, s.workflow_id, s.nth, s.sealed, t.project_id, t.environment \
               from trigger_starts s join triggers t on t.id = s.trigger_id \
               where s.due_at_ms <= $1 order by s.due_at_ms, s.nth limit $2";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(now_ms).bind(most).fetch_all(conn).await?))
}

pub(in crate::triggers) async fn delete(
    db: &Db,
    trigger: &Trigger,
    (workflow, nth): (&str, i64),
) -> sqlx::Result<()> {
    let sql = "delete from trigger_starts where trigger_id = $1 and workflow_id = $2 and nth = $3";
    on!(db.write(), conn => sqlx::query(sql).bind(&trigger.id).bind(workflow).bind(nth)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::triggers) async fn put_off(
    db: &Db,
    trigger: &EmitterId,
    (workflow, nth): (&str, i64),
    due_at_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update trigger_starts set due_at_ms = $4 where trigger_id = $1 and \
               workflow_id = $2 and nth = $3";
    on!(db.write(), conn => sqlx::query(sql).bind(trigger).bind(workflow).bind(nth)
        .bind(due_at_ms).execute(conn).await?.rows_affected());
    Ok(())
}

/// How many events of a trigger wait to start a workflow.
pub(in crate::triggers) async fn count(db: &Db, trigger: &Trigger) -> sqlx::Result<i64> {
    let sql = "select count(distinct nth) from trigger_starts where trigger_id = $1";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(&trigger.id).fetch_one(conn).await?))
}
