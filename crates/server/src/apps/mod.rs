//! Apps: the catalogue and a project's own, the OAuth clients that it registered at their
//! providers, and what it set for their users.

pub mod api;
pub mod api_clients;
pub mod api_custom;
pub mod api_discover;
pub mod api_overrides;
pub mod asking;
pub mod aws4;
pub mod bound;
mod client_keys;
mod client_lines;
mod clients;
mod custom;
mod custom_edit;
mod discover;
mod metadata;
pub mod oauth1;
mod overrides;
mod own_clients;
pub mod probe;
mod proofs;
pub mod protocol;
pub mod published;
mod register;
mod sheet;
mod store;
pub mod view;

use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;

pub use client_lines::{Taken, import_oauth_app, oauth_app_lines};
pub(crate) use clients::all_oauth_apps;
pub use clients::{
    Edit, OAuthApp, configured_apps, create_oauth_app, delete_oauth_app, find_oauth_app,
    list_oauth_apps, oauth_app_for, update_oauth_app,
};

pub use custom::{CustomApp, find_custom_app, list_custom_apps, own, slug_of};
pub use custom_edit::{
    APPS_PER_PROJECT_MAX, DEFINITION_BYTES_MAX, Replacement, Written, create_custom_app,
    delete_custom_app, replace_custom_app,
};

pub use discover::{Discovered, Lead, discover};
pub use overrides::{
    AppOverride, OverrideEdit, create_override, delete_override, field_texts, fill, find_override,
    list_overrides, override_fields, update_override,
};
pub(crate) use own_clients::{
    Carried, carry, forget_unused, is_own, keep_own_client, let_go, oauth_app_of_grant,
};
pub use own_clients::{
    is_anothers, oauth_app_for_user, own_client, takes_own_client, wants_secret,
};
pub(crate) use published::published_app;

pub use proofs::{oauth_app_certificate, oauth_app_key, oauth_app_secret};
pub use register::{How, Registration};

use crate::app::App;
use crate::error::{self, Result};
use crate::ids::ProjectId;

/// Finds an app by slug or by id: among the project's own, else in the catalogue. The own come
/// first, so that an app which a later catalogue brings takes nobody's place.
///
/// # Errors
/// [`error::APP_NOT_FOUND`], and [`error::APP_INCOMPLETE`] with what is missing.
pub async fn find(app: &App, project: &ProjectId, name: &str) -> Result<Arc<CatalogApp>> {
    let own = own(app, project).await?.find(name);
    let found = own.or_else(|| app.catalog.find(name)).ok_or(error::APP_NOT_FOUND)?;
    if found.is_connectable() { Ok(found) } else { Err(incomplete(&found)) }
}

fn incomplete(found: &CatalogApp) -> error::Error {
    let missing = found.evidence.missing.join("; ");
    error::APP_INCOMPLETE.saying(format!(
        "Too little is known of {} to connect it. Missing: {missing}. Add a file of your own.",
        found.name
    ))
}

/// Has the project's own apps at hand for [`known`]. To be called before a transaction is opened.
///
/// # Errors
/// The store does not answer.
pub async fn ready(app: &App, project: &ProjectId) -> Result<()> {
    own(app, project).await.map(drop)
}

/// Finds an app as [`find`] does, without asking the store: within a transaction, where another
/// connection might never come free. Its opener calls [`ready`] before.
pub async fn known(app: &App, project: &ProjectId, name: &str) -> Option<Arc<CatalogApp>> {
    let own = custom::at_hand(app, project).await;
    let own = own.and_then(|it| it.find(name));
    own.or_else(|| app.catalog.find(name)).filter(|it| it.is_connectable())
}

/// Finds an app of the catalogue, for callers that belong to no project.
///
/// # Errors
/// [`error::APP_NOT_FOUND`].
pub fn find_public(app: &App, name: &str) -> Result<Arc<CatalogApp>> {
    app.catalog.find(name).ok_or_else(|| error::APP_NOT_FOUND.into())
}
