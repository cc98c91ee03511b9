//! Deployed triggers: what runs for a user by itself, and emits events.
//!
//! A source is code that is woken by its timers, and by requests to its addresses. Two kinds have
//! no code: an address whose requests are events, and a clock. One run of a trigger is under way at
//! a time, over all processes: whoever has the lease in its row runs it. What a run emits, what it
//! remembers and what woke it are written in one transaction with the news of it, or not at all;
//! so a run that fails or dies is made again and loses nothing.

pub mod api;
pub mod api_erase;
pub mod api_hooks;
pub mod api_parts;
mod call;
mod change;
mod code;
mod commit;
mod dedupe;
mod delete;
mod deploy;
mod erase;
mod failed;
mod fire;
mod lease;
mod page;
mod receive;
mod respond;
mod schedule;
mod sealed;
mod starts;
mod state;
mod store;
mod uses;
pub mod view;
mod work;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use call::{Request, read};
pub use change::{Change, change};
pub use delete::delete;
pub use deploy::{Deployed, New, deploy};
pub use erase::{delete_project, erase_user};
pub use page::{events, find, list, set_workflows, workflows};
pub(crate) use respond::{Said, guarded};
pub use schedule::Schedule;
pub use starts::{Waiting, forget, put_off, waiting};
pub use uses::{Use, forget_workflow, made_of, pause_all_of, that_start};
pub use work::{round, run, tidy};

use crate::error::{self, Error};
use crate::ids::{ComponentId, Emitter, EmitterId, UserId};
use crate::paging::Boundary;
use crate::tenant::Tenant;

/// Triggers of one user.
pub const TRIGGERS_PER_USER_MAX: i64 = 200;
/// Events kept of each trigger. The oldest go first.
pub const EVENTS_KEPT_MAX: i64 = 100;
/// Bytes of all that a source keeps in `$.service.db`, as JSON.
pub const STATE_BYTES_MAX: usize = 60 * 1024;
/// Events of one run.
const EMITS_MAX: usize = 1_000;
/// Bytes of a request to a trigger's address.
pub const REQUEST_BYTES_MAX: usize = 512 * 1024;
/// Requests to one address in a second, to each process.
pub const REQUESTS_PER_SECOND_MAX: u32 = 10;
/// Requests of one trigger that wait to be worked off.
const CALLS_WAITING_MAX: i64 = 200;
/// Runs that one request is given before it is dropped, so that it does not hold up the others.
const CALL_TRIES_MAX: i64 = 3;
/// Failures in a row after which a trigger is paused.
pub const FAILURES_MAX: i64 = 10;
/// How long a trigger is left alone after its first failure, and at most; each one doubles it.
const BACKOFF_MS: i64 = 15_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;
/// Workflows that one trigger starts.
const WORKFLOWS_MAX: usize = 50;
/// Characters of a trigger's name.
const NAME_CHARS_MAX: usize = 200;
/// Due when nothing is to be done.
const NEVER: i64 = i64::MAX;

/// What a trigger is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its hooks run for the first time.
    Deploying,
    Active,
    /// Somebody switched it off.
    Inactive,
    /// It failed too often in a row. Switching it on again starts afresh.
    Paused,
}

impl State {
    const ALL: [Self; 4] = [Self::Deploying, Self::Active, Self::Inactive, Self::Paused];

    fn as_str(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Paused => "paused",
        }
    }
}

/// What a trigger is configured with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Configured {
    /// Values by the name of their field, as they were given.
    pub values: Map<String, Value>,
    /// All fields, where choices brought some of their own.
    pub dynamic: Option<Vec<Value>>,
}

/// Something that was deployed.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub id: EmitterId,
    pub tenant: Tenant,
    pub user: UserId,
    /// The product's own id of the user.
    pub external_id: String,
    pub kind: Emitter,
    pub component: ComponentId,
    pub component_key: String,
    pub version: String,
    pub name: String,
    sealed: Vec<u8>,
    revision: i64,
    pub emit_on_deploy: bool,
    pub state: State,
    pub failures: i64,
    trouble: Option<Vec<u8>>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

impl Trigger {
    pub fn active(&self) -> bool {
        matches!(self.state, State::Active | State::Deploying)
    }

    fn boundary(&self) -> Boundary {
        Boundary { key: self.created_at_ms, id: self.id.as_str().to_owned() }
    }
}

/// What wakes a trigger.
#[derive(Clone, Debug)]
pub struct Interface {
    pub id: EmitterId,
    /// The field that it belongs to.
    pub prop: String,
    pub wakes: Wakes,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

#[derive(Clone, Debug)]
pub enum Wakes {
    Http { key_hash: Vec<u8>, key_sealed: Vec<u8>, custom_response: bool },
    Timer { schedule: Schedule, due_at_ms: i64, changed_at_ms: i64 },
}

/// An event that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What was emitted.
    pub e: Value,
    /// When, in milliseconds since 1970.
    pub ts: i64,
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
}

fn missing() -> Error {
    error::NOT_FOUND.saying("There is no such deployed trigger.")
}

/// A field of a request that cannot be used.
fn field(name: &str, text: impl Into<String>) -> Error {
    error::INVALID_FIELD.saying(text.into()).with(serde_json::json!({ "field": name }))
}
