//! Rows of `components`, `component_versions` and `component_files`. SQL and nothing else.

pub(super) mod data;
pub(super) mod dynamic;
pub(super) mod runs;

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{ComponentId, ProjectId};
use crate::on;

/// A version with what all versions of its component have alike.
#[derive(Clone, FromRow)]
pub(super) struct Row {
    pub id: ComponentId,
    pub key: String,
    pub version: String,
    pub described: String,
    pub entry: String,
    pub permissions: String,
    pub aliases: String,
    pub digest: String,
    pub created_at_ms: i64,
}

/// A version that is about to be written, as columns.
pub(super) struct New<'a> {
    pub row: &'a Row,
    pub kind: &'static str,
    pub name: &'a str,
}

/// A file with the digest of its content.
pub(super) struct FileRow<'a> {
    pub path: &'a str,
    pub content: &'a [u8],
    pub digest: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select c.id, c.key, v.version, v.described, v.entry, v.permissions, v.aliases, \
             v.digest, v.created_at_ms from components c join component_versions v \
             on v.component_id = c.id where c.project_id = $1 ",
            $rest
        )
    };
}

/// The latest version of each of a project's components, by key; there are few.
pub(super) async fn latest_of_all(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<Row>> {
    let sql = select!("and v.version = c.latest order by c.key");
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?))
}

/// Without a version, the latest.
pub(super) async fn find(
    db: &Db,
    project: &ProjectId,
    key: &str,
    version: Option<&str>,
) -> sqlx::Result<Option<Row>> {
    let sql = select!("and c.key = $2 and v.version = coalesce($3, c.latest)");
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).bind(key).bind(version)
        .fetch_optional(conn).await?))
}

/// A component by its id, for what was deployed of it.
pub(super) async fn find_by_id(
    db: &Db,
    project: &ProjectId,
    id: &ComponentId,
    version: &str,
) -> sqlx::Result<Option<Row>> {
    let sql = select!("and c.id = $2 and v.version = $3");
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).bind(id).bind(version)
        .fetch_optional(conn).await?))
}

/// Version and digest of all that was published of one, with its id.
pub(super) async fn versions(
    tx: &mut Tx,
    project: &ProjectId,
    key: &str,
) -> sqlx::Result<Vec<(ComponentId, String, String)>> {
    let sql = "select c.id, v.version, v.digest from components c join component_versions v \
               on v.component_id = c.id where c.project_id = $1 and c.key = $2";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql).bind(project).bind(key)
        .fetch_all(conn).await?))
}

pub(super) async fn count(tx: &mut Tx, project: &ProjectId) -> sqlx::Result<i64> {
    let sql = "select count(*) from components where project_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).fetch_one(conn).await?))
}

/// Makes the component, or names its latest version anew; gives the id that it has.
pub(super) async fn put(
    tx: &mut Tx,
    project: &ProjectId,
    row: &Row,
    latest: &str,
) -> sqlx::Result<ComponentId> {
    let sql = "insert into components (id, project_id, key, latest, created_at_ms, \
               updated_at_ms) values ($1, $2, $3, $4, $5, $5) on conflict (project_id, key) \
               do update set latest = $4, updated_at_ms = $5 returning id";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&row.id).bind(project).bind(&row.key).bind(latest).bind(row.created_at_ms)
        .fetch_one(conn).await?))
}

/// `false`: there is such a version.
pub(super) async fn insert_version(
    tx: &mut Tx,
    id: &ComponentId,
    new: &New<'_>,
) -> sqlx::Result<bool> {
    let sql = "insert into component_versions (component_id, version, kind, name, described, \
               entry, permissions, aliases, digest, created_at_ms) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
               on conflict (component_id, version) do nothing";
    let Row { version, described, entry, permissions, aliases, digest, created_at_ms, .. } =
        new.row;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(id).bind(version).bind(new.kind).bind(new.name).bind(described).bind(entry)
        .bind(permissions).bind(aliases).bind(digest).bind(created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn insert_file(
    tx: &mut Tx,
    id: &ComponentId,
    version: &str,
    file: &FileRow<'_>,
) -> sqlx::Result<()> {
    let sql = "insert into component_files (component_id, version, path, content, digest) \
               values ($1, $2, $3, $4, $5)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(id).bind(version).bind(file.path).bind(file.content).bind(&file.digest)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// All files of a version: path and content.
pub(super) async fn files(
    db: &Db,
    project: &ProjectId,
    id: &ComponentId,
    version: &str,
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let sql = "select f.path, f.content from component_files f join components c \
               on c.id = f.component_id where c.project_id = $1 and f.component_id = $2 \
               and f.version = $3 order by f.path";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(project).bind(id).bind(version)
        .fetch_all(conn).await?))
}

/// What a version held that was deleted.
pub(super) async fn deleted(
    tx: &mut Tx,
    project: &ProjectId,
    (key, version): (&str, &str),
) -> sqlx::Result<Option<String>> {
    let sql = "select digest from deleted_component_versions where project_id = $1 and key = $2 \
               and version = $3";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).bind(key).bind(version)
        .fetch_optional(conn).await?))
}

/// Takes a component away with all versions. `false`: there is none.
pub(super) async fn delete(tx: &mut Tx, project: &ProjectId, key: &str) -> sqlx::Result<bool> {
    let kept = "insert into deleted_component_versions (project_id, key, version, digest) \
                select c.project_id, c.key, v.version, v.digest from components c \
                join component_versions v on v.component_id = c.id \
                where c.project_id = $1 and c.key = $2 on conflict do nothing";
    on!(tx.conn(), conn =>
        sqlx::query(kept).bind(project).bind(key).execute(conn).await?.rows_affected());
    let sql = "delete from components where project_id = $1 and key = $2";
    let done = on!(tx.conn(), conn =>
        sqlx::query(sql).bind(project).bind(key).execute(conn).await?.rows_affected());
    Ok(done == 1)
}
