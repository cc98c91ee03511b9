//! Events of deployed triggers start workflows: once each, for the trigger's user.

use std::sync::Arc;

use super::begin::{Cause, Start, begin};
use super::deploy;
use crate::app::App;
use crate::error::Result;
use crate::triggers::{self, Waiting};

/// Events that are taken in one round.
const AT_ONCE: i64 = 100;
/// How long an event is put off that cannot start its workflow just now.
const LATER_MS: i64 = 10_000;

/// Starts what events are to start. Gives how many runs there were.
pub(super) async fn take(app: &Arc<App>) -> Result<usize> {
    let mut begun = 0;
    for it in triggers::waiting(app, AT_ONCE).await? {
        match one(app, &it).await {
            Ok(()) => begun += 1,
            Err(error) if error.kind().status == 429 || error.kind().status >= 500 => {
                tracing::warn!(trigger = %it.trigger.id, workflow = it.workflow, %error,
                    "an event cannot start its workflow yet");
                triggers::put_off(app, &it, app.clock.now_ms() + LATER_MS).await?;
                continue;
            }
            Err(error) => tracing::warn!(trigger = %it.trigger.id, workflow = it.workflow,
                why = error.text(), "an event starts no workflow"),
        }
        triggers::forget(app, &it).await?;
    }
    Ok(begun)
}

async fn one(app: &Arc<App>, it: &Waiting) -> Result<()> {
    let trigger = &it.trigger;
    let workflow = deploy::find(app, &trigger.tenant.project, &it.workflow).await?;
    let start = Start {
        cause: Cause::Trigger,
        event: it.event.clone(),
        external_id: Some(trigger.external_id.clone()),
        environment: Some(trigger.tenant.environment),
        emitter: Some(trigger.id.as_str().to_owned()),
        // Should this process die before it forgets the event, the next one begins no other run.
        once: Some(format!("{}/{}", trigger.id, it.nth)),
        ..Start::default()
    };
    begin(app, &workflow, start).await.map(drop)
}
