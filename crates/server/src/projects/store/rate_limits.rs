//! Rows of `rate_limits`. SQL and nothing else.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{ProjectId, RateLimitId};
use crate::limits::Quota;
use crate::on;
use crate::projects::RateLimit;

#[derive(FromRow)]
struct Row {
    id: RateLimitId,
    project_id: Option<ProjectId>,
    window_s: i64,
    requests: i64,
    created_at_ms: i64,
}

impl From<Row> for RateLimit {
    fn from(row: Row) -> Self {
        let number = |it: i64| u32::try_from(it.max(1)).unwrap_or(u32::MAX);
        Self {
            id: row.id,
            project: row.project_id,
            quota: Quota { most: number(row.requests), window_s: number(row.window_s) },
            created_at_ms: row.created_at_ms,
        }
    }
}

pub(in crate::projects) async fn count(
    tx: &mut Tx,
    project: Option<&ProjectId>,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from rate_limits where coalesce(project_id, '') = coalesce($1, '')";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).fetch_one(conn).await?))
}

pub(in crate::projects) async fn insert(tx: &mut Tx, limit: &RateLimit) -> sqlx::Result<()> {
    let sql = "insert into rate_limits (id, project_id, window_s, requests, created_at_ms) \
               values ($1, $2, $3, $4, $5)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&limit.id).bind(&limit.project).bind(i64::from(limit.quota.window_s))
        .bind(i64::from(limit.quota.most)).bind(limit.created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Those of a project, or with `None` those of none, newest first.
pub(in crate::projects) async fn list(
    db: &Db,
    project: Option<&ProjectId>,
) -> sqlx::Result<Vec<RateLimit>> {
    let sql = "select id, project_id, window_s, requests, created_at_ms from rate_limits \
               where coalesce(project_id, '') = coalesce($1, '') order by created_at_ms desc, id";
    let rows: Vec<Row> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?);
    Ok(rows.into_iter().map(RateLimit::from).collect())
}

pub(in crate::projects) async fn delete(
    db: &Db,
    project: Option<&ProjectId>,
    id: &RateLimitId,
) -> sqlx::Result<bool> {
    let sql = "delete from rate_limits where coalesce(project_id, '') = coalesce($1, '') \
               and id = $2";
    let done = on!(db.write(), conn =>
        sqlx::query(sql).bind(project).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// One that requests of the project may name: its own, or one for all.
pub(in crate::projects) async fn find(
    db: &Db,
    project: Option<&ProjectId>,
    id: &RateLimitId,
) -> sqlx::Result<Option<Quota>> {
    let sql = "select id, project_id, window_s, requests, created_at_ms from rate_limits \
               where (project_id is null or project_id = $1) and id = $2";
    let row: Option<Row> = on!(db.read(), conn =>
        sqlx::query_as(sql).bind(project).bind(id).fetch_optional(conn).await?);
    Ok(row.map(|it| RateLimit::from(it).quota))
}
