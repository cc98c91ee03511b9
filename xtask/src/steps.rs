//! The steps of `cargo xtask test`, in the order in which they run: cheap and telling ones first.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::counts::{self, Counts};
use crate::place;
use crate::postgres::URL_VARIABLE;
use crate::run::{self, Logs, Output};
use crate::setup::{self, API, BROWSER, Need, PYTHON_SDK, RUNTIME, SDK};

/// The tests of the components that are shipped. They need no package.
const COMPONENTS: &str = "components/tests";

/// How long the list of known vulnerabilities may take to come before it counts as unreachable.
const ADVISORIES_SECONDS_MAX: &str = "60";

pub struct Step {
    pub name: &'static str,
    pub about: &'static str,
    pub needs: &'static [Need],
    pub run: fn(&World) -> Result<Outcome, String>,
}

/// What a step may use.
pub struct World {
    pub logs: Logs,
    pub postgres_url: Option<String>,
}

/// How a step ended.
pub enum Outcome {
    /// All went well. A check that is no test has no counts.
    Good(Counts),
    /// All went well, some of it at the second try only; the text says what.
    Shaky(Counts, String),
    /// Something is wrong; the text says what.
    Bad(Counts, String),
    /// The step could not run here, and why that is no failure.
    Skipped(String),
}

pub const STEPS: [Step; 10] = [
    Step { name: "fmt", about: "the form of the Rust code", needs: &[], run: fmt },
    Step {
        name: "deny",
        about: "licences, banned crates, sources",
        needs: &[Need::Deny],
        run: deny,
    },
    Step {
        name: "advisories",
        about: "known vulnerabilities (skipped without a network)",
        needs: &[Need::Deny],
        run: advisories,
    },
    Step { name: "clippy", about: "lints, warnings refused", needs: &[], run: clippy },
    Step {
        name: "rust",
        about: "the Rust tests, on SQLite and PostgreSQL",
        needs: &[Need::Postgres, Need::Node, Need::Bubblewrap],
        run: rust,
    },
    Step { name: "doc", about: "the examples in doc comments", needs: &[], run: doc },
    Step {
        name: "sdk",
        about: "the JavaScript SDK, the runtime of components, and our components",
        needs: &[Need::Node, Need::Npm(SDK)],
        run: sdk,
    },
    Step {
        name: "python",
        about: "the Python SDK, against the real binary",
        needs: &[Need::Packages(PYTHON_SDK)],
        run: python,
    },
    Step {
        name: "api",
        about: "the real binary against its own OpenAPI document",
        needs: &[Need::Packages(API)],
        run: api,
    },
    Step {
        name: "browser",
        about: "the real binary in a real browser",
        needs: &[Need::Postgres, Need::Chromium, Need::Node, Need::Npm(SDK), Need::Npm(BROWSER)],
        run: browser,
    },
];

/// The steps' names and what they look at, for the help.
pub fn table() -> String {
    let mut text = String::from("\nSteps of test:\n");
    for step in &STEPS {
        let _ = writeln!(text, "  {:<11} {}", step.name, step.about);
    }
    text
}

fn fmt(world: &World) -> Result<Outcome, String> {
    let output = world.logs.run("fmt", run::cargo().args(["fmt", "--all", "--check"]))?;
    Ok(check(&output, "cargo fmt --all"))
}

fn clippy(world: &World) -> Result<Outcome, String> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    let output = world.logs.run("clippy", run::cargo().args(arguments))?;
    Ok(check(&output, "cargo clippy --workspace --all-targets"))
}

fn deny(world: &World) -> Result<Outcome, String> {
    // It reads the crates of every platform, and a build fetches its own alone. Without a network
    // they may be there all the same.
    world.logs.run("fetch", run::cargo().args(["fetch", "--locked"]))?;
    let arguments = ["--offline", "check", "licenses", "bans", "sources"];
    let output = world.logs.run("deny", cargo_deny()?.args(arguments))?;
    Ok(check(&output, "cargo deny check licenses bans sources"))
}

fn advisories(world: &World) -> Result<Outcome, String> {
    let program = setup::deny().ok_or("cargo-deny is missing")?;
    let mut fetch = Command::new("timeout");
    fetch.arg(ADVISORIES_SECONDS_MAX).arg(program).args(["fetch", "db"]);
    let fetched = world.logs.run("advisories-fetch", fetch.current_dir(place::root()))?;
    if !fetched.good {
        let reason = "the advisory database cannot be fetched: KNOWN VULNERABILITIES NOT CHECKED";
        return Ok(Outcome::Skipped(reason.into()));
    }
    let arguments = ["check", "--disable-fetch", "advisories"];
    let output = world.logs.run("advisories", cargo_deny()?.args(arguments))?;
    Ok(check(&output, "cargo deny check advisories"))
}

fn rust(world: &World) -> Result<Outcome, String> {
    let nextest = run::answers("cargo-nextest", &["--version"]);
    let mut command = run::cargo();
    if nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"]);
    } else {
        command.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    }
    if nextest && !world.logs.verbose {
        command.args(["--status-level=fail", "--final-status-level=slow", "--show-progress=none"]);
    }
    command.envs(world.postgres_url.iter().map(|url| (URL_VARIABLE, url)));
    let output = world.logs.run("rust", &mut command)?;
    let read = if nextest { counts::nextest } else { counts::cargo_test };
    Ok(tests(&output, read))
}

fn doc(world: &World) -> Result<Outcome, String> {
    let arguments = ["test", "--workspace", "--doc", "--no-fail-fast"];
    let output = world.logs.run("doc", run::cargo().args(arguments))?;
    Ok(tests(&output, counts::cargo_test))
}

fn sdk(world: &World) -> Result<Outcome, String> {
    if let Some(broken) = binary(world)? {
        return Ok(broken);
    }
    let mut all = Counts::default();
    for (name, folder) in [("sdk", SDK), ("sdk-runtime", RUNTIME), ("components", COMPONENTS)] {
        if let Some(skipped) = without_package(folder) {
            return Ok(skipped);
        }
        let output = world.logs.run(name, &mut npm_test(world, folder))?;
        match tests(&output, counts::node) {
            Outcome::Good(counts) => all += counts,
            Outcome::Bad(counts, text) => {
                all += counts;
                return Ok(Outcome::Bad(all, text));
            }
            other => return Ok(other),
        }
    }
    Ok(Outcome::Good(all))
}

fn python(world: &World) -> Result<Outcome, String> {
    let Some(python) = PYTHON_SDK.program() else {
        let reason = "its packages cannot be fetched: THE PYTHON SDK WAS NOT TESTED";
        return Ok(Outcome::Skipped(reason.into()));
    };
    if let Some(broken) = binary(world)? {
        return Ok(broken);
    }
    let mut command = Command::new(python);
    command
        .args(["-m", "pytest", "--color=no"])
        .current_dir(place::root().join(PYTHON_SDK.folder))
        .env("GRANTKEEP_BIN", built())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(tests(&world.logs.run("python", &mut command)?, counts::pytest))
}

fn api(world: &World) -> Result<Outcome, String> {
    let Some(python) = API.program() else {
        let reason = "schemathesis cannot be fetched: THE API WAS NOT HELD AGAINST ITS DOCUMENT";
        return Ok(Outcome::Skipped(reason.into()));
    };
    if let Some(broken) = binary(world)? {
        return Ok(broken);
    }
    let mut command = Command::new(python);
    command.arg(place::root().join(API.folder).join("api.py")).env("GRANTKEEP_BIN", built());
    Ok(tests(&world.logs.run("api", &mut command)?, counts::last_line))
}

/// Builds the program that is tested from outside. `Some`: it cannot be built.
fn binary(world: &World) -> Result<Option<Outcome>, String> {
    let arguments = ["build", "--package", "grantkeep", "--quiet"];
    let output = world.logs.run("build", run::cargo().args(arguments))?;
    Ok((!output.good).then(|| check(&output, "cargo build")))
}

fn built() -> PathBuf {
    place::target().join("debug/grantkeep")
}

fn browser(world: &World) -> Result<Outcome, String> {
    if let Some(skipped) = without_package(BROWSER) {
        return Ok(skipped);
    }
    if let Some(broken) = binary(world)? {
        return Ok(broken);
    }
    let output = world.logs.run("browser", &mut npm_test(world, BROWSER))?;
    let outcome = tests(&output, counts::node);
    let failed = counts::node_failures(&output.text);
    match outcome {
        Outcome::Bad(counts, text) if !failed.is_empty() => {
            browser_again(world, &failed, (counts, text))
        }
        _ => Ok(outcome),
    }
}

/// Tries what failed once more, one after the other: a starved browser misses what it waits for, on
/// machines that others use too. A test that needs this is named each time, and is to be mended.
fn browser_again(
    world: &World,
    failed: &[&str],
    (mut counts, text): (Counts, String),
) -> Result<Outcome, String> {
    let mut command = Command::new("node");
    command.args(["--test", "--test-concurrency=1"]);
    command
        .args(failed.iter().map(|name| format!("--test-name-pattern={}", counts::exactly(name))));
    let files = std::fs::read_dir(place::root().join(BROWSER)).map_err(|it| it.to_string())?;
    let names = files.flatten().map(|it| it.file_name().to_string_lossy().into_owned());
    command.args(names.filter(|name| name.ends_with(".test.mjs")));
    let output = world.logs.run("browser-again", in_package(world, BROWSER, &mut command))?;
    let again = counts::node(&output.text);
    if !output.good || again.failed > 0 || again.passed < failed.len() as u64 {
        return Ok(Outcome::Bad(counts, text));
    }
    counts.passed += counts.failed;
    counts.failed = 0;
    Ok(Outcome::Shaky(counts, text))
}

fn without_package(folder: &str) -> Option<Outcome> {
    let there = place::root().join(folder).join("package.json").is_file();
    (!there).then(|| Outcome::Skipped(format!("{folder} has no package.json")))
}

fn npm_test(world: &World, folder: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["test", "--silent"]);
    in_package(world, folder, &mut command);
    command
}

/// Has `command` run in a package's folder, and tells it where everything is.
fn in_package<'a>(world: &World, folder: &str, command: &'a mut Command) -> &'a mut Command {
    command
        .current_dir(place::root().join(folder))
        .env("CARGO_TARGET_DIR", place::target())
        .env("GRANTKEEP_BIN", built())
        .envs(world.postgres_url.iter().map(|url| (URL_VARIABLE, url)))
        .envs(setup::chromium().map(|path| ("GRANTKEEP_CHROMIUM", path)))
}

fn cargo_deny() -> Result<Command, String> {
    let mut command = Command::new(setup::deny().ok_or("cargo-deny is missing")?);
    command.current_dir(place::root());
    Ok(command)
}

/// A check that is no test: good, or one failure.
fn check(output: &Output, by_hand: &str) -> Outcome {
    if output.good {
        return Outcome::Good(Counts::default());
    }
    let text = format!("{}\nBy hand: {by_hand}", output.tail());
    Outcome::Bad(Counts { passed: 0, failed: 1 }, text)
}

/// A runner that ended badly without naming a failed test (it did not compile) is one failure.
fn tests(output: &Output, read: fn(&str) -> Counts) -> Outcome {
    let mut counts = read(&output.text);
    if output.good && counts.failed == 0 {
        return Outcome::Good(counts);
    }
    counts.failed = counts.failed.max(1);
    Outcome::Bad(counts, format!("{}\n{}", output.tail(), counts::node_reports(&output.text)))
}
