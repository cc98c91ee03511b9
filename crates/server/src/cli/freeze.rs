//! `grantkeep freeze`: the switch for emergencies.

use serde_json::{Value, json};

use super::client::parse_project;
use super::{Failure, Shell, output};
use crate::callers::{Actor, Origin};
use crate::projects::{self, Freeze, FreezeScope};

#[derive(clap::Args)]
#[command(after_help = "Tokens are refreshed as before, so nothing is lost meanwhile.\n\n\
    Examples:\n  \
    grantkeep freeze                                # all credentials of all projects\n  \
    grantkeep freeze --project proj_... --app slack\n  \
    grantkeep freeze --list\n  \
    grantkeep freeze --off                          # what `grantkeep freeze` froze")]
pub(super) struct Args {
    /// Only this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only this app (slug).
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Lift the freeze with these very words; a wider one stays.
    #[arg(long)]
    off: bool,
    /// Change nothing, and say what is frozen.
    #[arg(long, conflicts_with_all = ["off", "project", "app"])]
    list: bool,
}

pub(super) async fn run(shell: &Shell, args: Args) -> Result<(), Failure> {
    let app = shell.open().await?;
    let project = args.project.as_deref().map(parse_project).transpose()?;
    let scope = FreezeScope::new(&app, project, args.app.as_deref());
    let by = (&Actor::Operator, &Origin::default());
    if args.off {
        projects::unfreeze(&app, &scope, by).await?;
    } else if !args.list {
        projects::freeze(&app, &scope, by).await?;
    }
    let freezes = projects::freezes(&app).await?;
    if shell.json {
        output::json(&Value::Array(freezes.iter().map(view).collect()));
    } else if freezes.is_empty() {
        output::line("Nothing is frozen: credentials are handed out to clients that may.");
    } else {
        let row = |it: &Freeze| {
            vec![
                it.scope.project.as_ref().map_or("all", |it| it.as_str()).to_owned(),
                it.scope.app.as_deref().unwrap_or("all").to_owned(),
                output::time(Some(it.since_ms)),
                it.by.clone(),
            ]
        };
        output::line("No credentials are handed out of:");
        output::table(&["PROJECT", "APP", "SINCE", "BY"], freezes.iter().map(row).collect());
    }
    app.close().await;
    Ok(())
}

fn view(it: &Freeze) -> Value {
    json!({ "project_id": it.scope.project, "app": it.scope.app, "by": it.by,
        "since_ms": it.since_ms })
}
