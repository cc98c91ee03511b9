//! Rows of `external_users`. SQL and nothing else.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::UserId;
use crate::on;
use crate::paging::Page;
use crate::tenant::Tenant;

#[derive(Clone, Debug, FromRow)]
pub struct UserRow {
    pub id: UserId,
    pub external_id: String,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

pub(super) async fn ensure(
    tx: &mut Tx,
    tenant: &Tenant,
    fresh: &UserId,
    external_id: &str,
    now_ms: i64,
) -> sqlx::Result<UserRow> {
    let sql = "insert into external_users (id, project_id, environment, external_id, \
               created_at_ms, updated_at_ms) values ($1, $2, $3, $4, $5, $5) \
               on conflict (project_id, environment, external_id) do update set updated_at_ms = $5 \
               returning id, external_id, created_at_ms, updated_at_ms";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(fresh).bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(external_id).bind(now_ms).fetch_one(conn).await?))
}

pub(super) async fn count(tx: &mut Tx, tenant: &Tenant) -> sqlx::Result<i64> {
    let sql = "select count(*) from external_users where project_id = $1 and environment = $2 \
               and erased_at_ms is null";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).fetch_one(conn).await?))
}

pub(super) async fn find(
    db: &Db,
    tenant: &Tenant,
    external_id: &str,
) -> sqlx::Result<Option<UserRow>> {
    let sql = "select id, external_id, created_at_ms, updated_at_ms from external_users \
               where project_id = $1 and environment = $2 and external_id = $3";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(external_id)
        .fetch_optional(conn).await?))
}

pub(super) async fn list(
    db: &Db,
    tenant: &Tenant,
    part: Option<&str>,
    page: &Page,
) -> sqlx::Result<(Vec<UserRow>, i64)> {
    let part = part.unwrap_or_default();
    // A literal match: `strpos` and `instr` differ by engine, `replace` does not.
    let total_sql = "select count(*) from external_users where project_id = $1 \
                     and environment = $2 and erased_at_ms is null \
                     and ($3 = '' or replace(external_id, $3, '') <> external_id)";
    let total = on!(db.read(), conn => sqlx::query_scalar(total_sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(part)
        .fetch_one(conn).await?);
    let forward = "select id, external_id, created_at_ms, updated_at_ms from external_users \
                   where project_id = $1 and environment = $2 and erased_at_ms is null \
                   and ($3 = '' or replace(external_id, $3, '') <> external_id) \
                   and (created_at_ms < $4 or (created_at_ms = $4 and id < $5)) \
                   order by created_at_ms desc, id desc limit $6";
    let backward = "select id, external_id, created_at_ms, updated_at_ms from external_users \
                    where project_id = $1 and environment = $2 and erased_at_ms is null \
                    and ($3 = '' or replace(external_id, $3, '') <> external_id) \
                    and (created_at_ms > $4 or (created_at_ms = $4 and id > $5)) \
                    order by created_at_ms, id limit $6";
    let (sql, key, id) = page.bounds(forward, backward);
    let rows = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(part)
        .bind(key).bind(id).bind(page.limit + 1).fetch_all(conn).await?);
    Ok((rows, total))
}

pub(super) async fn after(
    tx: &mut Tx,
    tenant: &Tenant,
    (id, most): (Option<&UserId>, i64),
) -> sqlx::Result<Vec<UserRow>> {
    let sql = "select id, external_id, created_at_ms, updated_at_ms from external_users \
               where project_id = $1 and environment = $2 and erased_at_ms is null and id > $3 \
               order by id limit $4";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(id.map_or("", UserId::as_str)).bind(most).fetch_all(conn).await?))
}

pub(super) async fn delete(tx: &mut Tx, tenant: &Tenant, id: &UserId) -> sqlx::Result<bool> {
    let sql = "delete from external_users where project_id = $1 and environment = $2 and id = $3";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn hide(
    tx: &mut Tx,
    tenant: &Tenant,
    id: &UserId,
    (name, now_ms): (&str, i64),
) -> sqlx::Result<bool> {
    let sql = "update external_users set external_id = $4, erased_at_ms = $5 where project_id = $1 \
               and environment = $2 and id = $3 and erased_at_ms is null";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .bind(name).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}
