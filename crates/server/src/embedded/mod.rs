//! A whole server within this process, on loopback, for as long as somebody looks at it: the
//! demonstration, and the trial of one app.

mod folder;
mod http;

use std::path::Path;
use std::sync::Arc;

use grantkeep_vault::RootKey;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use zeroize::Zeroizing;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::egress::Watch;
use crate::{boot, serve};

pub use folder::Folder;
pub use http::{Ask, Reply, send};

/// What went wrong, as one line for the person who runs it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(String);

impl Trouble {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

pub type Result<T> = std::result::Result<T, Trouble>;

/// Errors of the parts, each with what was being done.
pub trait Doing<T> {
    fn doing(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|error| Trouble(format!("{what}: {error}")))
    }
}

/// A running server. [`Running::stop`] ends it in order.
pub struct Running {
    pub app: Arc<App>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts it where `config` says; a port 0 there becomes the one that is free. Without
    /// `public_url` browsers are to find it there, too. `watch` hears of what apps are asked.
    pub async fn start(
        mut config: Config,
        public_url: Option<Url>,
        watch: Option<Watch>,
    ) -> Result<Self> {
        let what = "the server cannot start";
        // The port is known once it is bound, and redirect URIs are made from it.
        let bound = serve::bind(&config).await.doing(what)?;
        let address = bound.address().doing("the server's port")?;
        config.listen = address;
        config.public_url = match public_url {
            Some(url) => url,
            None => Url::parse(&format!("http://{address}")).doing("the server's URL")?,
        };
        let app = boot::open_watched(config, Clock::system(), watch).await.doing(what)?;
        let stop = CancellationToken::new();
        let tasks = run(&app, bound, &stop);
        Ok(Self { app, stop, tasks })
    }

    /// Where the server is, without a slash at the end.
    pub fn url(&self) -> String {
        self.app.url("").as_str().trim_end_matches('/').to_owned()
    }

    /// The same from this machine, whatever others call it.
    pub fn local(&self) -> String {
        format!("http://{}", self.app.config.listen)
    }

    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
        self.app.close().await;
    }
}

/// The folder's root key, made if it has none.
pub fn root_key(file: &Path) -> Result<config::Secret> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if !file.exists() {
        let mut options = std::fs::OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(file);
        let mut made = made.doing("cannot write the root key")?;
        writeln!(made, "{}", &*RootKey::generate_text()).doing("cannot write the root key")?;
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).doing("cannot read the root key")?);
    Ok(config::Secret::new(Zeroizing::new(text.trim().to_owned())))
}

/// A path as settings have it.
pub fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Trouble::new("the folder's name is no text"))
}

/// The listener and what runs beside it.
fn run(app: &Arc<App>, bound: serve::Bound, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    let router = crate::router::router(app);
    let stopped = stop.clone().cancelled_owned();
    let serving = async move {
        if let Err(error) = bound.run(router, stopped).await {
            tracing::error!(%error, "the listener ended");
        }
    };
    let jobs = crate::jobs::work(Arc::clone(app), stop.clone());
    let refreshing = crate::accounts::run(Arc::clone(app), stop.clone());
    let connecting = crate::connect::run(Arc::clone(app), stop.clone());
    let telling = crate::webhooks::run(Arc::clone(app), stop.clone());
    let triggering = crate::triggers::run(Arc::clone(app), stop.clone());
    let flowing = crate::workflows::run(Arc::clone(app), stop.clone());
    vec![
        tokio::spawn(serving),
        tokio::spawn(flowing),
        tokio::spawn(jobs),
        tokio::spawn(telling),
        tokio::spawn(triggering),
        tokio::spawn(refreshing),
        tokio::spawn(connecting),
    ]
}
