//! Rows of `webhook_deliveries`. SQL and nothing else.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::ids::{AccountId, DeliveryId, MessageId, ProjectId, WebhookId};
use crate::on;
use crate::paging::Page;
use crate::tenant::{Environment, Tenant};
use crate::webhooks::{Delivery, Endpoint, Progress};

#[derive(FromRow)]
struct Row {
    id: DeliveryId,
    message_id: MessageId,
    endpoint_id: WebhookId,
    project_id: ProjectId,
    environment: String,
    topic: String,
    account_id: Option<AccountId>,
    sealed: Option<Vec<u8>>,
    state: String,
    attempts: i64,
    next_at_ms: i64,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at_ms: i64,
    queued_at_ms: i64,
    updated_at_ms: i64,
}

impl TryFrom<Row> for Delivery {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let bad = |what: &str| {
            sqlx::Error::Decode(format!("webhook_deliveries.{what} of {}", row.id).into())
        };
        let environment = Environment::parse(&row.environment).ok_or_else(|| bad("environment"))?;
        let state = Progress::ALL.into_iter().find(|it| it.as_str() == row.state);
        Ok(Self {
            state: state.ok_or_else(|| bad("state"))?,
            id: row.id,
            message: row.message_id,
            endpoint: row.endpoint_id,
            tenant: Tenant { project: row.project_id, environment },
            topic: row.topic,
            account: row.account_id,
            sealed: row.sealed,
            attempts: row.attempts,
            next_at_ms: row.next_at_ms,
            last_status: row.last_status,
            last_error: row.last_error,
            created_at_ms: row.created_at_ms,
            queued_at_ms: row.queued_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

macro_rules! columns {
    () => {
        "id, message_id, endpoint_id, project_id, environment, topic, account_id, sealed, state, \
         attempts, next_at_ms, last_status, last_error, created_at_ms, queued_at_ms, updated_at_ms"
    };
}

fn read(rows: Vec<Row>) -> sqlx::Result<Vec<Delivery>> {
    rows.into_iter().map(Delivery::try_from).collect()
}

pub(in crate::webhooks) async fn insert(tx: &mut Tx, it: &Delivery) -> sqlx::Result<()> {
    let sql = "insert into webhook_deliveries (id, message_id, endpoint_id, project_id, \
               environment, topic, account_id, sealed, state, attempts, next_at_ms, \
               lease_until_ms, last_error, created_at_ms, queued_at_ms, updated_at_ms) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, 0, $11, $10, $10, $10)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.id).bind(&it.message).bind(&it.endpoint).bind(&it.tenant.project)
        .bind(it.tenant.environment.as_str()).bind(&it.topic).bind(&it.account).bind(&it.sealed)
        .bind(it.state.as_str()).bind(it.created_at_ms).bind(&it.last_error)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Takes up to `most` of an endpoint's due deliveries and holds them until `until_ms`. Two
/// processes never hold one at once.
pub(in crate::webhooks) async fn claim(
    db: &Db,
    endpoint: &Endpoint,
    now_ms: i64,
    until_ms: i64,
    most: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let sql = concat!(
        "update webhook_deliveries set lease_until_ms = $4, attempts = attempts + 1 \
         where lease_until_ms <= $3 and state = 'waiting' and project_id = $1 and id in \
         (select id from webhook_deliveries where endpoint_id = $2 and state = 'waiting' and \
         next_at_ms <= $3 and lease_until_ms <= $3 order by next_at_ms limit $5) returning ",
        columns!()
    );
    read(on!(db.write(), conn => sqlx::query_as(sql)
        .bind(&endpoint.tenant.project).bind(&endpoint.id).bind(now_ms).bind(until_ms).bind(most)
        .fetch_all(conn).await?))
}

/// What a try came to.
pub(in crate::webhooks) struct Tried<'a> {
    pub state: Progress,
    pub status: Option<i64>,
    pub error: Option<&'a str>,
    pub next_at_ms: i64,
    pub now_ms: i64,
}

/// Ends a try. A success holds whoever had the delivery; a failure only if no later try has begun.
pub(in crate::webhooks) async fn end_try(
    tx: &mut Tx,
    it: &Delivery,
    tried: Tried<'_>,
) -> sqlx::Result<()> {
    let sql = "update webhook_deliveries set state = $4, last_status = $5, last_error = $6, \
               next_at_ms = $7, updated_at_ms = $8, lease_until_ms = 0, \
               sealed = case when $4 = 'delivered' then null else sealed end \
               where project_id = $1 and id = $2 and state <> 'delivered' and \
               (attempts = $3 or $4 = 'delivered')";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&it.tenant.project).bind(&it.id).bind(it.attempts).bind(tried.state.as_str())
        .bind(tried.status).bind(tried.error).bind(tried.next_at_ms).bind(tried.now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Fails what waits for an endpoint that is switched off.
pub(in crate::webhooks) async fn fail_waiting(
    tx: &mut Tx,
    endpoint: &Endpoint,
    error: &str,
    now_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update webhook_deliveries set state = 'failed', last_error = $3, \
               updated_at_ms = $4, lease_until_ms = 0 \
               where project_id = $1 and endpoint_id = $2 and state = 'waiting'";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&endpoint.tenant.project).bind(&endpoint.id).bind(error).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Fails what waits for an endpoint that was switched off, or deleted, at the moment in which it
/// was announced. What nobody can ever be sent is not kept sealed either.
pub(in crate::webhooks) async fn fail_stranded(
    db: &Db,
    error: &str,
    now_ms: i64,
) -> sqlx::Result<()> {
    let sql = "update webhook_deliveries set state = 'failed', last_error = $1, \
               updated_at_ms = $2, sealed = case when exists (select 1 from webhook_endpoints e \
               where e.id = webhook_deliveries.endpoint_id) then sealed else null end \
               where state = 'waiting' and lease_until_ms <= $2 and \
               not exists (select 1 from webhook_endpoints e \
               where e.id = webhook_deliveries.endpoint_id and e.state <> 'deactivated')";
    on!(db.write(), conn => sqlx::query(sql).bind(error).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Fails what was queued before `before_ms` for endpoints that fail: the queue of one may be too
/// long for each to be tried. What waits because no server ran is tried first.
pub(in crate::webhooks) async fn fail_overdue(
    db: &Db,
    error: &str,
    (before_ms, now_ms): (i64, i64),
) -> sqlx::Result<()> {
    let sql = "update webhook_deliveries set state = 'failed', last_error = $1, \
               updated_at_ms = $3 where state = 'waiting' and queued_at_ms <= $2 and \
               lease_until_ms <= $3 and exists (select 1 from webhook_endpoints e \
               where e.id = webhook_deliveries.endpoint_id and e.state <> 'happy')";
    on!(db.write(), conn => sqlx::query(sql).bind(error).bind(before_ms).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::webhooks) async fn delete_of(
    tx: &mut Tx,
    tenant: &Tenant,
    endpoint: &WebhookId,
) -> sqlx::Result<()> {
    let sql = "delete from webhook_deliveries \
               where project_id = $1 and environment = $2 and endpoint_id = $3";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(endpoint)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Which of a tenant's deliveries; empty texts are no limit.
#[derive(Clone, Copy)]
pub(in crate::webhooks) struct Filter<'a> {
    pub tenant: &'a Tenant,
    pub endpoint: &'a str,
    pub state: &'a str,
}

pub(in crate::webhooks) async fn list(
    db: &Db,
    of: Filter<'_>,
    page: &Page,
) -> sqlx::Result<(Vec<Delivery>, i64)> {
    let total = "select count(*) from webhook_deliveries where project_id = $1 and \
                 environment = $2 and ($3 = '' or endpoint_id = $3) and ($4 = '' or state = $4)";
    let (project, environment) = (&of.tenant.project, of.tenant.environment.as_str());
    let total = on!(db.read(), conn => sqlx::query_scalar(total)
        .bind(project).bind(environment).bind(of.endpoint).bind(of.state).fetch_one(conn).await?);
    let forward = concat!(
        "select ",
        columns!(),
        " from webhook_deliveries where project_id = $1 and environment = $2 and \
         ($3 = '' or endpoint_id = $3) and ($4 = '' or state = $4) and (created_at_ms < $5 or \
         (created_at_ms = $5 and id < $6)) order by created_at_ms desc, id desc limit $7"
    );
    let backward = concat!(
        "select ",
        columns!(),
        " from webhook_deliveries where project_id = $1 and environment = $2 and \
         ($3 = '' or endpoint_id = $3) and ($4 = '' or state = $4) and (created_at_ms > $5 or \
         (created_at_ms = $5 and id > $6)) order by created_at_ms, id limit $7"
    );
    let (sql, key, id) = page.bounds(forward, backward);
    let rows = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(environment).bind(of.endpoint).bind(of.state).bind(key).bind(id)
        .bind(page.limit + 1).fetch_all(conn).await?);
    Ok((read(rows)?, total))
}

pub(in crate::webhooks) async fn find(
    db: &Db,
    tenant: &Tenant,
    id: &DeliveryId,
) -> sqlx::Result<Option<Delivery>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from webhook_deliveries where project_id = $1 and environment = $2 and id = $3"
    );
    let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(id)
        .fetch_optional(conn).await?);
    row.map(Delivery::try_from).transpose()
}

/// Queues what failed anew: one (`id`), those of one endpoint, or all; empty texts are no limit.
/// What belongs to an endpoint that is switched off stays.
pub(in crate::webhooks) async fn requeue(
    db: &Db,
    of: Filter<'_>,
    id: &str,
    now_ms: i64,
) -> sqlx::Result<u64> {
    let sql = "update webhook_deliveries set state = 'waiting', attempts = 0, next_at_ms = $5, \
               queued_at_ms = $5, updated_at_ms = $5, lease_until_ms = 0 where project_id = $1 \
               and environment = $2 and ($3 = '' or endpoint_id = $3) and ($4 = '' or id = $4) \
               and state = 'failed' and sealed is not null and endpoint_id in \
               (select id from webhook_endpoints where project_id = $1 and environment = $2 and \
               state <> 'deactivated')";
    Ok(on!(db.write(), conn => sqlx::query(sql)
        .bind(&of.tenant.project).bind(of.tenant.environment.as_str()).bind(of.endpoint).bind(id)
        .bind(now_ms).execute(conn).await?.rows_affected()))
}

/// When the oldest was queued that still waits.
pub(in crate::webhooks) async fn oldest(db: &Db) -> sqlx::Result<Option<i64>> {
    let sql = "select min(queued_at_ms) from webhook_deliveries where state = 'waiting'";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).fetch_one(conn).await?))
}

/// Deletes what ended in `state` before `before_ms`, at most `most`. Gives how many.
pub(in crate::webhooks) async fn forget(
    db: &Db,
    state: Progress,
    before_ms: i64,
    most: i64,
) -> sqlx::Result<u64> {
    let sql = "delete from webhook_deliveries where id in (select id from webhook_deliveries \
               where state = $1 and state <> 'waiting' and updated_at_ms < $2 limit $3)";
    Ok(on!(db.write(), conn => sqlx::query(sql)
        .bind(state.as_str()).bind(before_ms).bind(most).execute(conn).await?.rows_affected()))
}
