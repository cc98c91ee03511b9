//! Events in the store at once, many callers' in one commit, for PostgreSQL.

use std::path::PathBuf;

use sqlx::PgPool;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

use super::{Policy, Row, Written, columns};

/// Events in one commit.
const GROUP_EVENTS_MAX: usize = 256;
/// Events in one statement, the largest first: few shapes, each prepared once.
const SHAPES: [usize; 4] = [64, 16, 4, 1];

pub(super) async fn write_groups(
    pool: PgPool,
    policy: Policy,
    mut events: mpsc::Receiver<(Row, oneshot::Sender<Written>)>,
) {
    let mut group = Vec::new();
    while events.recv_many(&mut group, GROUP_EVENTS_MAX).await > 0 {
        let (rows, waiting): (Vec<_>, Vec<_>) = group.drain(..).unzip();
        let written = write(&pool, &policy, &rows).await;
        for done in waiting {
            // Whoever gave up waiting does not want to know.
            let _ = done.send(written);
        }
    }
}

async fn write(pool: &PgPool, policy: &Policy, rows: &[Row]) -> Written {
    let stored = match policy {
        Policy::Strict => insert(pool, rows).await,
        Policy::Spool { file, .. } => match drain(pool, file).await {
            Ok(()) => insert(pool, rows).await,
            Err(error) => Err(error),
        },
    };
    let Err(error) = stored else { return Ok(()) };
    tracing::error!(%error, events = rows.len(), "audit events could not be stored");
    match policy {
        Policy::Strict => Err(()),
        Policy::Spool { file, bytes_max } => spool(file, *bytes_max, rows).await.map_err(|error| {
            tracing::error!(%error, "audit events could not be spooled");
        }),
    }
}

/// Over the network, few statements count more than short ones. Nobody waits for the disk.
async fn insert(pool: &PgPool, rows: &[Row]) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query("set local synchronous_commit = off").execute(&mut *tx).await?;
    let mut left = rows;
    while let Some(shape) = SHAPES.into_iter().find(|it| *it <= left.len()) {
        let (some, rest) = left.split_at(shape);
        let mut insert = sqlx::QueryBuilder::new(columns!());
        insert.push_values(some, |mut to, row| {
            to.push_bind(&row.id).push_bind(&row.project_id).push_bind(&row.environment);
            to.push_bind(row.at_ms).push_bind(&row.actor_kind).push_bind(&row.actor_id);
            to.push_bind(&row.action).push_bind(&row.target_kind).push_bind(&row.target_id);
            to.push_bind(&row.external_id).push_bind(&row.ip).push_bind(&row.request_id);
            to.push_bind(&row.outcome).push_bind(&row.detail);
        });
        insert.push(" on conflict (id) do nothing");
        insert.build().execute(&mut *tx).await?;
        left = rest;
    }
    tx.commit().await
}

async fn spool(file: &PathBuf, bytes_max: u64, rows: &[Row]) -> std::io::Result<()> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    let mut to = tokio::fs::OpenOptions::new().create(true).append(true).open(file).await?;
    if to.metadata().await?.len() + text.len() as u64 > bytes_max {
        return Err(std::io::Error::other("the audit spool is full"));
    }
    to.write_all(text.as_bytes()).await?;
    to.sync_data().await
}

async fn drain(pool: &PgPool, file: &PathBuf) -> sqlx::Result<()> {
    let Ok(text) = tokio::fs::read_to_string(file).await else { return Ok(()) };
    let rows: Vec<Row> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if !rows.is_empty() {
        insert(pool, &rows).await?;
    }
    tokio::fs::remove_file(file).await.map_err(sqlx::Error::Io)
}
