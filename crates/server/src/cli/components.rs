//! `grantkeep components`: publish, look at, try and delete components.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::client::parse_project;
use super::components_files::{Folder, read};
use super::{Failure, Shell, components_run, operator_event, output};
use crate::app::App;
use crate::components::{
    self, Component, ComponentView, Filter, Indexed, Kind, Permission, Publication, Published,
    Registry,
};
use crate::error::{self, Error};
use crate::ids::ProjectId;
use crate::workflows;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Publish a version of a component: a file with what it imports, or a folder.
    #[command(after_help = "Examples:\n  \
        grantkeep components publish send-report.mjs --project proj_...\n  \
        grantkeep components publish ./acme-tools --project proj_... --map @acme/platform")]
    Publish(Publish),
    /// List components: the project's own, then those that are shipped.
    List {
        #[arg(long, value_name = "ID")]
        project: String,
        /// Only those of this app.
        #[arg(long, value_name = "SLUG")]
        app: Option<String>,
        /// Only those with this in their key or name.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only the project's own.
        #[arg(long)]
        own: bool,
    },
    /// Show a component with its fields.
    Show {
        key: String,
        #[arg(long, value_name = "ID")]
        project: String,
        /// The latest without it.
        #[arg(long)]
        version: Option<String>,
    },
    /// Take a component of the project's own away, with all its versions.
    Delete {
        key: String,
        #[arg(long, value_name = "ID")]
        project: String,
        /// Also where triggers are made of it or workflows run it. They stop working.
        #[arg(long)]
        force: bool,
    },
    /// Run an action on a connected account and show what it says.
    #[command(after_help = "Examples:\n  \
        grantkeep components run slack-send-message --project proj_... --user ada \\\n    \
        --app slack=apn_... --prop channel=C123 --prop text=hi\n  \
        grantkeep components run --local send-report.mjs --project proj_... --user ada")]
    Run(components_run::Args),
    /// Write down what the components of a folder say of themselves.
    #[command(hide = true)]
    Index { folder: PathBuf },
}

#[derive(clap::Args)]
pub(super) struct Publish {
    /// The file, or a folder with `package.json`.
    path: PathBuf,
    #[arg(long, value_name = "ID")]
    project: String,
    /// What it may do beyond others: `raw-tokens` shows its code credentials as they are.
    #[arg(long, value_name = "WHAT", value_parser = ["raw-tokens"])]
    allow: Vec<String>,
    /// A package that means `@grantkeep/runtime` in this code. Repeat for more.
    #[arg(long = "map", value_name = "NAME")]
    maps: Vec<String>,
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let done = match command {
        Command::Publish(args) => publish(shell, &app, args).await,
        Command::List { project, app: slug, search, own } => {
            list(shell, &app, &project, (slug, search, own)).await
        }
        Command::Show { key, project, version } => {
            show(shell, &app, &project, (&key, version.as_deref())).await
        }
        Command::Delete { key, project, force } => {
            delete(shell, &app, &project, (&key, force)).await
        }
        Command::Run(args) => Box::pin(components_run::run(shell, &app, args)).await,
        Command::Index { folder } => index(&app, &folder).await,
    };
    app.close().await;
    done
}

pub(super) async fn project(app: &App, id: &str) -> Result<ProjectId, Failure> {
    let id = parse_project(id)?;
    crate::projects::find(&app.db, &id).await?;
    Ok(id)
}

async fn publish(shell: &Shell, app: &Arc<App>, args: Publish) -> Result<(), Failure> {
    let project = project(app, &args.project).await?;
    let Folder { files, entry } = read(&args.path)?;
    let permissions = args.allow.iter().filter_map(|it| Permission::parse(it)).collect();
    let new = Publication { files, entry, permissions, aliases: args.maps };
    let done = components::publish(app, &project, new).await.map_err(explained)?;
    let Published { component, fresh } = done;
    let event = operator_event("component.publish").project(&project);
    let event = event.target("component", component.id.as_str());
    let detail = components::api_publish::audited(&component, fresh);
    app.audit.record(event.detail(detail)).await?;
    let Component { key, version, .. } = &component;
    if shell.json {
        output::json(&json!({ "id": component.id, "key": key, "version": version,
            "fresh": fresh }));
    } else if fresh {
        output::line(&format!("Published {key} {version}."));
    } else {
        output::line(&format!("{key} {version} was published before, and is the same."));
    }
    Ok(())
}

/// The place first, as compilers say it, and the stack where that tells more.
pub(super) fn explained(error: Error) -> Failure {
    if error.kind().code == error::COMPONENT_BROKEN.code
        && let Some(stack) = error.details().and_then(|it| it["stack"].as_str())
    {
        output::note(stack);
    }
    error.into()
}

async fn list(
    shell: &Shell,
    app: &Arc<App>,
    id: &str,
    (slug, search, own): (Option<String>, Option<String>, bool),
) -> Result<(), Failure> {
    let project = project(app, id).await?;
    let registry = if own { Registry::Private } else { Registry::All };
    let filter =
        Filter { kind: Kind::Components, app: slug.as_deref(), part: search.as_deref(), registry };
    let found = components::all(app, &project, filter).await?;
    if shell.json {
        let view = |it: &Component| {
            json!({ "key": it.key, "name": it.name(), "version": it.version,
                "type": it.what().shown() })
        };
        output::json(&Value::Array(found.iter().map(view).collect()));
        return Ok(());
    }
    let row = |it: &Component| {
        let kind = it.what().shown().to_owned();
        vec![it.key.clone(), it.version.clone(), kind, it.name().to_owned()]
    };
    output::table(&["KEY", "VERSION", "TYPE", "NAME"], found.iter().map(row).collect());
    Ok(())
}

async fn show(
    shell: &Shell,
    app: &Arc<App>,
    id: &str,
    (key, version): (&str, Option<&str>),
) -> Result<(), Failure> {
    let project = project(app, id).await?;
    let found = components::find(app, &project, (Kind::Components, key, version)).await?;
    if shell.json {
        let view = serde_json::to_value(ComponentView::from(&found));
        output::json(&view.map_err(|it| Failure::Other(it.to_string()))?);
        return Ok(());
    }
    output::line(&format!("{} {} ({})", found.key, found.version, found.what().shown()));
    output::line(found.name());
    for permission in &found.permissions {
        output::line(&format!("It may: {}", permission.as_str()));
    }
    let text = |prop: &Value, name: &str| prop[name].as_str().unwrap_or_default().to_owned();
    let row = |prop: &Value| {
        let kind = text(prop, "type");
        let need = match kind.as_str() {
            "alert" => "for reading",
            kind if kind.starts_with("$.service.") || kind == "$.interface.http" => "made for it",
            kind if components::must_be_filled(prop, kind) => "needed",
            _ => "optional",
        };
        vec![text(prop, "name"), kind.clone(), need.to_owned(), text(prop, "label")]
    };
    let rows = found.described.shown_props().iter().map(row).collect();
    output::table(&["FIELD", "TYPE", "", "LABEL"], rows);
    Ok(())
}

async fn delete(
    shell: &Shell,
    app: &Arc<App>,
    id: &str,
    (key, force): (&str, bool),
) -> Result<(), Failure> {
    let project = project(app, id).await?;
    let left = workflows::delete_component(app, &project, key, force).await?;
    let event = operator_event("component.delete").project(&project);
    app.audit.record(event.target("component", key).detail(left.counts())).await?;
    if shell.json {
        output::json(&json!({ "key": key, "deleted": true, "used_by": left.counts() }));
    } else {
        output::line(&format!("Deleted {key}."));
    }
    if left.count() > 0 {
        output::note(&format!("{} use it, and work no more.", left.said()));
    }
    Ok(())
}

/// Describes every component below a folder, and writes `index.json` into it.
async fn index(app: &Arc<App>, folder: &std::path::Path) -> Result<(), Failure> {
    let made = components_run::describe_all(app, folder).await?;
    let mut text = String::from("[\n");
    for (nth, it) in made.iter().enumerate() {
        let line: String = line(it)?;
        text.push_str(&line);
        text.push_str(if nth + 1 < made.len() { ",\n" } else { "\n" });
    }
    text.push_str("]\n");
    std::fs::write(folder.join("index.json"), text)?;
    output::line(&format!("Described {} components.", made.len()));
    Ok(())
}

/// One component on one line, so that a change shows what it is of.
fn line(it: &Indexed) -> Result<String, Failure> {
    serde_json::to_string(it).map_err(|it| Failure::Other(it.to_string()))
}

/// Values as they are given: JSON where it is some, text otherwise.
pub(super) fn values(pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut all = Map::new();
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(Failure::Usage(format!("`{pair}` is not NAME=VALUE.")));
        };
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        all.insert(name.to_owned(), value);
    }
    Ok(all)
}
