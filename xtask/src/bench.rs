//! `cargo xtask bench`: builds everything as it is put on a machine, gets what it is compared with,
//! and measures.

use std::process::Command;

use crate::place;
use crate::postgres::{self, URL_VARIABLE};
use crate::run::{self, Logs};
use crate::setup::Need;

const TOOL: &str = "grantkeep-bench";
/// With all the compiler can do. Both sides of each comparison are built with it.
const PROFILE: &str = "dist";
/// Where records are kept.
const RECORDS: &str = "bench/records";

/// `false`: something is below its floor.
///
/// # Errors
/// Something does not build or start, or was used wrongly; the program has said why.
pub fn run(arguments: &[&str]) -> Result<bool, String> {
    let logs = Logs { folder: place::target().join("xtask"), verbose: false };
    let quick = arguments.contains(&"--quick");
    let mut needs = vec![Need::Wrk, Need::Nginx, Need::Chromium, Need::Node];
    needs.push(Need::Npm(crate::setup::BROWSER));
    if !quick {
        needs.push(Need::Postgres);
    }
    for need in needs.into_iter().filter(|it| !it.met()) {
        need.meet(&logs).map_err(|it| format!("{}: {it}", need.name()))?;
    }
    build()?;
    let server = (!quick && place::variable(URL_VARIABLE).is_none()).then(postgres::start);
    let server = server.transpose()?;
    let folder = place::target().join(PROFILE);
    let mut command = Command::new(folder.join(TOOL));
    command.arg("--server").arg(folder.join("grantkeep")).current_dir(place::root());
    if !quick {
        command.arg("--record").arg(RECORDS);
    }
    command.args(arguments).envs(server.iter().map(|it| (URL_VARIABLE, &it.url)));
    if let Some(program) = crate::setup::chromium() {
        command.env("GRANTKEEP_CHROMIUM", program);
    }
    match command.status().map_err(|it| format!("cannot start {TOOL}: {it}"))?.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(String::new()),
    }
}

fn build() -> Result<(), String> {
    let mut cargo = run::cargo();
    cargo.args(["build", "--profile", PROFILE, "--package", "grantkeep", "--package", TOOL]);
    let built = cargo.status().map_err(|it| format!("cargo build: {it}"))?;
    if built.success() { Ok(()) } else { Err("it does not build".into()) }
}
