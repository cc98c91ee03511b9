//! Events that are still to start a workflow. Who starts it is a level above.

use super::sealed::{Seal, Spot};
use super::store::starts::StartRow;
use super::store::{self, starts};
use super::{Event, Trigger};
use crate::app::App;
use crate::error::Result;

/// How long what cannot be read is put off.
const UNREAD_MS: i64 = 60_000;
/// The same where the store, or what holds the keys, is away.
const PASSING_MS: i64 = 1_000;

/// An event, and the workflow that it is to start.
pub struct Waiting {
    pub trigger: Trigger,
    pub workflow: String,
    pub nth: i64,
    pub event: serde_json::Value,
}

/// Up to `most` that are due, the oldest first. What cannot be read is put off, and holds up no
/// other.
pub async fn waiting(app: &App, most: i64) -> Result<Vec<Waiting>> {
    let mut all = Vec::new();
    for row in starts::due(&app.db, app.clock.now_ms(), most).await? {
        match read(app, &row).await {
            Ok(Some(it)) => all.push(it),
            // Its user is being erased, with all that is his.
            Ok(None) => unread(app, &row, UNREAD_MS).await?,
            Err(error) => {
                tracing::error!(trigger = %row.trigger_id, nth = row.nth, %error,
                    detail = error.log(), "an event that is to start a workflow is not read");
                let passes = error.kind().status == 503;
                unread(app, &row, if passes { PASSING_MS } else { UNREAD_MS }).await?;
            }
        }
    }
    Ok(all)
}

async fn read(app: &App, row: &StartRow) -> Result<Option<Waiting>> {
    let Some(tenant) = row.tenant() else { return Ok(None) };
    let Some(trigger) = store::find(&app.db, &tenant, &row.trigger_id).await? else {
        return Ok(None);
    };
    let seal = Seal::of(app, &trigger).await?;
    let event: Event = seal.open(Spot::event(trigger.id.as_str(), row.nth), &row.sealed)?;
    let workflow = row.workflow_id.clone();
    Ok(Some(Waiting { trigger, workflow, nth: row.nth, event: event.e }))
}

async fn unread(app: &App, row: &StartRow, wait_ms: i64) -> Result<()> {
    let due_at_ms = app.clock.now_ms() + wait_ms;
    let which = (row.workflow_id.as_str(), row.nth);
    Ok(starts::put_off(&app.db, &row.trigger_id, which, due_at_ms).await?)
}

/// It has started its workflow, or never will.
pub async fn forget(app: &App, it: &Waiting) -> Result<()> {
    Ok(starts::delete(&app.db, &it.trigger, (&it.workflow, it.nth)).await?)
}

pub async fn put_off(app: &App, it: &Waiting, due_at_ms: i64) -> Result<()> {
    Ok(starts::put_off(&app.db, &it.trigger.id, (&it.workflow, it.nth), due_at_ms).await?)
}
