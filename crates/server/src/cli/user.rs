//! `grantkeep user`: the users of your products.

use serde_json::json;

use super::accounts::Place;
use super::{Failure, Shell, operator, output, terminal};
use crate::accounts::By;
use crate::callers::Origin;
use crate::{triggers, users};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Erase a user: his accounts, triggers and connect tokens, and the key that sealed what is
    /// stored of him. His grants are revoked at the apps.
    #[command(after_help = "Example:\n  \
        grantkeep user erase ada --project proj_... --environment production")]
    Erase {
        /// Your own id of the user.
        external_id: String,
        #[command(flatten)]
        place: Place,
        /// Leave his grants at the apps as they are.
        #[arg(long)]
        keep_grants: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let Command::Erase { external_id, place, keep_grants, yes } = command;
    let app = shell.open().await?;
    let done = async {
        let tenant = place.tenant(&app).await?;
        if users::find(&app.db, &tenant, &external_id).await?.is_none() {
            let text = format!("there is no user {external_id} in {}", tenant.environment);
            return Err(Failure::Missing(text));
        }
        let what = format!("This erases {external_id} with all that is stored of this user.");
        terminal::confirm(&what, &external_id, yes).await?;
        let (caller, origin) = (operator(), Origin::default());
        let by =
            By { tenant: &tenant, actor: &caller.actor, origin: &origin, revoke: !keep_grants };
        let begun = triggers::erase_user(&app, &caller, by, &external_id).await?;
        let erasure = begun.map(|it| it.id);
        if shell.json {
            let status = if erasure.is_some() { "erasing" } else { "erased" };
            output::json(&json!({ "external_id": external_id, "status": status,
                "erasure": erasure }));
            return Ok(());
        }
        match erasure {
            None => output::line(&format!("Erased {external_id}.")),
            Some(id) => output::line(&format!(
                "{external_id} is gone for every caller; the server erases the rest ({id})."
            )),
        }
        if !keep_grants {
            output::note("The server revokes the grants at the apps, within a day: let it run.");
        }
        Ok(())
    };
    let done = done.await;
    app.close().await;
    done
}
