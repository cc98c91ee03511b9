//! Apps that a project describes for itself. The catalogue's slugs are not theirs to take.

use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Catalog, Options, placeholders};

use super::store;
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::ProjectId;

/// A project's own app, by its slug. Remembered for a moment.
pub(super) async fn find(
    app: &App,
    project: &ProjectId,
    slug: &str,
) -> Result<Option<Arc<CatalogApp>>> {
    // What cannot be a slug is not looked for, and nothing is remembered of it.
    if !placeholders::is_slug(slug) {
        return Ok(None);
    }
    if let Some(known) = app.remembered_custom_app(project, slug).await {
        return Ok(known);
    }
    let found = match store::custom::definition(&app.db, project, slug).await? {
        Some(text) => Some(read(app, slug, &text)?),
        None => None,
    };
    app.remember_custom_app(project, slug, found.clone()).await;
    Ok(found)
}

/// What was checked when it was written, read again.
fn read(app: &App, slug: &str, text: &str) -> Result<Arc<CatalogApp>> {
    let options = Options { allow_loopback: app.config.egress_allow_loopback };
    let catalog = Catalog::from_files([(slug, text)], options)
        .map_err(|it| error::INTERNAL.logging(format!("the custom app {slug}: {it}")))?;
    catalog.get(slug).ok_or_else(|| error::INTERNAL.logging(format!("{slug} names another slug")))
}
