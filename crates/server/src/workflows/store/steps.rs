//! Rows of `workflow_steps`: what is recorded is never written again.

use sqlx::FromRow;

use crate::db::{Db, Tx};
use crate::on;
use crate::workflows::Run;

#[derive(FromRow)]
pub(in crate::workflows) struct StepRow {
    pub nth: i64,
    pub name: String,
    pub state: String,
    pub tries: i64,
    pub started_at_ms: i64,
    pub ended_at_ms: i64,
    pub sealed: Vec<u8>,
}

/// Fails when the step is recorded already.
pub(in crate::workflows) async fn insert(tx: &mut Tx, run: &Run, it: &StepRow) -> sqlx::Result<()> {
    let sql = "insert into workflow_steps (run_id, nth, name, state, tries, started_at_ms, \
               ended_at_ms, sealed) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&run.id).bind(it.nth).bind(&it.name).bind(&it.state).bind(it.tries)
        .bind(it.started_at_ms).bind(it.ended_at_ms).bind(&it.sealed)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// All of a run, in their order.
pub(in crate::workflows) async fn of(db: &Db, run: &Run) -> sqlx::Result<Vec<StepRow>> {
    let sql = "select s.nth, s.name, s.state, s.tries, s.started_at_ms, s.ended_at_ms, s.sealed \
               from workflow_steps s join workflow_runs r on r.id = s.run_id \
               where r.project_id = $1 and r.environment = $2 and r.id = $3 order by s.nth";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(&run.tenant.project).bind(run.tenant.environment.as_str()).bind(&run.id)
        .fetch_all(conn).await?))
}

/// Forgets what the steps of a run got and gave. When they ran stays.
pub(in crate::workflows) async fn wipe(tx: &mut Tx, run: &Run) -> sqlx::Result<()> {
    let sql = "update workflow_steps set sealed = $2 where run_id = $1";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&run.id).bind(Vec::<u8>::new()).execute(conn).await?.rows_affected());
    Ok(())
}
