//! `grantkeep serve`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{Failure, Shell, output};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LogFormat, Origin, Secret};
use crate::telemetry::Telemetry;
use crate::{
    accounts, boot, connect, jobs, projects, proxy, router, serve, triggers, usage, webhooks,
    workflows,
};

/// The root key that the development profile makes, in the data folder.
const DEV_KEY_FILE: &str = "dev-root.key";
/// To try a sandbox takes a process, which a start should not wait for.
const SANDBOX_SAID_AFTER: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  grantkeep serve --dev        # try it on this machine\n  \
    GRANTKEEP_ROOT_KEY_FILE=root.key GRANTKEEP_PUBLIC_URL=https://connect.example.com grantkeep serve")]
pub(super) struct Args {
    /// Development profile: makes a root key file if there is none, and permits loopback addresses.
    #[arg(long)]
    dev: bool,
}

pub(super) async fn run(shell: &Shell, args: Args) -> Result<(), Failure> {
    let loaded = shell.load()?;
    let mut config = loaded.config;
    if args.dev {
        config.dev = true;
        config.egress_allow_loopback = true;
        if loaded.origins.get("log_format") == Some(&Origin::Default) {
            config.log_format = LogFormat::Text;
        }
    }
    if config.dev {
        make_dev_key(&mut config)?;
    }
    let telemetry = Telemetry::start(&config)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let app = boot::open(config, Clock::system()).await?;
    let bound = serve::bind(&app.config).await?;
    if projects::list(&app.db).await?.is_empty() {
        output::note(&format!(
            "Nothing is set up yet. In another terminal:\n  \
             grantkeep project create \"Your product\"\n  \
             grantkeep client create backend --project proj_...\n  \
             grantkeep oauth-app create --project proj_... --app github\n\
             Then make connect tokens: {}docs",
            app.url("/")
        ));
    }
    let outcome = listen(&app, bound).await;
    app.close().await;
    // Sending the last traces blocks, and needs the runtime's threads meanwhile.
    let _ = tokio::task::spawn_blocking(move || telemetry.finish()).await;
    outcome
}

/// Serves, works off jobs and refreshes until a signal, then for as long as the drain may take.
async fn listen(app: &Arc<App>, bound: serve::Bound) -> Result<(), Failure> {
    let metrics = bound.metrics_address().map(tracing::field::display);
    tracing::info!(address = %bound.address()?, metrics, store = app.db.engine(), "listening");
    let stop = CancellationToken::new();
    let working = tokio::spawn(jobs::work(Arc::clone(app), stop.clone()));
    let refreshing = tokio::spawn(accounts::run(Arc::clone(app), stop.clone()));
    let connecting = tokio::spawn(connect::run(Arc::clone(app), stop.clone()));
    let telling = tokio::spawn(webhooks::run(Arc::clone(app), stop.clone()));
    let triggering = tokio::spawn(triggers::run(Arc::clone(app), stop.clone()));
    let flowing = tokio::spawn(workflows::run(Arc::clone(app), stop.clone()));
    let summing = tokio::spawn(proxy::run(Arc::clone(app), stop.clone()));
    let metering = tokio::spawn(usage::run(Arc::clone(app), stop.clone()));
    let forgetting = tokio::spawn(projects::run(Arc::clone(app), stop.clone()));
    let announcing = tokio::spawn(announce(Arc::clone(app), stop.clone()));
    let outcome = bound.run(router::router(app), serve::stop_signal()).await;
    stop.cancel();
    let all = [
        working, refreshing, connecting, telling, triggering, flowing, summing, metering,
        forgetting, announcing,
    ];
    let rest = futures::future::join_all(all);
    let _ = tokio::time::timeout(app.config.drain_timeout_ms.duration(), rest).await;
    // No call is under way any more: these are the last counts.
    if let Err(error) = usage::flush(app).await {
        tracing::error!(%error, "the last seconds of usage are lost");
    }
    Ok(outcome?)
}

/// Says what the code of components runs in, once the start is over.
async fn announce(app: Arc<App>, stop: CancellationToken) {
    let saying = async {
        tokio::time::sleep(SANDBOX_SAID_AFTER).await;
        app.workers.announce(&app.config).await;
    };
    stop.run_until_cancelled_owned(saying).await;
}

/// Takes the development key into use where the configuration names none, so that other commands
/// open the store that `serve --dev` made, and permit what it permits.
pub(super) fn find_dev_key(config: &mut Config) -> Result<(), Failure> {
    if take_dev_key(config)? {
        config.dev = true;
        config.egress_allow_loopback = true;
    }
    Ok(())
}

/// `false`: the configuration names a key, or none was made. What is permitted stays as it is.
fn take_dev_key(config: &mut Config) -> Result<bool, Failure> {
    let file = config.data_dir.join(DEV_KEY_FILE);
    if config.root_key.is_some() || !file.exists() {
        return Ok(false);
    }
    let text = Zeroizing::new(std::fs::read_to_string(&file)?);
    config.root_key = Some(Secret::new(Zeroizing::new(text.trim().to_owned())));
    Ok(true)
}

fn make_dev_key(config: &mut Config) -> Result<(), Failure> {
    if take_dev_key(config)? || config.root_key.is_some() {
        return Ok(());
    }
    boot::private_dir(&config.data_dir)?;
    let file = config.data_dir.join(DEV_KEY_FILE);
    write_private(&file, &grantkeep_vault::RootKey::generate_text())?;
    output::note(&format!(
        "Development profile: made the root key {}. For real data, make your own and keep a copy.",
        file.display()
    ));
    take_dev_key(config).map(drop)
}

/// Writes a file that only this user can read, and never over another.
pub(super) fn write_private(file: &PathBuf, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut to = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(to, "{text}")?;
    to.sync_all()?;
    // The name must survive a crash too, or the key is lost and the data with it.
    std::fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}
