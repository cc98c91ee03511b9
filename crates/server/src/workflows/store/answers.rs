//! Rows of `workflow_answers`.

use crate::db::Db;
use crate::on;
use crate::workflows::Run;

/// The first one counts.
pub(in crate::workflows) async fn insert(db: &Db, run: &Run, sealed: &[u8]) -> sqlx::Result<()> {
    let sql = "insert into workflow_answers (run_id, sealed) values ($1, $2) \
               on conflict (run_id) do nothing";
    on!(db.write(), conn => sqlx::query(sql).bind(&run.id).bind(sealed)
        .execute(conn).await?.rows_affected());
    Ok(())
}

pub(in crate::workflows) async fn find(db: &Db, run: &Run) -> sqlx::Result<Option<Vec<u8>>> {
    let sql = "select a.sealed from workflow_answers a join workflow_runs r on r.id = a.run_id \
               where r.project_id = $1 and r.environment = $2 and r.id = $3";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(&run.tenant.project).bind(run.tenant.environment.as_str()).bind(&run.id)
        .fetch_optional(conn).await?))
}

/// `false`: there is none.
pub(in crate::workflows) async fn delete(db: &Db, run: &Run) -> sqlx::Result<bool> {
    let sql = "delete from workflow_answers where run_id = $1";
    let done = on!(db.write(), conn => sqlx::query(sql).bind(&run.id)
        .execute(conn).await?.rows_affected());
    Ok(done == 1)
}
