//! Rows of `workflow_runs`.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{ProjectId, UserId, WorkflowId, WorkflowRunId};
use crate::on;
use crate::paging::Page;
use crate::tenant::{Environment, Tenant};
use crate::workflows::{Run, State};

#[derive(FromRow)]
struct Row {
    id: WorkflowRunId,
    workflow_id: WorkflowId,
    project_id: ProjectId,
    environment: String,
    user_id: UserId,
    external_id: String,
    version: i64,
    cause: String,
    of_run: Option<WorkflowRunId>,
    state: String,
    outcome: Option<String>,
    step: i64,
    failures: i64,
    reruns: i64,
    begun: i64,
    sealed: Vec<u8>,
    revision: i64,
    created_at_ms: i64,
    started_at_ms: Option<i64>,
    ended_at_ms: Option<i64>,
}

impl TryFrom<Row> for Run {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let bad =
            |what: &str| sqlx::Error::Decode(format!("workflow_runs.{what} of {}", row.id).into());
        let environment = Environment::parse(&row.environment).ok_or_else(|| bad("environment"))?;
        let state = State::ALL.into_iter().find(|it| it.as_str() == row.state);
        Ok(Self {
            state: state.ok_or_else(|| bad("state"))?,
            id: row.id,
            workflow: row.workflow_id,
            tenant: Tenant { project: row.project_id, environment },
            user: row.user_id,
            external_id: row.external_id,
            version: row.version,
            cause: row.cause,
            of_run: row.of_run,
            outcome: row.outcome,
            step: row.step,
            failures: row.failures,
            reruns: row.reruns,
            begun: row.begun,
            sealed: row.sealed,
            revision: row.revision,
            created_at_ms: row.created_at_ms,
            started_at_ms: row.started_at_ms,
            ended_at_ms: row.ended_at_ms,
        })
    }
}

/// A user who is being erased has none any more.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select r.id, r.workflow_id, r.project_id, r.environment, r.user_id, u.external_id, \
             r.version, r.cause, r.of_run, r.state, r.outcome, r.step, r.failures, r.reruns, \
             r.begun, r.sealed, r.revision, r.created_at_ms, r.started_at_ms, r.ended_at_ms \
             from workflow_runs r join external_users u on u.project_id = r.project_id and \
             u.environment = r.environment and u.id = r.user_id where u.erased_at_ms is null and ",
            $rest
        )
    };
}

pub(in crate::workflows) async fn insert(
    tx: &mut Tx,
    it: &Run,
    (due_at_ms, once): (i64, Option<&str>),
) -> sqlx::Result<()> {
    let sql = "insert into workflow_runs (id, workflow_id, project_id, environment, user_id, \
               version, cause, of_run, state, outcome, step, failures, reruns, sealed, revision, \
               due_at_ms, lease_until_ms, fence, created_at_ms, ended_at_ms, once) values ($1, $2, \
               $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, $12, $13, $14, 0, 0, $15, $16, $17)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.workflow).bind(&it.tenant.project)
        .bind(it.tenant.environment.as_str()).bind(&it.user).bind(it.version).bind(&it.cause)
        .bind(&it.of_run).bind(it.state.as_str()).bind(&it.outcome).bind(it.step)
        .bind(&it.sealed).bind(it.revision).bind(due_at_ms).bind(it.created_at_ms)
        .bind(it.ended_at_ms).bind(once).execute(conn).await?.rows_affected());
    Ok(())
}

/// How many of a workflow wait for their turn.
pub(in crate::workflows) async fn queued(
    tx: &mut Tx,
    project: &ProjectId,
    workflow: &WorkflowId,
) -> sqlx::Result<i64> {
    count(tx, project, (workflow, State::Queued)).await
}

/// How many of a workflow are in that state.
pub(in crate::workflows) async fn count(
    tx: &mut Tx,
    project: &ProjectId,
    (workflow, state): (&WorkflowId, State),
) -> sqlx::Result<i64> {
    let sql = "select count(*) from workflow_runs where project_id = $1 and workflow_id = $2 and \
               state = $3 and outcome is null";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(project).bind(workflow).bind(state.as_str()).fetch_one(conn).await?))
}

pub(in crate::workflows) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &WorkflowRunId,
) -> sqlx::Result<Option<Run>> {
    let sql = select!("r.project_id = $1 and r.environment = $2 and r.id = $3");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    row.map(Run::try_from).transpose()
}

/// The run of a workflow that was begun under a name.
pub(in crate::workflows) async fn by_once(
    db: &Db,
    project: &ProjectId,
    (workflow, once): (&WorkflowId, &str),
) -> sqlx::Result<Option<Run>> {
    let sql = select!("r.project_id = $1 and r.workflow_id = $2 and r.once = $3");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(workflow).bind(once).fetch_optional(conn).await?);
    row.map(Run::try_from).transpose()
}

/// By the hash of the secret part of its addresses.
pub(in crate::workflows) async fn by_resume(db: &Db, hash: &[u8]) -> sqlx::Result<Option<Run>> {
    let sql = select!("r.resume_hash = $1");
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(hash).fetch_optional(conn).await?);
    row.map(Run::try_from).transpose()
}

/// One page of those of an environment, newest first, and how many there are. With a workflow, only
/// its own.
pub(in crate::workflows) async fn list(
    db: &Db,
    tenant: &Tenant,
    workflow: Option<&WorkflowId>,
    page: &Page,
) -> sqlx::Result<(Vec<Run>, i64)> {
    let only = workflow.map_or("", WorkflowId::as_str);
    let total = "select count(*) from workflow_runs where project_id = $1 and environment = $2 \
                 and ($3 = '' or workflow_id = $3)";
    let total = on!(db.read(), conn => sqlx::query_scalar(total)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(only)
        .fetch_one(conn).await?);
    let forward = select!(
        "r.project_id = $1 and r.environment = $2 and ($3 = '' or r.workflow_id = $3) and \
         (r.created_at_ms < $4 or (r.created_at_ms = $4 and r.id < $5)) \
         order by r.created_at_ms desc, r.id desc limit $6"
    );
    let backward = select!(
        "r.project_id = $1 and r.environment = $2 and ($3 = '' or r.workflow_id = $3) and \
         (r.created_at_ms > $4 or (r.created_at_ms = $4 and r.id > $5)) \
         order by r.created_at_ms, r.id limit $6"
    );
    let (sql, key, id) = page.bounds(forward, backward);
    let rows: Vec<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(only).bind(key).bind(id)
        .bind(page.limit + 1).fetch_all(conn).await?);
    let rows: sqlx::Result<Vec<_>> = rows.into_iter().map(Run::try_from).collect();
    Ok((rows?, total))
}

/// Names a run that is due.
#[derive(FromRow)]
pub(in crate::workflows) struct Due {
    pub id: WorkflowRunId,
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

/// Takes the leases of up to `most` runs that are due. Two processes never take one at once. Where
/// the lease before was not given back, its process died in the middle of a step, and the step is
/// begun once more.
pub(in crate::workflows) async fn claim(
    db: &Db,
    (now_ms, until_ms): (i64, i64),
    most: i64,
) -> sqlx::Result<Vec<Due>> {
    let sql = "update workflow_runs set lease_until_ms = $2, fence = fence + 1, \
               begun = begun + case when state = 'running' and lease_until_ms > 0 then 1 else 0 \
               end where lease_until_ms <= $1 and outcome is null and id in (select id from \
               workflow_runs where outcome is null and due_at_ms <= $1 and lease_until_ms <= $1 \
               order by due_at_ms limit $3) returning id, project_id, environment, fence";
    Ok(on!(db.write(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(until_ms).bind(most).fetch_all(conn).await?))
}

/// Holds the lease until `until_ms`. `false`: it is another's by now, or the run is over.
pub(in crate::workflows) async fn hold(
    db: &Db,
    it: &Run,
    fence: i64,
    until_ms: i64,
) -> sqlx::Result<bool> {
    let sql = "update workflow_runs set lease_until_ms = $4 where project_id = $1 and id = $2 and \
               fence = $3 and outcome is null";
    let done = on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(fence).bind(until_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Puts it off with nothing else changed, and gives the lease back.
pub(in crate::workflows) async fn put_off(
    db: &Db,
    it: &Run,
    fence: i64,
    until_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update workflow_runs set due_at_ms = $4, lease_until_ms = 0 where project_id = $1 \
               and id = $2 and fence = $3";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(fence).bind(until_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// The same within the transaction that saw that it is not its turn. One that went on before waits
/// among the others from then on, as the old one that it is.
pub(in crate::workflows) async fn put_off_within(
    tx: &mut Tx,
    it: &Run,
    fence: i64,
    until_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update workflow_runs set state = 'queued', due_at_ms = $4, lease_until_ms = 0 \
               where project_id = $1 and id = $2 and fence = $3 and outcome is null";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(fence).bind(until_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Whether an older run of the workflow waits for its turn: those that a workflow holds back begin
/// in the order in which they came. One whose lease was not given back, though it was taken long
/// enough ago for that, is passed over: perhaps it cannot be read.
pub(in crate::workflows) async fn is_behind(
    tx: &mut Tx,
    it: &Run,
    (now_ms, fresh_lease_ms): (i64, i64),
) -> sqlx::Result<bool> {
    let sql = "select id from workflow_runs where project_id = $1 and workflow_id = $2 and \
               state = 'queued' and outcome is null and \
               (created_at_ms < $3 or (created_at_ms = $3 and id < $4)) and \
               (lease_until_ms <= $5 or lease_until_ms > $6) \
               order by created_at_ms, id limit 1";
    let older: Option<String> = on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&it.tenant.project).bind(&it.workflow).bind(it.created_at_ms).bind(&it.id)
        .bind(now_ms).bind(fresh_lease_ms).fetch_optional(conn).await?);
    Ok(older.is_some())
}

/// Has the oldest run of the workflow that waits for its turn looked at before all others. Beside
/// no other change: that run may be locked by whoever waits for what was changed.
pub(in crate::workflows) async fn call_next(db: &Db, it: &Run, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update workflow_runs set due_at_ms = created_at_ms where project_id = $1 and \
               state = 'queued' and id = (select id from workflow_runs where project_id = $1 and \
               workflow_id = $2 and state = 'queued' and outcome is null and \
               lease_until_ms <= $3 order by created_at_ms, id limit 1)";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.workflow).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Counts the run among those under way, within the transaction that found a place for it.
pub(in crate::workflows) async fn take_place(
    tx: &mut Tx,
    it: &Run,
    fence: i64,
) -> sqlx::Result<()> {
    let sql = "update workflow_runs set state = 'running' where project_id = $1 and id = $2 and \
               fence = $3 and outcome is null";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(fence).execute(conn).await?.rows_affected());
    Ok(())
}

/// How a run stands after what was done.
pub(in crate::workflows) struct Standing<'a> {
    pub state: State,
    pub outcome: Option<&'static str>,
    pub step: i64,
    pub failures: i64,
    pub reruns: i64,
    pub begun: i64,
    pub sealed: &'a [u8],
    pub resume_hash: Option<&'a [u8]>,
    pub due_at_ms: i64,
    /// Whether whoever has the lease keeps it, to go on at once.
    pub keep: bool,
    pub now_ms: i64,
}

/// Writes how it stands, as one further revision, if it is still the one that was read, and with a
/// fence only for whoever has that lease. `false`: it is not, and nothing may be committed.
pub(in crate::workflows) async fn settle(
    tx: &mut Tx,
    it: &Run,
    fence: Option<i64>,
    now: &Standing<'_>,
) -> sqlx::Result<bool> {
    let sql = "update workflow_runs set state = $5, outcome = $6, step = $7, failures = $8, \
               reruns = $9, begun = $15, sealed = $10, resume_hash = $11, due_at_ms = $12, \
               revision = revision + 1, \
               lease_until_ms = case when $13 then lease_until_ms else 0 end, \
               fence = case when $4 < 0 then fence + 1 else fence end, \
               started_at_ms = case when $5 = 'queued' or started_at_ms is not null \
               then started_at_ms else $14 end, \
               ended_at_ms = case when $5 = 'ended' then $14 else null end \
               where project_id = $1 and id = $2 and revision = $3 and ($4 < 0 or fence = $4) \
               and outcome is null";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(it.revision).bind(fence.unwrap_or(-1))
        .bind(now.state.as_str()).bind(now.outcome).bind(now.step).bind(now.failures)
        .bind(now.reruns).bind(now.sealed).bind(now.resume_hash).bind(now.due_at_ms)
        .bind(now.keep).bind(now.now_ms).bind(now.begun).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Writes what is sealed of a run that is over anew, for the same revision.
pub(in crate::workflows) async fn reseal(db: &Db, it: &Run, sealed: &[u8]) -> sqlx::Result<()> {
    let sql = "update workflow_runs set sealed = $4 where project_id = $1 and id = $2 and \
               revision = $3";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(it.revision).bind(sealed)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Environments in which more than `most` runs are over.
pub(in crate::workflows) async fn crowded(db: &Db, most: i64) -> sqlx::Result<Vec<Tenant>> {
    let sql = "select project_id, environment from workflow_runs where state = 'ended' \
               group by project_id, environment having count(*) > $1";
    let rows: Vec<(ProjectId, String)> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(most).fetch_all(conn).await?);
    let tenant = |(project, environment): (ProjectId, String)| {
        let bad = || sqlx::Error::Decode("workflow_runs.environment".into());
        let environment = Environment::parse(&environment).ok_or_else(bad)?;
        Ok(Tenant { project, environment })
    };
    rows.into_iter().map(tenant).collect()
}

/// Deletes those that are over, beyond the last `most` of an environment.
pub(in crate::workflows) async fn forget(db: &Db, tenant: &Tenant, most: i64) -> sqlx::Result<()> {
    let sql = "select created_at_ms, id from workflow_runs where project_id = $1 and \
               environment = $2 and state = 'ended' order by created_at_ms desc, id desc \
               limit 1 offset $3";
    let newest: Option<(i64, WorkflowRunId)> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(most)
        .fetch_optional(conn).await?);
    let Some((created_at_ms, id)) = newest else { return Ok(()) };
    let sql = "delete from workflow_runs where project_id = $1 and environment = $2 and \
               state = 'ended' and created_at_ms <= $3 and (created_at_ms < $3 or id <= $4)";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(created_at_ms).bind(&id)
        .execute(conn).await?.rows_affected());
    Ok(())
}
