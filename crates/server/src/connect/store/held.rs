//! Flows that wait for the product's backend to say whose browser came back.

use super::{EMPTY, FlowRow};
use crate::connect::Flow;
use crate::connect::failure::Failure;
use crate::db::{Db, Tx};
use crate::on;
use crate::tenant::Tenant;

/// What is held, and for whom.
pub struct Holding<'a> {
    /// Hash of the id with which it is confirmed.
    pub confirm_hash: [u8; 32],
    pub sealed: &'a [u8],
    pub until_ms: i64,
}

/// Holds a flow that came back. `false`: it was ended meanwhile.
pub async fn hold(tx: &mut Tx, flow: &Flow, it: &Holding<'_>) -> sqlx::Result<bool> {
    let sql = "update connect_flows set state = 'held', confirm_hash = $3, sealed = $4, \
               expires_at_ms = $5 where project_id = $1 and id = $2 and state = 'exchanging'";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(it.confirm_hash.as_slice())
        .bind(it.sealed).bind(it.until_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}

/// Takes what is held. Of many at once exactly one gets the flow. Its time is over with this, so
/// that one whose process dies now is soon known to be dead.
pub async fn take(
    db: &Db,
    tenant: &Tenant,
    confirm_hash: &[u8],
    now_ms: i64,
) -> sqlx::Result<Option<Flow>> {
    let sql = concat!(
        "update connect_flows set state = 'exchanging', expires_at_ms = $4 \
         where project_id = $1 and environment = $2 and confirm_hash = $3 and state = 'held' \
         and expires_at_ms > $4 returning ",
        flow_columns!()
    );
    let row: Option<FlowRow> = on!(db.write(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(confirm_hash).bind(now_ms)
        .fetch_optional(conn).await?);
    row.map(Flow::try_from).transpose()
}

/// The flow of an id to confirm, however it stands.
pub async fn find(db: &Db, tenant: &Tenant, confirm_hash: &[u8]) -> sqlx::Result<Option<Flow>> {
    let sql = concat!(
        "select ",
        flow_columns!(),
        " from connect_flows where project_id = $1 and environment = $2 and confirm_hash = $3"
    );
    let row: Option<FlowRow> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&tenant.project).bind(tenant.environment.as_str()).bind(confirm_hash)
        .fetch_optional(conn).await?);
    row.map(Flow::try_from).transpose()
}

/// Flows whose time to be confirmed is over, of all tenants.
pub async fn overdue(db: &Db, now_ms: i64, most: i64) -> sqlx::Result<Vec<Flow>> {
    let sql = concat!(
        "select ",
        flow_columns!(),
        " from connect_flows where state = 'held' and expires_at_ms <= $1 \
          order by expires_at_ms limit $2"
    );
    let rows: Vec<FlowRow> =
        on!(db.read(), conn => sqlx::query_as(sql).bind(now_ms).bind(most).fetch_all(conn).await?);
    rows.into_iter().map(Flow::try_from).collect()
}

/// Ends a flow that nobody confirmed in time. `false`: somebody did, or another process ended it.
pub async fn expire(tx: &mut Tx, flow: &Flow, why: &Failure, now_ms: i64) -> sqlx::Result<bool> {
    let sql = "update connect_flows set state = 'failed', error_code = $3, error = $4, \
               sealed = $5 where project_id = $1 and id = $2 and state = 'held' \
               and expires_at_ms <= $6";
    let done = on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&flow.tenant.project).bind(&flow.id).bind(why.code.as_ref())
        .bind(why.text.as_ref()).bind(EMPTY).bind(now_ms).execute(conn).await?.rows_affected());
    Ok(done == 1)
}
