//! What is written while accounts are refreshed: who may, what is under way, what came of it.

use sqlx::FromRow;

use super::{Row, accounts, columns, json, visible};
use crate::accounts::Account;
use crate::db::{Db, Tx};
use crate::ids::{InstanceId, OAuthAppId, OperationId, ProjectId};
use crate::on;

/// An exchange about to begin. `now_ms` and `until_ms` are the database's time.
#[derive(Clone, Copy)]
pub(in crate::accounts) struct Intent<'a> {
    pub owner: &'a InstanceId,
    pub now_ms: i64,
    pub until_ms: i64,
    /// The program's time: when an exchange that was left open counts as having ended.
    pub app_now_ms: i64,
}

/// Takes the lease and says that a refresh token will leave. Gives the fence of this exchange;
/// `None`: another has the lease, or the row is gone or is not the one that was read.
pub(in crate::accounts) async fn intend(
    db: &Db,
    account: &Account,
    it: Intent<'_>,
) -> sqlx::Result<Option<i64>> {
    let sql = "update accounts set lease_owner = $6, lease_until_ms = $7, fence = fence + 1, \
               unknown_at_ms = case when intent = 'sent' then $9 else unknown_at_ms end, intent = \
               'sent' where project_id = $1 and environment = $2 and id = $3 and version = $4 and \
               fence = $5 and lease_until_ms <= $8 returning fence";
    Ok(on!(db.write(), conn => sqlx::query_scalar(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(account.refreshing.fence).bind(it.owner).bind(it.until_ms)
        .bind(it.now_ms).bind(it.app_now_ms)
        .fetch_optional(conn).await?))
}

/// Whether a process has the lease, by the database's time.
pub(in crate::accounts) async fn is_leased(db: &Db, account: &Account) -> sqlx::Result<bool> {
    let now_ms = db.now_ms().await?;
    let sql = "select count(*) from accounts where project_id = $1 and environment = $2 and \
               id = $3 and lease_until_ms > $4";
    let count: i64 = on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(now_ms).fetch_one(conn).await?);
    Ok(count > 0)
}

/// Writes the tokens of an exchange, one version on, and ends it. `false`: the row is gone, or
/// something else was written since the exchange began.
pub(in crate::accounts) async fn renew(tx: &mut Tx, account: &Account) -> sqlx::Result<bool> {
    let sql = "update accounts set scopes = $5, missing_scopes = $6, status = $7, reason = $8, \
               error = $9, sealed = $10, version = $11, expires_at_ms = $12, last_refreshed_at_ms \
               = $13, next_refresh_at_ms = $14, attempts = $15, updated_at_ms = $16, operation = \
               $17, ends_at_ms = $18, lease_owner = null, lease_until_ms = 0, intent = 'none', \
               unknown_at_ms = null, told = false where project_id = $1 and environment = $2 and \
               id = $3 and fence = $4 and version = $11 - 1";
    let (scopes, missing) = (json(&account.scopes)?, json(&account.missing_scopes)?);
    let it = &account.refreshing;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(it.fence).bind(&scopes).bind(&missing).bind(account.health.as_str())
        .bind(account.health.reason()).bind(account.health.text()).bind(&account.sealed)
        .bind(account.version).bind(account.expires_at_ms).bind(account.last_refreshed_at_ms)
        .bind(account.next_refresh_at_ms).bind(account.attempts).bind(account.updated_at_ms)
        .bind(&it.operation).bind(it.ends_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Writes what is known of the account's health, and ends the exchange. `false`: it is gone, or
/// something else was written since the exchange began, about which nothing bad is known.
pub(in crate::accounts) async fn set_health(tx: &mut Tx, account: &Account) -> sqlx::Result<bool> {
    let sql = "update accounts set status = $6, reason = $7, error = $8, next_refresh_at_ms = $9, \
               attempts = $10, updated_at_ms = $11, unknown_at_ms = $12, told = $13, lease_owner = \
               null, lease_until_ms = 0, intent = 'none' where project_id = $1 and environment = \
               $2 and id = $3 and version = $4 and fence = $5";
    let it = &account.refreshing;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(it.fence).bind(account.health.as_str())
        .bind(account.health.reason()).bind(account.health.text()).bind(account.next_refresh_at_ms)
        .bind(account.attempts).bind(account.updated_at_ms).bind(it.unknown_at_ms).bind(it.told)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Ends the leases of a process that is dead, so that what it left is taken up at once.
pub(in crate::accounts) async fn release(db: &Db, owner: &InstanceId) -> sqlx::Result<u64> {
    let sql = "update accounts set lease_owner = null, lease_until_ms = 0 where lease_owner = $1 \
               and intent = 'sent'";
    Ok(on!(db.write(), conn =>
        sqlx::query(sql).bind(owner).execute(conn).await?.rows_affected()))
}

/// Accounts of all tenants whose exchange was begun by a process that is gone. For the scheduler
/// only.
pub(in crate::accounts) async fn stranded(
    db: &Db,
    db_now_ms: i64,
    most: i64,
) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from accounts where intent = 'sent' and lease_until_ms <= $1 and status <> 'dead'",
        visible!(),
        " order by lease_until_ms limit $2"
    );
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(db_now_ms).bind(most).fetch_all(conn).await?);
    accounts(rows)
}

/// Accounts of all tenants whose time to be refreshed has come, those first that wait longest. For
/// the scheduler only.
pub(in crate::accounts) async fn due(
    db: &Db,
    now_ms: i64,
    most: i64,
) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from accounts where next_refresh_at_ms is not null and next_refresh_at_ms <= $1 and \
         intent = 'none'",
        visible!(),
        " order by next_refresh_at_ms limit $2"
    );
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(most).fetch_all(conn).await?);
    accounts(rows)
}

/// Puts an account off, whose provider does not answer.
pub(in crate::accounts) async fn rest(
    db: &Db,
    account: &Account,
    until_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update accounts set next_refresh_at_ms = $5 where project_id = $1 and environment = \
               $2 and id = $3 and version = $4 and next_refresh_at_ms < $5";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(until_ms).execute(conn).await?.rows_affected());
    Ok(())
}

/// Puts off the refreshes of one OAuth client's accounts that are due before `until_ms`. Gives
/// their number.
pub(in crate::accounts) async fn put_off(
    tx: &mut Tx,
    project: &ProjectId,
    client: &OAuthAppId,
    until_ms: i64,
) -> sqlx::Result<u64> {
    let sql = "update accounts set next_refresh_at_ms = $3 where project_id = $1 and oauth_app_id \
               = $2 and next_refresh_at_ms < $3";
    Ok(on!(tx.conn(), conn => sqlx::query(sql)
        .bind(project).bind(client).bind(until_ms).execute(conn).await?.rows_affected()))
}

/// Accounts of all tenants that will end soon, of which nobody was told. For the scheduler only.
pub(in crate::accounts) async fn ending(
    db: &Db,
    before_ms: i64,
    most: i64,
) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from accounts where ends_at_ms is not null and ends_at_ms <= $1 and not end_told and \
         status <> 'dead'",
        visible!(),
        " order by ends_at_ms limit $2"
    );
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(before_ms).bind(most).fetch_all(conn).await?);
    accounts(rows)
}

/// Notes that the product was told of the end. `false`: it was already, or the end has moved.
pub(in crate::accounts) async fn set_end_told(
    tx: &mut Tx,
    account: &Account,
) -> sqlx::Result<bool> {
    let sql = "update accounts set end_told = true where project_id = $1 and environment = $2 and \
               id = $3 and ends_at_ms = $4 and not end_told";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.refreshing.ends_at_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Switches keeping alive on or off. `false`: the row is gone, or holds other credentials.
pub(in crate::accounts) async fn set_keep_alive(db: &Db, account: &Account) -> sqlx::Result<bool> {
    let sql = "update accounts set keep_alive = $5, next_refresh_at_ms = $6, ends_at_ms = $7, \
               end_told = false where project_id = $1 and environment = $2 and id = $3 and version \
               = $4";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(account.keep_alive).bind(account.next_refresh_at_ms)
        .bind(account.refreshing.ends_at_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// An answer that could not be put into its row.
#[derive(FromRow)]
pub(in crate::accounts) struct Candidate {
    pub operation: OperationId,
    /// The version that the exchange began with.
    pub version: i64,
    pub received_at_ms: i64,
    pub sealed: Vec<u8>,
}

/// Keeps an answer beside the row. Once kept, it stays as it is.
pub(in crate::accounts) async fn keep_candidate(
    tx: &mut Tx,
    account: &Account,
    it: &Candidate,
) -> sqlx::Result<()> {
    let sql = "insert into refresh_candidates (operation, account_id, project_id, environment, \
               version, received_at_ms, sealed) values ($1, $2, $3, $4, $5, $6, $7) on conflict \
               (operation) do nothing";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.operation).bind(&account.id).bind(&account.tenant.project)
        .bind(account.tenant.environment.as_str()).bind(it.version).bind(it.received_at_ms)
        .bind(&it.sealed).execute(conn).await?.rows_affected());
    Ok(())
}

/// What is kept beside the row, the newest first.
pub(in crate::accounts) async fn candidates(
    db: &Db,
    account: &Account,
) -> sqlx::Result<Vec<Candidate>> {
    let sql = "select operation, version, received_at_ms, sealed from refresh_candidates where \
               project_id = $1 and environment = $2 and account_id = $3 and version >= $4 order by \
               received_at_ms desc";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.refreshing.granted_version).fetch_all(conn).await?))
}

/// Forgets what was kept beside a row that works.
pub(in crate::accounts) async fn forget_candidates(
    tx: &mut Tx,
    account: &Account,
) -> sqlx::Result<()> {
    let sql = "delete from refresh_candidates where project_id = $1 and environment = $2 and \
               account_id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Has an account tried at once, for which something was kept that may still work. Brings a dead
/// one back into question, as `account.health` says.
pub(in crate::accounts) async fn question(
    tx: &mut Tx,
    account: &Account,
    now_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update accounts set next_refresh_at_ms = $5, status = $6, reason = $7, error = $8, \
               attempts = 0 where project_id = $1 and environment = $2 and id = $3 and version = \
               $4";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(now_ms).bind(account.health.as_str())
        .bind(account.health.reason()).bind(account.health.text())
        .execute(conn).await?.rows_affected());
    Ok(())
}
