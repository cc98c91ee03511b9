//! Rows of `custom_apps`. SQL and nothing else.

use sqlx::FromRow;

use crate::app::Edition;
use crate::apps::custom::CustomApp;
use crate::db::{Db, Tx};
use crate::ids::ProjectId;
use crate::on;

/// What depends on an app.
#[derive(FromRow)]
pub(in crate::apps) struct Uses {
    pub accounts: i64,
    pub clients: i64,
    pub overrides: i64,
    /// Grants that are still to be revoked at the app.
    pub revocations: i64,
}

/// Which texts a project's apps have now.
pub(in crate::apps) async fn editions(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<Edition>> {
    let sql = "select slug, created_at_ms, version from custom_apps where project_id = $1 \
               order by slug";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?))
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select project_id, slug, definition, discovered, version, created_at_ms, \
             updated_at_ms from custom_apps where project_id = $1 ",
            $rest
        )
    };
}

pub(in crate::apps) async fn find(
    db: &Db,
    project: &ProjectId,
    slug: &str,
) -> sqlx::Result<Option<CustomApp>> {
    let sql = select!("and slug = $2");
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).bind(slug)
        .fetch_optional(conn).await?))
}

/// All of a project's, newest first; there are few.
pub(in crate::apps) async fn list(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<CustomApp>> {
    let sql = select!("order by created_at_ms desc, slug");
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?))
}

pub(in crate::apps) async fn count(tx: &mut Tx, project: &ProjectId) -> sqlx::Result<i64> {
    let sql = "select count(*) from custom_apps where project_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).fetch_one(conn).await?))
}

/// `false`: the project has an app of that slug.
pub(in crate::apps) async fn insert(tx: &mut Tx, it: &CustomApp) -> sqlx::Result<bool> {
    let sql = "insert into custom_apps (project_id, slug, definition, discovered, version, \
               created_at_ms, updated_at_ms) values ($1, $2, $3, $4, $5, $6, $7) \
               on conflict (project_id, slug) do nothing";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.project).bind(&it.slug).bind(&it.definition).bind(&it.discovered)
        .bind(it.version).bind(it.created_at_ms).bind(it.updated_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Writes `it` over its earlier version. `false`: another writer was first, or the row is gone.
pub(in crate::apps) async fn update(tx: &mut Tx, it: &CustomApp) -> sqlx::Result<bool> {
    let sql = "update custom_apps set definition = $3, discovered = $4, version = $5, \
               updated_at_ms = $6 where project_id = $1 and slug = $2 and version = $5 - 1 \
               and created_at_ms = $7";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.project).bind(&it.slug).bind(&it.definition).bind(&it.discovered)
        .bind(it.version).bind(it.updated_at_ms).bind(it.created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(in crate::apps) async fn delete(
    tx: &mut Tx,
    project: &ProjectId,
    slug: &str,
) -> sqlx::Result<bool> {
    let sql = "delete from custom_apps where project_id = $1 and slug = $2";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(project).bind(slug).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(in crate::apps) async fn uses(
    tx: &mut Tx,
    project: &ProjectId,
    slug: &str,
) -> sqlx::Result<Uses> {
    let sql = "select (select count(*) from accounts where project_id = $1 and app_slug = $2) \
               as accounts, (select count(*) from oauth_apps where project_id = $1 \
               and app_slug = $2 and owner_user_id is null) as clients, (select count(*) \
               from app_overrides where project_id = $1 and app_slug = $2) as overrides, \
               (select count(*) from revocations where project_id = $1 and app_slug = $2 \
               and outcome = 'pending') as revocations";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql).bind(project).bind(slug)
        .fetch_one(conn).await?))
}
