//! `grantkeep project`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Failure, Shell, operator, operator_event, output, terminal};
use super::{project_override, project_usage};
use crate::app::App;
use crate::audit::Event;
use crate::ids::ProjectId;
use crate::projects::{self, Change, Echo, Project, ProxyRules, Settings};
use crate::triggers;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make a project.
    #[command(after_help = "Examples:\n  \
        grantkeep project create Acme --support-email help@acme.example\n  \
        grantkeep project create Acme --compat     # for clients of the rented service, unchanged")]
    Create {
        /// Its name, for you.
        name: String,
        #[command(flatten)]
        looks: Looks,
    },
    /// Change a project.
    #[command(after_help = "Examples:\n  \
        grantkeep project update proj_... --verify-url https://app.example.com/connect/verify\n  \
        grantkeep project update proj_... --compat false")]
    Update {
        /// The project (`proj_...`).
        id: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        looks: Looks,
    },
    /// List projects.
    List,
    /// Delete a project that has no connected account any more, with all that it has.
    #[command(after_help = "Example:\n  \
        grantkeep project delete proj_...")]
    Delete {
        /// The project (`proj_...`).
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Set values for an app's fields, so that your users are not asked.
    #[command(subcommand)]
    Override(project_override::Command),
    /// What a project used: calls through the proxy, credentials handed out, and more, by the day.
    #[command(after_help = "Example:\n  \
        grantkeep project usage proj_... --environment development --days 7")]
    Usage(project_usage::Args),
}

#[derive(clap::Args)]
pub(super) struct Looks {
    /// The product's name, as its users know it [default: the project's name].
    #[arg(long, value_name = "NAME")]
    app_name: Option<String>,
    /// Where users get help; shown when something fails.
    #[arg(long, value_name = "ADDRESS")]
    support_email: Option<String>,
    /// Accent colour of the connect page, such as `#0a66c2`.
    #[arg(long, value_name = "COLOUR")]
    accent: Option<String>,
    #[arg(long, value_name = "URL")]
    privacy_url: Option<String>,
    #[arg(long, value_name = "URL")]
    terms_url: Option<String>,
    /// A URI that a connect link may send the browser to. Repeat for more.
    #[arg(long = "redirect", value_name = "URI")]
    redirects: Vec<String>,
    /// Try credentials of key apps out before they are stored.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    test_keys: Option<bool>,
    /// Your page that confirms who came back from an app, over your backend: connect links then
    /// work, and prove the person. Empty takes it away.
    #[arg(long, value_name = "URL")]
    verify_url: Option<String>,
    /// The origin of the redirect URIs of its OAuth clients: one of the setting `callback_origins`.
    /// They all change with it. Empty: the server's own.
    #[arg(long, value_name = "ORIGIN")]
    callback_origin: Option<String>,
    /// Permit connect links, frames without named origins and unlisted redirects, and let connect
    /// tokens live four hours, as older clients need. Accounts connected that way say
    /// `binding: none`. `--compat false` takes it all back.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    compat: Option<bool>,
    /// Permit connect links without a verify URL, which cannot prove who opened them.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    allow_links: Option<bool>,
    /// What is done when an app's answer through the proxy holds the credential: `redact` blacks it
    /// out, `refuse` withholds the answer.
    #[arg(long, value_name = "WHAT", value_parser = ["redact", "refuse"])]
    proxy_echo: Option<String>,
    /// Let only clients with rules (`client create --proxy-allow`) use the proxy.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    proxy_needs_rules: Option<bool>,
    /// Let users choose on the connect page how much they allow (to read, to write, to administer),
    /// where the app knows several measures.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    scope_choice: Option<bool>,
    /// External users that the environment `development` takes, such as 10. `none`: any number.
    #[arg(long, value_name = "USERS", value_parser = users_max)]
    development_users_max: Option<UsersMax>,
    /// Show components' code placeholders in the place of credentials, which become what they stand
    /// for on the way to the app [default: true].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    blind_tokens: Option<bool>,
    /// A package that means `@grantkeep/runtime` in components' code. Repeat for more; those given
    /// are all.
    #[arg(long = "component-package", value_name = "NAME")]
    component_packages: Vec<String>,
    /// The only hosts that its code may call, beside those of the apps whose accounts a run gets:
    /// `api.example.com,*.example.org`. `none`: no others. `public`: all that are public.
    #[arg(long, value_name = "HOSTS")]
    code_hosts: Option<String>,
}

impl Looks {
    fn change(self, name: Option<String>, old: Settings) -> Change {
        let mut settings = match self.compat {
            None => old,
            Some(true) => old.compatible(),
            Some(false) => old.strict(),
        };
        settings.accent = self.accent.or(settings.accent);
        settings.privacy_url = self.privacy_url.or(settings.privacy_url);
        settings.terms_url = self.terms_url.or(settings.terms_url);
        settings.allow_unverified_links =
            self.allow_links.unwrap_or(settings.allow_unverified_links);
        settings.proxy_echo = match self.proxy_echo.as_deref() {
            Some("refuse") => Echo::Refuse,
            Some(_) => Echo::Redact,
            None => settings.proxy_echo,
        };
        settings.proxy_rules = match self.proxy_needs_rules {
            Some(true) => ProxyRules::Required,
            Some(false) => ProxyRules::Optional,
            None => settings.proxy_rules,
        };
        settings.redirect_uris.extend(self.redirects);
        settings.redirect_uris.sort();
        settings.redirect_uris.dedup();
        Change {
            name,
            app_name: self.app_name.map(Some),
            support_email: self.support_email.map(Some),
            require_key_test: self.test_keys,
            settings: Some(settings),
            verify_url: self.verify_url.map(|url| Some(url).filter(|it| !it.is_empty())),
            callback_origin: self.callback_origin.map(|it| Some(it).filter(|it| !it.is_empty())),
            scope_choice: self.scope_choice,
            development_users_max: self.development_users_max.map(|it| it.0),
            blind_tokens: self.blind_tokens,
            component_packages: Some(self.component_packages).filter(|it| !it.is_empty()),
            code_hosts: self.code_hosts.as_deref().map(code_hosts),
        }
    }
}

/// `None`: any number.
#[derive(Clone, Copy)]
struct UsersMax(Option<u32>);

fn users_max(text: &str) -> Result<UsersMax, String> {
    match text {
        "none" => Ok(UsersMax(None)),
        _ => match text.parse() {
            Ok(most) => Ok(UsersMax(Some(most))),
            Err(_) => Err("write a whole number, or none".to_owned()),
        },
    }
}

/// `None`: all that are public.
fn code_hosts(text: &str) -> Option<Vec<String>> {
    match text.trim() {
        "public" => None,
        "none" => Some(Vec::new()),
        list => Some(list.split(',').map(|it| it.trim().to_owned()).collect()),
    }
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    match command {
        Command::Create { name, looks } => {
            let change = looks.change(None, Settings::default());
            let event = event("project.create", &change);
            let project = projects::create(&app, &name, change).await?;
            let event = event.project(&project.id);
            app.audit.record(event.target("project", project.id.as_str())).await?;
            if shell.json {
                output::json(&view(&project));
            } else {
                output::line(&format!("Made the project {} ({}).", project.id, project.name));
                output::note(&format!(
                    "Next: grantkeep client create backend --project {}",
                    project.id
                ));
            }
        }
        Command::Update { id, name, looks } => {
            let missing = || Failure::Missing(format!("There is no project {id}."));
            let id = ProjectId::parse(&id).ok_or_else(missing)?;
            let old = projects::find(&app.db, &id).await?;
            let change = looks.change(name, old.settings);
            let event = event("project.update", &change).project(&id);
            let project = projects::update(&app, &id, change).await?;
            app.audit.record(event.target("project", id.as_str())).await?;
            if shell.json {
                output::json(&view(&project));
            } else {
                output::line(&format!("Changed the project {}.", project.id));
            }
        }
        Command::Delete { id, yes } => delete(shell, &app, &id, yes).await?,
        Command::Override(command) => project_override::run(shell, &app, command).await?,
        Command::Usage(args) => project_usage::run(shell, &app, &args).await?,
        Command::List => {
            let all = projects::list(&app.db).await?;
            if shell.json {
                output::json(&Value::Array(all.iter().map(view).collect()));
            } else if all.is_empty() {
                output::line("No projects yet. Make one with `grantkeep project create NAME`.");
            } else {
                let row = |it: &Project| {
                    vec![
                        it.id.to_string(),
                        it.name.clone(),
                        it.product().to_owned(),
                        output::time(Some(it.created_at_ms)),
                    ]
                };
                output::table(&["ID", "NAME", "PRODUCT", "CREATED"], all.iter().map(row).collect());
            }
        }
    }
    app.close().await;
    Ok(())
}

async fn delete(shell: &Shell, app: &Arc<App>, id: &str, yes: bool) -> Result<(), Failure> {
    let missing = || Failure::Missing(format!("There is no project {id}."));
    let project = ProjectId::parse(id).ok_or_else(missing)?;
    let name = projects::find(&app.db, &project).await?.name;
    projects::check_deletable(app, &project).await?;
    let what = format!("This deletes the project {name} with all that it has.");
    terminal::confirm(&what, id, yes).await?;
    triggers::delete_project(app, &operator(), &project).await?;
    let event = operator_event("project.delete").project(&project);
    app.audit.record(event.target("project", id)).await?;
    if shell.json {
        output::json(&json!({ "id": id, "deleted": true }));
    } else {
        output::line(&format!("Deleted the project {id} ({name})."));
    }
    Ok(())
}

fn event(name: &'static str, change: &Change) -> Event {
    match &change.code_hosts {
        Some(hosts) => operator_event(name).detail(json!({ "code_hosts": hosts })),
        None => operator_event(name),
    }
}

fn view(project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "app_name": project.app_name,
        "support_email": project.support_email,
        "connect_require_key_auth_test": project.require_key_test,
        "callback_origin": project.callback_origin,
        "settings": project.settings,
    })
}
