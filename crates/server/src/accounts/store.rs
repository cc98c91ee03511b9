//! Rows of `accounts`. SQL and nothing else: no clock, no cryptography, no decisions.

pub(super) mod list;
pub(super) mod revocations;

use sqlx::FromRow;

use super::{Account, Binding, Health};
use crate::db::{Db, Tx};
use crate::ids::{AccountId, OAuthAppId, ProjectId, UserId};
use crate::on;
use crate::tenant::{Environment, Tenant};

#[derive(FromRow)]
struct Row {
    id: AccountId,
    project_id: ProjectId,
    environment: String,
    user_id: UserId,
    external_id: String,
    app_slug: String,
    oauth_app_id: Option<OAuthAppId>,
    name: Option<String>,
    scopes: String,
    missing_scopes: String,
    binding: String,
    status: String,
    reason: Option<String>,
    error: Option<String>,
    sealed: Vec<u8>,
    version: i64,
    expires_at_ms: Option<i64>,
    last_refreshed_at_ms: Option<i64>,
    next_refresh_at_ms: Option<i64>,
    attempts: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
}

macro_rules! columns {
    () => {
        "id, project_id, environment, user_id, external_id, app_slug, oauth_app_id, name, scopes, \
         missing_scopes, binding, status, reason, error, sealed, version, expires_at_ms, \
         last_refreshed_at_ms, next_refresh_at_ms, attempts, created_at_ms, updated_at_ms"
    };
}
use columns;

impl TryFrom<Row> for Account {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let id = row.id.clone();
        let bad = |what: &str| sqlx::Error::Decode(format!("accounts.{what} of {id}").into());
        let (reason, text) = (row.reason.unwrap_or_default(), row.error.unwrap_or_default());
        let health = match row.status.as_str() {
            "healthy" => Health::Healthy,
            "error" => Health::Error { reason, text },
            "dead" => Health::Dead { reason, text },
            _ => return Err(bad("status")),
        };
        Ok(Self {
            tenant: Tenant {
                project: row.project_id,
                environment: Environment::parse(&row.environment)
                    .ok_or_else(|| bad("environment"))?,
            },
            scopes: serde_json::from_str(&row.scopes).map_err(|_| bad("scopes"))?,
            missing_scopes: serde_json::from_str(&row.missing_scopes)
                .map_err(|_| bad("missing_scopes"))?,
            binding: Binding::parse(&row.binding).ok_or_else(|| bad("binding"))?,
            health,
            id: row.id,
            user: row.user_id,
            external_id: row.external_id,
            app_slug: row.app_slug,
            oauth_app: row.oauth_app_id,
            name: row.name,
            sealed: row.sealed,
            version: row.version,
            expires_at_ms: row.expires_at_ms,
            last_refreshed_at_ms: row.last_refreshed_at_ms,
            next_refresh_at_ms: row.next_refresh_at_ms,
            attempts: row.attempts,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

fn accounts(rows: Vec<Row>) -> sqlx::Result<Vec<Account>> {
    rows.into_iter().map(Account::try_from).collect()
}

pub(super) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &AccountId,
) -> sqlx::Result<Option<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from accounts where project_id = $1 and environment = $2 and id = $3"
    );
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    row.map(Account::try_from).transpose()
}

/// Reads the row and holds it until the transaction ends, on either engine.
pub(super) async fn hold(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
    id: &AccountId,
) -> sqlx::Result<Option<Account>> {
    let sql = concat!(
        "update accounts set lease_until_ms = lease_until_ms where project_id = $1 and environment \
         = $2 and user_id = $3 and id = $4 returning ",
        columns!()
    );
    let row: Option<Row> = on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user).bind(id)
        .fetch_optional(conn).await?);
    row.map(Account::try_from).transpose()
}

pub(super) async fn insert(tx: &mut Tx, account: &Account) -> sqlx::Result<()> {
    let sql = concat!(
        "insert into accounts (",
        columns!(),
        ", lease_until_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
         $15, $16, $17, $18, $19, $20, $21, $22, 0)"
    );
    let (scopes, missing) = (json(&account.scopes)?, json(&account.missing_scopes)?);
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.id).bind(&account.tenant.project).bind(account.tenant.environment.as_str())
        .bind(&account.user).bind(&account.external_id).bind(&account.app_slug)
        .bind(&account.oauth_app).bind(&account.name).bind(&scopes).bind(&missing)
        .bind(account.binding.as_str()).bind(account.health.as_str())
        .bind(account.health.reason()).bind(account.health.text()).bind(&account.sealed)
        .bind(account.version).bind(account.expires_at_ms).bind(account.last_refreshed_at_ms)
        .bind(account.next_refresh_at_ms).bind(account.attempts).bind(account.created_at_ms)
        .bind(account.updated_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Writes the row with new credentials, one version on, and ends any lease. `false`: it is gone, or
/// holds other credentials than those that `account` was made from.
pub(super) async fn replace(tx: &mut Tx, account: &Account) -> sqlx::Result<bool> {
    let sql = "update accounts set oauth_app_id = $4, name = $5, scopes = $6, missing_scopes = $7, \
               binding = $8, status = $9, reason = $10, error = $11, sealed = $12, version = $13, \
               expires_at_ms = $14, last_refreshed_at_ms = $15, next_refresh_at_ms = $16, attempts \
               = $17, updated_at_ms = $18, lease_owner = null, lease_until_ms = 0 where project_id \
               = $1 and environment = $2 and id = $3 and version = $13 - 1";
    let (scopes, missing) = (json(&account.scopes)?, json(&account.missing_scopes)?);
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(&account.oauth_app).bind(&account.name).bind(&scopes).bind(&missing)
        .bind(account.binding.as_str()).bind(account.health.as_str())
        .bind(account.health.reason()).bind(account.health.text()).bind(&account.sealed)
        .bind(account.version).bind(account.expires_at_ms).bind(account.last_refreshed_at_ms)
        .bind(account.next_refresh_at_ms).bind(account.attempts).bind(account.updated_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Writes what is known of the account's health, and ends the lease. `false`: it is gone, or holds
/// other credentials by now, of which nothing bad is known.
pub(super) async fn set_health(db: &Db, account: &Account) -> sqlx::Result<bool> {
    let sql = "update accounts set status = $5, reason = $6, error = $7, next_refresh_at_ms = $8, \
               attempts = $9, updated_at_ms = $10, lease_owner = null, lease_until_ms = 0 where \
               project_id = $1 and environment = $2 and id = $3 and version = $4";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(account.health.as_str()).bind(account.health.reason())
        .bind(account.health.text()).bind(account.next_refresh_at_ms).bind(account.attempts)
        .bind(account.updated_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Deletes the row and gives what was in it. Of many at once exactly one gets it.
pub(super) async fn take(
    tx: &mut Tx,
    tenant: &Tenant,
    id: &AccountId,
) -> sqlx::Result<Option<Account>> {
    let sql = concat!(
        "delete from accounts where project_id = $1 and environment = $2 and id = $3 returning ",
        columns!()
    );
    let row: Option<Row> = on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    row.map(Account::try_from).transpose()
}

/// Deletes all rows of one user and gives what was in them.
pub(super) async fn take_all(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "delete from accounts where project_id = $1 and environment = $2 and user_id = $3 \
         returning ",
        columns!()
    );
    accounts(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_all(conn).await?))
}

/// A caller's right to refresh an account, until it ends by itself.
#[derive(Clone, Copy)]
pub(super) struct Lease<'a> {
    pub owner: &'a str,
    pub now_ms: i64,
    pub until_ms: i64,
}

/// Takes the lease to refresh. `false`: another has it, or the row is gone or holds other
/// credentials.
pub(super) async fn take_lease(db: &Db, account: &Account, lease: Lease<'_>) -> sqlx::Result<bool> {
    let sql = "update accounts set lease_owner = $5, lease_until_ms = $6 where project_id = $1 and \
               environment = $2 and id = $3 and version = $4 and lease_until_ms <= $7";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(account.version).bind(lease.owner).bind(lease.until_ms).bind(lease.now_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Ends the lease before its time, if it is still `owner`'s.
pub(super) async fn drop_lease(db: &Db, account: &Account, owner: &str) -> sqlx::Result<()> {
    let sql = "update accounts set lease_owner = null, lease_until_ms = 0 where project_id = $1 \
               and environment = $2 and id = $3 and lease_owner = $4";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(owner).execute(conn).await?.rows_affected());
    Ok(())
}

/// Accounts of all tenants whose time to be refreshed has come, those first that wait longest. For
/// the scheduler only.
pub(super) async fn due(db: &Db, now_ms: i64, most: i64) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from accounts where next_refresh_at_ms is not null and next_refresh_at_ms <= $1 and \
         lease_until_ms <= $1 order by next_refresh_at_ms limit $2"
    );
    accounts(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(most).fetch_all(conn).await?))
}

/// Puts off the refreshes of one OAuth client's accounts that are due before `until_ms`. Gives
/// their number.
pub(super) async fn put_off(
    db: &Db,
    project: &ProjectId,
    client: &OAuthAppId,
    until_ms: i64,
) -> sqlx::Result<u64> {
    let sql = "update accounts set next_refresh_at_ms = $3 where project_id = $1 and oauth_app_id \
               = $2 and next_refresh_at_ms < $3";
    Ok(on!(db.write(), conn => sqlx::query(sql)
        .bind(project).bind(client).bind(until_ms).execute(conn).await?.rows_affected()))
}

fn json(list: &[String]) -> sqlx::Result<String> {
    serde_json::to_string(list).map_err(|error| sqlx::Error::Encode(error.into()))
}
