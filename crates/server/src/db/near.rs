//! SQLite on the thread that asks: single rows read, and small groups of rows added.
//!
//! The pool hands each statement to a thread of its own and waits for it: two changes of thread,
//! which cost several times what SQLite needs to find a row by its key. That is of no consequence
//! but for what every call does. That goes through here, and only that: a statement that touches
//! many rows would hold up its thread's other calls.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Params, Row};

/// Follows the database's name in that of the file which whoever changes the schema locks.
const MIGRATING: &str = ".migrating";
/// KiB of pages that each connection keeps.
const CACHE_KIB: i64 = 4_000;

/// Connections for reading; cheap to clone. Each is opened when it is first needed.
#[derive(Clone)]
pub struct Near(Arc<Shared>);

struct Shared {
    file: PathBuf,
    busy_timeout: Duration,
    /// One for each thread that may ask at once.
    places: Vec<Mutex<Place>>,
    /// The one that rows are added by.
    adding: Mutex<Place>,
}

enum Place {
    Unused,
    Open(Connection),
    Closed,
}

impl Near {
    pub fn new(file: &Path, busy_timeout: Duration) -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let places = (0..threads).map(|_| Mutex::new(Place::Unused)).collect();
        let adding = Mutex::new(Place::Unused);
        Self(Arc::new(Shared { file: file.to_owned(), busy_timeout, places, adding }))
    }

    /// The one row that a statement finds by its key.
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> sqlx::Result<Option<T>> {
        let mut place = self.place();
        let found = self.connection(&mut place, Self::open)?.prepare_cached(sql).and_then(
            |mut statement| {
                let mut rows = statement.query(params)?;
                rows.next()?.map(read).transpose()
            },
        );
        found.map_err(into_sqlx)
    }

    /// Adds a row for each of `rows`, all or none, without waiting for the disk: see
    /// [`super::Db::settle`]. To be called by whoever holds the pool's writing connection, so that
    /// writers wait their turn there, and on a thread that may be held up.
    pub fn add<P: Params>(&self, sql: &str, rows: impl Iterator<Item = P>) -> sqlx::Result<()> {
        let mut place = self.0.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = self.connection(&mut place, Self::open_to_add)?;
        let added = || {
            let tx = connection.unchecked_transaction()?;
            let mut statement = tx.prepare_cached(sql)?;
            for row in rows {
                statement.execute(row)?;
            }
            drop(statement);
            tx.commit()
        };
        added().map_err(into_sqlx)
    }

    /// Waits until no other process changes the schema, and keeps them from it for as long as the
    /// file is open.
    pub async fn alone(&self) -> std::io::Result<File> {
        let mut path = self.0.file.clone().into_os_string();
        path.push(MIGRATING);
        let locked = tokio::task::spawn_blocking(move || {
            let mut options = File::options();
            let file = options.create(true).append(true).mode(0o600).open(path)?;
            file.lock()?;
            Ok(file)
        });
        locked.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }

    /// Closes all connections. Whoever asks afterwards is told that the store is closed.
    pub fn close(&self) {
        for place in self.0.places.iter().chain([&self.0.adding]) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Place::Closed;
        }
    }

    /// One that nobody uses just now; else the first to come free of one's own choice.
    fn place(&self) -> MutexGuard<'_, Place> {
        let free = self.0.places.iter().find_map(|it| it.try_lock().ok());
        free.unwrap_or_else(|| self.0.places[0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn connection<'a>(
        &self,
        place: &'a mut Place,
        open: fn(&Self) -> rusqlite::Result<Connection>,
    ) -> sqlx::Result<&'a Connection> {
        if let Place::Unused = place {
            *place = Place::Open(open(self).map_err(into_sqlx)?);
        }
        match place {
            Place::Open(connection) => Ok(connection),
            Place::Unused | Place::Closed => Err(sqlx::Error::PoolClosed),
        }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = self.opened()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    /// Its commits do not fold the log into the file, which waits for the disk: settling does.
    fn open_to_add(&self) -> rusqlite::Result<Connection> {
        let connection = self.opened()?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }

    fn opened(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.0.file, flags)?;
        connection.busy_timeout(self.0.busy_timeout)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }
}

/// What passes is told as such: nobody looks at a decoding failure again.
fn into_sqlx(error: rusqlite::Error) -> sqlx::Error {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(
            CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull | ReadOnly | SystemIoFailure,
        ) => sqlx::Error::Io(std::io::Error::other(error)),
        _ => sqlx::Error::Decode(Box::new(error)),
    }
}
