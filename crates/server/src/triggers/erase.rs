//! Erasing a user who has deployed triggers: their code ends what it began while his accounts
//! still work, and then he is erased with all that is his. The same for a whole project.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};

use super::{Trigger, delete, store};
use crate::accounts::{self, By, Erasure};
use crate::app::App;
use crate::callers::Caller;
use crate::error::Result;
use crate::ids::ProjectId;
use crate::projects;
use crate::tenant::{Environment, Tenant};

/// How long an erasure waits for all `deactivate` hooks together.
const WAIT: Duration = Duration::from_secs(10);
/// Hooks that run at once.
const AT_ONCE: usize = 4;

/// Erases a user, as [`accounts::delete_user`] does, and before that has his sources end. A hook
/// that fails, or is not over in time, holds nothing up: the trigger goes with its user.
///
/// # Errors
/// Those of [`accounts::delete_user`].
pub async fn erase_user(
    app: &Arc<App>,
    caller: &Caller,
    by: By<'_>,
    external_id: &str,
) -> Result<Option<Erasure>> {
    let sources = store::sources_of(&app.db, by.tenant, external_id).await?;
    end_all(app, caller, &sources).await;
    accounts::delete_user(app, by, external_id).await
}

/// Deletes a project, as [`projects::delete`] does, and before that has the sources of its users
/// end.
///
/// # Errors
/// Those of [`projects::delete`]; then no hook was run.
pub async fn delete_project(app: &Arc<App>, caller: &Caller, project: &ProjectId) -> Result<()> {
    projects::check_deletable(app, project).await?;
    let mut sources = Vec::new();
    for environment in [Environment::Development, Environment::Production] {
        let tenant = Tenant { project: project.clone(), environment };
        sources.extend(store::sources_in(&app.db, &tenant).await?);
    }
    end_all(app, caller, &sources).await;
    projects::delete(app, project).await
}

/// Has them end, and waits for that only so long.
async fn end_all(app: &Arc<App>, caller: &Caller, sources: &[Trigger]) {
    let ending = stream::iter(sources).for_each_concurrent(AT_ONCE, |it| async move {
        if let Err(error) = delete(app, caller, it, true).await {
            tracing::info!(trigger = %it.id, %error, "left to go with its user");
        }
    });
    if tokio::time::timeout(WAIT, ending).await.is_err() {
        tracing::warn!("triggers are deleted whose `deactivate` hooks are not over");
    }
}
