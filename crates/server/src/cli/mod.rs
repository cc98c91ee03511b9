//! The command line: one file for each command.

mod accounts;
mod accounts_export;
mod accounts_import;
mod apps;
mod apps_count;
mod apps_new;
mod apps_own;
mod apps_try;
mod attack_scan;
mod catalog;
mod client;
mod client_key;
mod components;
mod components_files;
mod components_run;
mod config;
mod demo;
mod doctor;
mod freeze;
mod keys;
mod migrate;
mod oauth_app;
mod output;
mod project;
mod project_override;
mod project_usage;
mod serve;
mod terminal;
mod user;
mod webhook;
mod workflows;
mod workflows_files;
mod workflows_show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::App;
use crate::audit::Event;
use crate::boot::{self, BootError};
use crate::callers::{Actor, Caller, Origin};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Loaded};
use crate::error::Error;
use crate::scope::{Scope, Scopes};
use crate::serve::ServeError;
use crate::workers;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the configuration \
                          cannot work, \
                          4 there is no such thing.\n\
                          Settings come from grantkeep.toml and GRANTKEEP_* variables; see \
                          `grantkeep config reference`.";

/// Connect your users' accounts, keep their tokens fresh, use them from your code.
#[derive(Parser)]
#[command(name = "grantkeep", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    /// Configuration file [default: grantkeep.toml, if it is there].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON for scripts instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Args),
    /// See it work: pretend apps, a real server and a sample product, on this machine alone.
    Demo(demo::Args),
    /// Bring the store's schema up to date.
    Migrate,
    /// Make, list and delete projects: one for each product of yours.
    #[command(subcommand)]
    Project(project::Command),
    /// Make, list and revoke API clients and keys: how your backend calls this server.
    #[command(subcommand)]
    Client(client::Command),
    /// Enter, list and delete your OAuth clients at the apps (GitHub, Google, ...).
    #[command(subcommand)]
    OauthApp(oauth_app::Command),
    /// Look into the catalogue of apps; add apps of your own to a project.
    #[command(subcommand)]
    Apps(apps::Command),
    /// Pack app files into a signed catalogue file, and check one.
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Publish actions and sources, and try them.
    #[command(subcommand)]
    Components(components::Command),
    /// Deploy workflows, run them, and look at what ran.
    #[command(subcommand)]
    Workflows(workflows::Command),
    /// List, show and revoke connected accounts; take them out, and in.
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// Erase a user with all that is stored of him.
    #[command(subcommand)]
    User(user::Command),
    /// Make, list and try endpoints for news; see and replay what was posted.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// In an emergency: stop handing out credentials, within a second, everywhere.
    Freeze(freeze::Args),
    /// Change the root key.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Check configuration, store, key, clock and more, and say how to mend each.
    Doctor,
    /// Attack a running server of your own, and see what holds.
    AttackScan(attack_scan::Args),
    /// Puts itself into a sandbox and becomes a worker; for this program's own use.
    #[command(name = workers::CONFINE, hide = true)]
    SandboxExec { argument: String },
    /// About the settings.
    #[command(subcommand)]
    Config(config::Command),
}

/// Why a command ended without doing its work.
enum Failure {
    Usage(String),
    Configuration(String),
    Missing(String),
    Other(String),
    /// By whoever started it: Ctrl-C, or SIGTERM.
    Stopped,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<BootError> for Failure {
    fn from(error: BootError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = match error.log() {
            Some(detail) => format!("{} [{detail}]", error.text()),
            None => error.text().to_owned(),
        };
        if error.kind().status == 404 { Self::Missing(text) } else { Self::Other(text) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::SandboxExec { argument } = &cli.command {
        return end(Failure::Other(confined(argument)));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Failure::Other(error.to_string())),
    };
    match (runtime.block_on(run(cli)), output::lost()) {
        (Ok(()), None) => ExitCode::SUCCESS,
        (Ok(()), Some(why)) => end(Failure::Other(format!(
            "the result could not be written: {why}. What was asked for is done; if a secret was \
             in the result, make another"
        ))),
        (Err(failure), _) => end(failure),
    }
}

/// Comes back only with why it did not work.
#[cfg(target_os = "linux")]
fn confined(argument: &str) -> String {
    grantkeep_runtime::confine_and_exec(argument)
}

#[cfg(not(target_os = "linux"))]
fn confined(_: &str) -> String {
    "this system has no such sandbox".to_owned()
}

fn end(failure: Failure) -> ExitCode {
    let (code, text) = match failure {
        Failure::Other(text) => (1, text),
        Failure::Usage(text) => (2, text),
        Failure::Configuration(text) => (3, text),
        Failure::Missing(text) => (4, text),
        // As shells say it of a program that SIGINT ended.
        Failure::Stopped => (130, "Stopped.".to_owned()),
    };
    output::failure(&text);
    ExitCode::from(code)
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let shell = Shell { file: cli.config, json: cli.json };
    match cli.command {
        Command::Serve(args) => serve::run(&shell, args).await,
        Command::Demo(args) => demo::run(&shell, args).await,
        Command::Migrate => migrate::run(&shell).await,
        Command::Project(command) => project::run(&shell, command).await,
        Command::Client(command) => client::run(&shell, command).await,
        Command::OauthApp(command) => oauth_app::run(&shell, command).await,
        Command::Apps(command) => apps::run(&shell, command).await,
        Command::Catalog(command) => catalog::run(&shell, command),
        Command::Components(command) => components::run(&shell, command).await,
        Command::Workflows(command) => workflows::run(&shell, command).await,
        Command::Accounts(command) => accounts::run(&shell, command).await,
        Command::User(command) => user::run(&shell, command).await,
        Command::Webhook(command) => webhook::run(&shell, command).await,
        Command::Freeze(args) => freeze::run(&shell, args).await,
        Command::Keys(command) => keys::run(&shell, &command).await,
        Command::Doctor => doctor::run(&shell).await,
        Command::AttackScan(args) => attack_scan::run(&shell, args).await,
        Command::SandboxExec { argument } => Err(Failure::Other(confined(&argument))),
        Command::Config(command) => {
            config::run(&command);
            Ok(())
        }
    }
}

/// What every command is given.
struct Shell {
    file: Option<PathBuf>,
    json: bool,
}

impl Shell {
    fn load(&self) -> Result<Loaded, Failure> {
        Ok(Config::load(self.file.as_deref())?)
    }

    /// The settings. What looks like a slip is said.
    fn config(&self) -> Result<Config, Failure> {
        let loaded = self.load()?;
        for warning in &loaded.warnings {
            output::note(&format!("warning: {warning}"));
        }
        Ok(loaded.config)
    }

    /// Opens the store as the server does, and says so where that makes one. A development key that
    /// `serve --dev` made is found by itself.
    async fn open(&self) -> Result<Arc<App>, Failure> {
        let mut config = self.config()?;
        serve::find_dev_key(&mut config)?;
        if let Some(place) = boot::place_without_store(&config).await? {
            output::note(&format!(
                "warning: there was no store in {place}, so one is made. If your server has \
                 another, these settings lack its data_dir or database_url"
            ));
        }
        Ok(boot::open(config, Clock::system()).await?)
    }
}

/// An act of the person at the command line, as audit remembers it.
fn operator_event(action: &'static str) -> Event {
    Event::new(action, &Actor::Operator, &Origin::default())
}

/// The person at the command line, who may do what a server may.
fn operator() -> Caller {
    Caller {
        actor: Actor::Operator,
        scopes: Scopes::of(&[Scope::Everything]),
        project: None,
        connect: None,
        reach: None,
    }
}
