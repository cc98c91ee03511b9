//! Somebody resumes a run that waits, or ends one.

use std::sync::Arc;

use grantkeep_vault::token;
use serde_json::Value;

use super::record::{self, Next};
use super::sealed::{Memory, Seal, Wait};
use super::store::{self, runs};
use super::{Outcome, Run, State, begin, missing, refused};
use crate::app::App;
use crate::error::{self, Error, Result};

/// The run behind an address that resumes or cancels it.
///
/// # Errors
/// [`error::NOT_FOUND`], for addresses that were used too.
pub(super) async fn behind(app: &App, key: &str) -> Result<Run> {
    let found = runs::by_resume(&app.db, &token::digest(key)).await?;
    found.ok_or_else(|| error::NOT_FOUND.saying("This run was resumed, or has ended."))
}

fn changed() -> Error {
    let text = "The run goes on just now. Try again shortly.";
    refused(error::RUN_BUSY, text).retry_after(1)
}

/// Resumes the run behind an address, with what was sent.
///
/// # Errors
/// [`error::NOT_FOUND`]; [`error::RUN_BUSY`] while it does not wait.
pub async fn resume(app: &Arc<App>, key: &str, data: Value) -> Result<Run> {
    let run = behind(app, key).await?;
    let seal = Seal::of(app, &run).await?;
    let mut memory = seal.memory(&run)?;
    let definition = definition(app, &run).await?;
    match (run.state, memory.waits) {
        (State::Waiting, Some(Wait::Rerun)) => memory.callback = data,
        (State::Waiting, Some(Wait::Suspend | Wait::Delay)) => {
            let nth = usize::try_from(run.step - 1).unwrap_or_default();
            let step = definition.steps.get(nth).ok_or_else(missing)?;
            memory.resumed.insert(step.name.clone(), data);
        }
        _ => return Err(changed()),
    }
    woken(&mut memory);
    let mut next = Next::same(&run, memory, app.clock.now_ms());
    // It takes its place among those under way as if its time had come.
    next.state = State::Waiting;
    if !record::write(app, (&run, None), (&seal, &definition), next).await? {
        return Err(changed());
    }
    Ok(run)
}

/// The time that it waits for has come, and its former addresses open nothing any more.
fn woken(memory: &mut Memory) {
    memory.waits = Some(Wait::Rerun);
    memory.key = begin::new_key();
}

async fn definition(app: &App, run: &Run) -> Result<super::Definition> {
    let of = (&run.workflow, run.version);
    store::definition(&app.db, &run.tenant.project, of).await?.ok_or_else(missing)
}

/// Ends the run behind an address.
///
/// # Errors
/// As for [`resume`].
pub async fn cancel_behind(app: &Arc<App>, key: &str) -> Result<Run> {
    let run = behind(app, key).await?;
    if run.state != State::Waiting {
        return Err(changed());
    }
    cancel(app, &run).await?;
    Ok(run)
}

/// Ends a run. A step that is under way is not recorded.
///
/// # Errors
/// [`error::RUN_BUSY`] when it went on meanwhile, or has ended.
pub async fn cancel(app: &Arc<App>, run: &Run) -> Result<()> {
    if let Some(outcome) = &run.outcome {
        return Err(refused(error::RUN_BUSY, format!("The run has ended already: `{outcome}`.")));
    }
    let seal = Seal::of(app, run).await?;
    let memory = seal.memory(run)?;
    let definition = definition(app, run).await?;
    let next = Next::same(run, memory, app.clock.now_ms());
    let next = next.ended(Outcome::Cancelled, None);
    if record::write(app, (run, None), (&seal, &definition), next).await? {
        return Ok(());
    }
    Err(changed())
}
