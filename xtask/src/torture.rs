//! `cargo xtask torture`: builds the server and its torturer, and has them meet.

use std::process::ExitStatus;

use crate::place;
use crate::postgres::{self, URL_VARIABLE};
use crate::run;

/// The server's and the torturer's packages.
const BUILD: [&str; 6] = ["build", "--quiet", "--package", "grantkeep", "--package", TOOL];
const TOOL: &str = "grantkeep-torture";

/// `false`: what was tortured did not hold.
///
/// # Errors
/// Something does not build or start, or was used wrongly; the program has said why.
pub fn run(arguments: &[&str]) -> Result<bool, String> {
    let built = run::cargo().args(BUILD).status().map_err(|it| format!("cargo build: {it}"))?;
    if !built.success() {
        return Err("it does not build".into());
    }
    let wants_server = place::variable(URL_VARIABLE).is_none() && wants_postgres(arguments);
    let server = if wants_server { Some(postgres::start()?) } else { None };
    let folder = place::target().join("debug");
    let mut command = std::process::Command::new(folder.join(TOOL));
    command.arg("--server").arg(folder.join("grantkeep")).args(arguments);
    command.envs(server.iter().map(|it| (URL_VARIABLE, &it.url)));
    let status = command.status().map_err(|it| format!("cannot start {TOOL}: {it}"))?;
    outcome(status)
}

fn outcome(status: ExitStatus) -> Result<bool, String> {
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(String::new()),
    }
}

fn wants_postgres(arguments: &[&str]) -> bool {
    let asks = arguments.iter().any(|it| ["--help", "-h", "help"].contains(it));
    let engine = arguments.iter().position(|it| *it == "--engine");
    let named = engine.and_then(|at| arguments.get(at + 1)).copied();
    !asks
        && !arguments.is_empty()
        && named != Some("sqlite")
        && !arguments.contains(&"--engine=sqlite")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_started_only_if_it_is_wanted() {
        assert!(wants_postgres(&["refresh", "--kills", "5"]));
        assert!(wants_postgres(&["race"]));
        for arguments in [&["refresh", "--engine", "sqlite"][..], &["race", "--help"], &[]] {
            assert!(!wants_postgres(arguments), "{arguments:?}");
        }
    }
}
