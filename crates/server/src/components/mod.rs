//! Actions, trigger sources, and what is deployed of them. Nothing here runs any yet: lists are
//! empty, nothing is found, and whatever would run one says so.

pub mod api;
pub mod api_deployed;

use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::error::{self, Error, Result};
use crate::paging::{Boundary, Listed, Page};
use crate::query::Query;
use crate::scope::{Scope, Scopes};

/// Where a list of components may look.
const REGISTRIES: [&str; 3] = ["public", "private", "all"];
/// What a component may be.
const TYPES: [&str; 2] = ["trigger", "action"];

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
}

/// A trigger that was deployed for a user.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeployedView {
    pub id: String,
    /// The user's id.
    pub owner_id: String,
    pub component_id: String,
    pub component_key: Option<String>,
    #[schema(value_type = Vec<Object>)]
    pub configurable_props: Vec<Value>,
    #[schema(value_type = Object)]
    pub configured_props: Value,
    pub active: bool,
    /// Seconds since 1970.
    pub created_at: i64,
    pub updated_at: i64,
    pub name: String,
    pub name_slug: String,
}

/// The components that fit: none.
///
/// # Errors
/// [`error::INVALID_PARAMETER`] for a wish that no list could fulfil, and those of [`Page::of`].
fn list(app: &App, query: &Query, name: String) -> Result<Listed<ComponentView>> {
    one_of(query, "registry", &REGISTRIES)?;
    one_of(query, "component_type", &TYPES)?;
    none(app, query, name)
}

/// A page of a list with nothing on it.
fn none<T>(app: &App, query: &Query, name: String) -> Result<Listed<T>> {
    let page = Page::of(query, &app.cursors, name)?;
    let nowhere = |_: &T| Boundary { key: 0, id: String::new() };
    let (data, page_info) = page.answer(&app.cursors, Vec::new(), 0, nowhere);
    Ok(Listed { data, page_info })
}

fn one_of(query: &Query, name: &str, words: &[&str]) -> Result<()> {
    match query.one(name)? {
        Some(word) if !words.contains(&word) => {
            let text = format!("`{name}` must be one of: {}.", words.join(", "));
            Err(error::INVALID_PARAMETER.saying(text))
        }
        _ => Ok(()),
    }
}

/// What would run a component. `what` says what did not happen.
///
/// Clients of the wire repeat every 5xx twice, with waits that double, unless `Retry-After` says
/// otherwise. The zero has those that honour it do so at once, since waiting mends nothing. Some
/// take only a wait above zero and fall back to their own, about three seconds in all; a greater
/// number would not be shorter for them, and longer for the others.
fn unbuilt(what: &str) -> Error {
    let text = format!(
        "{what}: this server does not run components yet. Until it does, call the app itself \
         through the proxy, `/v1/connect/{{project}}/proxy`."
    );
    error::NOT_IMPLEMENTED.saying(text).retry_after(0)
}
