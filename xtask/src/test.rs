//! `cargo xtask test`: set up, run each step, print the sum.

use std::io::Write;
use std::time::Instant;

use crate::counts::Counts;
use crate::place;
use crate::postgres::{self, Postgres, URL_VARIABLE};
use crate::run::Logs;
use crate::setup::Need;
use crate::steps::{Outcome, STEPS, Step, World, table};

#[derive(Debug, Default)]
pub struct Options {
    only: Vec<String>,
    no_setup: bool,
    verbose: bool,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            match word {
                "--no-setup" => options.no_setup = true,
                "--verbose" => options.verbose = true,
                "--only" => options.only.push(known_step(words.next().copied())?),
                other => return Err(format!("unknown option {other}; see cargo xtask help")),
            }
        }
        Ok(options)
    }

    fn steps(&self) -> Vec<&'static Step> {
        let wanted =
            |step: &&Step| self.only.is_empty() || self.only.iter().any(|it| it == step.name);
        STEPS.iter().filter(wanted).collect()
    }
}

fn known_step(name: Option<&str>) -> Result<String, String> {
    let known = STEPS.iter().find(|step| Some(step.name) == name);
    known.map(|step| step.name.into()).ok_or_else(|| format!("--only wants a step.\n{}", table()))
}

/// Runs what was asked for. `false`: something failed, or there was not one test.
pub fn run(options: &Options) -> bool {
    let steps = options.steps();
    let logs = Logs { folder: place::target().join("xtask"), verbose: options.verbose };
    println!("build folder {}, logs in {}", place::target().display(), logs.folder.display());
    let mut sum = Counts::default();
    for need in needs(&steps) {
        sum += set_up(need, options, &logs);
    }
    let server = if needs(&steps).contains(&Need::Postgres) { server(&mut sum) } else { None };
    let given = place::variable(URL_VARIABLE).map(|it| it.to_string_lossy().into_owned());
    let postgres_url = given.or_else(|| server.as_ref().map(|it| it.url.clone()));
    let world = World { logs, postgres_url };
    for step in &steps {
        sum += announce(step.name, || (step.run)(&world));
    }
    drop(server);
    println!("{} passed, {} failed", sum.passed, sum.failed);
    let no_tests_wanted = !options.only.is_empty() && steps.iter().all(|step| is_check(step));
    sum.failed == 0 && (sum.passed > 0 || no_tests_wanted)
}

fn is_check(step: &Step) -> bool {
    ["fmt", "deny", "advisories", "clippy"].contains(&step.name)
}

fn needs(steps: &[&Step]) -> Vec<Need> {
    let mut needs = Vec::new();
    for need in steps.iter().flat_map(|step| step.needs) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    needs
}

fn set_up(need: Need, options: &Options, logs: &Logs) -> Counts {
    if need.met() {
        return Counts::default();
    }
    announce(need.name(), || {
        if options.no_setup {
            return Err("missing, and --no-setup was given".into());
        }
        need.meet(logs).map(|()| Outcome::Good(Counts::default()))
    })
}

/// The server of this run, unless the caller has one.
fn server(sum: &mut Counts) -> Option<Postgres> {
    if place::variable(URL_VARIABLE).is_some() {
        return None;
    }
    let mut server = None;
    *sum += announce("postgres", || {
        server = Some(postgres::start()?);
        Ok(Outcome::Good(Counts::default()))
    });
    server
}

/// Runs one step and says in one line how it went; more only if it failed.
fn announce(name: &str, step: impl FnOnce() -> Result<Outcome, String>) -> Counts {
    print!("{name:<12}");
    let _ = std::io::stdout().flush();
    let begun = Instant::now();
    let outcome = step().unwrap_or_else(|text| Outcome::Bad(Counts { passed: 0, failed: 1 }, text));
    let seconds = begun.elapsed().as_secs_f64();
    match outcome {
        Outcome::Good(counts) if counts == Counts::default() => {
            println!("{seconds:>7.1} s  ok");
            counts
        }
        Outcome::Good(counts) => {
            println!("{seconds:>7.1} s  ok, {} passed", counts.passed);
            counts
        }
        Outcome::Shaky(counts, text) => {
            println!("{seconds:>7.1} s  ok, {} passed, NOT ALL AT THE FIRST TRY:", counts.passed);
            println!("{}", text.trim_end());
            counts
        }
        Outcome::Skipped(reason) => {
            println!("{seconds:>7.1} s  SKIPPED: {reason}");
            Counts::default()
        }
        Outcome::Bad(counts, text) => {
            println!(
                "{seconds:>7.1} s  FAILED, {} passed, {} failed",
                counts.passed, counts.failed
            );
            println!("{}", text.trim_end());
            counts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_steps_that_exist() {
        let options = Options::parse(&["--only", "fmt", "--no-setup", "--only", "rust"]).unwrap();
        let names: Vec<_> = options.steps().iter().map(|step| step.name).collect();
        assert_eq!(names, ["fmt", "rust"]);
        assert!(options.no_setup);
        assert!(Options::parse(&["--only", "nothing"]).unwrap_err().contains("clippy"));
        assert!(Options::parse(&["--only"]).is_err());
        assert!(Options::parse(&["--fast"]).unwrap_err().contains("--fast"));
    }

    #[test]
    fn each_need_is_met_once_and_in_order() {
        let all: Vec<&Step> = STEPS.iter().collect();
        let needs = needs(&all);
        assert_eq!(needs.first(), Some(&Need::Deny));
        assert_eq!(needs.iter().filter(|it| **it == Need::Postgres).count(), 1);
    }
}
