//! Rows of `erasures`: users who are erased in steps, and how far it is. Nothing in them names the
//! person.

use sqlx::FromRow;

use crate::accounts::erase::Erasure;
use crate::db::{Db, Tx};
use crate::ids::{ErasureId, UserId};
use crate::on;
use crate::tenant::Tenant;

#[derive(FromRow)]
struct Row {
    user_id: UserId,
    revoke_grants: bool,
    accounts: i64,
    erased: i64,
    created_at_ms: i64,
    finished_at_ms: Option<i64>,
}

pub(in crate::accounts) async fn insert(tx: &mut Tx, it: &Erasure) -> sqlx::Result<()> {
    let sql = "insert into erasures (id, project_id, environment, user_id, revoke_grants, \
               accounts, erased, created_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.tenant.project).bind(it.tenant.environment.as_str())
        .bind(&it.user).bind(it.revoke).bind(it.accounts).bind(it.erased).bind(it.created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::accounts) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &ErasureId,
) -> sqlx::Result<Option<Erasure>> {
    let sql = "select user_id, revoke_grants, accounts, erased, created_at_ms, finished_at_ms from \
               erasures where project_id = $1 and environment = $2 and id = $3";
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    Ok(row.map(|row| Erasure {
        id: id.clone(),
        tenant: tenant.clone(),
        user: row.user_id,
        revoke: row.revoke_grants,
        accounts: row.accounts,
        erased: row.erased,
        created_at_ms: row.created_at_ms,
        finished_at_ms: row.finished_at_ms,
    }))
}

/// Counts accounts that the same transaction deletes.
pub(in crate::accounts) async fn count(tx: &mut Tx, it: &Erasure, more: i64) -> sqlx::Result<()> {
    let sql = "update erasures set erased = erased + $4 where project_id = $1 and environment = $2 \
               and id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id).bind(more)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Marks the end. `false`: an account is still there, perhaps in another process's hands, or it has
/// ended before.
pub(in crate::accounts) async fn finish(
    tx: &mut Tx,
    it: &Erasure,
    now_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "update erasures set finished_at_ms = $5 where project_id = $1 and environment = $2 \
               and id = $3 and finished_at_ms is null and not exists (select 1 from accounts where \
               project_id = $1 and environment = $2 and user_id = $4)";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .bind(&it.user).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}
