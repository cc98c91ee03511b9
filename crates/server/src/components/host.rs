//! What a run may ask of the server, answered; and what it says, gathered.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use grantkeep_runtime::{Authority, CallError, FileBody, Host, Notice, Target};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::data::Stores;
use super::guard::Guard;
use super::outcome::Observation;
use super::prepare::Prepared;
use super::stashed::Stash;
use crate::app::App;
use crate::error::Error;
use crate::ids::UserId;
use crate::relay::Scrubber;
use crate::tenant::Tenant;

/// Characters of a log line that are kept.
const LINE_CHARS_MAX: usize = 16 * 1024;

/// An answer that is on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send>>;
/// Answers the calls that depend on what the run is for, such as `db.set` or `flow.urls`.
pub type Calls = Arc<dyn Fn(&str, Value) -> Answering + Send + Sync>;
/// Hears of what a run says while it is under way, with what takes its secrets out. Must not block.
pub type Taker = Arc<dyn Fn(&Notice, &Scrubber) + Send + Sync>;

/// What a run said. Once it is taken out, nothing of it holds a secret of the run.
#[derive(Default)]
pub struct Gathered {
    pub log: Vec<Observation>,
    pub exports: Map<String, Value>,
    /// Events, each with its `meta`.
    pub emitted: Vec<(Value, Value)>,
    pub responded: Vec<Value>,
    /// What is to be sent once the run is over: kind and value.
    pub sent: Vec<(String, Value)>,
}

/// Answers for one run.
pub struct RunHost {
    app: Arc<App>,
    tenant: Tenant,
    user: UserId,
    guard: Arc<Guard>,
    stores: Arc<Stores>,
    calls: Option<Calls>,
    taker: Option<Taker>,
    /// Where the files go that the run makes. `None`: nowhere.
    stash: Option<Arc<Stash>>,
    /// Held by whoever takes a file in.
    files: tokio::sync::Mutex<()>,
    gathered: Mutex<Gathered>,
}

impl RunHost {
    pub fn new(it: &Prepared) -> Self {
        Self {
            app: Arc::clone(&it.app),
            tenant: it.tenant.clone(),
            user: it.user.clone(),
            guard: Arc::clone(&it.guard),
            stores: Arc::clone(&it.stores),
            calls: None,
            taker: None,
            stash: None,
            files: tokio::sync::Mutex::default(),
            gathered: Mutex::default(),
        }
    }

    /// With answers to the calls that depend on what the run is for.
    #[must_use]
    pub fn answering(mut self, calls: Calls) -> Self {
        self.calls = Some(calls);
        self
    }

    #[must_use]
    pub fn telling(mut self, taker: Taker) -> Self {
        self.taker = Some(taker);
        self
    }

    #[must_use]
    pub(super) fn stashing(mut self, stash: Option<Arc<Stash>>) -> Self {
        self.stash = stash;
        self
    }

    /// What was said, without the run's secrets; it is taken out.
    pub fn gathered(&self, scrubber: &Scrubber) -> Gathered {
        let all = std::mem::take(&mut *self.lock());
        let value = |it| scrubber.value(it);
        let line = |it: Observation| Observation { msg: it.msg.map(|it| scrubber.text(it)), ..it };
        Gathered {
            log: all.log.into_iter().map(line).collect(),
            exports: all.exports.into_iter().map(|(k, it)| (scrubber.text(k), value(it))).collect(),
            emitted: all.emitted.into_iter().map(|(it, meta)| (value(it), value(meta))).collect(),
            responded: all.responded.into_iter().map(value).collect(),
            sent: all.sent.into_iter().map(|(kind, it)| (kind, value(it))).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        // Nothing that can panic runs under the lock.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for RunHost {
    fn notice(&self, notice: Notice) {
        if let Some(taker) = &self.taker {
            taker(&notice, &self.guard.scrubber());
        }
        let mut gathered = self.lock();
        match notice {
            Notice::Log(log) => {
                let msg = log.msg.chars().take(LINE_CHARS_MAX).collect();
                gathered.log.push(Observation { k: log.k, ts: log.ts, msg: Some(msg), err: None });
            }
            Notice::Export { name, value } => drop(gathered.exports.insert(name, value)),
            Notice::Emit { event, meta } => gathered.emitted.push((event, meta)),
            Notice::Respond(value) => gathered.responded.push(value),
            Notice::Send { kind, value } => gathered.sent.push((kind, value)),
        }
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        if let Some(asked) = method.strip_prefix("store.") {
            let owner = (&self.tenant, &self.user);
            let done = self.stores.call(&self.app, owner, (asked, &params)).await;
            return done.map_err(|error| told(&error));
        }
        if method == "oauth1.sign" {
            return self.guard.sign(&self.app, &params).await;
        }
        if let Some(calls) = &self.calls {
            // What leaves the run leaves it without its secrets; what it remembers is sealed.
            let leaves = matches!(method, "http.respond" | "flow.trigger");
            let params = if leaves { self.guard.scrubber().value(params) } else { params };
            return calls(method, params).await;
        }
        match method {
            // Where nothing runs by itself, nothing is remembered.
            "db.set" | "flow.refreshTimeout" => Ok(Value::Null),
            _ => Err(CallError::new(
                "NotHere",
                "This works in a workflow, and this is no part of one.",
            )
            .with_code("not_here")),
        }
    }

    async fn connect(&self, target: Target, authority: Arc<Authority>, stream: UnixStream) {
        self.guard.connect(&self.app, target, authority, stream).await;
    }

    async fn file(&self, path: &str, bytes: u64, body: &mut FileBody) -> Result<(), CallError> {
        let Some(stash) = &self.stash else { return passed_by(body).await };
        let most = self.app.config.stash_file_bytes_max as u64;
        if bytes > most {
            passed_by(body).await?;
            let text = format!("{path} has {bytes} bytes, and a stash takes {most} of one file.");
            return Err(CallError::new("FileTooLarge", text).with_code("too_large"));
        }
        // One at a time: each is held in memory as a whole.
        let _alone = self.files.lock().await;
        let mut content = Vec::new();
        body.read_to_end(&mut content).await.map_err(|_| broke_off())?;
        stash.put(&self.app, path, Bytes::from(content)).await.map_err(|error| told(&error))
    }
}

/// Reads a file that nobody wants.
async fn passed_by(body: &mut FileBody) -> Result<(), CallError> {
    tokio::io::copy(body, &mut tokio::io::sink()).await.map(drop).map_err(|_| broke_off())
}

fn broke_off() -> CallError {
    CallError::new("FileBroken", "The file broke off.")
}

/// An error as code gets it: what callers would be told, and nothing of the log.
pub(super) fn told(error: &Error) -> CallError {
    CallError::new("GrantkeepError", error.text()).with_code(error.kind().code)
}
