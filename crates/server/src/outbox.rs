//! Work for later, as rows written in the caller's transaction: either both happen or neither.

use serde::{Deserialize, Serialize};

use crate::db::{Db, Tx};
use crate::ids::{AccountId, ErasureId, FileId, JobId, LetterId, ProjectId, UserId};
use crate::on;
use crate::tenant::Environment;

/// What can be left to be done later. `jobs.rs` does it, at least once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Tell the provider that the grant of a deleted account is no longer wanted.
    RevokeGrant { project: ProjectId, environment: Environment, account: AccountId },
    /// Go on erasing a user with very many accounts.
    EraseUser { project: ProjectId, environment: Environment, erasure: ErasureId },
    /// Take away a file whose time is over.
    EmptyStash { project: ProjectId, environment: Environment, file: FileId },
    /// Send a request that code left behind. What it says is sealed under the user's key.
    SendLetter {
        project: ProjectId,
        environment: Environment,
        user: UserId,
        letter: LetterId,
        /// In base64.
        sealed: String,
    },
}

/// Which jobs a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Those of this server itself.
    Own,
    /// Requests of code, to hosts that may be slow: they must not keep the others waiting.
    Letters,
}

impl Lane {
    fn number(self) -> i64 {
        i64::from(self == Self::Letters)
    }
}

impl Job {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RevokeGrant { .. } => "revoke_grant",
            Self::EraseUser { .. } => "erase_user",
            Self::EmptyStash { .. } => "empty_stash",
            Self::SendLetter { .. } => "send_letter",
        }
    }
}

/// A job that this process holds until its lease ends.
pub struct Claimed {
    pub id: JobId,
    /// An error when a newer version wrote a job that this one does not know; it is left alone.
    pub job: Result<Job, serde_json::Error>,
    pub attempts: i64,
    pub created_at_ms: i64,
}

/// Leaves `job` to be done at `run_at_ms` or soon after, if the transaction commits.
pub async fn enqueue(tx: &mut Tx, job: &Job, now_ms: i64, run_at_ms: i64) -> sqlx::Result<JobId> {
    let id = JobId::mint();
    let payload = serde_json::to_string(job).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let sql = "insert into jobs (id, kind, payload, run_at_ms, attempts, lease_until_ms, \
               created_at_ms) values ($1, $2, $3, $4, 0, 0, $5)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&id).bind(job.kind()).bind(&payload).bind(run_at_ms).bind(now_ms)
        .execute(conn).await?.rows_affected());
    Ok(id)
}

/// How a job ended.
pub(crate) enum Done {
    Finished,
    /// To be tried again at this time.
    Later(i64),
}

/// Takes up to `most` due jobs and holds them until `until_ms`. Two processes never hold one job at
/// once.
pub(crate) async fn claim(
    db: &Db,
    lane: Lane,
    (now_ms, until_ms): (i64, i64),
    most: i64,
) -> sqlx::Result<Vec<Claimed>> {
    let sql = "update jobs set lease_until_ms = $2, attempts = attempts + 1 \
               where lease_until_ms <= $1 and id in (select id from jobs where run_at_ms <= $1 \
               and lease_until_ms <= $1 \
               and (case when kind = 'send_letter' then 1 else 0 end) = $4 \
               order by run_at_ms limit $3) \
               returning id, payload, attempts, created_at_ms";
    let rows: Vec<(JobId, String, i64, i64)> = on!(db.write(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(until_ms).bind(most).bind(lane.number()).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(id, payload, attempts, created_at_ms)| Claimed {
            id,
            job: serde_json::from_str(&payload),
            attempts,
            created_at_ms,
        })
        .collect())
}

pub(crate) async fn finish(db: &Db, id: &JobId) -> sqlx::Result<()> {
    let sql = "delete from jobs where id = $1";
    on!(db.write(), conn => sqlx::query(sql).bind(id).execute(conn).await?.rows_affected());
    Ok(())
}

/// Gives a job back, to be tried again at `run_at_ms`.
pub(crate) async fn put_off(db: &Db, id: &JobId, run_at_ms: i64, error: &str) -> sqlx::Result<()> {
    let sql = "update jobs set run_at_ms = $2, lease_until_ms = 0, last_error = $3 where id = $1";
    on!(db.write(), conn => sqlx::query(sql).bind(id).bind(run_at_ms).bind(error)
        .execute(conn).await?.rows_affected());
    Ok(())
}

/// Jobs that are not done yet, for tests, metrics and `doctor`.
pub async fn left(db: &Db) -> sqlx::Result<i64> {
    Ok(on!(db.read(), conn => sqlx::query_scalar("select count(*) from jobs")
            .fetch_one(conn).await?))
}
