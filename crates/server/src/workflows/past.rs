//! Looking at runs: which there are, how each stands, and what its steps gave.

use super::sealed::{Given, Memory, Seal};
use super::store::{runs as store, steps};
use super::{Run, Workflow};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::WorkflowRunId;
use crate::paging::{Page, PageInfo};
use crate::tenant::Tenant;

/// A step that is over.
pub struct Past {
    pub nth: i64,
    pub name: String,
    pub state: String,
    pub tries: i64,
    pub started_at_ms: i64,
    pub ended_at_ms: i64,
    pub given: Given,
}

/// One page of an environment's runs, newest first. With a workflow, only its own.
pub async fn runs(
    app: &App,
    tenant: &Tenant,
    workflow: Option<&Workflow>,
    page: Page,
) -> Result<(Vec<Run>, PageInfo)> {
    let (found, total) = store::list(&app.db, tenant, workflow.map(|it| &it.id), &page).await?;
    Ok(page.answer(&app.cursors, found, total, Run::boundary))
}

/// # Errors
/// [`error::NOT_FOUND`].
pub async fn run_of(app: &App, tenant: &Tenant, id: &str) -> Result<Run> {
    let missing = || error::NOT_FOUND.saying("There is no such run, or it is no longer kept.");
    let id = WorkflowRunId::parse(id).ok_or_else(missing)?;
    store::find(&app.db, tenant, &id).await?.ok_or_else(missing)
}

/// What a run knows beside its steps.
pub(super) async fn memory(app: &App, run: &Run) -> Result<Memory> {
    Seal::of(app, run).await?.memory(run)
}

/// Forgets what the caller of a run was answered.
pub(super) async fn forget_answer(app: &App, run: &Run) -> Result<()> {
    let seal = Seal::of(app, run).await?;
    let memory = Memory { respond: None, ..seal.memory(run)? };
    let sealed = seal.seal_memory(&run.id, run.revision, &memory)?;
    Ok(store::reseal(&app.db, run, &sealed).await?)
}

/// The steps of a run that are over, in their order.
pub async fn steps_of(app: &App, run: &Run) -> Result<Vec<Past>> {
    let seal = Seal::of(app, run).await?;
    let one = |row: steps::StepRow| {
        Ok(Past {
            given: seal.given(&run.id, row.nth, &row.sealed)?,
            nth: row.nth,
            name: row.name,
            state: row.state,
            tries: row.tries,
            started_at_ms: row.started_at_ms,
            ended_at_ms: row.ended_at_ms,
        })
    };
    steps::of(&app.db, run).await?.into_iter().map(one).collect()
}
