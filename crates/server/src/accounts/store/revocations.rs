//! Rows of `revocations`: what became of grants whose account was deleted.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{AccountId, OAuthAppId};
use crate::on;
use crate::tenant::Tenant;

/// A grant to be ended, or one that was.
pub(in crate::accounts) struct Revocation {
    pub account: AccountId,
    pub tenant: Tenant,
    pub external_id: String,
    pub app_slug: String,
    pub oauth_app: Option<OAuthAppId>,
    /// A word of [`crate::accounts::Outcome`].
    pub outcome: String,
    pub detail: Option<String>,
    /// Sealed under the project's key; gone once there is nothing left to do.
    pub sealed: Option<Vec<u8>>,
    pub created_at_ms: i64,
}

#[derive(FromRow)]
struct Row {
    account_id: AccountId,
    external_id: String,
    app_slug: String,
    oauth_app_id: Option<OAuthAppId>,
    outcome: String,
    detail: Option<String>,
    sealed: Option<Vec<u8>>,
    created_at_ms: i64,
}

pub(in crate::accounts) async fn insert(tx: &mut Tx, it: &Revocation) -> sqlx::Result<()> {
    let sql = "insert into revocations (account_id, project_id, environment, external_id, \
               app_slug, oauth_app_id, outcome, detail, sealed, attempts, created_at_ms, \
               updated_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.account).bind(&it.tenant.project).bind(it.tenant.environment.as_str())
        .bind(&it.external_id).bind(&it.app_slug).bind(&it.oauth_app).bind(&it.outcome)
        .bind(&it.detail).bind(&it.sealed).bind(it.created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::accounts) async fn find(
    db: &Db,
    tenant: &Tenant,
    account: &AccountId,
) -> sqlx::Result<Option<Revocation>> {
    let sql = "select account_id, external_id, app_slug, oauth_app_id, outcome, detail, sealed, \
               created_at_ms from revocations where project_id = $1 and environment = $2 and \
               account_id = $3";
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(account)
        .fetch_optional(conn).await?);
    Ok(row.map(|row| Revocation {
        account: row.account_id,
        tenant: tenant.clone(),
        external_id: row.external_id,
        app_slug: row.app_slug,
        oauth_app: row.oauth_app_id,
        outcome: row.outcome,
        detail: row.detail,
        sealed: row.sealed,
        created_at_ms: row.created_at_ms,
    }))
}

/// What an attempt brought.
#[derive(Clone, Copy)]
pub(in crate::accounts) struct Attempt<'a> {
    pub outcome: &'a str,
    pub detail: Option<&'a str>,
    /// Whether this was the last attempt: the sealed grant is wiped then.
    pub last: bool,
    pub now_ms: i64,
}

/// Notes an attempt with the grant `sealed`. `false`: a newer grant stands there by now, which is
/// to be revoked too.
pub(in crate::accounts) async fn note(
    db: &Db,
    it: &Revocation,
    attempt: Attempt<'_>,
) -> sqlx::Result<bool> {
    let sql = "update revocations set outcome = $4, detail = $5, attempts = attempts + 1, \
               updated_at_ms = $6, sealed = case when $7 then null else sealed end where \
               project_id = $1 and environment = $2 and account_id = $3 and sealed = $8";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.account)
        .bind(attempt.outcome).bind(attempt.detail).bind(attempt.now_ms).bind(attempt.last)
        .bind(&it.sealed)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Puts a newer grant in the place of the one that was to be revoked: a refresh that was under way
/// when the account was deleted. `false`: the account was not deleted, or its grant was to be kept.
pub(in crate::accounts) async fn replace(
    tx: &mut Tx,
    tenant: &Tenant,
    account: &AccountId,
    sealed: &[u8],
    now_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "update revocations set outcome = 'pending', sealed = $4, updated_at_ms = $5 where \
               project_id = $1 and environment = $2 and account_id = $3 and outcome <> \
               'unsupported'";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(account).bind(sealed)
        .bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}
