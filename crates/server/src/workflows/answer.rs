//! What a step tells the caller of the workflow's address, while the step goes on.
//!
//! The caller may wait at another process than the one that runs the step, so it is handed over in
//! the store.

use std::sync::{Arc, Mutex, PoisonError};

use grantkeep_runtime::Notice;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::sealed::{Memory, Seal};
use super::store::answers;
use super::{Answer, Definition, Entry, Run};
use crate::app::App;
use crate::components::host::Taker;
use crate::error::Result;

/// Listens for the first answer of a step that is to be given at once.
#[derive(Clone, Default)]
pub(super) struct Listening {
    storing: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Listening {
    /// What hears of it. `None`: nobody waits, or was told already.
    pub fn taker(
        &self,
        app: &Arc<App>,
        run: &Run,
        (definition, memory): (&Definition, &Memory),
    ) -> Option<Taker> {
        let custom = matches!(definition.entry, Entry::Http { respond: Answer::Custom, .. });
        if !custom || run.cause != "http" || memory.respond_now {
            return None;
        }
        let (app, run, storing) = (Arc::clone(app), run.clone(), Arc::clone(&self.storing));
        Some(Arc::new(move |notice, scrubber| {
            let Notice::Respond(value) = notice else { return };
            let mut storing = storing.lock().unwrap_or_else(PoisonError::into_inner);
            if value["immediate"] != true || storing.is_some() {
                return;
            }
            let (app, run, said) = (Arc::clone(&app), run.clone(), scrubber.value(value.clone()));
            *storing = Some(tokio::spawn(async move {
                if let Err(error) = keep(&app, &run, &said).await {
                    // The caller is told once the step is recorded.
                    tracing::error!(run = %run.id, %error, "an answer is not handed over at once");
                }
            }));
        }))
    }

    /// Whatever was said stands in the store, before the step is recorded.
    pub async fn done(self) {
        let storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(storing) = storing {
            // It logs why it failed.
            let _ = storing.await;
        }
    }
}

async fn keep(app: &App, run: &Run, said: &Value) -> Result<()> {
    let seal = Seal::of(app, run).await?;
    Ok(answers::insert(&app.db, run, &seal.seal_answer(&run.id, said)?).await?)
}

/// What was said, once: whoever gets it tells the caller.
pub(super) async fn taken(app: &App, run: &Run) -> Result<Option<Value>> {
    let Some(sealed) = answers::find(&app.db, run).await? else { return Ok(None) };
    let said = Seal::of(app, run).await?.answer(&run.id, &sealed)?;
    answers::delete(&app.db, run).await?;
    Ok(Some(said))
}

/// Takes back what nobody got yet. `false`: there is nothing, or the caller has it.
pub(super) async fn recalled(app: &App, run: &Run) -> Result<bool> {
    Ok(answers::delete(&app.db, run).await?)
}
