//! Rows of `component_runs`.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{RunId, UserId};
use crate::on;
use crate::paging::Page;
use crate::tenant::Tenant;

/// What was run.
#[derive(Clone, FromRow)]
pub(in crate::components) struct RunRow {
    pub id: RunId,
    pub user_id: UserId,
    pub component: String,
    pub version: String,
    pub about: String,
    pub started_at_ms: i64,
    pub ended_at_ms: i64,
    pub outcome: String,
    pub sealed: Vec<u8>,
}

/// Stores a run, and forgets the tenant's oldest beyond `most`.
pub(in crate::components) async fn insert(
    tx: &mut Tx,
    tenant: &Tenant,
    row: &RunRow,
    most: i64,
) -> sqlx::Result<()> {
    let sql = "insert into component_runs (id, project_id, environment, user_id, component, \
               version, about, started_at_ms, ended_at_ms, outcome, sealed) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&row.id).bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(&row.user_id).bind(&row.component).bind(&row.version).bind(&row.about)
        .bind(row.started_at_ms).bind(row.ended_at_ms).bind(&row.outcome).bind(&row.sealed)
        .execute(conn).await?.rows_affected());
    let sql = "delete from component_runs where project_id = $1 and environment = $2 \
               and started_at_ms <= (select started_at_ms from component_runs \
               where project_id = $1 and environment = $2 \
               order by started_at_ms desc, id desc limit 1 offset $3)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(most)
        .execute(conn).await?.rows_affected());
    Ok(())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, user_id, component, version, about, started_at_ms, ended_at_ms, outcome, \
             sealed from component_runs where project_id = $1 and environment = $2 ",
            $rest
        )
    };
}

pub(in crate::components) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &RunId,
) -> sqlx::Result<Option<RunRow>> {
    let sql = select!("and id = $3");
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?))
}

/// One page, newest first, and how many there are. With a user, only his.
pub(in crate::components) async fn page(
    db: &Db,
    tenant: &Tenant,
    user: Option<&UserId>,
    page: &Page,
) -> sqlx::Result<(Vec<RunRow>, i64)> {
    let sql = "select count(*) from component_runs where project_id = $1 and environment = $2 \
               and ($3 = '' or user_id = $3)";
    let user = user.map(UserId::as_str).unwrap_or_default();
    let total: i64 = on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_one(conn).await?);
    let (sql, key, id) = page.bounds(
        select!(
            "and ($3 = '' or user_id = $3) and (started_at_ms < $4 or \
             (started_at_ms = $4 and id < $5)) order by started_at_ms desc, id desc limit $6"
        ),
        select!(
            "and ($3 = '' or user_id = $3) and (started_at_ms > $4 or \
             (started_at_ms = $4 and id > $5)) order by started_at_ms, id limit $6"
        ),
    );
    let rows = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .bind(key).bind(id).bind(page.limit + 1).fetch_all(conn).await?);
    Ok((rows, total))
}
