//! Rows of `trigger_events` and of `trigger_states`.

use crate::db::{Db, Tx};
use crate::on;
use crate::triggers::{EVENTS_KEPT_MAX, Trigger};

/// One kept event.
pub(in crate::triggers) struct EventRow {
    pub nth: i64,
    pub at_ms: i64,
    pub sealed: Vec<u8>,
}

/// Adds events whose numbers end at `last`, and forgets those beyond what is kept.
pub(in crate::triggers) async fn add(
    tx: &mut Tx,
    trigger: &Trigger,
    rows: &[EventRow],
) -> sqlx::Result<()> {
    let Some(last) = rows.last() else { return Ok(()) };
    let sql = "insert into trigger_events (trigger_id, nth, at_ms, sealed) \
               values ($1, $2, $3, $4)";
    for row in rows {
        on!(tx.conn(), conn => sqlx::query(sql)
            .bind(&trigger.id).bind(row.nth).bind(row.at_ms).bind(&row.sealed)
            .execute(conn).await?.rows_affected());
    }
    let sql = "delete from trigger_events where trigger_id = $1 and nth <= $2";
    on!(tx.conn(), conn => sqlx::query(sql).bind(&trigger.id).bind(last.nth - EVENTS_KEPT_MAX)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// The latest events, newest first: number and what is sealed.
pub(in crate::triggers) async fn latest(
    db: &Db,
    trigger: &Trigger,
    most: i64,
) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    let sql = "select nth, sealed from trigger_events where trigger_id = $1 \
               order by nth desc limit $2";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(&trigger.id).bind(most)
        .fetch_all(conn).await?))
}

/// What a source remembers: the version, and what is sealed for it.
pub(in crate::triggers) async fn state(
    db: &Db,
    trigger: &Trigger,
) -> sqlx::Result<Option<(i64, Vec<u8>)>> {
    let sql = "select version, sealed from trigger_states where trigger_id = $1";
    Ok(on!(db.read(), conn => sqlx::query_as(sql).bind(&trigger.id)
        .fetch_optional(conn).await?))
}

/// The same as the transaction sees it.
pub(in crate::triggers) async fn state_within(
    tx: &mut Tx,
    trigger: &Trigger,
) -> sqlx::Result<Option<(i64, Vec<u8>)>> {
    let sql = "select version, sealed from trigger_states where trigger_id = $1";
    Ok(on!(tx.conn(), conn => sqlx::query_as(sql).bind(&trigger.id)
        .fetch_optional(conn).await?))
}

/// Writes it. The trigger's row is locked meanwhile, so nobody else does.
pub(in crate::triggers) async fn set_state(
    tx: &mut Tx,
    trigger: &Trigger,
    (version, sealed): (i64, &[u8]),
) -> sqlx::Result<()> {
    let sql = "insert into trigger_states (trigger_id, sealed, version) values ($1, $2, $3) \
               on conflict (trigger_id) do update set sealed = $2, version = $3";
    on!(tx.conn(), conn => sqlx::query(sql).bind(&trigger.id).bind(sealed).bind(version)
        .execute(conn).await?.rows_affected());
    Ok(())
}
