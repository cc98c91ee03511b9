//! The switch for emergencies: handing out credentials stops, within a second and in every process,
//! while they are refreshed as before and nothing is lost.

use std::sync::Arc;

use super::store;
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::error::{self, Result};
use crate::ids::ProjectId;

/// What is frozen: everything, a project, an app, or an app in a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub project: Option<ProjectId>,
    /// The app's slug.
    pub app: Option<String>,
}

impl Scope {
    /// With the app named by slug or id. What is not in the catalogue is taken for a slug: its
    /// accounts outlive an app's file.
    pub fn new(app: &App, project: Option<ProjectId>, name: Option<&str>) -> Self {
        let slug = |name: &str| match app.catalog.find(name) {
            Some(found) => found.slug.clone(),
            None => name.to_owned(),
        };
        Self { project, app: name.map(slug) }
    }

    fn holds(&self, project: &ProjectId, app_slug: &str) -> bool {
        self.project.as_ref().is_none_or(|it| it == project)
            && self.app.as_ref().is_none_or(|it| it == app_slug)
    }
}

/// A freeze in force.
#[derive(Clone, Debug)]
pub struct Freeze {
    pub scope: Scope,
    /// The id of the client or key that froze, or `cli`.
    pub by: String,
    pub since_ms: i64,
}

/// All freezes in force, as a process remembers them for a moment.
#[derive(Debug, Default)]
pub(crate) struct Freezes(Vec<Freeze>);

impl Freezes {
    /// Whether credentials of this app's accounts in this project are held back.
    pub(crate) fn hold(&self, project: &ProjectId, app_slug: &str) -> bool {
        self.0.iter().any(|it| it.scope.holds(project, app_slug))
    }

    /// Whether they are for every app.
    pub(crate) fn hold_all(&self, project: &ProjectId) -> bool {
        self.0.iter().any(|it| it.scope.app.is_none() && it.scope.holds(project, ""))
    }
}

/// Stops handing out credentials. Freezing what is frozen changes nothing.
///
/// # Errors
/// [`error::NOT_FOUND`] for a project, [`error::APP_NOT_FOUND`] for an app that does not exist.
pub async fn freeze(
    app: &Arc<App>,
    scope: &Scope,
    (actor, origin): (&Actor, &Origin),
) -> Result<()> {
    if let Some(project) = &scope.project {
        super::find(&app.db, project).await?;
    }
    if let Some(slug) = &scope.app {
        let own = match &scope.project {
            Some(project) => store::has_app(&app.db, project, slug).await?,
            None => false,
        };
        if !own && app.catalog.get(slug).is_none() {
            return Err(error::APP_NOT_FOUND.into());
        }
    }
    store::freeze(&app.db, scope, actor.id(), app.clock.now_ms()).await?;
    app.forget_freezes().await;
    app.audit.record(event("credentials.freeze", scope, actor, origin)).await?;
    tracing::warn!(?scope, by = actor.id(), "credentials are not handed out any more");
    Ok(())
}

/// Lifts the freeze of exactly this scope. A wider one stays in force.
///
/// # Errors
/// [`error::NOT_FOUND`] when there is none.
pub async fn unfreeze(
    app: &Arc<App>,
    scope: &Scope,
    (actor, origin): (&Actor, &Origin),
) -> Result<()> {
    // Recorded before anything is handed out again.
    app.audit.record(event("credentials.unfreeze", scope, actor, origin)).await?;
    let done = store::unfreeze(&app.db, scope).await?;
    app.forget_freezes().await;
    if done { Ok(()) } else { Err(error::NOT_FOUND.saying("There is no such freeze.")) }
}

/// Freezes that are in force, the oldest first.
pub async fn freezes(app: &App) -> Result<Vec<Freeze>> {
    Ok(store::freezes(&app.db).await?)
}

/// The same, to be remembered.
pub(crate) async fn freezes_in_force(app: &App) -> Result<Freezes> {
    Ok(Freezes(freezes(app).await?))
}

fn event(action: &'static str, scope: &Scope, actor: &Actor, origin: &Origin) -> Event {
    let event = Event::new(action, actor, origin);
    let event = match &scope.project {
        Some(project) => event.project(project),
        None => event,
    };
    match &scope.app {
        Some(slug) => event.target("app", slug.as_str()),
        None => event,
    }
}
