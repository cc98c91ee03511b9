//! Rows of `stash_files` and `stash_chunks`. SQL and nothing else.

use sqlx::FromRow;

use super::File;
use crate::db::{Db, Tx};
use crate::ids::{FileId, ProjectId, UserId};
use crate::on;
use crate::tenant::{Environment, Tenant};

#[derive(FromRow)]
struct Row {
    id: FileId,
    environment: String,
    user_id: UserId,
    stash_id: String,
    s3_key: String,
    bytes: i64,
    chunks: i64,
    expires_at_ms: i64,
}

impl Row {
    fn file(self, project: &ProjectId) -> sqlx::Result<File> {
        let environment = Environment::parse(&self.environment);
        let environment = environment.ok_or_else(|| {
            sqlx::Error::Decode(format!("stash_files.environment of {}", self.id).into())
        })?;
        Ok(File {
            id: self.id,
            tenant: Tenant { project: project.clone(), environment },
            user: self.user_id,
            stash: self.stash_id,
            key: self.s3_key,
            bytes: self.bytes,
            chunks: self.chunks,
            expires_at_ms: self.expires_at_ms,
        })
    }
}

/// `false`: the stash has a file of that name.
pub(super) async fn insert(tx: &mut Tx, file: &File, now_ms: i64) -> sqlx::Result<bool> {
    let sql = "insert into stash_files (id, project_id, environment, user_id, stash_id, s3_key, \
               bytes, chunks, complete, created_at_ms, expires_at_ms) \
               values ($1, $2, $3, $4, $5, $6, 0, 0, false, $7, $8) \
               on conflict (project_id, environment, s3_key) do nothing";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&file.id).bind(&file.tenant.project).bind(file.tenant.environment.as_str())
        .bind(&file.user).bind(&file.stash).bind(&file.key).bind(now_ms).bind(file.expires_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Whether the user has a file in the stash.
pub(super) async fn has_stash(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
    (stash, now_ms): (&str, i64),
) -> sqlx::Result<bool> {
    let sql = "select count(*) from stash_files where project_id = $1 and environment = $2 \
               and user_id = $3 and stash_id = $4 and expires_at_ms > $5";
    let count: i64 = on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user).bind(stash)
        .bind(now_ms).fetch_one(conn).await?);
    Ok(count > 0)
}

/// Counts a chunk's bytes for its file, unless the project would have more than `most` then: files
/// without bytes take place too, so each counts as a KiB at least. `false`: it would, or the file
/// is gone.
pub(super) async fn grow(
    tx: &mut Tx,
    file: &File,
    nth: i64,
    (bytes, most): (i64, i64),
) -> sqlx::Result<bool> {
    let sql = "update stash_files set bytes = bytes + $5, chunks = $4 + 1 where project_id = $1 \
               and environment = $2 and id = $3 and chunks = $4 and complete = false and (select \
               coalesce(sum(case when bytes < 1024 then 1024 else bytes end), 0) \
               from stash_files where project_id = $1 and id <> $3) + \
               case when bytes + $5 < 1024 then 1024 else bytes + $5 end <= $6";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&file.tenant.project).bind(file.tenant.environment.as_str()).bind(&file.id)
        .bind(nth).bind(bytes).bind(most).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn insert_chunk(
    tx: &mut Tx,
    file: &File,
    nth: i64,
    sealed: &[u8],
) -> sqlx::Result<()> {
    let sql = "insert into stash_chunks (file_id, nth, sealed) values ($1, $2, $3)";
    on!(tx.conn(), conn => sqlx::query(sql).bind(&file.id).bind(nth).bind(sealed)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Says that a file is whole, and what it is named by. `false`: another got the key just now, or
/// the file is gone.
pub(super) async fn complete(tx: &mut Tx, file: &File, key: &str) -> sqlx::Result<bool> {
    let sql = "update stash_files set complete = true, s3_key = $4 where project_id = $1 and \
               environment = $2 and id = $3";
    let done = async {
        Ok::<_, sqlx::Error>(on!(tx.conn(), conn => sqlx::query(sql)
            .bind(&file.tenant.project).bind(file.tenant.environment.as_str()).bind(&file.id)
            .bind(key).execute(conn).await?.rows_affected()))
    };
    match done.await {
        Ok(done) => Ok(done == 1),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A whole file whose time is not over.
pub(super) async fn find(
    db: &Db,
    project: &ProjectId,
    key: &str,
    now_ms: i64,
) -> sqlx::Result<Option<File>> {
    // The key names the user, who is of one environment.
    let sql = "select id, environment, user_id, stash_id, s3_key, bytes, chunks, expires_at_ms \
               from stash_files where project_id = $1 and environment in ('production', \
               'development') and s3_key = $2 and complete and expires_at_ms > $3";
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(key).bind(now_ms).fetch_optional(conn).await?);
    row.map(|it| it.file(project)).transpose()
}

/// The whole files of a user's stash whose time is not over.
pub(super) async fn of_stash(
    db: &Db,
    tenant: &Tenant,
    user: &UserId,
    (stash, now_ms): (&str, i64),
) -> sqlx::Result<Vec<File>> {
    let sql = "select id, environment, user_id, stash_id, s3_key, bytes, chunks, expires_at_ms \
               from stash_files where project_id = $1 and environment = $2 and user_id = $3 \
               and stash_id = $4 and complete and expires_at_ms > $5 order by s3_key";
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user).bind(stash)
        .bind(now_ms).fetch_all(conn).await?);
    rows.into_iter().map(|it| it.file(&tenant.project)).collect()
}

pub(super) async fn chunk(db: &Db, file: &File, nth: i64) -> sqlx::Result<Option<Vec<u8>>> {
    let sql = "select c.sealed from stash_chunks c join stash_files f on f.id = c.file_id \
               where f.project_id = $1 and f.environment = $2 and f.id = $3 and c.nth = $4";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&file.tenant.project).bind(file.tenant.environment.as_str()).bind(&file.id)
        .bind(nth).fetch_optional(conn).await?))
}

pub(super) async fn delete(db: &Db, tenant: &Tenant, file: &FileId) -> sqlx::Result<()> {
    let sql = "delete from stash_files where project_id = $1 and environment = $2 and id = $3";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(file)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Takes away the file of that key, if there is one.
pub(super) async fn delete_named(tx: &mut Tx, tenant: &Tenant, key: &str) -> sqlx::Result<()> {
    let sql = "delete from stash_files where project_id = $1 and environment = $2 and s3_key = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(key)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn delete_of_user(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
) -> sqlx::Result<()> {
    let sql = "delete from stash_files where project_id = $1 and environment = $2 and user_id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .execute(conn).await?.rows_affected());
    Ok(())
}
