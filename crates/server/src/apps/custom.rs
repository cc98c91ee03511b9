//! Apps that a project describes for itself, by the same files as the catalogue's.

use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Catalog, Options, Problem, Severity, check};
use sqlx::FromRow;

use super::store;
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::ProjectId;

/// What stands for the file's name in problems.
const PLACE: &str = "definition";

/// An app of a project.
#[derive(Clone, Debug, FromRow)]
pub struct CustomApp {
    #[sqlx(rename = "project_id")]
    pub project: ProjectId,
    pub slug: String,
    /// The app file (TOML), as it was given.
    pub definition: String,
    /// Where the endpoints were read, as JSON; `None` for apps described by hand.
    pub discovered: Option<String>,
    /// Counts the definitions.
    pub version: i64,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// What a definition says, if it says anything, and what is wrong with it.
pub struct Judged {
    /// `None`: some problem is an error.
    pub app: Option<Arc<CatalogApp>>,
    pub problems: Vec<Problem>,
}

/// Reads a definition by the rules of this server.
pub fn judge(app: &App, definition: &str) -> Judged {
    let problems = check::file(PLACE, definition, options(app));
    let good = problems.iter().all(|it| it.severity != Severity::Error);
    let catalog = good.then(|| Catalog::from_files([(PLACE, definition)], options(app)).ok());
    // The slug stands in the file, so the one app is looked for by none.
    let read = catalog.flatten().and_then(|it| it.apps().next());
    Judged { app: read, problems }
}

/// The slug that a definition is of, if it can be read.
pub fn slug_of(app: &App, definition: &str) -> Option<String> {
    judge(app, definition).app.map(|it| it.slug.clone())
}

/// A project's own apps. At most a second old.
///
/// One that cannot be read any more, since this program's rules have changed, is left out; the
/// others work.
pub async fn own(app: &App, project: &ProjectId) -> Result<Arc<Catalog>> {
    if let Some(known) = app.remembered_own_apps(project).await {
        return Ok(known);
    }
    let editions = store::custom::editions(&app.db, project).await?;
    let own = match app.read_apps.get(project).await {
        Some((read, own)) if read == editions => own,
        _ if editions.is_empty() => {
            app.read_apps.invalidate(project).await;
            Arc::default()
        }
        _ => {
            let own = Arc::new(read(app, store::custom::list(&app.db, project).await?));
            // What was written between the two questions is read again a second later.
            app.read_apps.insert(project.clone(), (editions, Arc::clone(&own))).await;
            own
        }
    };
    app.remember_own_apps(project, &own).await;
    Ok(own)
}

/// What [`own`] found last, however long ago. `None`: the project has none, as far as is known.
pub(super) async fn at_hand(app: &App, project: &ProjectId) -> Option<Arc<Catalog>> {
    app.read_apps.get(project).await.map(|(_, own)| own)
}

fn read(app: &App, rows: Vec<CustomApp>) -> Catalog {
    let options = options(app);
    let good = |row: &CustomApp| {
        let judged = judge(app, &row.definition);
        if judged.app.is_some_and(|it| it.slug == row.slug) {
            return true;
        }
        let first = judged.problems.first().map(ToString::to_string).unwrap_or_default();
        let CustomApp { project, slug, .. } = row;
        tracing::error!(%project, slug, first, "a custom app cannot be read any more");
        false
    };
    let rows: Vec<CustomApp> = rows.into_iter().filter(good).collect();
    let texts = rows.iter().map(|it| (it.slug.as_str(), it.definition.as_str()));
    Catalog::from_files(texts, options).unwrap_or_default()
}

fn options(app: &App) -> Options {
    Options { allow_loopback: app.config.egress_allow_loopback }
}

/// # Errors
/// [`error::APP_NOT_FOUND`].
pub async fn find_custom_app(app: &App, project: &ProjectId, slug: &str) -> Result<CustomApp> {
    let found = store::custom::find(&app.db, project, slug).await?;
    found.ok_or_else(|| Error::from(error::APP_NOT_FOUND))
}

/// Newest first; a project has few.
pub async fn list_custom_apps(app: &App, project: &ProjectId) -> Result<Vec<CustomApp>> {
    Ok(store::custom::list(&app.db, project).await?)
}
