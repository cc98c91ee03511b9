//! Lists of accounts: one statement for each filter that has an index of its own.

use super::{Row, accounts, columns, visible};
use crate::accounts::Account;
use crate::db::{Db, Tx};
use crate::ids::{AccountId, OAuthAppId, UserId};
use crate::on;
use crate::paging::Page;
use crate::tenant::Tenant;
use crate::users::User;

/// Which accounts; empty filters let all through.
#[derive(Clone, Copy, Default)]
pub(in crate::accounts) struct Which<'a> {
    pub user: Option<&'a UserId>,
    pub app_slug: Option<&'a str>,
    pub oauth_app: Option<&'a OAuthAppId>,
}

impl Which<'_> {
    fn texts(&self) -> [&str; 3] {
        [
            self.user.map_or("", UserId::as_str),
            self.app_slug.unwrap_or_default(),
            self.oauth_app.map_or("", OAuthAppId::as_str),
        ]
    }
}

/// The statements of one list: how many there are, a page forwards, a page backwards.
macro_rules! statements {
    ($which:literal) => {
        (
            concat!(
                "select count(*) from accounts where project_id = $1 and environment = $2 and ",
                $which,
                visible!()
            ),
            concat!(
                "select ",
                columns!(),
                " from accounts where project_id = $1 and environment = $2 and ",
                $which,
                visible!(),
                " and (created_at_ms < $6 or (created_at_ms = $6 and id < $7)) order by \
                 created_at_ms desc, id desc limit $8"
            ),
            concat!(
                "select ",
                columns!(),
                " from accounts where project_id = $1 and environment = $2 and ",
                $which,
                visible!(),
                " and (created_at_ms > $6 or (created_at_ms = $6 and id > $7)) order by \
                 created_at_ms, id limit $8"
            ),
        )
    };
}

/// A page, newest first, and how many there are in all.
pub(in crate::accounts) async fn page(
    db: &Db,
    tenant: &Tenant,
    which: Which<'_>,
    page: &Page,
) -> sqlx::Result<(Vec<Account>, i64)> {
    let (total_sql, forward, backward) = match which {
        Which { user: Some(_), .. } => statements!(
            "user_id = $3 and ($4 = '' or app_slug = $4) and ($5 = '' or oauth_app_id = $5)"
        ),
        Which { app_slug: Some(_), .. } => statements!(
            "app_slug = $4 and ($3 = '' or user_id = $3) and ($5 = '' or oauth_app_id = $5)"
        ),
        _ => statements!(
            "($3 = '' or user_id = $3) and ($4 = '' or app_slug = $4) and ($5 = '' or oauth_app_id \
             = $5)"
        ),
    };
    let [user, app_slug, oauth_app] = which.texts();
    let (project, environment) = (&tenant.project, tenant.environment.as_str());
    let total = on!(db.read(), conn => sqlx::query_scalar(total_sql)
        .bind(project).bind(environment).bind(user).bind(app_slug).bind(oauth_app)
        .fetch_one(conn).await?);
    let (sql, key, id) = page.bounds(forward, backward);
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(environment).bind(user).bind(app_slug).bind(oauth_app)
        .bind(key).bind(id).bind(page.limit + 1)
        .fetch_all(conn).await?);
    Ok((accounts(rows)?, total))
}

/// All accounts of one user, newest first.
pub(in crate::accounts) async fn of_user(
    db: &Db,
    tenant: &Tenant,
    user: &UserId,
    app_slug: Option<&str>,
) -> sqlx::Result<Vec<Account>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from accounts where project_id = $1 and environment = $2 and user_id = $3 and ($4 = '' \
         or app_slug = $4)",
        visible!(),
        " order by created_at_ms desc, id desc"
    );
    accounts(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .bind(app_slug.unwrap_or_default())
        .fetch_all(conn).await?))
}

pub(in crate::accounts) async fn users_of_app(
    tx: &mut Tx,
    tenant: &Tenant,
    app_slug: &str,
    (id, most): (Option<&UserId>, i64),
) -> sqlx::Result<Vec<User>> {
    let sql = concat!(
        "select u.id, u.external_id, u.created_at_ms, u.updated_at_ms from external_users u \
         where u.project_id = $1 and u.environment = $2 and u.erased_at_ms is null and u.id > $4 \
         and u.id in (select user_id from accounts where project_id = $1 and environment = $2 and \
         app_slug = $3",
        visible!(),
        ") order by u.id limit $5"
    );
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(app_slug)
        .bind(id.map_or("", UserId::as_str)).bind(most).fetch_all(conn).await?))
}

/// Ids of up to `most` accounts, in no order that matters.
pub(in crate::accounts) async fn ids(
    db: &Db,
    tenant: &Tenant,
    which: Which<'_>,
    most: i64,
) -> sqlx::Result<Vec<AccountId>> {
    let sql = concat!(
        "select id from accounts where project_id = $1 and environment = $2 and ($3 = '' or \
         user_id = $3) and ($4 = '' or app_slug = $4) and ($5 = '' or oauth_app_id = $5)",
        visible!(),
        " limit $6"
    );
    let [user, app_slug, oauth_app] = which.texts();
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user).bind(app_slug)
        .bind(oauth_app).bind(most)
        .fetch_all(conn).await?))
}
