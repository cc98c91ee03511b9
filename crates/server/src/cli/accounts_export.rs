//! `grantkeep accounts export`: all that is kept, in the clear, into a file of one's own.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::accounts_import::{FORMAT, TOLD_EVERY};
use super::client::parse_project;
use super::{Failure, Shell, output};
use crate::accounts::{self, Which};
use crate::app::App;
use crate::callers::{Actor, Origin};
use crate::clock::iso;
use crate::ids::ProjectId;
use crate::projects;
use crate::tenant::{Environment, Tenant};
use crate::{apps, users};

#[derive(clap::Args)]
pub(super) struct Args {
    #[arg(long, value_name = "ID")]
    project: String,
    /// Only of this environment [default: both].
    #[arg(long, value_name = "NAME", value_parser = ["production", "development"])]
    environment: Option<String>,
    /// Only those of this external user.
    #[arg(long, value_name = "EXTERNAL-ID")]
    user: Option<String>,
    /// The file to make, for you alone to read; one that is there is left as it is. `-` is a pipe.
    #[arg(long, value_name = "FILE")]
    out: String,
    /// The project's OAuth clients too, with their secrets.
    #[arg(long)]
    with_clients: bool,
}

/// Where it goes.
enum Out {
    File(File, PathBuf),
    Pipe,
}

impl Out {
    fn open(name: &str) -> Result<Self, Failure> {
        if name == "-" {
            if std::io::stdout().is_terminal() {
                let text = "the tokens of every account are not shown on a terminal: name a file, \
                            or lead it into a pipe";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(Self::Pipe);
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(name);
        let file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::Other(format!("{name} is there already, and is not written over"))
            }
            _ => Failure::Other(format!("cannot make {name}: {error}")),
        })?;
        Ok(Self::File(file, PathBuf::from(name)))
    }

    /// Nothing holds it back in memory, where it would be left behind.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::File(file, _) => file.write_all(bytes),
            Self::Pipe => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
        }
    }

    fn finish(&self) -> std::io::Result<()> {
        match self {
            Self::File(file, _) => file.sync_all(),
            Self::Pipe => Ok(()),
        }
    }

    /// Takes away what is not whole.
    fn forget(&self) {
        if let Self::File(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What was written.
#[derive(Default)]
struct Done {
    accounts: u64,
    clients: u64,
    unreadable: u64,
}

pub(super) async fn run(shell: &Shell, app: &Arc<App>, args: Args) -> Result<(), Failure> {
    let project = parse_project(&args.project)?;
    let missing = || Failure::Missing(format!("There is no project {project}."));
    projects::find(&app.db, &project).await.map_err(|error| match error.kind().status {
        404 => missing(),
        _ => error.into(),
    })?;
    not_frozen(app, &project).await?;
    // A process that died may have left what an app answered: it belongs into the rows first.
    if let Err(error) = accounts::recover(app).await {
        let why = error.log().unwrap_or_default();
        output::note(&format!("What a dead process left could not be taken up: {error} {why}"));
    }
    let places = places(app, &project, &args).await?;
    let mut out = Out::open(&args.out)?;
    let done = match write_all(app, (&project, &args), &places, &mut out).await {
        Ok(done) => done,
        Err(failure) => {
            out.forget();
            return Err(failure);
        }
    };
    if shell.json && matches!(out, Out::File(..)) {
        output::json(&json!({ "accounts": done.accounts, "oauth_clients": done.clients,
            "unreadable": done.unreadable, "file": args.out }));
    }
    output::note(&format!(
        "Exported {} account(s) and {} OAuth client(s). Whoever has this has their grants.\n\
         Use it in one place alone: most apps replace a refresh token when it is used, and end the \
         grant when the former one comes again. So this server stays stopped once another has \
         taken it in.",
        done.accounts, done.clients
    ));
    if done.unreadable > 0 {
        let text = format!("{} account(s), named above, cannot be opened", done.unreadable);
        return Err(Failure::Other(text));
    }
    Ok(())
}

/// A freeze is for credentials too that leave by this door.
async fn not_frozen(app: &App, project: &ProjectId) -> Result<(), Failure> {
    let freezes = projects::freezes(app).await?;
    let holds = freezes.iter().any(|it| it.scope.project.as_ref().is_none_or(|id| id == project));
    if !holds {
        return Ok(());
    }
    let text =
        "credentials of this project are frozen (`grantkeep freeze --list`): lift that first";
    Err(Failure::Other(text.to_owned()))
}

type Place = (Tenant, Option<users::User>);

/// The environments, and in each the user, if one is named.
async fn places(app: &App, project: &ProjectId, args: &Args) -> Result<Vec<Place>, Failure> {
    let mut places = Vec::new();
    for environment in [Environment::Production, Environment::Development] {
        let tenant = Tenant { project: project.clone(), environment };
        if args.environment.as_deref().is_some_and(|it| it != environment.as_str()) {
            continue;
        }
        match &args.user {
            None => places.push((tenant, None)),
            Some(name) => {
                let user = users::find(&app.db, &tenant, name).await?;
                places.extend(user.map(|it| (tenant, Some(it))));
            }
        }
    }
    match &args.user {
        Some(user) if places.is_empty() => {
            Err(Failure::Missing(format!("There is no user {user} in {project}.")))
        }
        _ => Ok(places),
    }
}

async fn write_all(
    app: &App,
    (project, args): (&ProjectId, &Args),
    places: &[Place],
    out: &mut Out,
) -> Result<Done, Failure> {
    let (mut done, by) = (Done::default(), (&Actor::Operator, &Origin::default()));
    let head = json!({ "grantkeep_export": FORMAT, "project": project,
        "made_at": iso(app.clock.now_ms()) });
    out.write(format!("{head}\n").as_bytes())?;
    if args.with_clients {
        let (count, lines) = apps::oauth_app_lines(app, project, by).await?;
        out.write(&lines)?;
        done.clients = count;
    }
    for (tenant, user) in places {
        let which = Which { tenant, user: user.as_ref().map(|it| &it.id) };
        let open = accounts::unsettled(app, tenant).await?;
        if open > 0 {
            output::note(&format!(
                "{open} account(s) in {} have a refresh that is not over: what the app gave last \
                 may be missing here. Start the server, let it settle that, stop it, and export \
                 again.",
                tenant.environment
            ));
        }
        export(app, which, &mut done, out).await?;
    }
    let end = json!({ "type": "end", "accounts": done.accounts, "oauth_clients": done.clients });
    out.write(format!("{end}\n").as_bytes())?;
    out.finish()?;
    Ok(done)
}

async fn export(
    app: &App,
    which: Which<'_>,
    done: &mut Done,
    out: &mut Out,
) -> Result<(), Failure> {
    let by = (&Actor::Operator, &Origin::default());
    let total = accounts::count(app, which).await?;
    let (mut seen, mut from) = (0, None);
    loop {
        let batch = accounts::export(app, which, from.as_ref(), by).await?;
        out.write(&batch.lines)?;
        done.accounts += batch.accounts;
        for id in &batch.unreadable {
            output::note(&format!("{id} cannot be opened, and is left out"));
            done.unreadable += 1;
        }
        let before = seen / TOLD_EVERY;
        seen += batch.accounts;
        if seen / TOLD_EVERY > before {
            let environment = which.tenant.environment;
            output::note(&format!("{seen} of {total} accounts in {environment}"));
        }
        match batch.next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}
