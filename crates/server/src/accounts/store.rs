//! Rows of `accounts`. SQL and nothing else: no clock, no cryptography, no decisions.

pub(super) mod erasures;
pub(super) mod list;
pub(super) mod moving;
pub(super) mod refreshing;
pub(super) mod revocations;

use sqlx::FromRow;

use super::{Account, Binding, Health, Refreshing};
use crate::db::{Db, Tx};
use crate::ids::{AccountId, OAuthAppId, OperationId, ProjectId, UserId};
use crate::on;
use crate::tenant::{Environment, Tenant};

/// A row, as both ways of reading give it: the fields in the order of [`columns!`].
macro_rules! row {
    ($($field:ident: $kind:ty,)*) => {
        #[derive(FromRow)]
        struct Row {
            $($field: $kind,)*
            /// These only where [`find`] read them.
            #[sqlx(default)]
            wrapped_key: Option<Vec<u8>>,
            #[sqlx(default)]
            client_id: Option<String>,
        }

        impl Row {
            fn near(row: &rusqlite::Row) -> rusqlite::Result<Self> {
                let mut nth = 0_usize..;
                let mut next = || nth.next().unwrap_or_default();
                Ok(Self {
                    $($field: row.get(next())?,)*
                    wrapped_key: row.get(next())?,
                    client_id: row.get(next())?,
                })
            }
        }
    };
}

row! {
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
    granted_version: i64,
    granted_at_ms: i64,
    ends_at_ms: Option<i64>,
    fence: i64,
    intent: String,
    operation: Option<OperationId>,
    unknown_at_ms: Option<i64>,
    told: bool,
    keep_alive: bool,
}

macro_rules! columns {
    // Those that [`insert`] writes, in its order.
    (written) => {
        "id, project_id, environment, user_id, external_id, app_slug, oauth_app_id, name, scopes, \
         missing_scopes, binding, status, reason, error, sealed, version, expires_at_ms, \
         last_refreshed_at_ms, next_refresh_at_ms, attempts, created_at_ms, updated_at_ms, \
         granted_version, granted_at_ms, ends_at_ms"
    };
    () => {
        concat!(columns!(written), ", fence, intent, operation, unknown_at_ms, told, keep_alive")
    };
}
use columns;

/// Leaves out the accounts of users who are being erased: for callers they are gone.
macro_rules! visible {
    () => {
        " and not exists (select 1 from erasures where erasures.project_id = accounts.project_id \
         and erasures.environment = accounts.environment and erasures.user_id = accounts.user_id)"
    };
}
use visible;

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
        let refreshing = Refreshing {
            fence: row.fence,
            sent: match row.intent.as_str() {
                "none" => false,
                "sent" => true,
                _ => return Err(bad("intent")),
            },
            operation: row.operation.clone(),
            unknown_at_ms: row.unknown_at_ms,
            granted_version: row.granted_version,
            granted_at_ms: row.granted_at_ms,
            told: row.told,
            ends_at_ms: row.ends_at_ms,
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
            wrapped_key: row.wrapped_key,
            client_id: row.client_id,
            version: row.version,
            expires_at_ms: row.expires_at_ms,
            last_refreshed_at_ms: row.last_refreshed_at_ms,
            next_refresh_at_ms: row.next_refresh_at_ms,
            keep_alive: row.keep_alive,
            refreshing,
            attempts: row.attempts,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

fn accounts(rows: Vec<Row>) -> sqlx::Result<Vec<Account>> {
    rows.into_iter().map(Account::try_from).collect()
}

/// With the user's key and the client's id, since whoever needs one account mostly opens it: each
/// look-up more would cost as much as the first.
pub(super) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &AccountId,
) -> sqlx::Result<Option<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        ", (select wrapped from owner_keys where owner_keys.project_id = accounts.project_id and \
         owner_keys.environment = accounts.environment and owner_keys.owner_id = \
         accounts.user_id) as wrapped_key, (select client_id from oauth_apps where \
         oauth_apps.project_id = accounts.project_id and oauth_apps.id = accounts.oauth_app_id) \
         as client_id",
        " from accounts where project_id = $1 and environment = $2 and id = $3",
        visible!()
    );
    let row: Option<Row> = match db.near() {
        Some(near) => {
            let key = [tenant.project.as_str(), tenant.environment.as_str(), id.as_str()];
            near.one(sql, key, Row::near)?
        }
        None => on!(db.read(), conn => sqlx::query_as(sql)
            .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
            .fetch_optional(conn).await?),
    };
    row.map(Account::try_from).transpose()
}

/// The same, also of a user who is being erased: what an exchange brought belongs into its row, so
/// that the newest grant is the one that is revoked.
pub(super) async fn find_any(
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
        columns!(written),
        ", keep_alive, lease_until_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, 0)"
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
        .bind(account.updated_at_ms).bind(account.refreshing.granted_version)
        .bind(account.refreshing.granted_at_ms).bind(account.refreshing.ends_at_ms)
        .bind(account.keep_alive)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Writes the row with another grant in it, one version on, and ends what was under way for the
/// former one. `false`: it is gone, or holds other credentials than those that `account` was made
/// from.
pub(super) async fn replace(tx: &mut Tx, account: &Account) -> sqlx::Result<bool> {
    let sql = "update accounts set oauth_app_id = $4, name = $5, scopes = $6, missing_scopes = $7, \
               binding = $8, status = $9, reason = $10, error = $11, sealed = $12, version = $13, \
               expires_at_ms = $14, last_refreshed_at_ms = $15, next_refresh_at_ms = $16, attempts \
               = $17, updated_at_ms = $18, granted_version = $19, granted_at_ms = $20, ends_at_ms \
               = $21, lease_owner = null, lease_until_ms = 0, fence = fence + 1, intent = 'none', \
               operation = null, unknown_at_ms = null, told = false, end_told = false where \
               project_id = $1 and environment = $2 and id = $3 and version = $13 - 1";
    let (scopes, missing) = (json(&account.scopes)?, json(&account.missing_scopes)?);
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&account.tenant.project).bind(account.tenant.environment.as_str()).bind(&account.id)
        .bind(&account.oauth_app).bind(&account.name).bind(&scopes).bind(&missing)
        .bind(account.binding.as_str()).bind(account.health.as_str())
        .bind(account.health.reason()).bind(account.health.text()).bind(&account.sealed)
        .bind(account.version).bind(account.expires_at_ms).bind(account.last_refreshed_at_ms)
        .bind(account.next_refresh_at_ms).bind(account.attempts).bind(account.updated_at_ms)
        .bind(account.refreshing.granted_version).bind(account.refreshing.granted_at_ms)
        .bind(account.refreshing.ends_at_ms)
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
        "delete from accounts where project_id = $1 and environment = $2 and id = $3",
        visible!(),
        " returning ",
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

/// The same for up to `most` of them.
pub(super) async fn take_some(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
    most: i64,
) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "delete from accounts where project_id = $1 and environment = $2 and id in (select id from \
         accounts where project_id = $1 and environment = $2 and user_id = $3 order by \
         created_at_ms limit $4) returning ",
        columns!()
    );
    accounts(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user).bind(most)
        .fetch_all(conn).await?))
}

pub(super) async fn count_of_user(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from accounts where project_id = $1 and environment = $2 and \
               user_id = $3";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_one(conn).await?))
}

fn json(list: &[String]) -> sqlx::Result<String> {
    serde_json::to_string(list).map_err(|error| sqlx::Error::Encode(error.into()))
}
