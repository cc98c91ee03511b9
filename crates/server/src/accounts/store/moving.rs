//! Accounts on their way out of this installation, and into it.

use super::{Row, accounts, columns, visible};
use crate::accounts::Account;
use crate::db::{Db, Tx};
use crate::ids::{AccountId, UserId};
use crate::on;
use crate::tenant::Tenant;

/// Of one user, or of all. One text for each, so that each goes by its own index.
macro_rules! page {
    ($which:literal) => {
        concat!(
            "select ",
            columns!(),
            ", (select wrapped from owner_keys where owner_keys.project_id = accounts.project_id \
             and owner_keys.environment = accounts.environment and owner_keys.owner_id = \
             accounts.user_id) as wrapped_key, (select client_id from oauth_apps where \
             oauth_apps.project_id = accounts.project_id and oauth_apps.id = \
             accounts.oauth_app_id) as client_id from accounts where project_id = $1 and \
             environment = $2 and (created_at_ms, id) > ($3, $4) and ",
            $which,
            visible!(),
            " order by created_at_ms, id limit $6"
        )
    };
}

/// Up to `most` accounts, the oldest first, from after one of them, each with its user's key and
/// the client's id at the app.
pub(in crate::accounts) async fn page(
    db: &Db,
    tenant: &Tenant,
    user: Option<&UserId>,
    (created_at_ms, id): (i64, &str),
    most: i64,
) -> sqlx::Result<Vec<Account>> {
    let sql = if user.is_some() { page!("user_id = $5") } else { page!("$5 = ''") };
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(created_at_ms).bind(id)
        .bind(user.map_or("", UserId::as_str)).bind(most)
        .fetch_all(conn).await?);
    accounts(rows)
}

pub(in crate::accounts) async fn count(
    db: &Db,
    tenant: &Tenant,
    user: Option<&UserId>,
) -> sqlx::Result<i64> {
    let sql = concat!(
        "select count(*) from accounts where project_id = $1 and environment = $2 and ($3 = '' or \
         user_id = $3)",
        visible!()
    );
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str())
        .bind(user.map_or("", UserId::as_str)).fetch_one(conn).await?))
}

/// Accounts whose row may not hold the newest grant: a refresh has no answer yet, or an answer is
/// kept beside the row.
pub(in crate::accounts) async fn unsettled(db: &Db, tenant: &Tenant) -> sqlx::Result<i64> {
    let sql = "select count(*) from accounts where project_id = $1 and environment = $2 and \
               (intent = 'sent' or id in (select account_id from refresh_candidates))";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).fetch_one(conn).await?))
}

/// Whose account it is: the user's external id, and the app.
pub(in crate::accounts) async fn whose(
    tx: &mut Tx,
    tenant: &Tenant,
    id: &AccountId,
) -> sqlx::Result<Option<(String, String)>> {
    let sql = "select external_id, app_slug from accounts where project_id = $1 and environment = \
               $2 and id = $3";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?))
}

/// Whether any tenant has an account of this id. Nothing of it is told.
pub(in crate::accounts) async fn is_taken(tx: &mut Tx, id: &AccountId) -> sqlx::Result<bool> {
    let sql = "select count(*) from accounts where id = $1";
    let found: i64 =
        on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?);
    Ok(found > 0)
}
