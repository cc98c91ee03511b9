//! Rows of `workflows` and `workflow_versions`. SQL and nothing else.

pub(super) mod answers;
pub(super) mod runs;
pub(super) mod steps;

use sqlx::FromRow;

use super::{Auth, Definition, Workflow};
use crate::db::{Db, Tx};
use crate::ids::{ProjectId, UserId, WorkflowId};
use crate::on;
use crate::paging::Page;

#[derive(FromRow)]
struct Row {
    id: WorkflowId,
    project_id: ProjectId,
    name: String,
    version: i64,
    auth: Option<String>,
    key_sealed: Option<Vec<u8>>,
    bearer_hash: Option<Vec<u8>>,
    due_at_ms: Option<i64>,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<Row> for Workflow {
    fn from(row: Row) -> Self {
        let auth = |text: String| Auth::ALL.into_iter().find(|it| it.as_str() == text);
        Self {
            id: row.id,
            project: row.project_id,
            name: row.name,
            version: row.version,
            // What is not known lets nobody in.
            auth: row.auth.map(|text| auth(text).unwrap_or(Auth::Oauth)),
            key_sealed: row.key_sealed,
            bearer_hash: row.bearer_hash,
            due_at_ms: row.due_at_ms,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, project_id, name, version, auth, key_sealed, bearer_hash, due_at_ms, \
             created_at_ms, updated_at_ms from workflows where ",
            $rest
        )
    };
}

/// What stands of an address.
pub(super) struct Address<'a> {
    pub auth: Option<Auth>,
    pub key_hash: Option<&'a [u8]>,
    pub key_sealed: Option<&'a [u8]>,
    pub bearer_hash: Option<&'a [u8]>,
}

/// When a timer is due next. `Same`: as it stands.
pub(super) enum Timer {
    Same,
    At(Option<i64>),
}

/// `false`: there is one of that name by now.
pub(super) async fn insert(tx: &mut Tx, it: &Workflow) -> sqlx::Result<bool> {
    let sql = "insert into workflows (id, project_id, name, version, window_from_ms, window_runs, \
               created_at_ms, updated_at_ms) values ($1, $2, $3, 0, 0, 0, $4, $5) on conflict do \
               nothing";
    let added = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.project).bind(&it.name).bind(it.created_at_ms)
        .bind(it.updated_at_ms).execute(conn).await?.rows_affected());
    Ok(added == 1)
}

/// Makes the next version the one that new runs are of. Gives its number, and when its timer is
/// due.
pub(super) async fn raise(
    tx: &mut Tx,
    it: &Workflow,
    (address, timer): (&Address<'_>, &Timer),
    now_ms: i64,
) -> sqlx::Result<(i64, Option<i64>)> {
    let (same, due_at_ms) = match timer {
        Timer::Same => (true, None),
        Timer::At(due_at_ms) => (false, *due_at_ms),
    };
    let sql = "update workflows set version = version + 1, auth = $3, key_hash = $4, \
               key_sealed = $5, bearer_hash = $6, updated_at_ms = $7, \
               due_at_ms = case when $8 then due_at_ms else $9 end, \
               after_user = case when $8 then after_user else null end \
               where project_id = $1 and id = $2 returning version, due_at_ms";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&it.project).bind(&it.id).bind(address.auth.map(Auth::as_str))
        .bind(address.key_hash).bind(address.key_sealed).bind(address.bearer_hash).bind(now_ms)
        .bind(same).bind(due_at_ms).fetch_one(conn).await?))
}

pub(super) async fn insert_version(
    tx: &mut Tx,
    (id, version): (&WorkflowId, i64),
    (definition, digest): (&str, &str),
    now_ms: i64,
) -> sqlx::Result<()> {
    let sql = "insert into workflow_versions (workflow_id, version, definition, digest, \
               created_at_ms) values ($1, $2, $3, $4, $5)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(id).bind(version).bind(definition).bind(digest).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Deletes versions that nothing needs: no run is of them, and they are older than the one before
/// `version`, of which a run may begin at this very moment.
pub(super) async fn forget_versions(
    tx: &mut Tx,
    (id, version): (&WorkflowId, i64),
) -> sqlx::Result<()> {
    let sql = "delete from workflow_versions where workflow_id = $1 and version < $2 - 1 and \
               not exists (select 1 from workflow_runs r where r.workflow_id = $1 and \
               r.version = workflow_versions.version)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(id).bind(version).execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn count(tx: &mut Tx, project: &ProjectId) -> sqlx::Result<i64> {
    let sql = "select count(*) from workflows where project_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql).bind(project).fetch_one(conn).await?))
}

/// The digest of the version that new runs are of.
pub(super) async fn digest(db: &Db, it: &Workflow) -> sqlx::Result<Option<String>> {
    let sql = "select v.digest from workflow_versions v join workflows w on w.id = v.workflow_id \
               where w.project_id = $1 and w.id = $2 and v.version = w.version";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&it.project).bind(&it.id).fetch_optional(conn).await?))
}

/// As it is run.
pub(super) async fn definition(
    db: &Db,
    project: &ProjectId,
    (id, version): (&WorkflowId, i64),
) -> sqlx::Result<Option<Definition>> {
    let sql = "select v.definition from workflow_versions v join workflows w \
               on w.id = v.workflow_id where w.project_id = $1 and w.id = $2 and v.version = $3";
    let text: Option<String> = on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(project).bind(id).bind(version).fetch_optional(conn).await?);
    let read = |text: String| serde_json::from_str(&text);
    text.map(read).transpose().map_err(|it| sqlx::Error::Decode(it.into()))
}

pub(super) async fn find(
    db: &Db,
    project: &ProjectId,
    id: &WorkflowId,
) -> sqlx::Result<Option<Workflow>> {
    let sql = select!("project_id = $1 and id = $2");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Workflow::from))
}

pub(super) async fn by_name(
    db: &Db,
    project: &ProjectId,
    name: &str,
) -> sqlx::Result<Option<Workflow>> {
    let sql = select!("project_id = $1 and name = $2");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(name).fetch_optional(conn).await?);
    Ok(row.map(Workflow::from))
}

/// By the hash of the secret part of its address.
pub(super) async fn by_key(db: &Db, hash: &[u8]) -> sqlx::Result<Option<Workflow>> {
    let sql = select!("key_hash = $1");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(hash).fetch_optional(conn).await?);
    Ok(row.map(Workflow::from))
}

/// All of a project, by name: at most [`super::WORKFLOWS_MAX`].
pub(super) async fn all(db: &Db, project: &ProjectId) -> sqlx::Result<Vec<Workflow>> {
    let sql = select!("project_id = $1 order by name");
    let rows: Vec<Row> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(project).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Workflow::from).collect())
}

/// One page, newest first, and how many there are.
pub(super) async fn list(
    db: &Db,
    project: &ProjectId,
    page: &Page,
) -> sqlx::Result<(Vec<Workflow>, i64)> {
    let total = "select count(*) from workflows where project_id = $1";
    let total =
        on!(db.read(), conn => sqlx::query_scalar(total).bind(project).fetch_one(conn).await?);
    let forward = select!(
        "project_id = $1 and (created_at_ms < $2 or (created_at_ms = $2 and id < $3)) \
         order by created_at_ms desc, id desc limit $4"
    );
    let backward = select!(
        "project_id = $1 and (created_at_ms > $2 or (created_at_ms = $2 and id > $3)) \
         order by created_at_ms, id limit $4"
    );
    let (sql, key, id) = page.bounds(forward, backward);
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(key).bind(id).bind(page.limit + 1).fetch_all(conn).await?);
    Ok((rows.into_iter().map(Workflow::from).collect(), total))
}

pub(super) async fn delete(db: &Db, it: &Workflow) -> sqlx::Result<bool> {
    let sql = "delete from workflows where project_id = $1 and id = $2";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.project).bind(&it.id).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Locks the row for the rest of the transaction, and gives when its window began and how many runs
/// were begun in it. `None`: it was deleted.
pub(super) async fn lock(
    tx: &mut Tx,
    project: &ProjectId,
    id: &WorkflowId,
) -> sqlx::Result<Option<(i64, i64)>> {
    let sql = "update workflows set window_runs = window_runs where project_id = $1 and id = $2 \
               returning window_from_ms, window_runs";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql).bind(project).bind(id)
        .fetch_optional(conn).await?))
}

/// The row as it is, locked for the rest of the transaction. `None`: it was deleted.
pub(super) async fn locked(
    tx: &mut Tx,
    project: &ProjectId,
    id: &WorkflowId,
) -> sqlx::Result<Option<Workflow>> {
    if lock(tx, project, id).await?.is_none() {
        return Ok(None);
    }
    let sql = select!("project_id = $1 and id = $2");
    let row: Option<Row> = on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(project).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Workflow::from))
}

pub(super) async fn set_window(
    tx: &mut Tx,
    project: &ProjectId,
    id: &WorkflowId,
    (from_ms, runs): (i64, i64),
) -> sqlx::Result<()> {
    let sql = "update workflows set window_from_ms = $3, window_runs = $4 where project_id = $1 \
               and id = $2";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(project).bind(id).bind(from_ms).bind(runs).execute(conn).await?.rows_affected());
    Ok(())
}

/// A timer that is due.
pub(super) struct Ringing {
    pub workflow: Workflow,
    pub due_at_ms: i64,
    /// The user after whom to go on.
    pub after_user: Option<UserId>,
}

#[derive(FromRow)]
struct DueRow {
    #[sqlx(flatten)]
    workflow: Row,
    after_user: Option<UserId>,
}

/// Timers that are due: of each project the one that waited longest, then the second of each, and
/// so on.
pub(super) async fn timers_due(db: &Db, now_ms: i64, most: i64) -> sqlx::Result<Vec<Ringing>> {
    let sql = "select id, project_id, name, version, auth, key_sealed, bearer_hash, due_at_ms, \
               created_at_ms, updated_at_ms, after_user from (select w.*, row_number() over \
               (partition by project_id order by due_at_ms, id) as nth from workflows w \
               where due_at_ms <= $1 and not_before_ms <= $1) it \
               order by nth, due_at_ms, id limit $2";
    let rows: Vec<DueRow> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(most).fetch_all(conn).await?);
    let due = |row: DueRow| {
        let workflow = Workflow::from(row.workflow);
        let due_at_ms = workflow.due_at_ms?;
        Some(Ringing { workflow, due_at_ms, after_user: row.after_user })
    };
    Ok(rows.into_iter().filter_map(due).collect())
}

/// Says when a timer is due next, and where to go on. `false`: another did, or it was deployed
/// anew.
pub(super) async fn set_timer(
    tx: &mut Tx,
    it: &Ringing,
    (due_at_ms, after_user): (i64, Option<UserId>),
) -> sqlx::Result<bool> {
    let sql = "update workflows set due_at_ms = $6, after_user = $7 where project_id = $1 and \
               id = $2 and version = $3 and due_at_ms = $4 and coalesce(after_user, '') = $5";
    let after = it.after_user.as_ref().map_or("", UserId::as_str);
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.workflow.project).bind(&it.workflow.id).bind(it.workflow.version)
        .bind(it.due_at_ms).bind(after).bind(due_at_ms).bind(after_user)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Leaves a timer alone until `until_ms`. It stays due, for the time that it was due at.
pub(super) async fn put_off_timer(db: &Db, it: &Ringing, until_ms: i64) -> sqlx::Result<()> {
    let sql = "update workflows set not_before_ms = $3 where project_id = $1 and id = $2";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.workflow.project).bind(&it.workflow.id).bind(until_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}
