//! Actions and the sources of triggers: published by projects or shipped with the program, asked
//! for their fields' values, and run on the accounts of users.
//!
//! A component is code. It runs in a process of its own that reaches nothing but one socket
//! (`workers.rs`), and gets no more than the accounts that stand in its fields.

mod account;
pub mod api;
pub mod api_apps;
pub mod api_publish;
pub mod api_run;
pub mod api_runs;
mod code;
mod configure;
mod data;
mod described;
mod files;
mod find;
mod guard;
pub mod host;
mod judge;
mod letters;
mod needed;
pub mod outcome;
mod past;
pub mod prepare;
mod publish;
mod reload;
mod run;
mod shipped;
mod stashed;
mod store;
mod version;
mod wishes;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

pub use code::{describe, placed, unpublished};
pub use described::{Described, What, app_of, find_prop, name_and_type, shown};
pub use files::{Files, closure};
pub use find::{Filter, Registry, all, find, find_by_id, list};
pub use judge::{Fault, Open, judge, lacking, meant, misfit, must_be_filled, strange};
pub(crate) use letters::send_letter;
pub use letters::{Letter, SealedLetter, leave as leave_letters, letters, room_for_letters};
pub use past::{Run, keep, runs};
pub use prepare::{
    Asked, Filled, Prepared, dynamic_props, prepare, prepare_found, prepare_with, unwrapped,
};
pub use publish::{Permission, Publication, Published, delete, publish};
pub use run::{Ran, Stashing, run, run_found};
pub use shipped::{Index, Indexed, index};
pub(crate) use wishes::{ComponentWish, check_configured};

use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{ComponentId, ProjectId};
use crate::scope::{Scope, Scopes};
use crate::slots::{RETRY_AFTER_S, Slot};
use crate::tenant::Tenant;

/// Components that one project publishes.
pub const COMPONENTS_PER_PROJECT_MAX: i64 = 500;
/// Versions of one component.
pub const VERSIONS_MAX: usize = 200;
/// Files of one version, and bytes of all of them together.
pub const FILES_MAX: usize = 200;
pub const FILES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of what a component says of itself.
pub const DESCRIBED_BYTES_MAX: usize = 512 * 1024;
/// How long fields that a choice brought with it are remembered.
const DYNAMIC_PROPS_LIFE_MS: i64 = 24 * 3_600_000;
/// Runs kept of a project's environment. The oldest go first.
pub const RUNS_KEPT_MAX: i64 = 1_000;
/// Bytes of one configured value.
const CONFIGURED_BYTES_MAX: usize = 64 * 1024;

/// Which components a path is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Actions and triggers alike.
    Components,
    Actions,
    Triggers,
}

impl Kind {
    /// Both kinds are open to whoever may use one of them.
    fn check(self, scopes: &Scopes) -> Result<()> {
        let open = match self {
            Self::Components => scopes.allow(Scope::Actions) || scopes.allow(Scope::Triggers),
            Self::Actions => scopes.allow(Scope::Actions),
            Self::Triggers => scopes.allow(Scope::Triggers),
        };
        if open {
            return Ok(());
        }
        let text = "This call needs the scope `connect:actions:*` or `connect:triggers:*`, and the \
                    token has neither.";
        Err(error::SCOPE_MISSING.saying(text))
    }

    /// Whether such a component is among those that the path is about.
    fn holds(self, what: What) -> bool {
        match self {
            Self::Components => true,
            Self::Actions => what == What::Action,
            Self::Triggers => what == What::Source,
        }
    }
}

/// Where a component's code stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The server itself does what it is for.
    Native,
    /// In this program.
    Shipped(&'static Indexed),
    /// In the store of the project that published it.
    Published,
    /// With whoever tries it out, unpublished.
    At(Files),
}

/// One version of a component.
#[derive(Clone, Debug)]
pub struct Component {
    pub id: ComponentId,
    /// The app's slug and the component's own, with a hyphen between them; `~/` begins a project's
    /// own.
    pub key: String,
    pub version: String,
    pub described: Arc<Described>,
    /// The file that is loaded first.
    pub entry: String,
    pub permissions: Vec<Permission>,
    /// Names of packages that mean ours.
    pub aliases: Vec<String>,
    pub place: Place,
    pub created_at_ms: i64,
}

impl Component {
    pub fn name(&self) -> &str {
        self.described.name.as_deref().unwrap_or(&self.key)
    }

    pub fn what(&self) -> What {
        self.described.what
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

/// An action, or the source of a trigger.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ComponentView {
    /// The app's slug and the component's own, with a hyphen between them; `~/` begins a project's
    /// own.
    pub key: String,
    pub name: String,
    pub version: String,
    pub description: Option<String>,
    /// `action` or `trigger`.
    pub component_type: Option<String>,
    /// What it is configured with, in order.
    #[schema(value_type = Vec<Object>)]
    pub configurable_props: Vec<Value>,
    /// Whether it takes or makes files: `optional`, `required`, or null.
    pub stash: Option<String>,
    /// What is known of what it does: `readOnlyHint`, `destructiveHint` and so on.
    #[schema(value_type = Option<Object>)]
    pub annotations: Option<Value>,
}

impl From<&Component> for ComponentView {
    fn from(it: &Component) -> Self {
        let known = |stash: &&String| matches!(stash.as_str(), "optional" | "required");
        Self {
            key: it.key.clone(),
            name: it.name().to_owned(),
            version: it.version.clone(),
            description: it.described.description.clone(),
            component_type: Some(it.what().shown().to_owned()),
            configurable_props: it.described.shown_props(),
            stash: it.described.stash.as_ref().filter(known).cloned(),
            annotations: it.described.annotations.clone().filter(Value::is_object),
        }
    }
}

/// A place among the runs that one project may have under way.
///
/// # Errors
/// [`error::TOO_MANY_RUNS`], with `Retry-After`.
pub fn runs_now(app: &App, tenant: &Tenant) -> Result<Slot<ProjectId>> {
    let slot = app.workers.slots.take(&tenant.project);
    slot.ok_or_else(|| Error::from(error::TOO_MANY_RUNS).retry_after(RETRY_AFTER_S))
}

fn missing() -> Error {
    error::NOT_FOUND.saying("There is no such component, or no such version of it.")
}

/// A field of a request that cannot be used.
/// Refuses values that no field can make anything of, before any code sees them.
///
/// # Errors
/// [`error::INVALID_FIELD`], with the field.
pub fn check_types(props: &[Value], configured: &Map<String, Value>) -> Result<()> {
    let Some(Fault { given, text }) = misfit(props, configured) else { return Ok(()) };
    let name = given.unwrap_or_default();
    Err(field(&name, format!("`{name}`: {text}.")))
}

fn field(name: &str, text: impl Into<String>) -> Error {
    error::INVALID_FIELD.saying(text.into()).with(serde_json::json!({ "field": name }))
}
