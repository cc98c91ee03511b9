//! `grantkeep apps try`: one real connection of one's own, step by step, and a record of it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use grantkeep_catalog::Field;
use grantkeep_vault::Secret;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use url::Url;

use super::apps_own::{self, today};
use super::terminal::Terminal;
use super::{Failure, Shell, output};
use crate::apps::{Edit, OAuthApp};
use crate::trial::{self, Options, Outcome, Record, Step, Trail, Trial, advice};

/// Where the trial's server listens, so that the redirect URI has the same port each time.
const PORT: u16 = 7_878;
/// Columns that a step's name takes.
const NAME_COLUMNS: usize = 26;
/// How often to look whether the browser got on.
const LOOK: Duration = Duration::from_millis(200);

/// Connects one account of your own for real, looks at every step, and writes down what was seen.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  grantkeep apps try github\n  \
    grantkeep apps try parcels.toml --client-id abc --client-secret-file secret.txt --revoke\n\n\
    It starts a server of its own on this machine, in a folder that is removed at the end.\n\
    Exit codes: 0 all steps were seen, 1 a step failed or nobody came back (the error says what\n\
    to look at), 2 wrong usage, 3 the configuration cannot work, 4 there is no such app,\n\
    130 it was stopped.")]
pub(super) struct Args {
    /// The app's slug, or the path of an app file (`.toml`).
    app: String,
    /// Your client's id at the app; asked for otherwise.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// File that holds the client's secret; asked for otherwise, and not shown.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// File that holds the client's private key (PEM or JWK), for apps that are installed, or that
    /// are shown a certificate. Where signing is all that it is for, one is made.
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// File that holds the certificate of that key, with its chain (PEM).
    #[arg(long, value_name = "FILE", requires = "private_key_file")]
    certificate_file: Option<PathBuf>,
    /// What an app with keys asks for: repeat for more. Secrets belong in `--field-file`.
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
    /// The same from files.
    #[arg(long, value_name = "NAME=FILE")]
    field_file: Vec<String>,
    /// Scopes to ask for instead of the app's own, separated by spaces.
    #[arg(long)]
    scopes: Option<String>,
    /// Where its server listens on this machine; 0: any free port.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// How browsers reach that server, where the app takes no `http://127.0.0.1`: the https
    /// address of a tunnel that leads to it.
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// Keep the data in this folder, so that the redirect URI and the client are the same next
    /// time [default: a temporary one that is removed at the end].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the record goes [default: SLUG.seen.toml].
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Revoke the grant at the end without asking.
    #[arg(long, conflicts_with = "keep")]
    revoke: bool,
    /// Leave the grant at the app without asking.
    #[arg(long)]
    keep: bool,
    /// Ask nothing on the terminal; what is needed and not given is an error.
    #[arg(long)]
    yes: bool,
    /// Seconds to wait for the browser.
    #[arg(long, value_name = "SECONDS", default_value_t = 900,
        value_parser = clap::value_parser!(u64).range(1..=900))]
    wait: u64,
}

pub(super) async fn run(shell: &Shell, args: Args) -> Result<(), Failure> {
    let config = shell.config()?;
    if !is_file(&args.app) {
        super::apps::wanted(&crate::boot::catalog(&config)?, &args.app)?;
    }
    let options = Options {
        config,
        app: args.app.clone(),
        data: args.data.clone(),
        port: args.port,
        public_url: args.public_url.clone(),
    };
    let record = args.record_file();
    may_write(&record)?;
    let trial = Trial::start(options).await?;
    let dialogue = Dialogue { shell, args: &args, trial: &trial, terminal: Terminal::open() };
    // Whatever is under way, its folder is removed.
    let done = tokio::select! {
        biased;
        () = crate::serve::stop_signal() => Err(Failure::Stopped),
        done = dialogue.all() => done,
    };
    trial.stop().await;
    done
}

impl Args {
    fn record_file(&self) -> PathBuf {
        let name = Path::new(&self.app).file_stem().map(|it| it.to_string_lossy().into_owned());
        let default = || PathBuf::from(format!("{}.seen.toml", name.unwrap_or_default()));
        self.record.clone().unwrap_or_else(default)
    }
}

/// Whether the record may go there, asked before anything is done: it takes the place of nothing
/// but an earlier one.
fn may_write(file: &Path) -> Result<(), Failure> {
    let cannot = |error| Failure::Usage(format!("cannot write {}: {error}", file.display()));
    match std::fs::read_to_string(file) {
        Ok(text) if text.is_empty() || text.starts_with(Record::BEGINNING) => {}
        Ok(_) => {
            let text =
                format!("{} is no record of a trial. Name another --record.", file.display());
            return Err(Failure::Usage(text));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
    let length = opened.and_then(|it| it.metadata()).map_err(cannot)?.len();
    // Nothing is left behind by having asked.
    if length == 0 { std::fs::remove_file(file).map_err(cannot) } else { Ok(()) }
}

fn is_file(app: &str) -> bool {
    std::path::Path::new(app).extension().is_some_and(|it| it == "toml")
}

struct Dialogue<'a> {
    shell: &'a Shell,
    args: &'a Args,
    trial: &'a Trial,
    terminal: Terminal,
}

impl Dialogue<'_> {
    async fn all(mut self) -> Result<(), Failure> {
        if self.trial.needs_key() && self.args.private_key_file.is_none() {
            let text = "This app knows its clients by a private key: give it with \
                        --private-key-file, and where it has one the --certificate-file.";
            return Err(Failure::Usage(text.to_owned()));
        }
        let redirect_uri =
            if self.trial.app().needs_client() { Some(self.enter_client().await?) } else { None };
        let connected = if self.trial.asks_fields_only() {
            self.connect_here().await
        } else {
            self.connect_there().await
        };
        let account = connected.map_err(|it| it.failure(redirect_uri.as_deref()))?;
        self.steps(&account, redirect_uri.as_deref()).await
    }

    /// Says what to register and where, and takes what the app gave for it.
    async fn enter_client(&mut self) -> Result<String, Failure> {
        let client = self.trial.client().await?;
        let redirect_uri = self.trial.redirect_uri(&client);
        if !client.client_id.is_empty() && self.args.client_id.is_none() {
            output::note(&format!("Using the client {} of an earlier trial.", client.client_id));
            return Ok(redirect_uri);
        }
        self.say_what_to_register(&client, &redirect_uri);
        let id = match &self.args.client_id {
            Some(id) => id.clone(),
            None => self.needed("Client id", "--client-id").await?,
        };
        let secret = match &self.args.client_secret_file {
            Some(file) => Some(read(file)?),
            None if !self.wants_secret() => None,
            None => Some(self.hidden("Client secret", "--client-secret-file").await?),
        };
        let scopes = self.args.scopes.as_ref().map(|text| {
            text.split([' ', ',']).filter(|it| !it.is_empty()).map(str::to_owned).collect()
        });
        let from = |file: &Option<PathBuf>| file.as_deref().map(read).transpose();
        let certificate = from(&self.args.certificate_file)?;
        let edit = Edit {
            client_id: Some(id),
            client_secret: secret,
            private_key: from(&self.args.private_key_file)?,
            client_certificate: certificate.map(|it| Some(it.expose().to_owned())),
            scopes,
            ..Edit::default()
        };
        self.trial.enter(&client, edit).await?;
        Ok(redirect_uri)
    }

    fn wants_secret(&self) -> bool {
        use grantkeep_catalog::ClientAuth;
        let way = self.trial.app().oauth2().map(|it| it.client_auth);
        !matches!(way, Some(ClientAuth::None | ClientAuth::PrivateKeyJwt | ClientAuth::Tls))
    }

    fn say_what_to_register(&self, client: &OAuthApp, redirect_uri: &str) {
        let app = self.trial.app();
        let oauth2 = app.oauth2().and_then(|it| it.console_url.as_deref());
        let console = oauth2.or_else(|| app.oauth1()?.console_url.as_deref());
        let at =
            console.map_or("in its settings for developers".to_owned(), |it| format!("at {it}"));
        output::note(&format!(
            "Register a client at {}, {at}, with this redirect URI:\n\n  {redirect_uri}\n",
            app.name
        ));
        if let Some(at) = self.trial.jwks_uri(client) {
            let key = client.public_jwk.as_deref().unwrap_or_default();
            output::note(&format!("Its public key, which is at {at} too:\n\n  {key}\n"));
        }
        if !self.trial.is_kept() {
            output::note("With --data DIR the same redirect URI serves for later trials.");
        }
        for note in &app.evidence.notes {
            output::note(&format!("The app's file says: {note}"));
        }
    }

    async fn needed(&mut self, what: &str, option: &str) -> Result<String, Failure> {
        self.answer(what, option, false).await
    }

    async fn hidden(&mut self, what: &str, option: &str) -> Result<Secret, Failure> {
        self.answer(what, option, true).await.map(Secret::new)
    }

    async fn answer(&mut self, what: &str, option: &str, hide: bool) -> Result<String, Failure> {
        let missing = || Failure::Usage(format!("{what} is missing: give it with {option}."));
        if self.args.yes {
            return Err(missing());
        }
        let line = self.terminal.ask(&format!("{what}: "), hide).await.ok_or_else(missing)?;
        if line.is_empty() { Err(missing()) } else { Ok(line) }
    }

    /// An app that takes keys: they are asked for here.
    async fn connect_here(&mut self) -> Result<String, Ended> {
        let mut values = Map::new();
        let given = given(self.args)?;
        let fields = self.trial.app().fields.clone();
        for (nth, (name, _)) in given.iter().enumerate() {
            if !fields.iter().any(|it| it.name == *name) {
                let known = fields.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
                let text = format!("the app has no field {name:?}; it has: {known}.");
                return Err(Failure::Usage(text).into());
            }
            if given[..nth].iter().any(|(other, _)| other == name) {
                return Err(Failure::Usage(format!("the field {name:?} is given twice.")).into());
            }
        }
        for field in fields {
            let value = match given.iter().find(|(name, _)| *name == field.name) {
                Some((_, value)) => value.clone(),
                None => self.field(&field).await?,
            };
            if !value.is_empty() {
                values.insert(field.name, Value::String(value));
            }
        }
        let connected = self.trial.connect(&Value::Object(values)).await;
        connected.map_err(|why| self.ended("credentials_refused", Some(why.to_string())))
    }

    async fn field(&mut self, field: &Field) -> Result<String, Failure> {
        let default = field.default.clone().unwrap_or_default();
        if self.args.yes && (field.optional || !default.is_empty()) {
            return Ok(default);
        }
        if let Some(help) = &field.help {
            output::note(help);
        }
        let option = format!("--field {}=...", field.name);
        let answer = self.answer(&field.label, &option, field.is_secret()).await;
        match answer {
            Err(Failure::Usage(_)) if field.optional || !default.is_empty() => Ok(default),
            other => other,
        }
    }

    /// An app that one signs in at: a link, and waiting.
    async fn connect_there(&mut self) -> Result<String, Ended> {
        let link = self.trial.link().await.map_err(Failure::from)?;
        output::note("Open this link in your browser, and connect an account of your own:");
        output::line(&link);
        output::note("(`q` and Enter: give up)");
        let bar = bar();
        let until = Instant::now() + Duration::from_secs(self.args.wait);
        let mut known = 0;
        let ended = loop {
            let events = self.trial.events().await.map_err(Failure::from)?;
            for line in &events[known..] {
                let detail: Value = serde_json::from_str(line.detail.as_deref().unwrap_or("null"))
                    .unwrap_or_default();
                progress(&bar, words(&line.action));
                let reason = detail["reason"].as_str().unwrap_or("failed");
                match line.action.as_str() {
                    "connect.finished" => {
                        bar.finish_and_clear();
                        return Ok(detail["account"].as_str().unwrap_or_default().to_owned());
                    }
                    // What was typed into the form may be mended there.
                    "connect.failed" if reason != "invalid_field" => {
                        bar.finish_and_clear();
                        return Err(self.ended(reason, None));
                    }
                    _ => {}
                }
            }
            known = events.len();
            let gave_up = self.terminal.line(LOOK).await.is_some_and(|it| it == "q");
            if gave_up || Instant::now() >= until {
                break events.iter().map(|it| it.action.clone()).collect::<Vec<_>>();
            }
        };
        bar.finish_and_clear();
        let was = |action: &str| ended.iter().any(|it| it == action);
        let code = match (was("connect.opened"), was("connect.consent_started")) {
            (_, true) => "nobody_returned",
            (true, false) => "nobody_left",
            (false, false) => "nobody_came",
        };
        Err(self.ended(code, None))
    }

    fn ended(&self, code: &str, why: Option<String>) -> Ended {
        Ended::Without(Box::new(self.trial.trail(code)), why)
    }

    async fn steps(&mut self, account: &str, redirect_uri: Option<&str>) -> Result<(), Failure> {
        let quiet = self.shell.json;
        let mut tell = |step: &Step| {
            if !quiet {
                output::line(&line(step));
            }
        };
        let mut walk = self.trial.walk(account, &mut tell);
        walk.all().await;
        if self.is_to_be_revoked().await {
            walk.revoke().await;
        }
        let (record, trail) = walk.finish(&today());
        self.keep(&record)?;
        match trail {
            None => Ok(()),
            Some(trail) => {
                let failed = record.steps.iter().find(|it| it.outcome == Outcome::Failed);
                let name = failed.map_or("a step", |it| it.name);
                let why = failed.map_or("", |it| it.detail.as_str());
                let advice = advice(&trail, redirect_uri);
                Err(Failure::Other(format!("{name}: {why}\n{advice}")))
            }
        }
    }

    async fn is_to_be_revoked(&mut self) -> bool {
        if self.args.revoke || self.args.keep || self.args.yes {
            return self.args.revoke;
        }
        let said = self.terminal.ask("Revoke the grant now? [Y/n] ", false).await;
        said.is_some_and(|it| !it.to_ascii_lowercase().starts_with('n'))
    }

    fn keep(&self, record: &Record) -> Result<(), Failure> {
        let text = record.text();
        let file = self.args.record_file();
        std::fs::write(&file, &text)
            .map_err(|error| Failure::Other(format!("cannot write {}: {error}", file.display())))?;
        if self.shell.json {
            output::json(&json!(record));
        } else {
            output::line(&format!("\n{text}"));
        }
        let differs = record.differs.len();
        output::note(&format!("Wrote {}; {differs} fact(s) differ.", file.display()));
        Ok(())
    }
}

/// How it ended without an account.
enum Ended {
    Without(Box<Trail>, Option<String>),
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Ended {
    fn failure(self, redirect_uri: Option<&str>) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Without(trail, why) => {
                let why = why.map_or_else(
                    || format!("nothing was connected ({}).", trail.code()),
                    |why| format!("{why}."),
                );
                Failure::Other(format!("{why}\n{}", advice(&trail, redirect_uri)))
            }
        }
    }
}

fn line(step: &Step) -> String {
    let mark = match step.outcome {
        trial::Outcome::Ok => output::paint("✓", 32),
        trial::Outcome::Skipped => output::paint("·", 33),
        trial::Outcome::Failed => output::paint("✗", 31),
    };
    format!("{mark} {:NAME_COLUMNS$} {}", step.name, step.detail)
}

/// What an event on the way means, for whoever waits.
fn words(action: &str) -> &'static str {
    match action {
        "connect.opened" => "The page is open.",
        "connect.consent_started" => "Gone to the app; waiting for the way back.",
        "connect.came_back" => "Back from the app; asking for tokens.",
        "connect.finished" => "Connected.",
        "connect.failed" => "It failed.",
        "connect.refused" => "The page was not shown.",
        "connect.callback_refused" => "Somebody came back in a way that was not taken.",
        _ => "",
    }
}

/// A line that moves, on a terminal; elsewhere, none.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message("Waiting for the browser.");
    bar.enable_steady_tick(LOOK);
    bar
}

fn progress(bar: &ProgressBar, text: &'static str) {
    if text.is_empty() {
        return;
    }
    if bar.is_hidden() {
        output::note(text);
    } else {
        bar.set_message(text);
    }
}

fn read(file: &std::path::Path) -> Result<Secret, Failure> {
    let text = apps_own::read(file)?;
    Ok(Secret::new(text.trim()))
}

/// The fields that stand in the arguments.
fn given(args: &Args) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| {
        let parts = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        parts.ok_or_else(|| Failure::Usage(format!("{text:?} is not NAME=VALUE.")))
    };
    let mut all: Vec<(String, String)> = args.field.iter().map(split).collect::<Result<_, _>>()?;
    for text in &args.field_file {
        let (name, file) = split(text)?;
        all.push((name, read(std::path::Path::new(&file))?.expose().to_owned()));
    }
    Ok(all)
}
