//! `grantkeep accounts`: what users connected, and ending it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::client::parse_project;
use super::{Failure, Shell, accounts_export, accounts_import, output};
use crate::accounts::{self, Account, By, Filter, Health, Why};
use crate::app::App;
use crate::callers::{Actor, Origin};
use crate::clock::iso;
use crate::paging::Page;
use crate::projects;
use crate::query::Query;
use crate::tenant::{Environment, Tenant};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List accounts, the newest first.
    #[command(after_help = "Examples:\n  \
        grantkeep accounts list --project proj_... --environment production\n  \
        grantkeep accounts list --project proj_... --environment development --app slack --json")]
    List {
        #[command(flatten)]
        place: Place,
        /// Only those of this external user.
        #[arg(long, value_name = "EXTERNAL-ID")]
        user: Option<String>,
        /// Only those of this app (slug) or OAuth client (`oa_...`).
        #[arg(long)]
        app: Option<String>,
        /// How many, 1 to 100.
        #[arg(long, default_value_t = 50)]
        limit: u8,
    },
    /// Show an account, its last refreshes and what is to come. Credentials are not shown.
    Show {
        /// The account (`apn_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Refresh an account's access token now, however long it would last.
    #[command(after_help = "Example:\n  \
        grantkeep accounts refresh apn_... --project proj_... --environment production")]
    Refresh {
        /// The account (`apn_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take accounts out, with all that they grant, into a file of your own. Stop the server first.
    #[command(after_help = "Examples:\n  \
        grantkeep accounts export --project proj_... --with-clients --out accounts.jsonl\n  \
        grantkeep accounts export --project proj_... --out - | age -r age1... > accounts.age")]
    Export(accounts_export::Args),
    /// Take accounts in, from `accounts export` of another installation or from elsewhere. What is
    /// here already is left alone.
    #[command(after_help = "Examples:\n  \
        grantkeep accounts import --project proj_... accounts.jsonl\n  \
        grantkeep accounts import --project proj_... --environment production others.jsonl")]
    Import(accounts_import::Args),
    /// Delete an account and revoke its grant at the provider; says what the provider answered.
    #[command(after_help = "Example:\n  \
        grantkeep accounts revoke apn_... --project proj_... --environment production")]
    Revoke {
        /// The account (`apn_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
pub(super) struct Place {
    #[arg(long, value_name = "ID")]
    project: String,
    /// `production` or `development`; never guessed.
    #[arg(long, value_name = "NAME")]
    environment: String,
}

impl Place {
    /// # Errors
    /// There is no such project, or environment.
    pub(super) async fn tenant(&self, app: &App) -> Result<Tenant, Failure> {
        let environment = Environment::parse(&self.environment).ok_or_else(|| {
            Failure::Usage("--environment must be `production` or `development`".to_owned())
        })?;
        let project = parse_project(&self.project)?;
        match projects::find(&app.db, &project).await {
            Err(error) if error.kind().status == 404 => Err(Failure::Missing(format!(
                "there is no project {project} here; `grantkeep project list` shows what there is"
            ))),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Tenant { project, environment }),
        }
    }
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let done = act(shell, &app, command).await;
    // What failed is in the audit log too.
    app.close().await;
    done
}

async fn act(shell: &Shell, app: &Arc<App>, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { place, user, app: name, limit } => {
            let filter =
                Filter { external_id: user.as_deref(), app: name.as_deref(), oauth_app: None };
            list(shell, app, &place.tenant(app).await?, filter, limit).await?;
        }
        Command::Show { id, place } => {
            let account = accounts::find(app, &place.tenant(app).await?, &id, None).await?;
            show(shell, app, &account).await?;
        }
        Command::Refresh { id, place } => {
            let tenant = place.tenant(app).await?;
            let account = accounts::find(app, &tenant, &id, None).await?;
            let event = super::operator_event("account.refresh_asked")
                .tenant(&tenant)
                .target("account", account.id.as_str())
                .user(&account.external_id);
            app.audit.note(event);
            accounts::refresh(app, &account, Why::Forced).await?;
            let account = accounts::find(app, &tenant, &id, None).await?;
            if shell.json {
                output::json(&view(&account));
            } else {
                let ends = output::time(account.expires_at_ms);
                output::line(&format!("Refreshed {id}. Its access token ends: {ends}."));
            }
        }
        Command::Export(args) => accounts_export::run(shell, app, args).await?,
        Command::Import(args) => accounts_import::run(shell, app, args).await?,
        Command::Revoke { id, place } => {
            let tenant = place.tenant(app).await?;
            let (actor, origin) = (Actor::Operator, Origin::default());
            let by = By { tenant: &tenant, actor: &actor, origin: &origin, revoke: true };
            let outcome = accounts::delete(app, by, &id, None).await?;
            let outcome = outcome.map_or("kept", accounts::Outcome::as_str);
            if shell.json {
                output::json(&json!({ "id": id, "deleted": true, "revocation": outcome }));
            } else {
                output::line(&format!("Deleted {id}. At the provider: {outcome}."));
            }
        }
    }
    Ok(())
}

async fn list(
    shell: &Shell,
    app: &App,
    tenant: &Tenant,
    filter: Filter<'_>,
    limit: u8,
) -> Result<(), Failure> {
    let query = Query::parse(&format!("limit={limit}"));
    let page = Page::of(&query, &app.cursors, String::new())?;
    let (mut found, total) = accounts::list(app, tenant, filter, &page).await?;
    found.truncate(usize::from(limit));
    if shell.json {
        let data: Vec<_> = found.iter().map(view).collect();
        output::json(&json!({ "data": data, "total_count": total }));
        return Ok(());
    }
    if found.is_empty() {
        output::line(&format!("No accounts in {}.", tenant.environment));
        return Ok(());
    }
    let row = |it: &Account| {
        vec![
            it.id.to_string(),
            it.external_id.clone(),
            it.app_slug.clone(),
            it.name.clone().unwrap_or_default(),
            state(&it.health),
            output::time(Some(it.created_at_ms)),
            output::time(it.next_refresh_at_ms),
        ]
    };
    let header = ["ID", "USER", "APP", "NAME", "STATE", "CONNECTED", "NEXT REFRESH"];
    output::table(&header, found.iter().map(row).collect());
    output::note(&format!("{} of {total}", found.len()));
    Ok(())
}

fn state(health: &Health) -> String {
    let colour = match health {
        Health::Healthy => 32,
        Health::Error { .. } => 33,
        Health::Dead { .. } => 31,
    };
    output::paint(health.as_str(), colour)
}

async fn show(shell: &Shell, app: &App, account: &Account) -> Result<(), Failure> {
    let health = accounts::health(app, account).await?;
    if shell.json {
        let mut view = view(account);
        view["health"] = json!(health);
        output::json(&view);
        return Ok(());
    }
    let forecast = health.forecast.as_ref();
    let forecast = forecast.map(|it| format!("{}. {} ({})", it.ends_at, it.text, it.reason));
    let rows = [
        ("id", account.id.to_string()),
        ("app", account.app_slug.clone()),
        ("name", account.name.clone().unwrap_or_default()),
        ("user", account.external_id.clone()),
        ("state", state(&account.health)),
        ("why", account.health.text().unwrap_or_default().to_owned()),
        ("binding", account.binding.as_str().to_owned()),
        ("scopes", account.scopes.join(" ")),
        ("not granted", account.missing_scopes.join(" ")),
        ("connected", output::time(Some(account.created_at_ms))),
        ("token ends", output::time(account.expires_at_ms)),
        ("refreshed", output::time(account.last_refreshed_at_ms)),
        ("next refresh", output::time(account.next_refresh_at_ms)),
        ("grant ends", forecast.unwrap_or_default()),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty() && value != "-") {
        output::line(&format!("{name:<13} {value}"));
    }
    for it in &health.attempts {
        let why = it.why.as_deref().unwrap_or_default();
        output::line(&format!("{:<13} {} {} ({why})", "refresh", it.tried_at, it.outcome));
    }
    Ok(())
}

fn view(account: &Account) -> Value {
    let time = |at_ms: Option<i64>| at_ms.map(iso);
    json!({
        "id": account.id,
        "app": account.app_slug,
        "name": account.name,
        "external_id": account.external_id,
        "state": account.health.as_str(),
        "reason": account.health.reason(),
        "error": account.health.text(),
        "binding": account.binding,
        "scopes": account.scopes,
        "missing_scopes": account.missing_scopes,
        "created_at": iso(account.created_at_ms),
        "expires_at": time(account.expires_at_ms),
        "last_refreshed_at": time(account.last_refreshed_at_ms),
        "next_refresh_at": time(account.next_refresh_at_ms),
    })
}
