//! Events that are still to start a workflow. Who starts it is a level above.

use super::sealed::{Seal, Spot};
use super::store::{self, starts};
use super::{Event, Trigger};
use crate::app::App;
use crate::error::Result;

/// An event, and the workflow that it is to start.
pub struct Waiting {
    pub trigger: Trigger,
    pub workflow: String,
    pub nth: i64,
    pub event: serde_json::Value,
}

/// Up to `most` that are due, the oldest first.
pub async fn waiting(app: &App, most: i64) -> Result<Vec<Waiting>> {
    let mut all = Vec::new();
    for row in starts::due(&app.db, app.clock.now_ms(), most).await? {
        let Some(tenant) = row.tenant() else { continue };
        let Some(trigger) = store::find(&app.db, &tenant, &row.trigger_id).await? else { continue };
        let seal = Seal::of(app, &trigger).await?;
        let spot = Spot::event(trigger.id.as_str(), row.nth);
        let event: Event = seal.open(spot, &row.sealed)?;
        all.push(Waiting { trigger, workflow: row.workflow_id, nth: row.nth, event: event.e });
    }
    Ok(all)
}

/// It has started its workflow, or never will.
pub async fn forget(app: &App, it: &Waiting) -> Result<()> {
    Ok(starts::delete(&app.db, &it.trigger, (&it.workflow, it.nth)).await?)
}

pub async fn put_off(app: &App, it: &Waiting, due_at_ms: i64) -> Result<()> {
    Ok(starts::put_off(&app.db, &it.trigger, (&it.workflow, it.nth), due_at_ms).await?)
}
