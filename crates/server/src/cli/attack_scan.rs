//! `grantkeep attack-scan`: the attacks on a deployment of one's own, and what became of each.

use std::io::IsTerminal;

use grantkeep_vault::Secret;
use indicatif::{ProgressBar, ProgressStyle};
use url::Url;

use super::{Failure, Shell, output};
use crate::scan::{self, Report, Target, Trouble, Verdict};

/// Lets you see on your own server what its documents promise. It makes connect tokens for a
/// throw-away user and attacks them, over HTTP alone; nobody signs in at an app, and nothing is
/// connected. It calls no other host than the one you name.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    grantkeep attack-scan --url https://connect.example.com --project proj_... \\\n      \
    --client-id gkc_... --client-secret-file secret.txt\n\n\
    The client needs the scopes `connect:*` and `connect:users:write`, the second to delete the\n\
    throw-away user. Exit code 0 only if every attack was held off.")]
pub(super) struct Args {
    /// The server, as browsers reach it.
    #[arg(long)]
    url: Url,
    #[arg(long, value_name = "ID")]
    project: String,
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// File that holds the secret; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    client_secret_file: String,
    /// An app with OAuth to begin flows with [default: one that the project has a client for].
    #[arg(long, value_name = "SLUG")]
    app: Option<String>,
    #[arg(long, default_value = "development", value_parser = ["development", "production"])]
    environment: String,
}

pub(super) async fn run(shell: &Shell, args: Args) -> Result<(), Failure> {
    if !matches!(args.url.scheme(), "https" | "http") || args.url.host_str().is_none() {
        return Err(Failure::Usage("--url must be an http or https URL.".to_owned()));
    }
    let config = shell.config()?;
    let target = Target {
        client_secret: secret(&args.client_secret_file)?,
        url: args.url,
        project: args.project,
        client_id: args.client_id,
        app: args.app,
        environment: args.environment,
    };
    let bar = bar();
    let report = scan::run(&config, target, |name| {
        bar.set_message(name);
        bar.inc(1);
    });
    let report = report.await;
    bar.finish_and_clear();
    let report = report.map_err(|it| match it {
        Trouble::SetUp(why) | Trouble::NotAsked(why) | Trouble::Unexpected(why) => {
            Failure::Other(why)
        }
    })?;
    show(shell, &report)
}

fn secret(file: &str) -> Result<Secret, Failure> {
    let text = if file == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file)
            .map_err(|error| Failure::Other(format!("cannot read {file}: {error}")))?
    };
    Ok(Secret::new(text.trim()))
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let all = scan::attacks().count();
    let bar = ProgressBar::new(u64::try_from(all).unwrap_or_default());
    let style = ProgressStyle::with_template("{pos:>3}/{len} {wide_msg} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn show(shell: &Shell, report: &Report) -> Result<(), Failure> {
    let breaches = report.findings.iter().filter(|it| it.verdict.is_breach()).count();
    if shell.json {
        output::json(&serde_json::to_value(report).map_err(|it| Failure::Other(it.to_string()))?);
    } else {
        let rows = report.findings.iter().map(|it| {
            let (word, why) = words(&it.verdict);
            let tried = if why.is_empty() { it.tried.to_owned() } else { why.to_owned() };
            vec![it.name.to_owned(), tried, word.to_owned(), it.source.to_owned()]
        });
        output::table(&["ATTACK", "TRIED, OR SEEN", "OUTCOME", "SOURCE"], rows.collect());
        let (all, requests) = (report.findings.len(), report.requests);
        output::note(&format!("{all} attacks by {requests} requests, {breaches} not held off."));
    }
    if breaches == 0 {
        return Ok(());
    }
    Err(Failure::Other(format!("{breaches} attack(s) were not held off")))
}

fn words(verdict: &Verdict) -> (&'static str, &str) {
    match verdict {
        Verdict::Held => ("held", ""),
        Verdict::Permitted(why) => ("permitted by setting", why),
        Verdict::NotHeld(why) => ("NOT HELD", why),
        Verdict::NotApplicable(why) => ("not applicable", why),
    }
}
