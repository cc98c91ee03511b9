//! Events in the store at once, many callers' in one commit, for PostgreSQL.

use std::borrow::Borrow;
use std::path::Path;

use sqlx::PgPool;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

use super::{Policy, Row, Written, columns};

/// Events in one commit.
const GROUP_EVENTS_MAX: usize = 256;
/// What the spool's file is called where it holds what the store refuses.
const REFUSED: &str = "refused";
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
        for (done, written) in waiting.into_iter().zip(written) {
            // Whoever gave up waiting does not want to know.
            let _ = done.send(written);
        }
    }
}

/// What became of each.
async fn write(pool: &PgPool, policy: &Policy, rows: &[Row]) -> Vec<Written> {
    let stored = match policy {
        Policy::Strict => insert_each(pool, rows).await,
        Policy::Spool { file, .. } => match drain(pool, file).await {
            Ok(()) => insert_each(pool, rows).await,
            Err(error) => Err(error),
        },
    };
    let error = match stored {
        Ok(written) => return written,
        Err(error) => error,
    };
    tracing::error!(%error, events = rows.len(), "audit events could not be stored");
    let written = match policy {
        Policy::Strict => Err(()),
        Policy::Spool { file, bytes_max } => spool(file, *bytes_max, rows).await.map_err(|error| {
            tracing::error!(%error, "audit events could not be spooled");
        }),
    };
    vec![written; rows.len()]
}

/// All of them in one commit. One that the store refuses for what is in it keeps no other out.
async fn insert_each(pool: &PgPool, rows: &[Row]) -> sqlx::Result<Vec<Written>> {
    match insert(pool, rows).await {
        Err(error) if is_of_the_row(&error) => {}
        stored => return stored.map(|()| vec![Ok(()); rows.len()]),
    }
    let mut written = Vec::with_capacity(rows.len());
    for row in rows {
        written.push(match insert(pool, std::slice::from_ref(row)).await {
            Err(error) if is_of_the_row(&error) => {
                tracing::error!(%error, action = row.action, "an audit event cannot be stored");
                Err(())
            }
            stored => stored.map(Ok)?,
        });
    }
    Ok(written)
}

/// A value that its column cannot take (SQLSTATE classes 22 and 23): no other try will do better.
fn is_of_the_row(error: &sqlx::Error) -> bool {
    let state = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    state.is_some_and(|it| it.starts_with("22") || it.starts_with("23"))
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

async fn spool(file: &Path, bytes_max: u64, rows: &[impl Borrow<Row>]) -> std::io::Result<()> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row.borrow())?);
        text.push('\n');
    }
    let mut options = tokio::fs::OpenOptions::new();
    let mut to = options.create(true).append(true).mode(0o600).open(file).await?;
    let before = to.metadata().await?.len();
    if before + text.len() as u64 > bytes_max {
        return Err(std::io::Error::other("the audit spool is full"));
    }
    let kept = async {
        to.write_all(text.as_bytes()).await?;
        to.sync_data().await
    };
    if let Err(error) = kept.await {
        // Half a line would spoil the next one.
        to.set_len(before).await?;
        return Err(error);
    }
    Ok(())
}

async fn drain(pool: &PgPool, file: &Path) -> sqlx::Result<()> {
    let Ok(text) = tokio::fs::read_to_string(file).await else { return Ok(()) };
    let rows: Vec<Row> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if !rows.is_empty() {
        let refused = insert_each(pool, &rows).await?.into_iter().zip(&rows);
        let refused: Vec<&Row> = refused.filter(|it| it.0.is_err()).map(|it| it.1).collect();
        if !refused.is_empty() {
            spool(&file.with_extension(REFUSED), u64::MAX, &refused).await?;
        }
    }
    tokio::fs::remove_file(file).await.map_err(sqlx::Error::Io)
}
