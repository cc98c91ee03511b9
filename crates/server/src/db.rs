//! The store: SQLite inside by default, PostgreSQL by URL. One SQL text for both.

mod near;

use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use crate::config::{Config, Database};
pub use near::Near;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// SQLite readers at once: one for each core within these bounds, since each has a thread and half
/// a MiB for itself, and a page cache.
const SQLITE_READERS: RangeInclusive<usize> = 4..=8;

/// A handle to the store; cheap to clone.
#[derive(Clone)]
pub enum Db {
    Lite { readers: SqlitePool, writer: SqlitePool, near: Near },
    Pg(PgPool),
}

/// One of two engines, so that [`on!`](crate::on) can run one statement on either.
pub enum On<L, P> {
    Lite(L),
    Pg(P),
}

/// A write transaction. Dropped without [`Tx::commit`], it is rolled back.
pub enum Tx {
    Lite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

/// Runs one expression against whichever engine is behind `$on`; both must type-check.
///
/// `on!(db.read(), conn => sqlx::query(SQL).bind(x).fetch_all(conn).await?)`
#[macro_export]
macro_rules! on {
    ($on:expr, $conn:ident => $body:expr) => {
        match $on {
            $crate::db::On::Lite($conn) => $body,
            $crate::db::On::Pg($conn) => $body,
        }
    };
}

/// Why the store cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot reach the database: {0}. Check `database_url`, and that the server runs")]
    Unreachable(#[source] sqlx::Error),
    #[error(
        "cannot open the database {0}: {1}. This user must be able to write it and its folder \
         (`data_dir`), on a disk with space left"
    )]
    File(PathBuf, #[source] sqlx::Error),
    #[error(
        "the database was written by a newer Grantkeep (migration {0}). Start that version, or \
         restore a backup made before the upgrade"
    )]
    NewerSchema(i64),
    #[error("a migration failed: {0}. Nothing was changed by it; the message says what to mend")]
    Migration(#[source] MigrateError),
    #[error(
        "PostgreSQL has synchronous_commit = off, which can lose a rotated token on a crash. Set \
         it to `on` for this role or database"
    )]
    NotDurable,
}

impl Db {
    /// Opens the store that the configuration names; SQLite's file is made if it is missing.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        match config.database() {
            Database::Sqlite(file) => Self::open_sqlite(&file, config).await,
            Database::Postgres(url) => {
                let options = url.parse().map_err(OpenError::Unreachable)?;
                Self::open_postgres(options, config).await
            }
        }
    }

    async fn open_sqlite(file: &Path, config: &Config) -> Result<Self, OpenError> {
        let refuse = |error| OpenError::File(file.to_owned(), error);
        // The files beside it get their permissions from it.
        let mut private = std::fs::File::options();
        match private.write(true).create_new(true).mode(0o600).open(file) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(refuse(error.into()));
            }
            _ => {}
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL may lose the last commits when the power fails, and with them a rotated token.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten: else a wrapped key outlives its erasure in the file.
            .pragma("secure_delete", "on")
            .pragma("cache_size", "-16000")
            .busy_timeout(config.db_busy_timeout_ms.duration());
        let pool = |size: u32| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(config.db_acquire_timeout_ms.duration())
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(refuse)?;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let at_once = cores.clamp(*SQLITE_READERS.start(), *SQLITE_READERS.end());
        let readers = pool(u32::try_from(at_once).unwrap_or(u32::MAX))
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(refuse)?;
        let near = Near::new(file, config.db_busy_timeout_ms.duration());
        Ok(Self::Lite { readers, writer, near })
    }

    async fn open_postgres(options: PgConnectOptions, config: &Config) -> Result<Self, OpenError> {
        let limit_ms = config.db_statement_timeout_ms.ms().to_string();
        let options = options.options([("statement_timeout", limit_ms.as_str())]);
        let opened = PgPoolOptions::new()
            .max_connections(config.db_connections_max)
            .acquire_timeout(config.db_acquire_timeout_ms.duration())
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await;
        let pool = match opened {
            Ok(pool) => pool,
            Err(error) => {
                return Err(OpenError::Unreachable(reason(error, &options, config).await));
            }
        };
        let durable: String = sqlx::query_scalar("select current_setting('synchronous_commit')")
            .fetch_one(&pool)
            .await
            .map_err(OpenError::Unreachable)?;
        if durable == "off" {
            return Err(OpenError::NotDurable);
        }
        Ok(Self::Pg(pool))
    }

    /// Brings the schema up to date. Many processes may call this at once.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let done = match self {
            Self::Lite { writer, near, .. } => match self.migrations_due().await? {
                // Also tells of a schema that is newer.
                0 => MIGRATIONS.run(writer).await,
                _ => match near.alone().await {
                    // The library's own lock does nothing here: two at once would each begin at
                    // the first.
                    Ok(_alone) => MIGRATIONS.run(writer).await,
                    Err(error) => Err(MigrateError::Execute(error.into())),
                },
            },
            Self::Pg(pool) => migrate_postgres(pool).await,
        };
        done.map_err(|error| match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                OpenError::NewerSchema(version)
            }
            other => OpenError::Migration(other),
        })
    }

    /// How many migrations are still to be run.
    pub async fn migrations_due(&self) -> Result<usize, OpenError> {
        let sql = "select count(*) from _sqlx_migrations where success";
        let done = async {
            let done: i64 =
                on!(self.read(), conn => sqlx::query_scalar(sql).fetch_one(conn).await?);
            Ok::<_, sqlx::Error>(usize::try_from(done).unwrap_or(0))
        };
        // Without the table, nothing was ever run.
        Ok(MIGRATIONS.iter().count().saturating_sub(done.await.unwrap_or(0)))
    }

    /// The newest migration that was run here; `None`: none ever was. One that this program does
    /// not know was run by a newer one.
    pub async fn version(&self) -> Result<Option<i64>, OpenError> {
        let there = match self {
            Self::Lite { .. } => "select name from sqlite_master where name = '_sqlx_migrations'",
            Self::Pg(_) => "select to_regclass('_sqlx_migrations')::text",
        };
        let sql = "select max(version) from _sqlx_migrations where success";
        let version = async {
            let there: Option<Option<String>> =
                on!(self.read(), conn => sqlx::query_scalar(there).fetch_optional(conn).await?);
            if there.flatten().is_none() {
                return Ok(None);
            }
            Ok(on!(self.read(), conn => sqlx::query_scalar(sql).fetch_one(conn).await?))
        };
        version.await.map_err(OpenError::Unreachable)
    }

    /// The newest migration that this program knows.
    pub fn newest() -> i64 {
        MIGRATIONS.iter().map(|it| it.version).max().unwrap_or(0)
    }

    /// The database's own time, which all processes on it share; SQLite's is this machine's.
    pub async fn now_ms(&self) -> sqlx::Result<i64> {
        match self {
            Self::Lite { readers, .. } => {
                sqlx::query_scalar("select cast(unixepoch('subsec') * 1000 as integer)")
                    .fetch_one(readers)
                    .await
            }
            Self::Pg(pool) => {
                sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
                    .fetch_one(pool)
                    .await
            }
        }
    }

    /// For reading outside a transaction.
    pub fn read(&self) -> On<&SqlitePool, &PgPool> {
        match self {
            Self::Lite { readers, .. } => On::Lite(readers),
            Self::Pg(pool) => On::Pg(pool),
        }
    }

    /// For single rows that every call needs, where the engine is in this process.
    pub fn near(&self) -> Option<&Near> {
        match self {
            Self::Lite { near, .. } => Some(near),
            Self::Pg(_) => None,
        }
    }

    /// For one writing statement that needs no transaction around it.
    pub fn write(&self) -> On<&SqlitePool, &PgPool> {
        match self {
            Self::Lite { writer, .. } => On::Lite(writer),
            Self::Pg(pool) => On::Pg(pool),
        }
    }

    /// Begins a write transaction. On SQLite it takes the write lock at once, so it never has to be
    /// given up half-way because another writer came first.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Self::Lite { writer, .. } => Tx::Lite(begin_alone(writer).await?),
            Self::Pg(pool) => Tx::Pg(pool.begin().await?),
        })
    }

    /// Brings what was added without waiting for the disk onto it. On PostgreSQL its own writer
    /// does that, within three times its `wal_writer_delay` (0.6 s by default).
    pub async fn settle(&self) -> sqlx::Result<()> {
        if let Self::Lite { writer, .. } = self {
            // What the checkpoint copies, it has synced in the log before.
            sqlx::query("pragma wal_checkpoint(passive)").execute(writer).await?;
        }
        Ok(())
    }

    /// Has the file forget what was deleted, as far as nobody is just reading it. PostgreSQL's own
    /// vacuum does that.
    pub async fn scrub(&self) -> sqlx::Result<()> {
        if let Self::Lite { writer, .. } = self {
            sqlx::query("pragma wal_checkpoint(truncate)").execute(writer).await?;
        }
        Ok(())
    }

    /// Answers whether the store works, for `/readyz` and `doctor`.
    pub async fn ping(&self) -> sqlx::Result<()> {
        let _: i32 =
            on!(self.read(), conn => sqlx::query_scalar("select 1").fetch_one(conn).await?);
        Ok(())
    }

    /// `sqlite` or `postgresql`, for people and logs.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Lite { .. } => "sqlite",
            Self::Pg(_) => "postgresql",
        }
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Lite { readers, writer, near } => {
                near.close();
                readers.close().await;
                writer.close().await;
            }
            Self::Pg(pool) => pool.close().await,
        }
    }
}

/// A full disk has SQLite end a transaction by itself. The library counts it on, and lets none
/// begin on that connection any more: it needs another.
async fn begin_alone(writer: &SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
    const BEGIN: &str = "begin immediate";
    match writer.begin_with(BEGIN).await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            writer.acquire().await?.close().await?;
            writer.begin_with(BEGIN).await
        }
        begun => begun,
    }
}

impl Tx {
    /// For one statement inside the transaction.
    pub fn conn(&mut self) -> On<&mut SqliteConnection, &mut PgConnection> {
        match self {
            Self::Lite(tx) => On::Lite(&mut **tx),
            Self::Pg(tx) => On::Pg(&mut **tx),
        }
    }

    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Lite(tx) => tx.commit().await,
            Self::Pg(tx) => tx.commit().await,
        }
    }
}

/// A migration may take longer than a statement of a request may, and so may waiting for another
/// process that runs them.
async fn migrate_postgres(pool: &PgPool) -> Result<(), MigrateError> {
    let mut conn = pool.acquire().await?.detach();
    sqlx::query("set statement_timeout = 0").execute(&mut conn).await?;
    let done = MIGRATIONS.run(&mut conn).await;
    let _ = conn.close().await;
    done
}

/// The pool tries again until its time is over, and then tells of that alone.
async fn reason(error: sqlx::Error, options: &PgConnectOptions, config: &Config) -> sqlx::Error {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    let once = PgConnection::connect_with(options);
    match tokio::time::timeout(config.db_acquire_timeout_ms.duration(), once).await {
        Ok(Err(why)) => why,
        Ok(Ok(_)) | Err(_) => error,
    }
}
