//! One real connection of an app, by the one who writes its file: a whole server for it alone, and
//! each step looked at.

mod advice;
mod facts;
mod record;
mod walk;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, Options as CatalogOptions, check};
use grantkeep_vault::Secret;
use serde_json::{Value, json};
use url::Url;

use crate::apps::{self, Edit, OAuthApp};
use crate::audit::{self, Line};
use crate::config::Config;
use crate::egress::Egress;
use crate::embedded::{Ask, Doing, Folder, Result, Running, Trouble, root_key, send};
use crate::error;
use crate::ids::ProjectId;
use crate::projects::{self, Change, Settings};
use crate::scope::{Scope, Scopes};

pub use advice::{Trail, advice};
pub use record::Record;
pub use walk::{Outcome, Step, Walk};
use witness::Witness;

/// What the names of temporary folders begin with.
const FOLDER: &str = "grantkeep-try-";
const KEY_FILE: &str = "try-root.key";
/// The project, as the connect page names it.
const PRODUCT: &str = "grantkeep apps try";
/// Whose account it will be.
const USER: &str = "developer";

/// What the person chose.
pub struct Options {
    /// The person's own settings: which catalogue, which hosts may be called.
    pub config: Config,
    /// A slug of that catalogue, or the path of an app file.
    pub app: String,
    /// Where data goes, and stays. `None`: a temporary folder.
    pub data: Option<PathBuf>,
    pub port: u16,
    /// Where browsers reach the server, if not on loopback.
    pub public_url: Option<Url>,
}

/// A server with one app to be connected.
pub struct Trial {
    running: Running,
    // Gone when this is dropped, after the server.
    folder: Folder,
    found: Arc<CatalogApp>,
    project: ProjectId,
    key: Secret,
    http: Egress,
    witness: Arc<Witness>,
}

impl Trial {
    /// Starts the server and finds the app. The inner error names an app that is not there.
    pub async fn start(options: Options) -> Result<Self> {
        let folder = Folder::open(options.data.as_deref(), FOLDER)?;
        let mut config = options.config;
        let slug = match options.app.strip_suffix(".toml") {
            Some(_) => own_file(&mut config, &folder, &options.app)?,
            None => options.app,
        };
        config.data_dir = folder.path().to_path_buf();
        config.database_url = None;
        config.older_root_keys = Vec::new();
        config.root_key = Some(root_key(&folder.path().join(KEY_FILE))?);
        config.listen = ([127, 0, 0, 1], options.port).into();
        config.callback_origins = Vec::new();
        (config.tls_cert_file, config.tls_key_file) = (None, None);
        config.metrics_listen = None;
        config.dev = true;
        let witness = Arc::new(Witness::default());
        let running = Running::start(config, options.public_url, Some(witness.watch())).await?;
        let http = Egress::for_operator(&running.app.config).doing("the HTTP client")?;
        let what = "the project cannot be made";
        let project = project(&running).await?;
        let found = apps::find(&running.app, &project, &slug).await;
        let found = found.map_err(|it| Trouble::new(it.text().to_owned()))?;
        let scopes = Scopes::of(&[
            Scope::TokensCreate,
            Scope::AccountsRead,
            Scope::AccountsWrite,
            Scope::CredentialsRead,
            Scope::ProxyUse,
        ]);
        let made = projects::create_key(&running.app, &project, "apps try", &scopes).await;
        let (_, key) = made.doing(what)?;
        Ok(Self { running, folder, found, project, key, http, witness })
    }

    pub fn app(&self) -> &CatalogApp {
        &self.found
    }

    /// Whether the folder, and with it the redirect URI, is there next time.
    pub fn is_kept(&self) -> bool {
        self.folder.is_kept()
    }

    /// The OAuth client: that of an earlier trial in the same folder, or a new one without an id.
    pub async fn client(&self) -> Result<OAuthApp> {
        let what = "the OAuth client cannot be entered";
        let app = &self.running.app;
        match apps::oauth_app_for(app, &self.project, &self.found.slug).await {
            Ok(client) => Ok(client),
            Err(error) if error.kind().code == error::OAUTH_CLIENT_MISSING.code => {
                let signs = self.found.oauth2().is_some_and(signs);
                let edit = Edit { generate_key: signs, ..Edit::default() };
                let slug = &self.found.slug;
                apps::create_oauth_app(app, &self.project, slug, edit).await.doing(what)
            }
            Err(error) => Err(error).doing(what),
        }
    }

    /// Enters what the person was given at the app.
    pub async fn enter(&self, client: &OAuthApp, edit: Edit) -> Result<OAuthApp> {
        let (app, id) = (&self.running.app, client.id.as_str());
        let changed = apps::update_oauth_app(app, &self.project, id, edit).await;
        changed.map_err(|it| Trouble::new(it.text().to_owned()))
    }

    pub fn redirect_uri(&self, client: &OAuthApp) -> String {
        client.redirect_uri(&self.running.app)
    }

    pub fn jwks_uri(&self, client: &OAuthApp) -> Option<String> {
        client.jwks_uri(&self.running.app)
    }

    /// The link to be opened in a browser.
    pub async fn link(&self) -> Result<String> {
        let link = self.token().await?["connect_link_url"].as_str().map(str::to_owned);
        link.ok_or_else(|| Trouble::new("the server gave no link"))
    }

    async fn token(&self) -> Result<Value> {
        let body = json!({ "external_user_id": USER, "app_id": self.found.slug });
        self.post("/tokens", &body).await
    }

    /// Connects an app that takes what was typed here; gives the account's id.
    pub async fn connect(&self, fields: &Value) -> Result<String> {
        let token = self.token().await?;
        let token = Secret::new(token["token"].as_str().unwrap_or_default());
        let body = json!({ "app_slug": self.found.slug, "cfmap_json": fields });
        let url = self.url("/accounts");
        let bearer = format!("Bearer {}", token.expose());
        let ask = Ask::json(&url, &body).with("authorization", bearer);
        let made = send(&self.http, ask).await?.success("the app was asked")?.json()?;
        let id = made["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| Trouble::new("the answer names no account"))
    }

    /// What happened on the way so far, the oldest first.
    pub async fn events(&self) -> Result<Vec<Line>> {
        self.running.app.audit.settle().await;
        let lines = audit::lines(&self.running.app.db, &self.project, "connect.").await;
        lines.doing("the events cannot be read")
    }

    /// What is known for [`advice`], when it ended with this code.
    pub fn trail(&self, code: &str) -> Trail {
        Trail::of(&self.found, code, &self.witness.since(0))
    }

    /// The steps after the connection.
    pub fn walk<'a>(&'a self, account: &str, tell: &'a mut dyn FnMut(&Step)) -> Walk<'a> {
        Walk::begin(self, account, tell)
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v1/connect/{}{rest}", self.running.local(), self.project)
    }

    fn signed<'a>(&self, ask: Ask<'a>) -> Ask<'a> {
        let ask = ask.with("authorization", format!("Bearer {}", self.key.expose()));
        ask.with("x-pd-environment", "development")
    }

    async fn post(&self, rest: &str, body: &Value) -> Result<Value> {
        let url = self.url(rest);
        let ask = self.signed(Ask::json(&url, body));
        send(&self.http, ask).await?.success(rest)?.json()
    }

    async fn get(&self, rest: &str) -> Result<Value> {
        let url = self.url(rest);
        send(&self.http, self.signed(Ask::get(&url))).await?.success(rest)?.json()
    }

    /// Stops the server; a temporary folder is removed.
    pub async fn stop(self) {
        self.running.stop().await;
        drop(self.folder);
    }
}

/// Whether the client proves itself with a key that is made here.
fn signs(it: &grantkeep_catalog::OAuth2) -> bool {
    use grantkeep_catalog::{ClientAuth, Flow};
    let by_key = it.client_auth == ClientAuth::PrivateKeyJwt || it.request_object;
    by_key && it.flow != Flow::Installation
}

/// Makes the file the one app of the operator's folder; gives its slug.
fn own_file(config: &mut Config, folder: &Folder, path: &str) -> Result<String> {
    let what = format!("cannot read {path}");
    let text = std::fs::read_to_string(path).doing(&what)?;
    let options = CatalogOptions { allow_loopback: config.egress_allow_loopback };
    let problems = check::file(path, &text, options);
    let errors = problems.iter().filter(|it| it.severity == check::Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if !errors.is_empty() {
        return Err(Trouble::new(errors.join("\n")));
    }
    let table: toml::Table = text.parse().doing(&what)?;
    let slug = table.get("slug").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let apps = folder.path().join("apps");
    crate::boot::private_dir(&apps).doing("cannot make the folder of apps")?;
    let to = apps.join(format!("{slug}.toml"));
    std::fs::write(to, text).doing("cannot write the app file")?;
    config.catalog_dir = Some(apps);
    Ok(slug)
}

/// The project of an earlier trial in the same folder, or a new one.
async fn project(running: &Running) -> Result<ProjectId> {
    let what = "the project cannot be made";
    let known = projects::list(&running.app.db).await.doing(what)?;
    if let Some(project) = known.into_iter().next() {
        return Ok(project.id);
    }
    let change = Change {
        require_key_test: Some(true),
        // Whoever opens the link is the one who reads it in his own terminal.
        settings: Some(Settings { allow_unverified_links: true, ..Settings::default() }),
        ..Change::default()
    };
    Ok(projects::create(&running.app, PRODUCT, change).await.doing(what)?.id)
}
