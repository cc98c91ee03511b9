//! Rows of `oauth_apps` that belong to one user. SQL and nothing else.

use super::{Row, scope_texts};
use crate::apps::OAuthApp;
use crate::db::{Db, Tx};
use crate::ids::{OAuthAppId, ProjectId, UserId};
use crate::on;

/// The project's client, or this user's.
pub(in crate::apps) async fn find(
    db: &Db,
    project: &ProjectId,
    id: &OAuthAppId,
    user: &UserId,
) -> sqlx::Result<Option<OAuthApp>> {
    let sql = select!(
        "where project_id = $1 and id = $2 and (owner_user_id is null or owner_user_id = $3)"
    );
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(id).bind(user).fetch_optional(conn).await?);
    row.map(OAuthApp::try_from).transpose()
}

/// Whosever it is. For ids that stand in a row of ours, and not for those that callers name.
pub(in crate::apps) async fn of_grant(
    db: &Db,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<Option<OAuthApp>> {
    let sql = select!("where project_id = $1 and id = $2");
    let row: Option<Row> = on!(db.read(), conn =>
        sqlx::query_as(sql).bind(project).bind(id).fetch_optional(conn).await?);
    row.map(OAuthApp::try_from).transpose()
}

/// Writes a user's client, new or over its earlier version. `false`: the id is not his.
pub(in crate::apps) async fn put(tx: &mut Tx, app: &OAuthApp) -> sqlx::Result<bool> {
    let sql = "insert into oauth_apps (id, project_id, app_slug, name, client_id, client_secret, \
               scopes, additional_scopes, version, created_at_ms, updated_at_ms, registered_at, \
               owner_user_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
               on conflict (id) do update set client_id = excluded.client_id, client_secret = \
               excluded.client_secret, version = excluded.version, updated_at_ms = \
               excluded.updated_at_ms, registered_at = excluded.registered_at, unused_since_ms = \
               null where oauth_apps.project_id = excluded.project_id \
               and oauth_apps.owner_user_id = excluded.owner_user_id";
    let (scopes, additional) = scope_texts(app)?;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&app.id).bind(&app.project).bind(&app.app_slug).bind(&app.name)
        .bind(&app.client_id).bind(&app.sealed_secret).bind(&scopes).bind(&additional)
        .bind(app.version).bind(app.created_at_ms).bind(app.updated_at_ms)
        .bind(&app.registered_at).bind(&app.owner)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// The project that a registration belongs to.
pub(in crate::apps) async fn registered_by(
    db: &Db,
    registered_at: &str,
    client_id: &str,
) -> sqlx::Result<Option<ProjectId>> {
    let sql = "select project_id from oauth_registrations \
               where registered_at = $1 and client_id = $2";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(registered_at).bind(client_id).fetch_optional(conn).await?))
}

/// Deletes a user's client that neither an account nor a grant to be revoked needs.
pub(in crate::apps) async fn delete_unneeded(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
) -> sqlx::Result<bool> {
    let sql = "delete from oauth_apps where project_id = $1 and id = $2 \
               and owner_user_id is not null and not exists (select 1 from accounts a \
               where a.project_id = $1 and a.oauth_app_id = $2) and not exists (select 1 \
               from revocations r where r.project_id = $1 and r.oauth_app_id = $2 \
               and r.sealed is not null)";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(project).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Notes that no account needs a user's client any more.
pub(in crate::apps) async fn set_unused(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
    now_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update oauth_apps set unused_since_ms = $3 where project_id = $1 and id = $2 \
               and owner_user_id is not null and not exists (select 1 from accounts a \
               where a.project_id = $1 and a.oauth_app_id = $2)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(project).bind(id).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(())
}

/// Deletes users' clients that no account has needed since `before_ms`, and no grant needs now.
pub(in crate::apps) async fn forget(db: &Db, before_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from oauth_apps where unused_since_ms < $1 and not exists (select 1 \
               from revocations r where r.project_id = oauth_apps.project_id \
               and r.oauth_app_id = oauth_apps.id and r.sealed is not null)";
    on!(db.write(), conn => sqlx::query(sql).bind(before_ms).execute(conn).await?.rows_affected());
    Ok(())
}
