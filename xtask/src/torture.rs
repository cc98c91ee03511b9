//! `cargo xtask torture`: builds the server and its torturer, and has them meet.

use std::path::Path;
use std::process::Command;

use crate::mutants;
use crate::place;
use crate::postgres::{self, Postgres, URL_VARIABLE};
use crate::run;

pub const TOOL: &str = "grantkeep-torture";

/// The torturer, and a PostgreSQL for it as long as this lives.
pub struct Tool {
    server: Option<Postgres>,
}

/// `false`: what was tortured did not hold.
///
/// # Errors
/// Something does not build or start, or was used wrongly; the program has said why.
pub fn run(arguments: &[&str]) -> Result<bool, String> {
    if let Some((&"mutants", names)) = arguments.split_first() {
        return mutants::run(names);
    }
    let tool = tool(wants_postgres(arguments))?;
    let mut command = tool.command(&place::target().join("debug/grantkeep"));
    let status = command.args(arguments).status();
    match status.map_err(|it| format!("cannot start {TOOL}: {it}"))?.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(String::new()),
    }
}

/// Builds everything, and starts a PostgreSQL unless the caller has one.
pub fn tool(with_postgres: bool) -> Result<Tool, String> {
    build()?;
    let wanted = with_postgres && place::variable(URL_VARIABLE).is_none();
    Ok(Tool { server: if wanted { Some(postgres::start()?) } else { None } })
}

impl Tool {
    /// The torturer of this server.
    pub fn command(&self, server: &Path) -> Command {
        let mut command = Command::new(place::target().join("debug").join(TOOL));
        command.arg("--server").arg(server);
        command.envs(self.server.iter().map(|it| (URL_VARIABLE, &it.url)));
        command
    }
}

fn build() -> Result<(), String> {
    let mut cargo = run::cargo();
    cargo.args(["build", "--quiet", "--package", "grantkeep", "--package", TOOL]);
    let built = cargo.status().map_err(|it| format!("cargo build: {it}"))?;
    if built.success() { Ok(()) } else { Err("it does not build".into()) }
}

fn wants_postgres(arguments: &[&str]) -> bool {
    let asks = arguments.iter().any(|it| ["--help", "-h", "help"].contains(it));
    let engine = arguments.iter().position(|it| *it == "--engine");
    let named = engine.and_then(|at| arguments.get(at + 1)).copied();
    let sqlite = named == Some("sqlite") || arguments.contains(&"--engine=sqlite");
    !asks && !arguments.is_empty() && !sqlite
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
