//! Events on this machine's disk until the store has them, for SQLite.
//!
//! A row of its own commit costs the store some eight pages, and has every reader forget what it
//! read before. A line appended to a file costs neither. So an event is a line first: that outlives
//! the process. Twice a second all lines become rows, in few commits, and the file is emptied.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{INSERT_ONE, Policy, Row, Written};
use crate::db::Db;
use crate::ids::InstanceId;
use crate::own_file;

/// Name of the folder in the data folder.
const FOLDER: &str = "audit";
const EXTENSION: &str = "events";
/// Lines become rows after this long, and are on the disk with them. A second is promised.
const STORED_AFTER: Duration = Duration::from_millis(500);
/// Events in one commit: other writers wait that long for their turn, some thirty milliseconds.
/// With fewer the same pages of the indexes are written again and again, and readers forget what
/// they read that much more often.
const COMMIT_EVENTS_MAX: usize = 4_096;
/// Events that are not waited for: this many become rows at once.
const WAITING_EVENTS_MAX: usize = 16_384;
/// Bytes of lines where the policy names no limit: what comes in until a failure of the store
/// shows.
const STRICT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often the store is asked again that did not take them.
const TRIED_EVERY: Duration = Duration::from_secs(1);
/// How often what dead processes left is looked for.
const ADOPTED_EVERY: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

struct Shared {
    db: Db,
    folder: PathBuf,
    name: InstanceId,
    policy: Policy,
    /// One for each thread that may write at once: it is held until the system has the line.
    desks: Vec<Mutex<Pages>>,
    /// Pages made.
    made: AtomicU32,
    /// Of all lines that are no rows yet.
    bytes: AtomicU64,
    /// Events on open pages.
    waiting: AtomicUsize,
    /// The store did not take what it was given last.
    refused: AtomicBool,
    /// Whoever holds it makes rows of lines.
    storing: tokio::sync::Mutex<()>,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct Pages {
    /// The one that is written on.
    open: Option<Page>,
    /// To be stored, the oldest first.
    full: VecDeque<Page>,
    /// Stored and emptied.
    blank: Vec<Page>,
}

/// A file, and what is on it.
struct Page {
    file: File,
    path: PathBuf,
    bytes: u64,
    rows: Arc<Vec<Row>>,
}

impl Ledger {
    /// Starts to store lines. It ends when the last clone is dropped; what is left then waits for
    /// the next process.
    pub fn start(db: Db, data_dir: &Path, policy: Policy) -> Self {
        let wake = Arc::new(Notify::new());
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let shared = Arc::new(Shared {
            db,
            folder: data_dir.join(FOLDER),
            name: InstanceId::mint(),
            policy,
            desks: (0..threads).map(|_| Mutex::default()).collect(),
            made: AtomicU32::default(),
            bytes: AtomicU64::default(),
            waiting: AtomicUsize::default(),
            refused: AtomicBool::default(),
            storing: tokio::sync::Mutex::new(()),
            wake: Arc::clone(&wake),
        });
        tokio::spawn(keep_storing(Arc::downgrade(&shared), wake));
        Self(shared)
    }

    /// Writes the event down. It outlives this process when this returns, which is at once: the
    /// system's memory takes the line.
    pub fn add(&self, row: Row) -> Written {
        let added = self.0.write(row);
        added.map_err(|error| tracing::error!(%error, "an audit event could not be written down"))
    }

    /// Makes rows of all that was added before.
    pub async fn settle(&self) {
        // A failure is logged there.
        let _ = self.0.store().await;
    }
}

impl Shared {
    fn bytes_max(&self) -> u64 {
        match self.policy {
            Policy::Strict => STRICT_BYTES_MAX,
            Policy::Spool { bytes_max, .. } => bytes_max,
        }
    }

    fn write(&self, row: Row) -> io::Result<()> {
        let mut line = serde_json::to_vec(&row)?;
        line.push(b'\n');
        if self.refused.load(Relaxed) && matches!(self.policy, Policy::Strict) {
            return Err(io::Error::other("the store does not take audit events"));
        }
        let bytes = line.len() as u64;
        let full = self.bytes.fetch_add(bytes, Relaxed) + bytes > self.bytes_max();
        let written = if full {
            Err(io::Error::other("the file for audit events is full"))
        } else {
            self.put(&line, row)
        };
        if written.is_err() {
            self.bytes.fetch_sub(bytes, Relaxed);
        }
        written
    }

    fn put(&self, line: &[u8], row: Row) -> io::Result<()> {
        let mut pages = self.free_desk();
        let page = self.page(&mut pages)?;
        if let Err(error) = page.file.write_all(line) {
            // A line that is cut off would spoil the next one.
            page.file.set_len(page.bytes)?;
            return Err(error);
        }
        page.bytes += line.len() as u64;
        Arc::make_mut(&mut page.rows).push(row);
        let waiting = self.waiting.fetch_add(1, Relaxed) + 1;
        if waiting == 1 || waiting == WAITING_EVENTS_MAX {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// One that nobody writes at just now; else the first to come free of one's own choice.
    fn free_desk(&self) -> MutexGuard<'_, Pages> {
        let free = self.desks.iter().find_map(|it| it.try_lock().ok());
        free.unwrap_or_else(|| locked(&self.desks[0]))
    }

    fn page<'a>(&self, pages: &'a mut Pages) -> io::Result<&'a mut Page> {
        if pages.open.is_none() {
            let page = if let Some(blank) = pages.blank.pop() {
                blank
            } else {
                let nth = self.made.fetch_add(1, Relaxed);
                let name = format!("{}-{nth}.{EXTENSION}", self.name);
                let (file, path) = own_file::create(&self.folder, &name)?;
                Page { file, path, bytes: 0, rows: Arc::default() }
            };
            pages.open = Some(page);
        }
        pages.open.as_mut().ok_or_else(|| io::Error::other("no page"))
    }

    async fn store(&self) -> Written {
        let _alone = self.storing.lock().await;
        for desk in &self.desks {
            let mut pages = locked(desk);
            if let Some(page) = pages.open.take_if(|it| !it.rows.is_empty()) {
                self.waiting.fetch_sub(page.rows.len(), Relaxed);
                pages.full.push_back(page);
            }
        }
        for desk in &self.desks {
            self.store_full(desk).await?;
        }
        Ok(())
    }

    async fn store_full(&self, desk: &Mutex<Pages>) -> Written {
        loop {
            let first = locked(desk).full.front().map(|it| Arc::clone(&it.rows));
            let Some(rows) = first else { break };
            let stored = insert(&self.db, &rows).await;
            drop(rows);
            let mut pages = locked(desk);
            self.refused.store(stored.is_err(), Relaxed);
            if let Err(error) = stored {
                let events = pages.full.iter().map(|it| it.rows.len()).sum::<usize>();
                tracing::error!(%error, events, "audit events could not be stored, and are kept");
                return Err(());
            }
            if let Some(mut page) = pages.full.pop_front() {
                self.bytes.fetch_sub(page.bytes, Relaxed);
                // A file that cannot be emptied is stored again by the next process, to no effect.
                if page.file.set_len(0).is_ok() {
                    page.bytes = 0;
                    Arc::make_mut(&mut page.rows).clear();
                    pages.blank.push(page);
                }
            }
        }
        Ok(())
    }

    /// Stores what dead processes left.
    async fn adopt(&self) -> io::Result<()> {
        for path in own_file::listed(&self.folder, EXTENSION)? {
            let Some(_held) = own_file::adopt(&path)? else { continue };
            let text = tokio::fs::read_to_string(&path).await?;
            // A line that was cut off was never promised to anybody.
            let rows = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            insert(&self.db, &Arc::new(rows.collect())).await.map_err(io::Error::other)?;
            tokio::fs::remove_file(&path).await?;
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for desk in &self.desks {
            for page in locked(desk).blank.drain(..) {
                let _ = std::fs::remove_file(&page.path);
            }
        }
        self.wake.notify_one();
    }
}

fn locked(desk: &Mutex<Pages>) -> MutexGuard<'_, Pages> {
    // Nothing that can panic runs under the lock.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn insert(db: &Db, rows: &Arc<Vec<Row>>) -> sqlx::Result<()> {
    let Db::Lite { writer, near, .. } = db else { return Err(sqlx::Error::WorkerCrashed) };
    let mut from = 0;
    while from < rows.len() {
        let to = rows.len().min(from + COMMIT_EVENTS_MAX);
        // Its turn among all that write.
        let _turn = writer.acquire().await?;
        let (near, rows) = (near.clone(), Arc::clone(rows));
        let add = move || near.add(INSERT_ONE, rows[from..to].iter().map(Row::values));
        tokio::task::spawn_blocking(add).await.map_err(|_| sqlx::Error::WorkerCrashed)??;
        from = to;
    }
    Ok(())
}

async fn keep_storing(shared: Weak<Shared>, wake: Arc<Notify>) {
    let mut adopted: Option<Instant> = None;
    loop {
        let Some(this) = shared.upgrade() else { return };
        if adopted.is_none_or(|at| at.elapsed() >= ADOPTED_EVERY) {
            if let Err(error) = this.adopt().await {
                tracing::error!(%error, "audit events of an ended process wait to be stored");
            }
            adopted = Some(Instant::now());
        }
        let refused = this.desks.iter().any(|it| !locked(it).full.is_empty());
        let idle_for = if refused { TRIED_EVERY } else { ADOPTED_EVERY };
        drop(this);
        let something = tokio::time::timeout(idle_for, wake.notified()).await;
        if something.is_ok() {
            let _ = tokio::time::timeout(STORED_AFTER, wake.notified()).await;
        }
        let Some(this) = shared.upgrade() else { return };
        if this.store().await.is_ok() && something.is_ok() {
            match this.db.settle().await {
                // Closing the store settles it.
                Ok(()) | Err(sqlx::Error::PoolClosed) => {}
                Err(error) => tracing::warn!(%error, "audit events wait for the disk"),
            }
        }
    }
}
