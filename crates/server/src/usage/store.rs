//! Rows of `usage_hours` and `usage_batches`. SQL and nothing else.

use super::Whose;
use crate::db::Db;
use crate::meters::Batch;
use crate::on;
use crate::tenant::Environment;

/// Adds a batch, unless it was added before.
pub(super) async fn add(db: &Db, batch: &Batch, now_ms: i64) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    let sql = "insert into usage_batches (id, added_at_ms) values ($1, $2) \
               on conflict (id) do nothing";
    let new = on!(tx.conn(), conn => sqlx::query(sql).bind(&batch.id).bind(now_ms)
        .execute(conn).await?.rows_affected());
    if new == 0 {
        return Ok(());
    }
    let sql = "insert into usage_hours (project_id, environment, hour_ms, counter, amount) \
               values ($1, $2, $3, $4, $5) \
               on conflict (project_id, environment, hour_ms, counter) \
               do update set amount = usage_hours.amount + excluded.amount";
    for it in &batch.counts {
        on!(tx.conn(), conn => sqlx::query(sql)
            .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(it.hour_ms)
            .bind(it.meter.as_str()).bind(it.amount)
            .execute(conn).await?.rows_affected());
    }
    tx.commit().await
}

/// What was used in hours that begin within `range`, in pieces of `step_ms`: the piece's number,
/// the counter, and the sum.
pub(super) async fn sums(
    db: &Db,
    whose: Whose<'_>,
    range: (i64, i64),
    step_ms: i64,
) -> sqlx::Result<Vec<(i64, String, i64)>> {
    // A sum of `bigint` is of another type in PostgreSQL.
    let sql = "select hour_ms / $5, counter, cast(sum(amount) as bigint) from usage_hours \
               where hour_ms >= $1 and hour_ms < $2 and project_id = coalesce($3, project_id) \
               and environment = coalesce($4, environment) group by 1, 2";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(range.0).bind(range.1).bind(whose.project)
        .bind(whose.environment.map(Environment::as_str)).bind(step_ms)
        .fetch_all(conn).await?))
}

pub(super) async fn forget(db: &Db, hours_ms: i64, batches_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from usage_hours where hour_ms < $1";
    on!(db.write(), conn => sqlx::query(sql).bind(hours_ms).execute(conn).await?.rows_affected());
    let sql = "delete from usage_batches where added_at_ms < $1";
    on!(db.write(), conn => sqlx::query(sql).bind(batches_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}
