//! What steps say by `$.send`, left in the transaction that records the step.

use serde_json::json;

use super::Run;
use crate::app::App;
use crate::components::{self, Letter};
use crate::db::Tx;
use crate::error::Result;
use crate::webhooks::{self, News, Topic};

/// Leaves the requests to be sent, and the news of what was emitted.
pub(super) async fn leave(app: &App, tx: &mut Tx, run: &Run, letters: &[Letter]) -> Result<()> {
    components::leave_letters(app, tx, (&run.tenant, &run.user), letters).await?;
    for letter in letters {
        let Letter::Emit(event) = letter else { continue };
        let body = json!({
            "workflow_id": run.workflow,
            "run_id": run.id,
            "external_user_id": run.external_id,
            "event": event,
        });
        let news = News {
            tenant: &run.tenant,
            topic: Topic::WorkflowEmitted,
            account: None,
            body,
            webhook_uri: None,
        };
        webhooks::announce(app, tx, news).await?;
    }
    Ok(())
}
