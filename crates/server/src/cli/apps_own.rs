//! `grantkeep apps add`, `remove` and `list --project`: apps of a project's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grantkeep_vault::Secret;
use serde_json::{Value, json};

use super::client::parse_project;
use super::{Failure, Shell, apps as catalog, operator_event, output};
use crate::app::App;
use crate::apps::{
    self, CustomApp, Discovered, How, Lead, Replacement, Written, api_custom, api_discover,
};
use crate::clock::{Clock, iso};
use crate::error::{self, Error};
use crate::ids::ProjectId;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add an app file to a project, or put it in the place of the one it has of that slug.
    #[command(after_help = "Example:\n  grantkeep apps add parcels.toml --project proj_...")]
    Add {
        file: PathBuf,
        #[arg(long, value_name = "ID")]
        project: String,
        /// Credentials that are there may go to the addresses that are new in the file.
        #[arg(long)]
        confirm_endpoint_change: bool,
    },
    /// Make an app of what a server says of itself: an OIDC or OAuth issuer, a
    /// resource, or an MCP server. Again: read it anew.
    #[command(after_help = "Example:\n  grantkeep apps discover https://mcp.acme.example/mcp \
        --project proj_...")]
    Discover(Discover),
    /// Take an app away that nothing uses.
    Remove {
        slug: String,
        #[arg(long, value_name = "ID")]
        project: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Discover {
    url: String,
    #[arg(long, value_name = "ID")]
    project: String,
    /// What callers will say [default: made from the host].
    #[arg(long)]
    slug: Option<String>,
    #[arg(long)]
    name: Option<String>,
    /// What tokens are for (RFC 8707), where that is not the URL.
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Which of the authorization servers that a resource names [default: the first].
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// File that holds a token for registering, where the server wants one.
    #[arg(long, value_name = "FILE")]
    registration_token_file: Option<PathBuf>,
    /// Credentials that are there may go to the addresses that the server names now.
    #[arg(long)]
    confirm_endpoint_change: bool,
}

/// Today, as an app file's evidence writes it.
pub(super) fn today() -> String {
    iso(Clock::system().now_ms()).chars().take(10).collect()
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let done = match command {
        Command::Add { file, project, confirm_endpoint_change } => {
            let definition = read(&file)?;
            let new = Replacement { definition, confirm_endpoint_change, ..Replacement::default() };
            add(shell, &app, &project, new).await
        }
        Command::Discover(args) => discover(shell, &app, args).await,
        Command::Remove { slug, project } => remove(shell, &app, &project, &slug).await,
    };
    app.close().await;
    done
}

async fn project(app: &App, id: &str) -> Result<ProjectId, Failure> {
    let id = parse_project(id)?;
    crate::projects::find(&app.db, &id).await?;
    Ok(id)
}

async fn add(
    shell: &Shell,
    app: &Arc<App>,
    project_id: &str,
    new: Replacement,
) -> Result<(), Failure> {
    let project = project(app, project_id).await?;
    let slug = apps::slug_of(app, &new.definition);
    let known = match &slug {
        Some(slug) => apps::find_custom_app(app, &project, slug).await.is_ok(),
        None => false,
    };
    let (action, done, made) = match slug {
        Some(slug) if known => {
            let made = apps::replace_custom_app(app, &project, &slug, new).await;
            ("custom_app.update", "Changed", made)
        }
        _ => {
            let made = apps::create_custom_app(app, &project, new.definition, None).await;
            ("custom_app.create", "Added", made)
        }
    };
    let made = made.map_err(explained)?;
    let event = operator_event(action).project(&project);
    let event = event.target("custom_app", made.row.slug.as_str());
    app.audit.record(event.detail(api_custom::audited(&made))).await?;
    show(shell, &made, done);
    Ok(())
}

/// Every problem on a line of its own.
fn explained(error: Error) -> Failure {
    let problems = error.details().and_then(|it| it["problems"].as_array()).cloned();
    let moved = error.details().and_then(|it| it["moved"].as_array()).cloned();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or("-").to_owned();
    if let Some(problems) = problems {
        for it in &problems {
            let [severity, place, wrong, fix] =
                ["severity", "place", "wrong", "fix"].map(|name| text(it, name));
            output::line(&format!("{severity}: {place}: {wrong}. {fix}"));
        }
        return Failure::Other(format!("{} problem(s) must be mended", problems.len()));
    }
    if error.kind().code == error::ENDPOINTS_CHANGED.code {
        for it in moved.iter().flatten() {
            let [key, before, after] = ["key", "before", "after"].map(|name| text(it, name));
            output::line(&format!("{key}: {before} -> {after}"));
        }
        return Failure::Other(
            "Accounts or clients use this app, and their credentials would go to these addresses. \
             If that is right, add --confirm-endpoint-change."
                .to_owned(),
        );
    }
    error.into()
}

fn show(shell: &Shell, made: &Written, done: &str) {
    if shell.json {
        output::json(&json!({ "slug": made.row.slug, "version": made.row.version,
            "warnings": made.problems.iter().map(ToString::to_string).collect::<Vec<_>>() }));
        return;
    }
    output::line(&format!("{done} {} (version {}).", made.row.slug, made.row.version));
    for problem in &made.problems {
        output::note(&problem.to_string());
    }
}

async fn discover(shell: &Shell, app: &Arc<App>, args: Discover) -> Result<(), Failure> {
    let project = project(app, &args.project).await?;
    let token = match &args.registration_token_file {
        Some(file) => Some(read(file)?),
        None => None,
    };
    let lead = Lead {
        url: args.url,
        slug: args.slug,
        name: args.name,
        resource: args.resource,
        issuer: args.issuer,
        registration_token: token.map(|it| Secret::new(it.trim())),
        confirm_endpoint_change: args.confirm_endpoint_change,
    };
    let done = apps::discover(app, &project, lead).await.map_err(explained)?;
    let event = operator_event("custom_app.discover").project(&project);
    let event = event.target("custom_app", done.app.row.slug.as_str());
    app.audit.record(event.detail(api_discover::audited(&done))).await?;
    let Discovered { app: made, client, again } = done;
    let (id, uri) = (&client.client.id, client.client.redirect_uri(app));
    if shell.json {
        output::json(&json!({ "slug": made.row.slug, "oauth_app": id, "redirect_uri": uri,
            "client": client.how.as_str(), "remark": client.remark, "again": again }));
        return Ok(());
    }
    let word = if again { "Read" } else { "Added" };
    output::line(&format!("{word} {} (version {}).", made.row.slug, made.row.version));
    let how = match client.how {
        How::Registered => "is registered at the app",
        How::Document => "is known to the app by a document that this server serves",
        How::ToBeEntered => "must be registered by you",
    };
    output::line(&format!("The OAuth client {id} {how}."));
    if let Some(remark) = &client.remark {
        output::note(remark);
    }
    if client.how == How::ToBeEntered {
        output::note(&format!(
            "Next: register {uri} at the app, then run\n  grantkeep oauth-app update {id} \
             --project {project} --client-id ... --client-secret-file ..."
        ));
    }
    Ok(())
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))
}

async fn remove(shell: &Shell, app: &Arc<App>, id: &str, slug: &str) -> Result<(), Failure> {
    let project = project(app, id).await?;
    apps::delete_custom_app(app, &project, slug).await?;
    let event = operator_event("custom_app.delete").project(&project);
    app.audit.record(event.target("custom_app", slug)).await?;
    if shell.json {
        output::json(&json!({ "slug": slug, "deleted": true }));
    } else {
        output::line(&format!("Removed {slug}."));
    }
    Ok(())
}

/// The app of that slug as a project has it: its own, or that of the catalogue.
pub(super) async fn wanted(
    shell: &Shell,
    id: &str,
    slug: &str,
) -> Result<Arc<grantkeep_catalog::App>, Failure> {
    let app = shell.open().await?;
    let found = match project(&app, id).await {
        Ok(project) => match apps::own(&app, &project).await?.find(slug) {
            Some(own) => Ok(own),
            None => catalog::wanted(&app.catalog, slug),
        },
        Err(failure) => Err(failure),
    };
    app.close().await;
    found
}

pub(super) async fn list(shell: &Shell, id: &str) -> Result<(), Failure> {
    let app = shell.open().await?;
    let project = project(&app, id).await?;
    let found = apps::list_custom_apps(&app, &project).await?;
    let own = apps::own(&app, &project).await?;
    let name = |it: &CustomApp| own.get(&it.slug).map(|it| it.name.clone());
    if shell.json {
        let view = |it: &CustomApp| {
            json!({ "slug": it.slug, "name": name(it), "version": it.version,
                "usable": name(it).is_some(), "discovered": it.discovered.is_some(),
                "updated_at": iso(it.updated_at_ms) })
        };
        output::json(&Value::Array(found.iter().map(view).collect()));
    } else if found.is_empty() {
        output::line("No apps of its own yet. Begin one with `grantkeep apps new SLUG`.");
    } else {
        let row = |it: &CustomApp| {
            let from = if it.discovered.is_some() { "discovered" } else { "file" };
            vec![
                it.slug.clone(),
                name(it).unwrap_or_else(|| "(cannot be read)".to_owned()),
                it.version.to_string(),
                from.to_owned(),
                output::time(Some(it.updated_at_ms)),
            ]
        };
        let header = ["SLUG", "NAME", "VERSION", "FROM", "CHANGED"];
        output::table(&header, found.iter().map(row).collect());
    }
    app.close().await;
    Ok(())
}
