//! Rows of `triggers`. SQL and nothing else.

pub(super) mod calls;
pub(super) mod events;
pub(super) mod interfaces;
pub(super) mod starts;

use sqlx::FromRow;

use super::uses::Use;
use super::{NEVER, State, Trigger};
use crate::db::{Db, Tx};
use crate::ids::{ComponentId, Emitter, EmitterId, ProjectId, UserId, WorkflowId};
use crate::on;
use crate::paging::Page;
use crate::tenant::{Environment, Tenant};

#[derive(FromRow)]
struct Row {
    id: EmitterId,
    project_id: ProjectId,
    environment: String,
    user_id: UserId,
    external_id: String,
    kind: String,
    component_id: ComponentId,
    component_key: String,
    version: String,
    name: String,
    sealed: Vec<u8>,
    revision: i64,
    emit_on_deploy: bool,
    state: String,
    failures: i64,
    trouble: Option<Vec<u8>>,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl TryFrom<Row> for Trigger {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let bad = |what: &str| sqlx::Error::Decode(format!("triggers.{what} of {}", row.id).into());
        let environment = Environment::parse(&row.environment).ok_or_else(|| bad("environment"))?;
        let kind = Emitter::ALL.into_iter().find(|it| it.as_str() == row.kind);
        let state = State::ALL.into_iter().find(|it| it.as_str() == row.state);
        Ok(Self {
            kind: kind.ok_or_else(|| bad("kind"))?,
            state: state.ok_or_else(|| bad("state"))?,
            id: row.id,
            tenant: Tenant { project: row.project_id, environment },
            user: row.user_id,
            external_id: row.external_id,
            component: row.component_id,
            component_key: row.component_key,
            version: row.version,
            name: row.name,
            sealed: row.sealed,
            revision: row.revision,
            emit_on_deploy: row.emit_on_deploy,
            failures: row.failures,
            trouble: row.trouble,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

/// A user who is being erased has none any more.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select t.id, t.project_id, t.environment, t.user_id, u.external_id, t.kind, \
             t.component_id, t.component_key, t.version, t.name, t.sealed, t.revision, \
             t.emit_on_deploy, t.state, t.failures, t.trouble, t.created_at_ms, \
             t.updated_at_ms from triggers t join external_users u on \
             u.project_id = t.project_id and u.environment = t.environment and \
             u.id = t.user_id where u.erased_at_ms is null and t.project_id = $1 and \
             t.environment = $2 and ",
            $rest
        )
    };
}

pub(super) async fn insert(tx: &mut Tx, it: &Trigger) -> sqlx::Result<()> {
    let sql = "insert into triggers (id, project_id, environment, user_id, kind, component_id, \
               component_key, version, name, sealed, revision, emit_on_deploy, state, failures, \
               due_at_ms, not_before_ms, lease_until_ms, fence, emitted, created_at_ms, \
               updated_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, \
               $14, 0, 0, 0, 0, $15, $15)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.tenant.project).bind(it.tenant.environment.as_str())
        .bind(&it.user).bind(it.kind.as_str()).bind(&it.component).bind(&it.component_key)
        .bind(&it.version).bind(&it.name).bind(&it.sealed).bind(it.revision)
        .bind(it.emit_on_deploy).bind(it.state.as_str()).bind(NEVER).bind(it.created_at_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn count(tx: &mut Tx, tenant: &Tenant, user: &UserId) -> sqlx::Result<i64> {
    let sql = "select count(*) from triggers where project_id = $1 and environment = $2 and \
               user_id = $3";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_one(conn).await?))
}

pub(super) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &EmitterId,
) -> sqlx::Result<Option<Trigger>> {
    let sql = select!("t.id = $3");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    row.map(Trigger::try_from).transpose()
}

/// One page of a user's triggers of one kind, newest first, and how many there are.
pub(super) async fn list(
    db: &Db,
    tenant: &Tenant,
    (external_id, kind): (&str, Emitter),
    page: &Page,
) -> sqlx::Result<(Vec<Trigger>, i64)> {
    let total = "select count(*) from triggers t join external_users u on \
                 u.project_id = t.project_id and u.environment = t.environment and \
                 u.id = t.user_id where t.project_id = $1 and t.environment = $2 and \
                 u.external_id = $3 and t.kind = $4 and t.state <> 'deploying'";
    let total = on!(db.read(), conn => sqlx::query_scalar(total)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(external_id)
        .bind(kind.as_str()).fetch_one(conn).await?);
    let forward = select!(
        "u.external_id = $3 and t.kind = $4 and t.state <> 'deploying' and \
         (t.created_at_ms < $5 or (t.created_at_ms = $5 and t.id < $6)) \
         order by t.created_at_ms desc, t.id desc limit $7"
    );
    let backward = select!(
        "u.external_id = $3 and t.kind = $4 and t.state <> 'deploying' and \
         (t.created_at_ms > $5 or (t.created_at_ms = $5 and t.id > $6)) \
         order by t.created_at_ms, t.id limit $7"
    );
    let (sql, key, id) = page.bounds(forward, backward);
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(external_id)
        .bind(kind.as_str()).bind(key).bind(id).bind(page.limit + 1).fetch_all(conn).await?);
    let rows: sqlx::Result<Vec<_>> = rows.into_iter().map(Trigger::try_from).collect();
    Ok((rows?, total))
}

/// The sources of a user whose code may have begun something.
pub(super) async fn sources_of(
    db: &Db,
    tenant: &Tenant,
    external_id: &str,
) -> sqlx::Result<Vec<Trigger>> {
    let sql = select!("u.external_id = $3 and t.kind = 'source' and t.state <> 'inactive'");
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(external_id)
        .fetch_all(conn).await?);
    rows.into_iter().map(Trigger::try_from).collect()
}

/// The sources of an environment whose code may have begun something.
pub(super) async fn sources_in(db: &Db, tenant: &Tenant) -> sqlx::Result<Vec<Trigger>> {
    let sql = select!("t.kind = 'source' and t.state <> 'inactive'");
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).fetch_all(conn).await?);
    rows.into_iter().map(Trigger::try_from).collect()
}

/// Whether any is due: to look is cheaper than to claim in vain.
pub(super) async fn any_due(db: &Db, now_ms: i64) -> sqlx::Result<bool> {
    let sql = "select count(*) from (select id from triggers where state = 'active' and \
               due_at_ms <= $1 and lease_until_ms <= $1 limit 1) due";
    let count: i64 = on!(db.read(), conn => sqlx::query_scalar(sql).bind(now_ms)
        .fetch_one(conn).await?);
    Ok(count > 0)
}

/// Names a trigger that is due.
#[derive(FromRow)]
pub(super) struct Due {
    pub id: EmitterId,
    project_id: ProjectId,
    environment: String,
    pub fence: i64,
}

impl Due {
    pub fn tenant(&self) -> Option<Tenant> {
        let environment = Environment::parse(&self.environment)?;
        Some(Tenant { project: self.project_id.clone(), environment })
    }
}

/// Takes the leases of up to `most` triggers that are due, with code or without. Two processes
/// never take one at once. Those of a user follow each other where many are due in the same second:
/// a worker serves one user, and with all of them at once each would need a new one.
pub(super) async fn claim(
    db: &Db,
    sources: bool,
    (now_ms, until_ms): (i64, i64),
    most: i64,
) -> sqlx::Result<Vec<Due>> {
    let sql = "update triggers set lease_until_ms = $2, fence = fence + 1 \
               where lease_until_ms <= $1 and state = 'active' and id in (select id from triggers \
               where state = 'active' and due_at_ms <= $1 and lease_until_ms <= $1 and \
               (kind = 'source') = $3 order by due_at_ms, user_id limit $4) \
               returning id, project_id, environment, fence";
    Ok(on!(db.write(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(until_ms).bind(sources).bind(most).fetch_all(conn).await?))
}

/// Takes the lease of one trigger, whatever its state. `None`: somebody else has it.
pub(super) async fn take(
    db: &Db,
    it: &Trigger,
    (now_ms, until_ms): (i64, i64),
) -> sqlx::Result<Option<i64>> {
    let sql = "update triggers set lease_until_ms = $4, fence = fence + 1 where project_id = $1 \
               and id = $2 and lease_until_ms <= $3 returning fence";
    Ok(on!(db.write(), conn => sqlx::query_scalar(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(now_ms).bind(until_ms)
        .fetch_optional(conn).await?))
}

/// Holds the lease until `until_ms`; 0 gives it back. `false`: it is another's by now.
pub(super) async fn hold(
    db: &Db,
    (tenant, id): (&Tenant, &EmitterId),
    fence: i64,
    until_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "update triggers set lease_until_ms = $4 where project_id = $1 and id = $2 and \
               fence = $3";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(id).bind(fence).bind(until_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Locks the row for the rest of the transaction and counts `more` events. With a fence, only for
/// whoever has that lease. Gives how many events there were, or `None`: it is another's by now, or
/// gone.
pub(super) async fn lock(
    tx: &mut Tx,
    it: &Trigger,
    fence: Option<i64>,
    more: i64,
) -> sqlx::Result<Option<i64>> {
    let sql = "update triggers set emitted = emitted + $4 where project_id = $1 and id = $2 and \
               ($3 < 0 or fence = $3) returning emitted - $4";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(fence.unwrap_or(-1)).bind(more)
        .fetch_optional(conn).await?))
}

/// How a trigger stands after what was done.
pub(super) struct Standing<'a> {
    pub state: State,
    pub failures: i64,
    pub trouble: Option<&'a [u8]>,
    pub due_at_ms: i64,
    pub not_before_ms: i64,
    pub now_ms: i64,
}

/// Writes how it stands, and gives the lease back.
pub(super) async fn settle(tx: &mut Tx, it: &Trigger, now: Standing<'_>) -> sqlx::Result<()> {
    let sql = "update triggers set state = $3, failures = $4, trouble = $5, due_at_ms = $6, \
               not_before_ms = $7, updated_at_ms = case when state = $3 then updated_at_ms \
               else $8 end, lease_until_ms = 0 where project_id = $1 and id = $2";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(now.state.as_str()).bind(now.failures)
        .bind(now.trouble).bind(now.due_at_ms).bind(now.not_before_ms).bind(now.now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Puts it off, with nothing counted against it, and gives the lease back.
pub(super) async fn put_off(db: &Db, it: &Trigger, fence: i64, until_ms: i64) -> sqlx::Result<()> {
    let sql = "update triggers set due_at_ms = $4, lease_until_ms = 0 where project_id = $1 and \
               id = $2 and fence = $3";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(fence).bind(until_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// There is something to do now, or once it need not be left alone any more.
pub(super) async fn wake(tx: &mut Tx, it: &Trigger, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update triggers set due_at_ms = case when due_at_ms < $3 then due_at_ms \
               when not_before_ms > $3 then not_before_ms else $3 end \
               where project_id = $1 and id = $2";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Writes what a person may change. `false`: the row is gone, or was changed meanwhile.
pub(super) async fn update(tx: &mut Tx, it: &Trigger, former: i64) -> sqlx::Result<bool> {
    let sql = "update triggers set name = $3, sealed = $4, revision = $5, emit_on_deploy = $6, \
               updated_at_ms = $7 where project_id = $1 and id = $2 and revision = $8";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(&it.name).bind(&it.sealed)
        .bind(it.revision).bind(it.emit_on_deploy).bind(it.updated_at_ms).bind(former)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn delete(tx: &mut Tx, it: &Trigger) -> sqlx::Result<()> {
    let sql = "delete from triggers where project_id = $1 and environment = $2 and id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Deletes what a process that died was deploying since before `before_ms`.
pub(super) async fn forget_undone(db: &Db, before_ms: i64, now_ms: i64) -> sqlx::Result<u64> {
    let sql = "delete from triggers where state = 'deploying' and created_at_ms < $1 and \
               lease_until_ms <= $2";
    Ok(on!(db.write(), conn => sqlx::query(sql)
        .bind(before_ms).bind(now_ms).execute(conn).await?.rows_affected()))
}

#[derive(FromRow)]
struct UseRow {
    id: String,
    environment: String,
    external_id: String,
    name: String,
    version: String,
}

/// Triggers of users who are there, in both environments, the oldest first.
macro_rules! uses {
    ($of:literal) => {
        concat!(
            "select t.id, t.environment, u.external_id, t.name, t.version from triggers t join \
             external_users u on u.project_id = t.project_id and u.environment = t.environment \
             and u.id = t.user_id where u.erased_at_ms is null and t.project_id = $1 and ",
            $of,
            " order by t.created_at_ms, t.id"
        )
    };
}

/// What a component is deployed as.
pub(super) async fn made_of(
    db: &Db,
    project: &ProjectId,
    component: &ComponentId,
) -> sqlx::Result<Vec<Use>> {
    let rows: Vec<UseRow> = on!(db.read(), conn => sqlx::query_as(uses!("t.component_id = $2"))
        .bind(project).bind(component).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Use::from).collect())
}

/// What starts a workflow.
pub(super) async fn that_start(
    db: &Db,
    project: &ProjectId,
    workflow: &WorkflowId,
) -> sqlx::Result<Vec<Use>> {
    let sql = uses!("t.id in (select trigger_id from trigger_workflows where workflow_id = $2)");
    let rows: Vec<UseRow> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(workflow).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Use::from).collect())
}

impl From<UseRow> for Use {
    fn from(row: UseRow) -> Self {
        let UseRow { id, environment, external_id, name, version } = row;
        Self { id, environment, external_id, name, version }
    }
}

/// Pauses what a component is deployed as, whoever runs it just now.
pub(super) async fn pause_all_of(
    db: &Db,
    project: &ProjectId,
    component: &ComponentId,
    now_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update triggers set state = 'paused', due_at_ms = $3, updated_at_ms = $4, \
               fence = fence + 1 where project_id = $1 and component_id = $2 and state = 'active'";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(project).bind(component).bind(NEVER).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}
