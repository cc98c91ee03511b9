//! Apps: the catalogue, and the OAuth clients that a project registered at their providers.

pub mod api;
pub mod api_clients;
mod clients;
pub mod probe;
pub mod protocol;
mod store;
pub mod view;

use grantkeep_catalog::App as CatalogApp;

pub use clients::{
    Edit, OAuthApp, create_oauth_app, delete_oauth_app, find_oauth_app, list_oauth_apps,
    oauth_app_for, oauth_app_secret, update_oauth_app,
};

use crate::app::App;
use crate::error::{self, Result};

/// Finds an app by slug or by id.
///
/// # Errors
/// [`error::APP_NOT_FOUND`].
pub fn find<'a>(app: &'a App, name: &str) -> Result<&'a CatalogApp> {
    app.catalog.find(name).ok_or_else(|| error::APP_NOT_FOUND.into())
}
