//! What is sealed of runs, each for its own place, under the key of the run's user.

use std::sync::Arc;

use grantkeep_vault::{OwnerKey, Place};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Run;
use crate::app::App;
use crate::components::outcome::Observation;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::{UserId, WorkflowRunId};
use crate::keys::unreadable;
use crate::tenant::Tenant;

/// What a run knows beside its steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// `steps.trigger.event`.
    pub event: Value,
    /// The secret part of the addresses that resume or cancel it the next time it waits.
    pub key: String,
    /// How many runs started each other before this one.
    #[serde(default)]
    pub depth: i64,
    /// What the step that is next said for its own repetition, and what called meanwhile.
    #[serde(default)]
    pub context: Value,
    #[serde(default)]
    pub callback: Value,
    /// What it waits for.
    #[serde(default)]
    pub waits: Option<Wait>,
    /// What it was resumed with, by the name of the step that waited: `$resume_data`.
    #[serde(default)]
    pub resumed: Map<String, Value>,
    /// What callers of the address are answered.
    #[serde(default)]
    pub respond: Option<Value>,
    /// Whether nobody need wait for more of it.
    #[serde(default)]
    pub respond_now: bool,
    /// Whether what it was given is forgotten when it ends.
    #[serde(default)]
    pub unkept: bool,
    /// The deployed trigger whose event started it.
    #[serde(default)]
    pub emitter: Option<String>,
    /// Why it ended.
    #[serde(default)]
    pub reason: Option<String>,
    /// The failure that ended it.
    #[serde(default)]
    pub error: Option<Value>,
    /// Tries of the step that is next.
    #[serde(default)]
    pub tried: Vec<Tried>,
    /// When the step that failed is tried again.
    #[serde(default)]
    pub again_at_ms: i64,
}

/// A try of a step that was not its last one: it failed, or asked to be run again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tried {
    pub started_at_ms: i64,
    pub ended_at_ms: i64,
    #[serde(default)]
    pub log: Vec<Observation>,
    #[serde(default)]
    pub error: Option<Value>,
    #[serde(default)]
    pub calls: Vec<Value>,
}

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Somebody; it ends when nobody comes.
    Suspend,
    /// A time; somebody may make it shorter.
    Delay,
    /// A time, and then for the same step once more.
    Rerun,
    /// A time, after which a step that failed is tried again.
    Retry,
}

/// What a step gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Given {
    /// What it was configured with, as its file says, filled.
    #[serde(default)]
    pub props: Map<String, Value>,
    #[serde(default)]
    pub exports: Map<String, Value>,
    #[serde(default)]
    pub log: Vec<Observation>,
    #[serde(default)]
    pub error: Option<Value>,
    /// Which accounts it got, and by which rule.
    #[serde(default)]
    pub accounts: Vec<Value>,
    /// Calls to apps.
    #[serde(default)]
    pub calls: Vec<Value>,
    /// What it asked of `$.flow`.
    #[serde(default)]
    pub flow: Option<Value>,
    /// Its tries before this one.
    #[serde(default)]
    pub tried: Vec<Tried>,
}

/// The key of a run's user.
pub(super) struct Seal {
    tenant: Tenant,
    key: Arc<OwnerKey>,
}

impl Seal {
    /// # Errors
    /// [`error::DECRYPT_FAILED`] once the user was erased.
    pub async fn of(app: &App, run: &Run) -> Result<Self> {
        let key = app.keys.user(&app.db, &run.tenant, &run.user).await?;
        Ok(Self { tenant: run.tenant.clone(), key })
    }

    /// The same, made on first use.
    pub async fn ensure(app: &App, tx: &mut Tx, tenant: &Tenant, user: &UserId) -> Result<Self> {
        let now_ms = app.clock.now_ms();
        let key = app.keys.user_for_sealing(tx, tenant, user, now_ms).await?;
        Ok(Self { tenant: tenant.clone(), key })
    }

    fn place<'a>(&'a self, table: &'a str, record: &'a str, version: i64) -> Place<'a> {
        Place {
            project: self.tenant.project.as_str(),
            environment: self.tenant.environment.as_str(),
            table,
            record,
            column: "sealed",
            version,
        }
    }

    pub fn memory(&self, run: &Run) -> Result<Memory> {
        self.open(&self.place("workflow_runs", run.id.as_str(), run.revision), &run.sealed)
    }

    pub fn seal_memory(&self, run: &WorkflowRunId, revision: i64, it: &Memory) -> Result<Vec<u8>> {
        self.seal(&self.place("workflow_runs", run.as_str(), revision), it)
    }

    /// Nothing, once it was forgotten.
    pub fn given(&self, run: &WorkflowRunId, nth: i64, sealed: &[u8]) -> Result<Given> {
        if sealed.is_empty() {
            return Ok(Given::default());
        }
        self.open(&self.place("workflow_steps", run.as_str(), nth), sealed)
    }

    pub fn seal_given(&self, run: &WorkflowRunId, nth: i64, it: &Given) -> Result<Vec<u8>> {
        self.seal(&self.place("workflow_steps", run.as_str(), nth), it)
    }

    /// What a step told its caller at once.
    pub fn seal_answer(&self, run: &WorkflowRunId, it: &Value) -> Result<Vec<u8>> {
        self.seal(&self.place("workflow_answers", run.as_str(), 0), it)
    }

    pub fn answer(&self, run: &WorkflowRunId, sealed: &[u8]) -> Result<Value> {
        self.open(&self.place("workflow_answers", run.as_str(), 0), sealed)
    }

    fn seal<T: Serialize>(&self, place: &Place<'_>, value: &T) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(value).map_err(|it| error::INTERNAL.logging(it))?;
        Ok(self.key.seal(place, &text))
    }

    fn open<T: DeserializeOwned>(&self, place: &Place<'_>, sealed: &[u8]) -> Result<T> {
        let plain = self.key.open(place, sealed).map_err(unreadable)?;
        serde_json::from_slice(plain.expose()).map_err(|it| error::INTERNAL.logging(it))
    }
}
