//! Rows of `data_stores` and `data_store_records`.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{DataStoreId, UserId};
use crate::on;
use crate::tenant::Tenant;

/// A value as it stands in a store.
#[derive(FromRow)]
pub(in crate::components) struct RecordRow {
    pub key: String,
    pub sealed: Vec<u8>,
    pub bytes: i64,
    pub expires_at_ms: Option<i64>,
    pub updated_at_ms: i64,
}

/// The user's store of that name, made on first use. Any number of callers may do so at once.
pub(in crate::components) async fn ensure(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
    (name, now_ms): (&str, i64),
) -> sqlx::Result<DataStoreId> {
    let sql = "insert into data_stores (id, project_id, environment, user_id, name, \
               created_at_ms) values ($1, $2, $3, $4, $5, $6) \
               on conflict (project_id, environment, user_id, name) do update set name = $5 \
               returning id";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(DataStoreId::mint()).bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(user).bind(name).bind(now_ms).fetch_one(conn).await?))
}

pub(in crate::components) async fn count(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from data_stores where project_id = $1 and environment = $2 \
               and user_id = $3";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_one(conn).await?))
}

/// Ids and names of a user's stores.
pub(in crate::components) async fn of_user(
    db: &Db,
    tenant: &Tenant,
    user: &UserId,
) -> sqlx::Result<Vec<(DataStoreId, String)>> {
    let sql = "select id, name from data_stores where project_id = $1 and environment = $2 \
               and user_id = $3 order by name";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_all(conn).await?))
}

pub(in crate::components) async fn get(
    db: &Db,
    store: &DataStoreId,
    key: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Vec<u8>>> {
    let sql = "select sealed from data_store_records where store_id = $1 and key = $2 \
               and (expires_at_ms is null or expires_at_ms > $3)";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(store).bind(key).bind(now_ms)
        .fetch_optional(conn).await?))
}

/// Writes a value over what stood there.
pub(in crate::components) async fn set(
    tx: &mut Tx,
    store: &DataStoreId,
    row: &RecordRow,
) -> sqlx::Result<()> {
    let sql = "insert into data_store_records (store_id, key, sealed, bytes, expires_at_ms, \
               updated_at_ms) values ($1, $2, $3, $4, $5, $6) on conflict (store_id, key) \
               do update set sealed = $3, bytes = $4, expires_at_ms = $5, updated_at_ms = $6";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(store).bind(&row.key).bind(&row.sealed).bind(row.bytes).bind(row.expires_at_ms)
        .bind(row.updated_at_ms).execute(conn).await?.rows_affected());
    Ok(())
}

/// How much a store holds that is not over: records and bytes.
pub(in crate::components) async fn size(
    tx: &mut Tx,
    store: &DataStoreId,
    now_ms: i64,
) -> sqlx::Result<(i64, i64)> {
    let sql = "delete from data_store_records where store_id = $1 and expires_at_ms <= $2";
    on!(tx.conn(), conn => sqlx::query(sql).bind(store).bind(now_ms)
        .execute(conn).await?.rows_affected());
    let sql = "select count(*), cast(coalesce(sum(bytes), 0) as bigint) \
               from data_store_records where store_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql).bind(store).fetch_one(conn).await?))
}

pub(in crate::components) async fn names(
    db: &Db,
    store: &DataStoreId,
    now_ms: i64,
) -> sqlx::Result<Vec<String>> {
    let sql = "select key from data_store_records where store_id = $1 \
               and (expires_at_ms is null or expires_at_ms > $2) order by key";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(store).bind(now_ms)
        .fetch_all(conn).await?))
}

pub(in crate::components) async fn delete(
    db: &Db,
    store: &DataStoreId,
    key: &str,
) -> sqlx::Result<()> {
    let sql = "delete from data_store_records where store_id = $1 and key = $2";
    on!(db.write(), conn => sqlx::query(sql).bind(store).bind(key)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::components) async fn clear(db: &Db, store: &DataStoreId) -> sqlx::Result<()> {
    let sql = "delete from data_store_records where store_id = $1";
    on!(db.write(), conn => sqlx::query(sql).bind(store).execute(conn).await?.rows_affected());
    Ok(())
}
