//! The workers that there are, and who has which.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::keep::Keep;
use crate::limits::{WAIT, WAITING};
use crate::process::{Reaper, Spawner};
use crate::protocol::op_line;
use crate::run::converse;
use crate::sandbox::Sandbox;
use crate::worker::Worker;
use crate::{Code, Description, Failure, Host, Limits, Op, Profile, Unavailable, Wanted, choose};

/// How long the end of processes is waited for when all stops.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Settings {
    /// Node 20 or newer; a bare name is looked for where the system keeps programs.
    pub node: PathBuf,
    pub sandbox: Wanted,
    /// This program and the words that make it call [`crate::confine_and_exec`] with what follows
    /// them. Empty: the profile `landlock` cannot be had.
    pub confine: Vec<OsString>,
    /// Ours alone. What an earlier process left of workers in it is removed at the start.
    pub folder: PathBuf,
    /// Workers that hold code, busy or kept. Those that are warm come on top.
    pub workers_max: usize,
    /// Workers that wait with Node started and nothing loaded.
    pub warm: usize,
    /// How long a worker is kept for its key after a run.
    pub idle_max: Duration,
    pub limits: Limits,
}

/// Whom a worker serves: it is never given to another. Two runs that must not meet differ in one of
/// the parts: project, environment, component with version, user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let sized = parts.into_iter().map(|part| format!("{}:{part},", part.len()));
        Self(sized.collect())
    }
}

/// Cheap to clone; all clones are one pool.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    settings: Settings,
    profile: Profile,
    sandbox: Arc<Sandbox>,
    spawner: Spawner,
    /// `None` once the pool is stopping.
    reaper: Mutex<Option<Reaper>>,
    keep: Keep,
    /// One for each worker that may be at work. Given in the order of asking.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Processes that may be starting at once: more would only make each slower.
    starts: Semaphore,
    /// A warm worker was taken.
    taken: Notify,
    /// A worker was kept.
    kept: Notify,
    stop: CancellationToken,
}

impl Pool {
    /// Finds out which sandbox works here, and starts the warm workers.
    ///
    /// # Errors
    /// The profile that is wanted cannot be had here; the text says why and what to do.
    pub async fn start(settings: Settings) -> Result<Self, Unavailable> {
        let failed = |it: std::io::Error| Unavailable::Start(it.to_string());
        let (spawner, reaper) = (Spawner::start().map_err(failed)?, Reaper::start());
        let found = choose::sandbox(&settings, &spawner, &reaper).await?;
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let inner = Arc::new(Inner {
            profile: found.sandbox.profile(found.because),
            sandbox: found.sandbox,
            spawner,
            reaper: Mutex::new(Some(reaper)),
            keep: Keep::default(),
            turns: Arc::new(Semaphore::new(settings.workers_max)),
            waiting: AtomicUsize::new(0),
            starts: Semaphore::new(cores),
            taken: Notify::new(),
            kept: Notify::new(),
            stop: CancellationToken::new(),
            settings,
        });
        if inner.settings.warm > 0 {
            inner.keep.add_warm(found.first);
        }
        tokio::spawn(Arc::clone(&inner).refill());
        tokio::spawn(Arc::clone(&inner).expire());
        Ok(Self(inner))
    }

    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Workers that wait with nothing loaded.
    pub fn warm(&self) -> usize {
        self.0.keep.warm()
    }

    /// Loads the code and tells what it is. The worker is kept for the key's first run.
    pub async fn describe(&self, key: &Key, code: &Code) -> Result<Description, Failure> {
        let mut lease = self.lease(key).await?;
        let description = lease.load(code).await?.clone();
        lease.keep();
        Ok(description)
    }

    /// Does one thing with the code and gives what the worker answered.
    ///
    /// Two calls with the same key at the same time are done by two workers. If the future is
    /// dropped, the worker is ended.
    pub async fn perform<H: Host>(
        &self,
        key: &Key,
        code: &Code,
        op: Op,
        host: Arc<H>,
    ) -> Result<Value, Failure> {
        let mut limits = self.0.settings.limits.clone();
        limits.wall = op.wall.unwrap_or(limits.wall);
        let mut lease = self.lease(key).await?;
        lease.load(code).await?;
        let worker = lease.worker()?;
        worker.last += 1;
        let line = op_line(worker.last, &op);
        if line.len() > limits.payload_bytes {
            lease.keep();
            let (bytes, limit_bytes) = (line.len(), limits.payload_bytes);
            return Err(Failure::Payload { bytes, limit_bytes });
        }
        let stop = self.0.stop.clone();
        let answer = tokio::select! {
            answer = converse(worker, &line, &limits, &host) => answer,
            () = stop.cancelled() => Err(Unavailable::Stopping.into()),
        };
        if matches!(answer, Ok(_) | Err(Failure::Thrown(_))) {
            lease.keep();
        }
        answer
    }

    /// Begins no new run, ends those under way, and returns when no process is left.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.turns.close();
        self.0.keep.close();
        let reaper = self.0.reaper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reaper) = reaper {
            drop(tokio::time::timeout(SHUTDOWN_WAIT, reaper.finish()).await);
        }
    }

    async fn lease<'a>(&'a self, key: &'a Key) -> Result<Lease<'a>, Unavailable> {
        let turn = self.0.turn().await?;
        let worker = self.0.keep.take(key, self.0.settings.workers_max);
        // Counted as busy from here on, whatever comes.
        let mut lease = Lease { pool: &self.0, key, worker, good: false, _turn: turn };
        if lease.worker.as_ref().is_none_or(|it| it.loaded.is_none()) {
            self.0.taken.notify_one();
        }
        if lease.worker.is_none() {
            lease.worker = Some(self.0.start_one().await?);
        }
        Ok(lease)
    }
}

impl Inner {
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Unavailable> {
        let turns = Arc::clone(&self.turns);
        if let Ok(turn) = Arc::clone(&turns).try_acquire_owned() {
            return Ok(turn);
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _left = Left(&self.waiting);
        let busy = Unavailable::Busy { workers: self.settings.workers_max, waiting };
        if waiting >= WAITING {
            return Err(busy);
        }
        let turn = tokio::time::timeout(WAIT, turns.acquire_owned()).await;
        turn.map_err(|_| busy)?.map_err(|_| Unavailable::Stopping)
    }

    async fn start_one(&self) -> Result<Worker, Unavailable> {
        let _one = self.starts.acquire().await.map_err(|_| Unavailable::Stopping)?;
        let reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reaper = reaper.ok_or(Unavailable::Stopping)?;
        tokio::select! {
            worker = Worker::start(&self.sandbox, &self.spawner, &reaper) => worker,
            () = self.stop.cancelled() => Err(Unavailable::Stopping),
        }
    }

    /// Keeps the number of warm workers, one after the other.
    async fn refill(self: Arc<Self>) {
        loop {
            while self.keep.warm() < self.settings.warm {
                let Ok(worker) = self.start_one().await else { break };
                self.keep.add_warm(worker);
            }
            tokio::select! {
                () = self.taken.notified() => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Lets go of workers that were kept too long. Sleeps until the first of them has been.
    async fn expire(self: Arc<Self>) {
        loop {
            let next = self.keep.expire(self.settings.idle_max);
            let sleep = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => self.kept.notified().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.stop.cancelled() => return,
            }
        }
    }
}

/// Counts a waiting run out, however its waiting ends.
struct Left<'a>(&'a AtomicUsize);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker in use. Dropped, the worker is ended, unless it was said to be good.
struct Lease<'a> {
    pool: &'a Inner,
    key: &'a Key,
    worker: Option<Worker>,
    good: bool,
    _turn: OwnedSemaphorePermit,
}

impl Lease<'_> {
    fn worker(&mut self) -> Result<&mut Worker, Unavailable> {
        self.worker.as_mut().ok_or(Unavailable::Stopping)
    }

    async fn load(&mut self, code: &Code) -> Result<&Description, Failure> {
        let stop = self.pool.stop.clone();
        let worker = self.worker()?;
        if worker.loaded.is_none() {
            tokio::select! {
                loaded = worker.load(code) => loaded?,
                () = stop.cancelled() => return Err(Unavailable::Stopping.into()),
            }
        }
        worker.loaded.as_ref().ok_or_else(|| Unavailable::Stopping.into())
    }

    /// The worker is kept for its key. One that left processes behind is not.
    fn keep(&mut self) {
        self.good = self.worker.as_ref().is_some_and(|it| it.process.freeze());
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let worker = self.worker.take().filter(|_| self.good);
        self.pool.keep.give_back(self.key, worker);
        self.pool.kept.notify_one();
    }
}
