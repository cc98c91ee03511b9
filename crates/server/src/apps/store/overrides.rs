//! Rows of `app_overrides`. SQL and nothing else.

use sqlx::FromRow;

use crate::apps::overrides::AppOverride;
use crate::db::{Db, Tx};
use crate::ids::{OAuthAppId, OverrideId, ProjectId};
use crate::on;
use crate::paging::Page;

#[derive(FromRow)]
struct Row {
    id: OverrideId,
    project_id: ProjectId,
    name: String,
    app_slug: String,
    oauth_app_id: Option<OAuthAppId>,
    fields: String,
    version: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl TryFrom<Row> for AppOverride {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let bad = || sqlx::Error::Decode(format!("app_overrides.fields of {}", row.id).into());
        Ok(Self {
            fields: serde_json::from_str(&row.fields).map_err(|_| bad())?,
            id: row.id,
            project: row.project_id,
            name: row.name,
            app_slug: row.app_slug,
            oauth_app: row.oauth_app_id,
            version: row.version,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, project_id, name, app_slug, oauth_app_id, fields, version, created_at_ms, \
             updated_at_ms from app_overrides where project_id = $1 ",
            $rest
        )
    };
}

pub(in crate::apps) async fn find(
    db: &Db,
    project: &ProjectId,
    id: &OverrideId,
) -> sqlx::Result<Option<AppOverride>> {
    let sql = select!("and id = $2");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql).bind(project).bind(id)
        .fetch_optional(conn).await?);
    row.map(AppOverride::try_from).transpose()
}

pub(in crate::apps) async fn list(
    db: &Db,
    project: &ProjectId,
    app_slug: Option<&str>,
    page: &Page,
) -> sqlx::Result<(Vec<AppOverride>, i64)> {
    let app_slug = app_slug.unwrap_or_default();
    let total_sql = "select count(*) from app_overrides where project_id = $1 \
                     and ($2 = '' or app_slug = $2)";
    let total = on!(db.read(), conn => sqlx::query_scalar(total_sql)
        .bind(project).bind(app_slug).fetch_one(conn).await?);
    let forward = select!(
        "and ($2 = '' or app_slug = $2) \
         and (created_at_ms < $3 or (created_at_ms = $3 and id < $4)) \
         order by created_at_ms desc, id desc limit $5"
    );
    let backward = select!(
        "and ($2 = '' or app_slug = $2) \
         and (created_at_ms > $3 or (created_at_ms = $3 and id > $4)) \
         order by created_at_ms, id limit $5"
    );
    let (sql, key, id) = page.bounds(forward, backward);
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(app_slug).bind(key).bind(id).bind(page.limit + 1)
        .fetch_all(conn).await?);
    Ok((rows.into_iter().map(AppOverride::try_from).collect::<Result<_, _>>()?, total))
}

pub(in crate::apps) async fn count(tx: &mut Tx, project: &ProjectId) -> sqlx::Result<i64> {
    let sql = "select count(*) from app_overrides where project_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).fetch_one(conn).await?))
}

/// Whether another override of the project has the name.
pub(in crate::apps) async fn is_named(tx: &mut Tx, it: &AppOverride) -> sqlx::Result<bool> {
    let sql = "select count(*) from app_overrides where project_id = $1 and name = $2 and id <> $3";
    let others: i64 = on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&it.project).bind(&it.name).bind(&it.id).fetch_one(conn).await?);
    Ok(others > 0)
}

/// `false`: the name is taken.
pub(in crate::apps) async fn insert(tx: &mut Tx, it: &AppOverride) -> sqlx::Result<bool> {
    let sql = "insert into app_overrides (id, project_id, name, app_slug, oauth_app_id, fields, \
               version, created_at_ms, updated_at_ms) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
               on conflict (project_id, name) do nothing";
    let fields = fields_text(it)?;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.project).bind(&it.name).bind(&it.app_slug).bind(&it.oauth_app)
        .bind(&fields).bind(it.version).bind(it.created_at_ms).bind(it.updated_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Writes `it` over its earlier version. `false`: another writer was first, or the row is gone.
pub(in crate::apps) async fn update(tx: &mut Tx, it: &AppOverride) -> sqlx::Result<bool> {
    let sql = "update app_overrides set name = $3, oauth_app_id = $4, fields = $5, version = $6, \
               updated_at_ms = $7 where project_id = $1 and id = $2 and version = $6 - 1";
    let fields = fields_text(it)?;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.project).bind(&it.id).bind(&it.name).bind(&it.oauth_app).bind(&fields)
        .bind(it.version).bind(it.updated_at_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(in crate::apps) async fn delete(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OverrideId,
) -> sqlx::Result<bool> {
    let sql = "delete from app_overrides where project_id = $1 and id = $2";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(project).bind(id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

fn fields_text(it: &AppOverride) -> sqlx::Result<String> {
    serde_json::to_string(&it.fields).map_err(|error| sqlx::Error::Encode(error.into()))
}
