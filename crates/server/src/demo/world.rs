//! The pretend providers and a real server, on loopback, with a product entered.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use grantkeep_simulator::Simulator;
use grantkeep_vault::{Secret, token};
use url::Url;

use super::product::LOGO_PNG;
use super::{Doing, Result};
use crate::app::App;
use crate::apps::{self, Edit};
use crate::boot;
use crate::config::Config;
use crate::egress::Egress;
use crate::embedded::{Folder, Running, path_text, root_key};
use crate::projects::{self, Change, Project};
use crate::scope::{Scope, Scopes};

/// The root key of the demo, in its data folder.
const KEY_FILE: &str = "demo-root.key";
const PRODUCT: &str = "Acme";
const SUPPORT_EMAIL: &str = "help@acme.example";
/// Acme's orange.
const ACCENT: &str = "#b4440c";

/// The pretend apps that Acme works with, as the simulator calls them. The last has no OAuth.
pub(super) const PROVIDERS: [&str; 3] = ["short", "rotating", "keys"];

/// What the person who runs the demo may choose.
#[derive(Default)]
pub struct Options {
    /// Where data goes, and stays. `None`: a temporary folder.
    pub data: Option<PathBuf>,
    /// The product's port; the server and the providers take the two after it. 0: any free ones.
    pub port: u16,
}

impl Options {
    pub(super) fn address(&self, which: u16) -> SocketAddr {
        let port = if self.port == 0 { 0 } else { self.port.saturating_add(which) };
        SocketAddr::from(([127, 0, 0, 1], port))
    }
}

/// A running world. [`World::stop`] ends it in order.
pub struct World {
    pub folder: Folder,
    pub simulator: Simulator,
    running: Running,
}

/// How Acme's server proves itself, and for which project.
pub(super) struct Entered {
    pub project: Project,
    pub client_id: String,
    pub client_secret: Secret,
    /// The OAuth clients' secrets at the providers, to look for afterwards.
    pub provider_secrets: Vec<Secret>,
}

/// Starts the pretend providers.
pub async fn simulate(options: &Options) -> Result<Simulator> {
    Simulator::start(options.address(2)).await.doing("the pretend providers cannot start")
}

impl World {
    /// Starts the server on the folder, with the providers as apps of its catalogue.
    pub async fn serve(options: &Options, folder: Folder, simulator: Simulator) -> Result<Self> {
        let catalog = folder.path().join("catalog");
        boot::private_dir(&catalog).doing("cannot make the catalogue folder")?;
        for (slug, text) in simulator.catalog_files() {
            std::fs::write(catalog.join(format!("{slug}.toml")), text).doing("cannot write")?;
        }
        let config = settings(&folder, &catalog, options.address(1))?;
        let running = Running::start(config, None, None).await?;
        Ok(Self { folder, simulator, running })
    }

    /// The HTTP client of those outside: the product and the person. The server's own one does not
    /// call the server.
    pub(super) fn outside(&self) -> Result<Egress> {
        Egress::for_operator(&self.app().config).doing("the HTTP client")
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.running.app
    }

    /// Where the server is, without a slash at the end.
    pub fn server(&self) -> String {
        self.running.url()
    }

    /// The root key's file: made for this demo, readable by this user alone.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join(KEY_FILE)
    }

    /// What an operator does once: a project, a client for its backend, and an OAuth client for
    /// each app that needs one, registered at the provider.
    pub(super) async fn enter_product(&self) -> Result<Entered> {
        let what = "the product cannot be entered";
        let change = Change {
            support_email: Some(Some(SUPPORT_EMAIL.to_owned())),
            require_key_test: Some(true),
            settings: Some(projects::Settings {
                accent: Some(ACCENT.to_owned()),
                ..projects::Settings::default()
            }),
            ..Change::default()
        };
        let project = projects::create(self.app(), PRODUCT, change).await.doing(what)?;
        let logo = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(LOGO_PNG));
        projects::set_logo(self.app(), &project.id, &logo).await.doing(what)?;
        let scopes = Scopes::of(&[
            Scope::TokensCreate,
            Scope::AccountsRead,
            Scope::AccountsWrite,
            Scope::CredentialsRead,
            Scope::ProjectsRead,
            Scope::WorkflowInvoke,
        ]);
        let client =
            projects::create_client(self.app(), Some(&project.id), "Acme backend", &scopes);
        let client = client.await.doing(what)?;
        let mut provider_secrets = Vec::new();
        for provider in &PROVIDERS[..2] {
            provider_secrets.push(self.register(&project, provider).await?);
        }
        Ok(Entered {
            project,
            client_id: client.client.id.as_str().to_owned(),
            client_secret: client.secret,
            provider_secrets,
        })
    }

    /// Registers an OAuth client at a provider, with the one redirect URI that the server gives it.
    async fn register(&self, project: &Project, provider: &str) -> Result<Secret> {
        let what = "the OAuth client cannot be entered";
        let id = token::base62("acme-", 12);
        let secret = token::base62("", 40);
        let edit = Edit {
            client_id: Some(id.expose().to_owned()),
            client_secret: Some(Secret::new(secret.expose())),
            ..Edit::default()
        };
        let slug = format!("sim_{provider}");
        let made =
            apps::create_oauth_app(self.app(), &project.id, &slug, edit).await.doing(what)?;
        let redirect_uri = made.redirect_uri(self.app());
        self.simulator.register_client(provider, id.expose(), secret.expose(), &redirect_uri);
        Ok(secret)
    }

    /// Stops the server, then the providers, then removes what is temporary.
    pub async fn stop(self) {
        self.running.stop().await;
        self.simulator.stop().await;
    }
}

fn settings(folder: &Folder, catalog: &Path, address: SocketAddr) -> Result<Config> {
    let data = folder.path().to_path_buf();
    let listen = address.to_string();
    let pairs = [
        ("data_dir", path_text(&data)?),
        ("catalog_dir", path_text(catalog)?),
        ("listen", listen.as_str()),
        ("dev", "true"),
        ("egress_allow_loopback", "true"),
        ("drain_timeout_ms", "2000"),
        // Whoever tries it out may try it hard.
        ("rate_limits", "false"),
    ];
    let mut config = Config::from_pairs(&pairs).doing("the demo's own settings")?;
    config.root_key = Some(root_key(&data.join(KEY_FILE))?);
    Ok(config)
}

/// The origin of a URL, as browsers write it.
pub(super) fn origin(url: &str) -> Result<String> {
    Ok(Url::parse(url).doing("an address cannot be read")?.origin().ascii_serialization())
}
