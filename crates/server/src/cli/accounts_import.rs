//! `grantkeep accounts import`: a file of accounts, from another installation or from elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::client::parse_project;
use super::{Failure, Shell, output};
use crate::accounts::{Arrival, Imported, Importer, Stop};
use crate::app::App;
use crate::apps::{self, Taken};
use crate::callers::{Actor, Origin};
use crate::ids::ProjectId;
use crate::tenant::Environment;
use crate::{json_line, projects};

/// The version of the format: what its first line says.
pub(super) const FORMAT: u32 = 1;
/// Accounts after which progress is told.
pub(super) const TOLD_EVERY: u64 = 10_000;
/// Bytes of a line.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// Accounts that are stored in one transaction.
const BATCH: usize = 200;

#[derive(clap::Args)]
pub(super) struct Args {
    #[arg(long, value_name = "ID")]
    project: String,
    /// Of lines that name no environment: `production` or `development`.
    #[arg(long, value_name = "NAME", value_parser = ["production", "development"])]
    environment: Option<String>,
    /// Refuse an account whose id is taken, in the place of giving it another.
    #[arg(long)]
    keep_ids: bool,
    /// What `accounts export` made, or a file of the same form. `-` reads standard input.
    file: String,
}

/// What a line says of itself.
#[derive(Deserialize)]
struct Kind {
    grantkeep_export: Option<u32>,
    project: Option<String>,
    #[serde(rename = "type")]
    what: Option<String>,
}

/// The lines of a file, one at a time.
struct Lines {
    from: Box<dyn BufRead>,
    number: u64,
    line: Zeroizing<Vec<u8>>,
}

impl Lines {
    fn open(name: &str) -> Result<Self, Failure> {
        let from: Box<dyn BufRead> = if name == "-" {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            let unreadable = |error| Failure::Other(format!("cannot read {name}: {error}"));
            Box::new(BufReader::new(File::open(name).map_err(unreadable)?))
        };
        Ok(Self { from, number: 0, line: Zeroizing::new(Vec::new()) })
    }

    /// Reads the next one that is not empty. `false`: there is none. A line that is too long is
    /// left empty.
    fn next(&mut self) -> std::io::Result<bool> {
        loop {
            self.line.zeroize();
            self.number += 1;
            let bytes =
                (&mut self.from).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut self.line)?;
            if bytes as u64 > LINE_BYTES_MAX {
                self.skip()?;
                return Ok(true);
            }
            if bytes == 0 {
                return Ok(false);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn skip(&mut self) -> std::io::Result<()> {
        while !self.line.is_empty() && self.line.last() != Some(&b'\n') {
            self.line.zeroize();
            (&mut self.from).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        }
        self.line.zeroize();
        Ok(())
    }
}

/// How it goes.
struct Run<'a> {
    shell: &'a Shell,
    app: &'a Arc<App>,
    project: &'a ProjectId,
    importer: Importer<'a>,
    waiting: Vec<(u64, Arrival)>,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    lines: u64,
    stored: u64,
    given: u64,
    present: u64,
    refused: u64,
    clients: u64,
    clients_present: u64,
}

pub(super) async fn run(shell: &Shell, app: &Arc<App>, args: Args) -> Result<(), Failure> {
    let project = parse_project(&args.project)?;
    projects::find(&app.db, &project).await.map_err(|error| match error.kind().status {
        404 => Failure::Missing(format!("There is no project {project}.")),
        _ => error.into(),
    })?;
    let environment = args.environment.as_deref().and_then(Environment::parse);
    let mut lines = Lines::open(&args.file)?;
    let of_ours = version(&mut lines)?;
    let importer = Importer::new(app, &project, (environment, args.keep_ids)).await?;
    let (waiting, tally) = (Vec::with_capacity(BATCH), Tally::default());
    let mut run = Run { shell, app, project: &project, importer, waiting, tally };
    let ended = run.all(&mut lines).await;
    run.say();
    let ended = ended?;
    if of_ours && !ended {
        let text = "the file ends before its last line: it was cut off, and accounts are missing";
        return Err(Failure::Other(text.to_owned()));
    }
    match run.tally.refused {
        0 => Ok(()),
        refused => {
            Err(Failure::Other(format!("{refused} line(s), named above, were not taken in")))
        }
    }
}

/// Reads the first line. `true`: the file is a whole export, and has a last line too.
fn version(lines: &mut Lines) -> Result<bool, Failure> {
    let first = lines.next()?;
    let kind = json_line::read::<Kind>(&lines.line).ok().filter(|_| first);
    match kind.as_ref().and_then(|it| it.grantkeep_export) {
        Some(FORMAT) => Ok(kind.is_some_and(|it| it.project.is_some())),
        Some(other) => Err(Failure::Other(format!(
            "line {}: the format has version {other}, and this program reads {FORMAT}",
            lines.number
        ))),
        None => Err(Failure::Other(format!(
            "line {}: a file of accounts begins with {{\"grantkeep_export\":{FORMAT}}}",
            lines.number
        ))),
    }
}

impl Run<'_> {
    /// Gives whether the file says that it is whole.
    async fn all(&mut self, lines: &mut Lines) -> Result<bool, Failure> {
        while lines.next()? {
            self.tally.lines += 1;
            let kind = match json_line::read::<Kind>(&lines.line) {
                _ if lines.line.is_empty() => {
                    self.refuse(lines.number, "is longer than 1 MiB");
                    continue;
                }
                Err(why) => {
                    self.refuse(lines.number, &why);
                    continue;
                }
                Ok(it) => it.what,
            };
            match kind.as_deref() {
                None | Some("account") => self.account(lines).await?,
                Some("oauth_client") => self.client(lines).await?,
                Some("end") => {
                    self.store().await?;
                    return Ok(true);
                }
                Some(_) => {
                    self.refuse(lines.number, "has a `type` that this program does not know");
                }
            }
        }
        self.store().await?;
        Ok(false)
    }

    async fn account(&mut self, lines: &Lines) -> Result<(), Failure> {
        match self.importer.judge(&lines.line).await {
            Ok(arrival) => self.waiting.push((lines.number, arrival)),
            Err(Stop::Line(why)) => self.refuse(lines.number, &why),
            Err(Stop::All(error)) => return Err(error.into()),
        }
        if self.waiting.len() >= BATCH { self.store().await } else { Ok(()) }
    }

    async fn client(&mut self, lines: &Lines) -> Result<(), Failure> {
        let by = (&Actor::Operator, &Origin::default());
        match apps::import_oauth_app(self.app, self.project, &lines.line, by).await? {
            Taken::Stored => {
                self.tally.clients += 1;
                self.importer.look_again().await?;
            }
            Taken::Present => self.tally.clients_present += 1,
            Taken::Refused(why) => self.refuse(lines.number, &why),
        }
        Ok(())
    }

    /// Stores what waits for it.
    async fn store(&mut self) -> Result<(), Failure> {
        let (numbers, arrivals): (Vec<u64>, Vec<Arrival>) = self.waiting.drain(..).unzip();
        let Some(first) = numbers.first() else { return Ok(()) };
        let by = (&Actor::Operator, &Origin::default());
        let outcomes = self.importer.store(arrivals, by).await.map_err(|error| {
            let text = format!(
                "stopped at line {first}: {}. Mend that and give the file again: what is here \
                 already is left alone",
                error.text().trim_end_matches('.')
            );
            Failure::Other(error.log().map_or(text.clone(), |it| format!("{text} [{it}]")))
        })?;
        let told = self.tally.lines / TOLD_EVERY;
        for (number, outcome) in numbers.into_iter().zip(outcomes) {
            self.outcome(number, outcome);
        }
        if told > self.tally.lines.saturating_sub(BATCH as u64) / TOLD_EVERY {
            output::note(&format!("{} lines read", self.tally.lines));
        }
        Ok(())
    }

    fn outcome(&mut self, line: u64, outcome: Imported) {
        match outcome {
            Imported::Stored => self.tally.stored += 1,
            Imported::Present => self.tally.present += 1,
            Imported::Refused(why) => self.refuse(line, &why),
            Imported::Given { former, id } => {
                self.tally.given += 1;
                if self.shell.json {
                    output::line(
                        &json!({ "line": line, "former_id": former, "id": id }).to_string(),
                    );
                } else {
                    let former = former.map_or_else(|| "without an id".into(), |it| it.to_string());
                    output::line(&format!("line {line}: {former} is {id} here"));
                }
            }
        }
    }

    fn refuse(&mut self, line: u64, why: &str) {
        self.tally.refused += 1;
        output::note(&format!("line {line}: {why}"));
    }

    fn say(&self) {
        let it = &self.tally;
        if self.shell.json {
            output::line(&summary(it).to_string());
            return;
        }
        output::line(&format!(
            "Accounts: {} taken in, {} of them under a new id; {} were there already.\n\
             OAuth clients: {} taken in; {} were there already.",
            it.stored + it.given,
            it.given,
            it.present,
            it.clients,
            it.clients_present
        ));
    }
}

fn summary(it: &Tally) -> Value {
    json!({ "accounts": it.stored + it.given, "new_ids": it.given, "present": it.present,
        "oauth_clients": it.clients, "oauth_clients_present": it.clients_present,
        "refused": it.refused })
}
