//! Rows of `webhook_endpoints`. SQL and nothing else.

pub(super) mod deliveries;

use sqlx::FromRow;

use super::{Condition, Endpoint, Kind};
use crate::db::{Db, Tx};
use crate::ids::{EmitterId, ProjectId, UserId, WebhookId};
use crate::on;
use crate::tenant::{Environment, Tenant};

#[derive(FromRow)]
struct Row {
    id: WebhookId,
    project_id: ProjectId,
    environment: String,
    kind: String,
    url: String,
    topics: Option<String>,
    secret: Option<Vec<u8>>,
    former_secret: Option<Vec<u8>>,
    former_until_ms: i64,
    version: i64,
    state: String,
    state_since_ms: i64,
    failures: i64,
    last_error: Option<String>,
    sheds: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
    emitter_id: Option<EmitterId>,
}

impl TryFrom<Row> for Endpoint {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let bad = |what: &str| {
            sqlx::Error::Decode(format!("webhook_endpoints.{what} of {}", row.id).into())
        };
        let environment = Environment::parse(&row.environment).ok_or_else(|| bad("environment"))?;
        let kind = Kind::ALL.into_iter().find(|it| it.as_str() == row.kind);
        let state = Condition::ALL.into_iter().find(|it| it.as_str() == row.state);
        let topics = row.topics.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            kind: kind.ok_or_else(|| bad("kind"))?,
            state: state.ok_or_else(|| bad("state"))?,
            topics: topics.map_err(|_| bad("topics"))?,
            id: row.id,
            tenant: Tenant { project: row.project_id, environment },
            url: row.url,
            secret: row.secret,
            former_secret: row.former_secret,
            former_until_ms: row.former_until_ms,
            version: row.version,
            state_since_ms: row.state_since_ms,
            failures: row.failures,
            last_error: row.last_error,
            sheds: row.sheds,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
            emitter: row.emitter_id,
        })
    }
}

macro_rules! columns {
    () => {
        "id, project_id, environment, kind, url, topics, secret, former_secret, former_until_ms, \
         version, state, state_since_ms, failures, last_error, sheds, created_at_ms, \
         updated_at_ms, emitter_id"
    };
}

fn read(rows: Vec<Row>) -> sqlx::Result<Vec<Endpoint>> {
    rows.into_iter().map(Endpoint::try_from).collect()
}

fn topics_text(it: &Endpoint) -> sqlx::Result<Option<String>> {
    let text = it.topics.as_ref().map(serde_json::to_string).transpose();
    text.map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) async fn all(db: &Db, tenant: &Tenant) -> sqlx::Result<Vec<Endpoint>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from webhook_endpoints where project_id = $1 and environment = $2 and \
         kind <> 'emitter' order by created_at_ms, id"
    );
    read(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).fetch_all(conn).await?))
}

/// The same as the transaction sees them.
pub(super) async fn all_within(tx: &mut Tx, tenant: &Tenant) -> sqlx::Result<Vec<Endpoint>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from webhook_endpoints where project_id = $1 and environment = $2 and \
         kind not in ('token', 'emitter') order by id"
    );
    read(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).fetch_all(conn).await?))
}

pub(super) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &WebhookId,
) -> sqlx::Result<Option<Endpoint>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from webhook_endpoints where project_id = $1 and environment = $2 and id = $3"
    );
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    row.map(Endpoint::try_from).transpose()
}

const OF_EMITTER: &str = concat!(
    "select ",
    columns!(),
    " from webhook_endpoints where project_id = $1 and environment = $2 and emitter_id = $3 \
     order by created_at_ms, id"
);

/// Those of one trigger, the oldest first.
pub(super) async fn of_emitter(
    db: &Db,
    tenant: &Tenant,
    emitter: &EmitterId,
) -> sqlx::Result<Vec<Endpoint>> {
    read(on!(db.read(), conn => sqlx::query_as(OF_EMITTER)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(emitter)
        .fetch_all(conn).await?))
}

/// The same as the transaction sees them.
pub(super) async fn of_emitter_within(
    tx: &mut Tx,
    tenant: &Tenant,
    emitter: &EmitterId,
) -> sqlx::Result<Vec<Endpoint>> {
    read(on!(tx.conn(), conn => sqlx::query_as(OF_EMITTER)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(emitter)
        .fetch_all(conn).await?))
}

pub(super) async fn default(db: &Db, tenant: &Tenant) -> sqlx::Result<Option<Endpoint>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from webhook_endpoints where project_id = $1 and environment = $2 and kind = 'default'"
    );
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).fetch_optional(conn).await?);
    row.map(Endpoint::try_from).transpose()
}

/// `false`: there is a default already, and it stays.
pub(super) async fn insert(tx: &mut Tx, it: &Endpoint) -> sqlx::Result<bool> {
    let sql = "insert into webhook_endpoints (id, project_id, environment, kind, url, topics, \
               secret, former_until_ms, version, state, state_since_ms, failures, \
               failing_since_ms, pause_until_ms, sheds, created_at_ms, updated_at_ms, emitter_id) \
               values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, 0, 0, 0, 0, $10, $10, $11) \
               on conflict (project_id, environment) where kind = 'default' do nothing";
    let topics = topics_text(it)?;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.tenant.project).bind(it.tenant.environment.as_str())
        .bind(it.kind.as_str()).bind(&it.url).bind(&topics).bind(&it.secret).bind(it.version)
        .bind(it.state.as_str()).bind(it.created_at_ms).bind(&it.emitter)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// The queue of an origin that connect tokens name, made on first use.
pub(super) async fn queue_of(
    tx: &mut Tx,
    tenant: &Tenant,
    origin: &str,
    fresh: &WebhookId,
    now_ms: i64,
) -> sqlx::Result<WebhookId> {
    let sql = "insert into webhook_endpoints (id, project_id, environment, kind, url, \
               former_until_ms, version, state, state_since_ms, failures, failing_since_ms, \
               pause_until_ms, sheds, created_at_ms, updated_at_ms) \
               values ($1, $2, $3, 'token', $4, 0, 0, 'happy', $5, 0, 0, 0, 0, $5, $5) \
               on conflict (project_id, environment, url) where kind = 'token' \
               do update set updated_at_ms = $5 returning id";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(fresh).bind(&tenant.project).bind(tenant.environment.as_str()).bind(origin)
        .bind(now_ms).fetch_one(conn).await?))
}

/// Writes address and topics. `false`: the row is gone.
pub(super) async fn update(tx: &mut Tx, it: &Endpoint) -> sqlx::Result<bool> {
    let sql = "update webhook_endpoints set url = $4, topics = $5, updated_at_ms = $6 \
               where project_id = $1 and environment = $2 and id = $3";
    let topics = topics_text(it)?;
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .bind(&it.url).bind(&topics).bind(it.updated_at_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Writes the secrets over those of the version before. `false`: another writer was first, or the
/// row is gone.
pub(super) async fn set_secrets(tx: &mut Tx, it: &Endpoint) -> sqlx::Result<bool> {
    let sql = "update webhook_endpoints set secret = $5, former_secret = $6, former_until_ms = $7, \
               version = $4, updated_at_ms = $8 where project_id = $1 and environment = $2 and \
               id = $3 and version = $4 - 1";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .bind(it.version).bind(&it.secret).bind(&it.former_secret).bind(it.former_until_ms)
        .bind(it.updated_at_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

pub(super) async fn delete(tx: &mut Tx, tenant: &Tenant, id: &WebhookId) -> sqlx::Result<bool> {
    let sql = "delete from webhook_endpoints \
               where project_id = $1 and environment = $2 and id = $3";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Those of a user's triggers.
pub(super) async fn of_user(
    tx: &mut Tx,
    tenant: &Tenant,
    user: &UserId,
) -> sqlx::Result<Vec<WebhookId>> {
    let sql = "select e.id from triggers t join webhook_endpoints e on e.emitter_id = t.id \
               where t.project_id = $1 and t.environment = $2 and t.user_id = $3";
    Ok(on!(tx.conn(), conn => sqlx::query_scalar(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
        .fetch_all(conn).await?))
}

/// Endpoints of all tenants that may be sent something now and have something due: of each project
/// the one whose news has waited longest, then the second of each, and so on; of none more than
/// `of_project`. So no project keeps another off the list.
///
/// It goes from one endpoint that has something waiting to the next by the index, so that neither
/// a long queue nor the number of all endpoints makes it slow.
pub(super) async fn ready(
    db: &Db,
    now_ms: i64,
    (most, of_project): (i64, i64),
) -> sqlx::Result<Vec<Endpoint>> {
    let sql = concat!(
        "with recursive queues(id) as (select min(endpoint_id) from webhook_deliveries \
         where state = 'waiting' union all select (select min(d.endpoint_id) from \
         webhook_deliveries d where d.state = 'waiting' and d.endpoint_id > h.id) \
         from queues h where h.id is not null), \
         due as materialized (select h.id as endpoint_id, \
         (select d.next_at_ms from webhook_deliveries d where d.endpoint_id = h.id and \
         d.state = 'waiting' and d.next_at_ms <= $1 and \
         d.lease_until_ms <= $1 order by d.next_at_ms limit 1) as since_ms \
         from queues h where h.id is not null) select ",
        columns!(),
        " from (select e.*, due.since_ms, row_number() over (partition by e.project_id \
         order by due.since_ms, e.id) as nth from due join webhook_endpoints e \
         on e.id = due.endpoint_id where due.since_ms is not null and \
         e.state <> 'deactivated' and e.pause_until_ms <= $1) it \
         where nth <= $3 order by nth, since_ms, id limit $2"
    );
    read(on!(db.read(), conn => sqlx::query_as(sql).bind(now_ms).bind(most).bind(of_project)
        .fetch_all(conn).await?))
}

/// How often an endpoint failed in a row, and since when.
#[derive(FromRow)]
pub(super) struct Failing {
    pub failures: i64,
    pub failing_since_ms: i64,
}

/// Counts a failure. `None`: the endpoint is gone.
pub(super) async fn count_failure(
    tx: &mut Tx,
    it: &Endpoint,
    error: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Failing>> {
    let sql = "update webhook_endpoints set failures = failures + 1, last_error = $4, \
               failing_since_ms = case when failures = 0 then $5 else failing_since_ms end \
               where project_id = $1 and environment = $2 and id = $3 \
               returning failures, failing_since_ms";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .bind(error).bind(now_ms).fetch_optional(conn).await?))
}

/// How an endpoint is treated from now on.
pub(super) struct Treatment {
    pub state: Condition,
    pub pause_until_ms: i64,
    pub now_ms: i64,
}

/// `false`: it was switched off before, and stays so.
pub(super) async fn treat(tx: &mut Tx, it: &Endpoint, how: Treatment) -> sqlx::Result<bool> {
    let sql = "update webhook_endpoints set pause_until_ms = $5, state = $4, \
               state_since_ms = case when state = $4 then state_since_ms else $6 end \
               where project_id = $1 and environment = $2 and id = $3 and state <> 'deactivated'";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .bind(how.state.as_str()).bind(how.pause_until_ms).bind(how.now_ms)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// After a success: nothing is counted against the endpoint any more.
pub(super) async fn clear(tx: &mut Tx, it: &Endpoint, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update webhook_endpoints set failures = 0, failing_since_ms = 0, \
               pause_until_ms = 0, last_error = null, state = 'happy', \
               state_since_ms = case when state = 'happy' then state_since_ms else $4 end \
               where project_id = $1 and environment = $2 and id = $3 and failures > 0 and \
               state <> 'deactivated'";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// The same at a person's wish, from any state.
pub(super) async fn reset(db: &Db, it: &Endpoint, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update webhook_endpoints set failures = 0, failing_since_ms = 0, \
               pause_until_ms = 0, last_error = null, state = 'happy', state_since_ms = $4, \
               sheds = 0 where project_id = $1 and environment = $2 and id = $3";
    on!(db.write(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(super) async fn count_shed(tx: &mut Tx, it: &Endpoint) -> sqlx::Result<()> {
    let sql = "update webhook_endpoints set sheds = sheds + 1 \
               where project_id = $1 and environment = $2 and id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(it.tenant.environment.as_str()).bind(&it.id)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Wipes former secrets whose time is over.
pub(super) async fn wipe_former(db: &Db, now_ms: i64) -> sqlx::Result<()> {
    let sql = "update webhook_endpoints set former_secret = null \
               where former_secret is not null and former_until_ms <= $1";
    on!(db.write(), conn => sqlx::query(sql).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(())
}

/// Deletes queues of connect tokens' addresses that nobody has named since `before_ms` and that
/// hold nothing.
pub(super) async fn forget_queues(db: &Db, before_ms: i64) -> sqlx::Result<()> {
    let sql = "delete from webhook_endpoints where kind = 'token' and updated_at_ms < $1 and \
               not exists (select 1 from webhook_deliveries d \
               where d.endpoint_id = webhook_endpoints.id)";
    on!(db.write(), conn => sqlx::query(sql).bind(before_ms).execute(conn).await?.rows_affected());
    Ok(())
}
