//! Rows of `trigger_calls`: requests that wait to be worked off.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::CallId;
use crate::on;
use crate::triggers::Trigger;

#[derive(FromRow)]
pub(in crate::triggers) struct CallRow {
    pub id: CallId,
    pub sealed: Vec<u8>,
    pub created_at_ms: i64,
}

pub(in crate::triggers) async fn insert(
    tx: &mut Tx,
    trigger: &Trigger,
    (id, sealed, now_ms): (&CallId, &[u8], i64),
) -> sqlx::Result<()> {
    let sql = "insert into trigger_calls (id, trigger_id, sealed, attempts, created_at_ms) \
               values ($1, $2, $3, 0, $4)";
    on!(tx.conn(), conn => sqlx::query(sql).bind(id).bind(&trigger.id).bind(sealed).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// How many wait.
pub(in crate::triggers) async fn count(tx: &mut Tx, trigger: &Trigger) -> sqlx::Result<i64> {
    let sql = "select count(*) from trigger_calls where trigger_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(&trigger.id).fetch_one(conn).await?))
}

/// The one that has waited longest.
pub(in crate::triggers) async fn first(
    db: &Db,
    trigger: &Trigger,
) -> sqlx::Result<Option<CallRow>> {
    let sql = "select id, sealed, created_at_ms from trigger_calls where trigger_id = $1 \
               order by created_at_ms, id limit 1";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(&trigger.id)
        .fetch_optional(conn).await?))
}

pub(in crate::triggers) async fn delete(
    tx: &mut Tx,
    trigger: &Trigger,
    id: &CallId,
) -> sqlx::Result<()> {
    let sql = "delete from trigger_calls where trigger_id = $1 and id = $2";
    on!(tx.conn(), conn => sqlx::query(sql).bind(&trigger.id).bind(id)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Counts a run of it that failed, and gives how many there were.
pub(in crate::triggers) async fn failed(
    tx: &mut Tx,
    trigger: &Trigger,
    id: &CallId,
) -> sqlx::Result<i64> {
    let sql = "update trigger_calls set attempts = attempts + 1 where trigger_id = $1 and id = $2 \
               returning attempts";
    let attempts: Option<i64> = on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&trigger.id).bind(id).fetch_optional(conn).await?);
    Ok(attempts.unwrap_or_default())
}

pub(in crate::triggers) async fn clear(tx: &mut Tx, trigger: &Trigger) -> sqlx::Result<()> {
    let sql = "delete from trigger_calls where trigger_id = $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(&trigger.id)
        .execute(conn).await?.rows_affected());
    Ok(())
}
