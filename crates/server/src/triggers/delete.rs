//! Deleting a deployed trigger.

use std::sync::Arc;

use super::code::{self, Running};
use super::lease;
use super::sealed::Seal;
use super::state::Session;
use super::store::{self, interfaces};
use super::{State, Trigger, missing};
use crate::app::App;
use crate::callers::Caller;
use crate::error::{self, Result};
use crate::ids::Emitter;
use crate::webhooks;

/// Has the code end what it began, and deletes the trigger with its events, keys and what waits to
/// be posted.
///
/// # Errors
/// [`error::HOOK_FAILED`], or why the code could not be run at all, unless `anyway`; then nothing
/// was deleted. [`error::NOT_FOUND`] for whoever comes second.
pub async fn delete(
    app: &Arc<App>,
    caller: &Caller,
    trigger: &Trigger,
    anyway: bool,
) -> Result<()> {
    let (trigger, lease) = lease::take(app, trigger).await?;
    let done = lease::holding(app, &trigger, lease, end(app, caller, &trigger)).await;
    let done = done.unwrap_or_else(|| Err(error::TRIGGER_BUSY.into()));
    if let Err(error) = done {
        if !anyway {
            lease::give_back(app, &trigger, lease).await;
            return Err(error);
        }
        tracing::info!(trigger = %trigger.id, %error, "deleted without its deactivate hook");
    }
    if forget(app, &trigger).await? { Ok(()) } else { Err(missing()) }
}

/// Takes the rows away, and what waits to be posted. `false`: they are gone.
pub(super) async fn forget(app: &App, trigger: &Trigger) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    // Whoever tells of events has the trigger's row first; nothing is told while it goes.
    if store::lock(&mut tx, trigger, None, 0).await?.is_none() {
        return Ok(false);
    }
    webhooks::forget_emitter(&mut tx, &trigger.tenant, &trigger.id).await?;
    store::delete(&mut tx, trigger).await?;
    tx.commit().await?;
    Ok(true)
}

async fn end(app: &Arc<App>, caller: &Caller, trigger: &Trigger) -> Result<()> {
    if trigger.kind != Emitter::Source || trigger.state == State::Inactive {
        return Ok(());
    }
    let component = match code::component(app, trigger).await {
        Ok(component) => component,
        // There is nothing left that could be run.
        Err(error) if error.kind().status == 404 => return Ok(()),
        Err(error) => return Err(error),
    };
    if !component.described.hooks.iter().any(|it| it == "deactivate") {
        return Ok(());
    }
    let seal = Seal::of(app, trigger).await?;
    let configured = code::configured(&seal, trigger)?;
    let all = interfaces::of(&app.db, trigger).await?;
    let values = code::filled(app, &seal, configured.values.clone(), &all)?;
    let prepared = code::ready(app, trigger, caller, (component, &configured, values)).await?;
    let session = Session::open(app, &seal, trigger).await?;
    let running = Running { app, trigger, prepared: &prepared, session: &session };
    running.hook("deactivate").await.map(drop)
}
