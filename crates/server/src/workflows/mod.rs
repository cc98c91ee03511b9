//! Workflows: steps that follow each other, each with what the steps before it gave, run for a user
//! on his accounts.
//!
//! A run is a row, and the row is its place in the queue: any process takes runs that are due,
//! under a lease. What a step gave is written in one transaction with the run's going on to the
//! next, so that a run whose process died goes on where it was, and what is recorded is never done
//! again. A step that was under way when its process died is done again, with the same idempotency
//! key.

mod account;
mod answer;
pub mod api;
pub mod api_components;
pub mod api_entry;
pub mod api_runs;
mod begin;
mod delete;
mod deploy;
mod expression;
mod file;
mod page;
mod past;
mod receive;
mod record;
mod resume;
mod sealed;
mod send;
mod starts;
mod step;
mod store;
mod timers;
mod turn;
mod upload;
pub mod view;
mod work;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use begin::{Cause, Start, begin};
pub use delete::{delete, delete_component};
pub use deploy::{Deployed, deploy, find, list};
pub use file::{NAMES, named_files};
pub use past::{run_of, runs, steps_of};
pub use resume::{cancel, cancel_behind, resume};
pub use sealed::{Tried, Wait};
pub use timers::fire;
pub use work::{round, run, tidy};

use crate::components::Described;
use crate::error::{self, Error, Kind};
use crate::ids::{ComponentId, ProjectId, UserId, WorkflowId, WorkflowRunId};
use crate::paging::Boundary;
use crate::tenant::{Environment, Tenant};

/// Workflows of one project.
pub const WORKFLOWS_MAX: i64 = 500;
/// Steps of one workflow.
pub const STEPS_MAX: usize = 100;
/// Bytes of a workflow's file, and of the code of all its steps.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of what starts a run, and of all that its steps gave, as JSON.
pub const PAYLOAD_BYTES_MAX: usize = 512 * 1024;
pub const GIVEN_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Bytes that are kept of what one try of a step wrote and called, where it was not the last; and
/// how many of these tries.
const TRY_BYTES_MAX: usize = 32 * 1024;
const TRIES_KEPT_MAX: usize = 20;
/// Runs of one workflow that wait for their turn.
pub const QUEUED_MAX: i64 = 10_000;
/// Runs that are over and kept of a project's environment. The oldest go first.
pub const RUNS_KEPT_MAX: i64 = 10_000;
/// Requests to one address in a second, to each process.
pub const REQUESTS_PER_SECOND_MAX: u32 = 10;
/// How deep runs may start runs, so that none start each other for ever.
pub const DEPTH_MAX: i64 = 10;
/// How often a step may be tried again, and how long the first of these waits is at most.
pub const RETRIES_MAX: u32 = 20;
pub const RETRY_WAIT_MS_MAX: i64 = 3_600_000;
/// The longest that a step may take.
pub const STEP_MS_MAX: i64 = 750_000;

/// How callers of an address prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Whoever knows the address.
    None,
    /// By a token that is the workflow's own.
    Bearer,
    /// By an access token or API key of this server. Only they name users.
    Oauth,
}

impl Auth {
    const ALL: [Self; 3] = [Self::None, Self::Bearer, Self::Oauth];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer => "bearer",
            Self::Oauth => "oauth",
        }
    }
}

/// What callers of an address are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// A page, as soon as the run is stored.
    #[default]
    Default,
    /// What a step says by `$.respond`.
    Custom,
}

/// What starts a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    Http {
        auth: Auth,
        #[serde(default)]
        respond: Answer,
    },
    /// A clock.
    Timer {
        /// As [`crate::triggers::Schedule`] reads it.
        schedule: Value,
        users: Whom,
    },
    /// Other runs, events of deployed triggers, and calls of the API.
    Call,
}

/// Whom the runs of a timer are for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whom {
    /// One run, for whom the file says.
    One,
    /// A run for each user.
    All,
    /// A run for each user who has connected this app.
    App(String),
}

/// Which account a step gets where its user has several of the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    #[default]
    Newest,
    Oldest,
    /// Several are an error.
    Only,
}

impl Rule {
    fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Only => "only",
        }
    }
}

/// So many runs in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    pub runs: u32,
    pub per_ms: i64,
}

/// How often a step that failed is tried again. Each wait is twice the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    pub times: u32,
    pub wait_ms: i64,
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// A component by its key, and by its version where one is named.
    Component { key: String, version: Option<String> },
    /// Code of its own, by a name under which workers know it for ever.
    Code { id: ComponentId, text: String, described: Box<Described> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub does: Does,
    /// Values by the name of their field; texts with `{{ }}` are filled when it is run.
    pub props: Map<String, Value>,
    /// It is passed over unless this holds.
    pub condition: Option<String>,
    pub retries: Retries,
    pub account: Option<Rule>,
    pub timeout_ms: Option<i64>,
}

/// A workflow as it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    pub name: String,
    pub entry: Entry,
    /// Where runs belong whose caller names no environment.
    pub environment: Environment,
    /// Whom runs are for whose caller names nobody: a text with `{{ }}` over the event.
    pub user: Option<String>,
    pub account: Rule,
    /// The workflow that is started when a run fails.
    pub on_error: Option<String>,
    /// Runs under way at once.
    pub concurrency: Option<u32>,
    pub throttle: Option<Throttle>,
    pub steps: Vec<Step>,
}

impl Definition {
    /// Whether its runs may have to wait for their turn.
    fn holds_back(&self) -> bool {
        self.concurrency.is_some() || self.throttle.is_some()
    }
}

/// Something that was deployed.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub id: WorkflowId,
    pub project: ProjectId,
    pub name: String,
    pub version: i64,
    auth: Option<Auth>,
    key_sealed: Option<Vec<u8>>,
    bearer_hash: Option<Vec<u8>>,
    /// When its timer is due.
    pub due_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

impl Workflow {
    fn boundary(&self) -> Boundary {
        Boundary { key: self.created_at_ms, id: self.id.as_str().to_owned() }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was not begun, or waits for a place to go on.
    Queued,
    Running,
    /// For a time, or for somebody.
    Waiting,
    Ended,
}

impl State {
    const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Waiting, Self::Ended];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Ended => "ended",
        }
    }
}

/// A run, without what is sealed of it.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: WorkflowRunId,
    pub workflow: WorkflowId,
    pub tenant: Tenant,
    pub user: UserId,
    /// The product's own id of the user.
    pub external_id: String,
    pub version: i64,
    pub cause: String,
    pub of_run: Option<WorkflowRunId>,
    pub state: State,
    pub outcome: Option<String>,
    pub step: i64,
    pub failures: i64,
    pub reruns: i64,
    /// How often the step that is next was begun, with this time.
    begun: i64,
    sealed: Vec<u8>,
    revision: i64,
    pub created_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub ended_at_ms: Option<i64>,
}

impl Run {
    fn boundary(&self) -> Boundary {
        Boundary { key: self.created_at_ms, id: self.id.as_str().to_owned() }
    }
}

/// How a run ended, in one stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// A step ended it by `$.flow.exit` or `$end`.
    Exit,
    Failed,
    Cancelled,
    /// Nobody resumed it in time.
    Expired,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Exit => "exit",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

fn missing() -> Error {
    error::NOT_FOUND.saying("There is no such workflow.")
}

fn refused(kind: Kind, text: impl Into<String>) -> Error {
    kind.saying(text.into())
}

/// A field of a request that cannot be used.
fn field(name: &str, text: impl Into<String>) -> Error {
    error::INVALID_FIELD.saying(text.into()).with(serde_json::json!({ "field": name }))
}
