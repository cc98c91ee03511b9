//! A change of the root key: owner keys are wrapped anew by the current one, while servers run.
//! What is sealed under an owner key, the journal's answers too, stays as it is.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use grantkeep_vault::{Keyring, OpenError, Owner};

use super::{Keys, PROJECT_OWNER};
use crate::db::Db;
use crate::error::Result;
use crate::on;

/// Rows read at once.
const BATCH_ROWS: i64 = 500;
/// Rows written at once. Each is a transaction of its own: one that held several would make users'
/// transactions wait, and on PostgreSQL perhaps fail.
const AT_ONCE: usize = 4;

/// How far it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// What a run did, and what is left.
#[derive(Debug, Default)]
pub struct Rewrapped {
    /// Owner keys that are wrapped anew.
    pub rewrapped: u64,
    /// Those that could not be unwrapped: damaged, or for want of a root key. They stay as they
    /// were.
    pub unreadable: u64,
    /// How many owner keys name each other root key still.
    pub left: BTreeMap<String, u64>,
    /// Root keys that this store needs no more.
    pub forgotten: Vec<String>,
}

/// A row of `owner_keys`.
#[derive(sqlx::FromRow)]
struct Row {
    project_id: String,
    environment: String,
    owner_id: String,
    wrapped: Vec<u8>,
}

impl Row {
    fn owner(&self) -> Owner<'_> {
        let project = &self.project_id;
        if self.environment.is_empty() && self.owner_id == PROJECT_OWNER {
            return Owner::Project { project };
        }
        Owner::User { project, environment: &self.environment, id: &self.owner_id }
    }
}

/// How one row ended.
enum Ended {
    Rewrapped,
    /// It was changed or destroyed meanwhile.
    Passed,
    Unreadable,
}

impl Keys {
    /// Wraps every owner key by the current root key, then forgets the root keys that nothing uses.
    /// Any number of processes may do this at once, beside servers that have all the keys.
    pub async fn rewrap(&self, db: &Db, mut told: impl FnMut(Progress)) -> Result<Rewrapped> {
        let current = self.keyring.current_id().to_string();
        let total = uses(db).await?.iter().filter(|it| *it.0 != current).map(|it| it.1).sum();
        let (mut all, mut done) = (Rewrapped::default(), 0);
        let mut after = (String::new(), String::new(), String::new());
        loop {
            let rows = rows(db, &current, &after).await?;
            let Some(last) = rows.last() else { break };
            after = (last.project_id.clone(), last.environment.clone(), last.owner_id.clone());
            done += rows.len() as u64;
            let ended: Vec<Ended> = futures::stream::iter(rows)
                .map(|row| self.rewrap_one(db, row))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            for it in ended {
                match it {
                    Ended::Rewrapped => all.rewrapped += 1,
                    Ended::Unreadable => all.unreadable += 1,
                    Ended::Passed => {}
                }
            }
            told(Progress { done, total });
        }
        all.forgotten = forget_unused(db, &current).await?;
        all.left = uses(db).await?;
        all.left.remove(&current);
        Ok(all)
    }

    async fn rewrap_one(&self, db: &Db, row: Row) -> Result<Ended> {
        let Ok(rewrapped) = self.keyring.rewrap(&row.wrapped, &row.owner()) else {
            return Ok(Ended::Unreadable);
        };
        // The column may be behind what is in the bytes; then it alone is mended.
        let wrapped = rewrapped.as_ref().unwrap_or(&row.wrapped);
        // A key that was destroyed meanwhile must not come back, so nothing is inserted.
        let sql = "update owner_keys set wrapped = $5, root_key_id = $6 where project_id = $1 and \
                   environment = $2 and owner_id = $3 and wrapped = $4";
        let changed = on!(db.write(), conn => sqlx::query(sql)
            .bind(&row.project_id).bind(&row.environment).bind(&row.owner_id).bind(&row.wrapped)
            .bind(wrapped).bind(self.keyring.current_id().to_string())
            .execute(conn).await?.rows_affected());
        Ok(if changed == 1 { Ended::Rewrapped } else { Ended::Passed })
    }
}

/// The next rows that another root key wraps. Along the primary key, so that one walk sees all.
async fn rows(
    db: &Db,
    current: &str,
    (project, environment, owner): &(String, String, String),
) -> sqlx::Result<Vec<Row>> {
    let sql = "select project_id, environment, owner_id, wrapped from owner_keys where \
               (project_id, environment, owner_id) > ($1, $2, $3) and root_key_id <> $4 \
               order by project_id, environment, owner_id limit $5";
    Ok(on!(db.read(), conn => sqlx::query_as(sql)
        .bind(project).bind(environment).bind(owner).bind(current).bind(BATCH_ROWS)
        .fetch_all(conn).await?))
}

/// How many owner keys each root key wraps.
async fn uses(db: &Db) -> sqlx::Result<BTreeMap<String, u64>> {
    let sql = "select root_key_id, count(*) from owner_keys group by root_key_id";
    let all: Vec<(String, i64)> =
        on!(db.read(), conn => sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(all.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or(0))).collect())
}

async fn forget_unused(db: &Db, current: &str) -> sqlx::Result<Vec<String>> {
    let sql = "delete from root_keys where id <> $1 and not exists (select 1 from owner_keys where \
               owner_keys.root_key_id = root_keys.id) returning id";
    Ok(on!(db.write(), conn => sqlx::query_scalar(sql).bind(current).fetch_all(conn).await?))
}

/// The root keys that this store needs: those that it was opened with, and, for one that was
/// forgotten too early, those that wrap anything.
pub async fn needed(db: &Db) -> sqlx::Result<Vec<String>> {
    let sql = "select id from root_keys order by first_seen_ms, id";
    let mut all: Vec<String> =
        on!(db.read(), conn => sqlx::query_scalar(sql).fetch_all(conn).await?);
    for (id, _) in samples(db).await? {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    Ok(all)
}

/// The root keys that the store needs and the keyring lacks.
pub async fn missing(db: &Db, keyring: &Keyring) -> sqlx::Result<Vec<String>> {
    let ours: Vec<String> = keyring.ids().map(|it| it.to_string()).collect();
    Ok(needed(db).await?.into_iter().filter(|it| !ours.contains(it)).collect())
}

/// Unwraps one owner key of each root key that wraps any; gives the root key with what was wrong.
pub async fn try_each(db: &Db, keyring: &Keyring) -> sqlx::Result<Vec<(String, OpenError)>> {
    let open = |(id, row): (String, Row)| {
        keyring.unwrap(&row.wrapped, &row.owner()).err().map(|error| (id, error))
    };
    Ok(samples(db).await?.into_iter().filter_map(open).collect())
}

/// One row of each root key that wraps any. By as many steps along the index: to look at each row
/// for what is different would take long, at every start.
async fn samples(db: &Db) -> sqlx::Result<Vec<(String, Row)>> {
    let next = "select min(root_key_id) from owner_keys where root_key_id > $1";
    let one = "select project_id, environment, owner_id, wrapped from owner_keys where \
               root_key_id = $1 limit 1";
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let id: Option<String> = on!(db.read(), conn => sqlx::query_scalar(next)
            .bind(&after).fetch_one(conn).await?);
        let Some(id) = id else { return Ok(all) };
        let row: Option<Row> = on!(db.read(), conn => sqlx::query_as(one)
            .bind(&id).fetch_optional(conn).await?);
        all.extend(row.map(|row| (id.clone(), row)));
        after = id;
    }
}
