//! Makes app files from a list of facts: `cargo xtask catalog import FILE [--check]`.
//!
//! FILE holds one JSON object a line ([`facts`] has its keys). Slugs that have a file are left
//! alone: files are kept by hand from then on. Only facts are carried over; every sentence is made
//! here. What is not known is left out, so that the strictest default counts, and said in `notes`.

mod draft;
mod exchange;
mod facts;
mod hosts;
mod oauth;
mod requests;
mod words;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use grantkeep_catalog::{Catalog, Options, Problem, Severity, check};

use crate::draft::Draft;
use crate::facts::Facts;

/// The day on which the list was made; it says when the facts were last compared.
const CHECKED_ON: &str = "2026-11-22";

const HELP: &str = "\
usage: import FILE [--check] [--without=TEXT]...

App files from a JSON-lines file of facts. --check writes nothing; --without leaves out the apps
whose file would hold the text.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check_only = arguments.iter().any(|it| it == "--check");
    let without: Vec<String> = arguments
        .iter()
        .filter_map(|it| it.strip_prefix("--without="))
        .map(str::to_lowercase)
        .collect();
    let Some(file) = arguments.iter().find(|it| !it.starts_with("--")) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    match run(Path::new(file), check_only, &without) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path, check_only: bool, without: &[String]) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let facts = facts::read(&text).map_err(io::Error::other)?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut taken: BTreeSet<String> =
        Catalog::builtin().entries().map(|it| it.slug.clone().into_owned()).collect();
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let second = facts.iter().filter_map(Facts::second_ways).collect::<Vec<_>>();
    for facts in facts.iter().chain(&second) {
        if taken.contains(&facts.slug) {
            *counts.entry("kept as they are").or_default() += 1;
            continue;
        }
        let Some((draft, text)) = file_of(facts) else {
            *counts.entry("left out: too little is known").or_default() += 1;
            continue;
        };
        let lower = text.to_lowercase();
        if without.iter().any(|it| lower.contains(it)) {
            *counts.entry("left out as asked").or_default() += 1;
            continue;
        }
        taken.insert(facts.slug.clone());
        *counts.entry(outcome(&draft)).or_default() += 1;
        let path = root.join(draft.path());
        if !check_only {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, text)?;
        }
    }
    for (what, count) in counts {
        println!("{count:>5} {what}");
    }
    Ok(())
}

fn outcome(draft: &Draft) -> &'static str {
    match (draft.missing.is_empty(), draft.is_oauth()) {
        (true, true) => "written, connectable by OAuth",
        (true, false) => "written, connectable otherwise",
        (false, _) => "written, not connectable",
    }
}

/// The draft and its text, without the parts that the check refuses. `None`: a name and no more.
fn file_of(facts: &Facts) -> Option<(Draft, String)> {
    let mut draft = Draft::of(facts)?;
    for _ in 0..8 {
        let text = write::text(&draft);
        let problems = check::file(&draft.path(), &text, Options::default());
        let errors = || problems.iter().filter(|it| it.severity == Severity::Error);
        let Some(error) = errors().next() else { return Some((draft, text)) };
        if !draft.give_up(&key(error)) {
            eprintln!("{}: left out: {error}", draft.slug);
            return None;
        }
    }
    eprintln!("{}: left out: too many problems", draft.slug);
    None
}

/// The key that a problem is about.
fn key(problem: &Problem) -> String {
    problem.place.split_once(": ").map(|(_, key)| key.to_owned()).unwrap_or_default()
}
