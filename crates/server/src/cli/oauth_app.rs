//! `grantkeep oauth-app`: your own OAuth clients at the apps.

use std::io::Read;

use grantkeep_vault::Secret;
use serde_json::{Value, json};

use super::client::parse_project;
use super::{Failure, Shell, operator_event, output};
use crate::app::App;
use crate::apps::{self, Edit, OAuthApp};
use crate::paging::Page;
use crate::query::Query;

/// Clients shown at most.
const SHOWN_MAX: &str = "limit=100";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Enter a client that you registered at the app. Without an id it is prepared, and the
    /// redirect URI to register is shown; `update` takes the id and secret afterwards.
    #[command(
        after_help = "Example:\n  grantkeep oauth-app create --project proj_... --app github\n  \
        grantkeep oauth-app update oa_... --project proj_... --client-id Iv1.abc \
        --client-secret-file secret.txt"
    )]
    Create {
        #[arg(long, value_name = "ID")]
        project: String,
        /// The app's slug, such as `github`.
        #[arg(long, value_name = "SLUG")]
        app: String,
        #[command(flatten)]
        parts: Parts,
    },
    /// Change a client.
    Update {
        /// The client (`oa_...`).
        id: String,
        #[arg(long, value_name = "ID")]
        project: String,
        #[command(flatten)]
        parts: Parts,
    },
    /// List a project's clients.
    List {
        #[arg(long, value_name = "ID")]
        project: String,
    },
    /// Delete a client that no account depends on.
    Delete {
        id: String,
        #[arg(long, value_name = "ID")]
        project: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Parts {
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// File that holds the secret; `-` reads it from standard input. Secrets are not taken as
    /// arguments, where other users of the machine could see them.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<String>,
    /// Scopes to ask for instead of the app's own, separated by spaces or commas.
    #[arg(long)]
    scopes: Option<String>,
    /// File that holds the client's private key (PEM or JWK), for apps whose clients prove
    /// themselves with one; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "generate_key")]
    private_key_file: Option<String>,
    /// Make a private key here, and show the public half to be registered at the app.
    #[arg(long)]
    generate_key: bool,
    /// The name under which the app knows the key [default: its thumbprint].
    #[arg(long, value_name = "NAME")]
    key_id: Option<String>,
    /// File that holds the certificate of the private key, with its chain (PEM).
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<String>,
}

impl Parts {
    fn edit(self) -> Result<Edit, Failure> {
        let secret = |file: Option<String>| file.map(|it| read(&it)).transpose();
        let certificate = secret(self.certificate_file)?;
        let split = |text: String| {
            text.split([' ', ',']).filter(|it| !it.is_empty()).map(str::to_owned).collect()
        };
        Ok(Edit {
            name: self.name,
            client_id: self.client_id,
            client_secret: secret(self.client_secret_file)?,
            private_key: secret(self.private_key_file)?,
            generate_key: self.generate_key,
            key_id: self.key_id,
            client_certificate: certificate.map(|it| Some(it.expose().to_owned())),
            scopes: self.scopes.map(split),
            ..Edit::default()
        })
    }
}

/// The text of a file, or of standard input.
fn read(file: &str) -> Result<Secret, Failure> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Other(format!("cannot read {file}: {error}")))?;
    }
    Ok(Secret::new(text.trim()))
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    match command {
        Command::Create { project, app: slug, parts } => {
            let project = parse_project(&project)?;
            crate::projects::find(&app.db, &project).await?;
            let client = apps::create_oauth_app(&app, &project, &slug, parts.edit()?).await?;
            let event = operator_event("oauth_app.create").project(&project);
            app.audit.record(event.target("oauth_app", client.id.as_str())).await?;
            show(shell, &app, &client, "Entered");
        }
        Command::Update { id, project, parts } => {
            let project = parse_project(&project)?;
            let client = apps::update_oauth_app(&app, &project, &id, parts.edit()?).await?;
            let event = operator_event("oauth_app.update").project(&project);
            app.audit.record(event.target("oauth_app", client.id.as_str())).await?;
            show(shell, &app, &client, "Changed");
        }
        Command::List { project } => list(shell, &app, &project).await?,
        Command::Delete { id, project } => {
            let project = parse_project(&project)?;
            apps::delete_oauth_app(&app, &project, &id).await?;
            let event = operator_event("oauth_app.delete").project(&project);
            app.audit.record(event.target("oauth_app", id.as_str())).await?;
            if shell.json {
                output::json(&json!({ "id": id, "deleted": true }));
            } else {
                output::line(&format!("Deleted {id}."));
            }
        }
    }
    app.close().await;
    Ok(())
}

async fn list(shell: &Shell, app: &App, project: &str) -> Result<(), Failure> {
    let project = parse_project(project)?;
    let page = Page::of(&Query::parse(SHOWN_MAX), &app.cursors, String::new())?;
    let (clients, _) = apps::list_oauth_apps(app, &project, None, None, &page).await?;
    if shell.json {
        output::json(&Value::Array(clients.iter().map(|it| view(app, it)).collect()));
    } else if clients.is_empty() {
        output::line("No OAuth clients yet. Enter one with `grantkeep oauth-app create`.");
    } else {
        let row = |it: &OAuthApp| {
            let proves = it.has_secret() || it.public_jwk.is_some();
            let state = match (it.client_id.is_empty(), proves) {
                (true, _) => "needs a client id",
                (false, false) => "no secret",
                (false, true) => "complete",
            };
            vec![
                it.id.to_string(),
                it.app_slug.clone(),
                it.name.clone(),
                it.client_id.clone(),
                state.to_owned(),
            ]
        };
        output::table(
            &["ID", "APP", "NAME", "CLIENT ID", "STATE"],
            clients.iter().map(row).collect(),
        );
    }
    Ok(())
}

fn show(shell: &Shell, app: &App, client: &OAuthApp, done: &str) {
    if shell.json {
        output::json(&view(app, client));
        return;
    }
    output::line(&format!("{done} {} for {}.", client.id, client.app_slug));
    output::line(&format!("redirect URI to register at the app: {}", client.redirect_uri(app)));
    if let (Some(key), Some(at)) = (&client.public_jwk, client.jwks_uri(app)) {
        output::line(&format!("public key to register at the app: {at}\n{key}"));
    }
    if client.client_id.is_empty() {
        output::note(&format!(
            "Next: register that URI at the app, then run\n  \
             grantkeep oauth-app update {} --project {} \
             --client-id ... --client-secret-file ...",
            client.id, client.project
        ));
    }
}

fn view(app: &App, client: &OAuthApp) -> Value {
    json!({
        "id": client.id,
        "app": client.app_slug,
        "name": client.name,
        "client_id": client.client_id,
        "has_secret": client.has_secret(),
        "key_id": client.key_id,
        "jwks_uri": client.jwks_uri(app),
        "scopes": client.scopes,
        "redirect_uri": client.redirect_uri(app),
    })
}
