//! Rows of `dynamic_props`.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{DynamicPropsId, UserId};
use crate::on;
use crate::tenant::Tenant;

/// Fields that a user's choices brought with them.
#[derive(FromRow)]
pub(in crate::components) struct DynamicRow {
    pub id: DynamicPropsId,
    pub user_id: UserId,
    pub component: String,
    pub version: String,
    pub props: String,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
}

/// Stores them, and forgets all whose time is over.
pub(in crate::components) async fn insert(
    tx: &mut Tx,
    tenant: &Tenant,
    row: &DynamicRow,
) -> sqlx::Result<()> {
    let sql = "delete from dynamic_props where expires_at_ms <= $1";
    on!(tx.conn(), conn => sqlx::query(sql).bind(row.created_at_ms)
        .execute(conn).await?.rows_affected());
    let sql = "insert into dynamic_props (id, project_id, environment, user_id, component, \
               version, props, created_at_ms, expires_at_ms) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&row.id).bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(&row.user_id).bind(&row.component).bind(&row.version).bind(&row.props)
        .bind(row.created_at_ms).bind(row.expires_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::components) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &DynamicPropsId,
    now_ms: i64,
) -> sqlx::Result<Option<DynamicRow>> {
    let sql = "select id, user_id, component, version, props, created_at_ms, expires_at_ms \
               from dynamic_props where project_id = $1 and environment = $2 and id = $3 \
               and expires_at_ms > $4";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id).bind(now_ms)
        .fetch_optional(conn).await?))
}
