//! Apps: the catalogue, and the OAuth clients that a project registered at their providers.

pub mod api;
pub mod api_clients;
pub mod asking;
pub mod aws4;
pub mod bound;
mod client_keys;
mod clients;
mod custom;
pub mod probe;
pub mod protocol;
mod store;
pub mod view;

use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;

pub use clients::{
    Edit, OAuthApp, create_oauth_app, delete_oauth_app, find_oauth_app, list_oauth_apps,
    oauth_app_for, oauth_app_secret, update_oauth_app,
};

use crate::app::App;
use crate::error::{self, Result};
use crate::ids::ProjectId;

/// Finds an app by slug or by id: in the catalogue, else among the project's own. One that the
/// catalogue knows too little of does not stand in the way of a project that knows more.
///
/// # Errors
/// [`error::APP_NOT_FOUND`], and [`error::APP_INCOMPLETE`] with what is missing.
pub async fn find(app: &App, project: &ProjectId, name: &str) -> Result<Arc<CatalogApp>> {
    let listed = app.catalog.find(name);
    if let Some(found) = listed.as_ref().filter(|it| it.is_connectable()) {
        return Ok(found.clone());
    }
    match (custom::find(app, project, name).await?, listed) {
        (Some(own), _) => Ok(own),
        (None, Some(listed)) => Err(incomplete(&listed)),
        (None, None) => Err(error::APP_NOT_FOUND.into()),
    }
}

fn incomplete(found: &CatalogApp) -> error::Error {
    let missing = found.evidence.missing.join("; ");
    error::APP_INCOMPLETE.saying(format!(
        "Too little is known of {} to connect it. Missing: {missing}. Add a file of your own.",
        found.name
    ))
}

/// Finds an app of the catalogue, for callers that belong to no project.
///
/// # Errors
/// [`error::APP_NOT_FOUND`].
pub fn find_public(app: &App, name: &str) -> Result<Arc<CatalogApp>> {
    app.catalog.find(name).ok_or_else(|| error::APP_NOT_FOUND.into())
}
