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
    RevokeGrant {
        project: ProjectId,
        environment: Environment,
        account: AccountId,
        /// The [`group`] of the app that is told.
        #[serde(default)]
        toward: u8,
    },
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
        /// The [`group`] of the host that it goes to.
        #[serde(default)]
        toward: u8,
    },
}

/// One of 256 groups of receivers. Those of one group share a few places among the workers, so that
/// a slow one holds up few others. The name itself is not to be read in a queue.
pub(crate) fn group(receiver: &str) -> u8 {
    let hash = receiver
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes().into_iter().fold(0, |all, byte| all ^ byte)
}

/// Which jobs a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What this server does by itself.
    Own,
    /// Requests of code, to hosts that may be slow: they must not keep the others waiting.
    Letters,
    /// Calls to apps, which may be slow too.
    Revocations,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::Own, Self::Revocations, Self::Letters];

    fn number(self) -> i64 {
        match self {
            Self::Own => 0,
            Self::Letters => 1,
            Self::Revocations => 2,
        }
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

    fn lane(&self) -> Lane {
        match self {
            Self::RevokeGrant { .. } => Lane::Revocations,
            Self::SendLetter { .. } => Lane::Letters,
            Self::EraseUser { .. } | Self::EmptyStash { .. } => Lane::Own,
        }
    }

    fn project(&self) -> &ProjectId {
        match self {
            Self::RevokeGrant { project, .. }
            | Self::EraseUser { project, .. }
            | Self::EmptyStash { project, .. }
            | Self::SendLetter { project, .. } => project,
        }
    }

    /// See [`Queue`].
    fn queue(&self) -> String {
        let project = self.project();
        match self {
            Self::RevokeGrant { toward, .. } | Self::SendLetter { toward, .. } => {
                format!("{project} {toward:02x}")
            }
            Self::EraseUser { .. } | Self::EmptyStash { .. } => project.to_string(),
        }
    }
}

/// Jobs of one project, and where they go somewhere, of one group of receivers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Queue(String);

#[cfg(test)]
impl From<&str> for Queue {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Queue {
    /// Whose they are, and the receivers.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(' ').unwrap_or((&self.0, ""))
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
               created_at_ms, lane, project_id, queue) values ($1, $2, $3, $4, 0, 0, $5, $6, $7, \
               $8)";
    on!(tx.conn(), conn => sqlx::query(sql)
        .bind(&id).bind(job.kind()).bind(&payload).bind(run_at_ms).bind(now_ms)
        .bind(job.lane().number()).bind(job.project()).bind(job.queue())
        .execute(conn).await?.rows_affected());
    Ok(id)
}

/// How a job ended.
pub(crate) enum Done {
    Finished,
    /// To be tried again at this time.
    Later(i64),
}

/// The queues of a lane in which something is due, with the time at which the first was.
///
/// It goes from one queue to the next by the index, so that a long one does not make it slow.
pub(crate) async fn queues(db: &Db, lane: Lane, now_ms: i64) -> sqlx::Result<Vec<(Queue, i64)>> {
    let sql = "with recursive queues(queue) as (select min(queue) from jobs where lane = $1 \
               union all select (select min(j.queue) from jobs j where j.lane = $1 and \
               j.queue > q.queue) from queues q where q.queue is not null) \
               select q.queue, (select j.run_at_ms from jobs j where j.lane = $1 and \
               j.queue = q.queue and j.run_at_ms <= $2 and j.lease_until_ms <= $2 \
               order by j.run_at_ms limit 1) from queues q where q.queue is not null";
    let rows: Vec<(String, Option<i64>)> = on!(db.read(), conn => sqlx::query_as(sql)
        .bind(lane.number()).bind(now_ms).fetch_all(conn).await?);
    Ok(rows.into_iter().filter_map(|(queue, since)| Some((Queue(queue), since?))).collect())
}

/// Takes up to `most` due jobs of a queue and holds them until `until_ms`. Two processes never hold
/// one job at once.
pub(crate) async fn claim(
    db: &Db,
    (lane, queue): (Lane, &Queue),
    (now_ms, until_ms): (i64, i64),
    most: i64,
) -> sqlx::Result<Vec<Claimed>> {
    let sql = "update jobs set lease_until_ms = $2, attempts = attempts + 1 \
               where lease_until_ms <= $1 and id in (select id from jobs where lane = $4 and \
               queue = $5 and run_at_ms <= $1 and lease_until_ms <= $1 \
               order by run_at_ms limit $3) \
               returning id, payload, attempts, created_at_ms";
    let rows: Vec<(JobId, String, i64, i64)> = on!(db.write(), conn => sqlx::query_as(sql)
        .bind(now_ms).bind(until_ms).bind(most).bind(lane.number()).bind(&queue.0)
        .fetch_all(conn).await?);
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

/// How many of a project's jobs are not done yet.
pub(crate) async fn left_of(db: &Db, project: &ProjectId, lane: Lane) -> sqlx::Result<i64> {
    let sql = "select count(*) from jobs where project_id = $1 and lane = $2";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql)
        .bind(project).bind(lane.number()).fetch_one(conn).await?))
}

/// Jobs that are not done yet, for tests, metrics and `doctor`.
pub async fn left(db: &Db) -> sqlx::Result<i64> {
    Ok(on!(db.read(), conn => sqlx::query_scalar("select count(*) from jobs")
            .fetch_one(conn).await?))
}
