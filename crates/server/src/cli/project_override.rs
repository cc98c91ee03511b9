//! `grantkeep project override`: values that you set for an app's fields, so that your users are
//! not asked for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::client::parse_project;
use super::{Failure, Shell, operator_event, output};
use crate::app::App;
use crate::apps::{self, AppOverride, OverrideEdit};
use crate::ids::ProjectId;
use crate::paging::Page;
use crate::query::Query;

/// Overrides shown at most.
const SHOWN_MAX: &str = "limit=100";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Set values for an app's fields.
    #[command(after_help = "Example:\n  grantkeep project override create 'Our Zendesk' \
        --project proj_... --app zendesk \\\n    --field subdomain=acme --oauth-app oa_...")]
    Create {
        /// Its name, unique in the project.
        name: String,
        #[arg(long, value_name = "ID")]
        project: String,
        /// The app's slug, such as `zendesk`.
        #[arg(long, value_name = "SLUG")]
        app: String,
        #[command(flatten)]
        parts: Parts,
    },
    /// Change one. Fields that are named replace all that it had.
    Update {
        /// The override (`ao_...`).
        id: String,
        #[arg(long, value_name = "ID")]
        project: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        parts: Parts,
    },
    /// List a project's overrides.
    List {
        #[arg(long, value_name = "ID")]
        project: String,
    },
    /// Delete one. Accounts that were made with it keep its values.
    Delete {
        id: String,
        #[arg(long, value_name = "ID")]
        project: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Parts {
    /// A field's value; repeat for more. It takes no secret fields.
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<String>,
    /// The OAuth client to use with it. Empty detaches it.
    #[arg(long, value_name = "ID")]
    oauth_app: Option<String>,
}

impl Parts {
    fn edit(self, name: Option<String>) -> Result<OverrideEdit, Failure> {
        let pair = |text: &String| match text.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Failure::Usage(format!("{text:?} is not NAME=VALUE."))),
        };
        let mut fields = BTreeMap::new();
        for text in &self.fields {
            let (name, value) = pair(text)?;
            if fields.insert(name, value).is_some() {
                return Err(Failure::Usage(format!("{text:?} names a field for the second time.")));
            }
        }
        Ok(OverrideEdit {
            name,
            oauth_app: self.oauth_app.map(|it| Some(it).filter(|it| !it.is_empty())),
            fields: (!fields.is_empty()).then_some(fields),
        })
    }
}

pub(super) async fn run(shell: &Shell, app: &Arc<App>, command: Command) -> Result<(), Failure> {
    let (action, project, made) = match command {
        Command::Create { name, project, app: slug, parts } => {
            let project = known(app, &project).await?;
            let edit = parts.edit(Some(name))?;
            if edit.fields.is_none() && edit.oauth_app.is_none() {
                let text = "It would set nothing: give a --field or an --oauth-app.";
                return Err(Failure::Usage(text.to_owned()));
            }
            let made = apps::create_override(app, &project, &slug, edit).await?;
            ("app_override.create", project, made)
        }
        Command::Update { id, project, name, parts } => {
            let project = known(app, &project).await?;
            let made = apps::update_override(app, &project, &id, parts.edit(name)?).await?;
            ("app_override.update", project, made)
        }
        Command::List { project } => return list(shell, app, &project).await,
        Command::Delete { id, project } => {
            let project = known(app, &project).await?;
            apps::delete_override(app, &project, &id).await?;
            let event = operator_event("app_override.delete").project(&project);
            app.audit.record(event.target("app_override", id.as_str())).await?;
            if shell.json {
                output::json(&json!({ "id": id, "deleted": true }));
            } else {
                output::line(&format!("Deleted {id}."));
            }
            return Ok(());
        }
    };
    let event = operator_event(action).project(&project);
    app.audit.record(event.target("app_override", made.id.as_str())).await?;
    if shell.json {
        output::json(&view(&made));
    } else {
        output::line(&format!("{} sets {} of {}.", made.id, fields(&made), made.app_slug));
    }
    Ok(())
}

async fn known(app: &App, id: &str) -> Result<ProjectId, Failure> {
    let id = parse_project(id)?;
    crate::projects::find(&app.db, &id).await?;
    Ok(id)
}

async fn list(shell: &Shell, app: &App, project: &str) -> Result<(), Failure> {
    let project = known(app, project).await?;
    let page = Page::of(&Query::parse(SHOWN_MAX), &app.cursors, String::new())?;
    let (all, _) = apps::list_overrides(app, &project, None, &page).await?;
    if shell.json {
        output::json(&Value::Array(all.iter().map(view).collect()));
    } else if all.is_empty() {
        output::line("No overrides yet. Make one with `grantkeep project override create`.");
    } else {
        let row = |it: &AppOverride| {
            let client = it.oauth_app.as_ref().map_or("-".to_owned(), ToString::to_string);
            vec![it.id.to_string(), it.app_slug.clone(), it.name.clone(), fields(it), client]
        };
        let header = &["ID", "APP", "NAME", "FIELDS", "CLIENT"];
        output::table(header, all.iter().map(row).collect());
    }
    Ok(())
}

fn fields(it: &AppOverride) -> String {
    it.fields.keys().cloned().collect::<Vec<_>>().join(", ")
}

fn view(it: &AppOverride) -> Value {
    json!({ "id": it.id, "name": it.name, "app": it.app_slug, "fields": it.fields,
        "oauth_app": it.oauth_app })
}
