//! What would lose its ground if something were taken away: the triggers that are made of a
//! component, and those that start a workflow.

use serde::Serialize;

use super::store::{self, interfaces};
use crate::app::App;
use crate::error::Result;
use crate::ids::{ComponentId, ProjectId, WorkflowId};

/// A trigger that is in use, for whoever wants to take its ground away.
#[derive(Debug, Serialize)]
pub struct Use {
    pub id: String,
    pub environment: String,
    #[serde(rename = "external_user_id")]
    pub external_id: String,
    pub name: String,
    pub version: String,
}

/// What a component is deployed as, in both environments, the oldest first.
pub async fn made_of(app: &App, project: &ProjectId, component: &ComponentId) -> Result<Vec<Use>> {
    Ok(store::made_of(&app.db, project, component).await?)
}

/// The triggers whose events start a workflow, in both environments, the oldest first.
pub async fn that_start(app: &App, project: &ProjectId, workflow: &WorkflowId) -> Result<Vec<Use>> {
    Ok(store::that_start(&app.db, project, workflow).await?)
}

/// Pauses what a component is deployed as, which is gone.
pub async fn pause_all_of(app: &App, project: &ProjectId, component: &ComponentId) -> Result<()> {
    Ok(store::pause_all_of(&app.db, project, component, app.clock.now_ms()).await?)
}

/// No trigger starts the workflow, which is gone, any more.
pub async fn forget_workflow(app: &App, project: &ProjectId, workflow: &WorkflowId) -> Result<()> {
    Ok(interfaces::forget_workflow(&app.db, project, workflow).await?)
}
