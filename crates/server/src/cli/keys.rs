//! `grantkeep keys`: changing the root key.

use serde_json::json;

use super::{Failure, Shell, operator_event, output};
use crate::keys::{Progress, Rewrapped};

/// How many keys go by between two lines about them.
const SAID_EVERY: u64 = 10_000;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Wrap all stored keys anew by the current root key, so that former ones can go.
    #[command(after_help = "Servers may run meanwhile, if `root_key` is the new key for all of \
        them and the former is among their `older_root_keys`. It may be stopped and run again. \
        Once it says that a root key is needed no more, that key can leave the configuration; \
        keep it for as long as backups from before are kept.\n\n\
        Example:\n  grantkeep --config /etc/grantkeep/grantkeep.toml keys rewrap")]
    Rewrap,
}

pub(super) async fn run(shell: &Shell, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Rewrap => rewrap(shell).await,
    }
}

async fn rewrap(shell: &Shell) -> Result<(), Failure> {
    let app = shell.open().await?;
    let mut said = 0;
    let told = |Progress { done, total }| {
        if done >= said + SAID_EVERY {
            said = done;
            output::note(&format!("{done} of {total} keys"));
        }
    };
    let outcome = app.keys.rewrap(&app.db, told).await;
    if let Ok(it) = &outcome {
        let detail = json!({ "rewrapped": it.rewrapped, "forgotten": it.forgotten });
        app.audit.record(operator_event("keys.rewrap").detail(detail)).await?;
    }
    app.close().await;
    let outcome = outcome?;
    if shell.json {
        output::json(&json!({
            "rewrapped": outcome.rewrapped,
            "unreadable": outcome.unreadable,
            "left": outcome.left,
            "forgotten": outcome.forgotten,
        }));
    } else {
        say(&outcome);
    }
    if outcome.left.is_empty() { Ok(()) } else { Err(Failure::Other(unfinished(&outcome))) }
}

fn say(outcome: &Rewrapped) {
    output::line(&format!("{} keys wrapped anew.", outcome.rewrapped));
    for id in &outcome.forgotten {
        output::line(&format!(
            "The root key {id} is needed no more: take it out of `older_root_keys`, and keep it \
             for as long as backups from before are kept."
        ));
    }
}

fn unfinished(outcome: &Rewrapped) -> String {
    let left: Vec<_> = outcome.left.iter().map(|(id, count)| format!("{count} by {id}")).collect();
    let left = left.join(", ");
    if outcome.unreadable > 0 {
        return format!(
            "{} keys are damaged and stay as they are (wrapped: {left}). A backup may have them \
             whole",
            outcome.unreadable
        );
    }
    format!(
        "keys are still wrapped by another root key ({left}): a server that has that one as \
         `root_key` makes them. Give it the new one, then run this again"
    )
}
