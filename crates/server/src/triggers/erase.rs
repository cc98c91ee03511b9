//! Erasing a user who has deployed triggers: their code ends what it began while his accounts
//! still work, and then he is erased with all that is his.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};

use super::{delete, store};
use crate::accounts::{self, By, Erasure};
use crate::app::App;
use crate::callers::Caller;
use crate::error::Result;
use crate::tenant::Tenant;

/// How long the erasure waits for all of the user's `deactivate` hooks together.
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
    let ending = end_all(app, caller, by.tenant, external_id);
    if let Ok(done) = tokio::time::timeout(WAIT, ending).await {
        done?;
    } else {
        tracing::warn!("a user is erased whose `deactivate` hooks are not over");
    }
    accounts::delete_user(app, by, external_id).await
}

async fn end_all(
    app: &Arc<App>,
    caller: &Caller,
    tenant: &Tenant,
    external_id: &str,
) -> Result<()> {
    let sources = store::sources_of(&app.db, tenant, external_id).await?;
    let ended = stream::iter(&sources).for_each_concurrent(AT_ONCE, |it| async move {
        if let Err(error) = delete(app, caller, it, true).await {
            tracing::info!(trigger = %it.id, %error, "left to go with its user");
        }
    });
    ended.await;
    Ok(())
}
