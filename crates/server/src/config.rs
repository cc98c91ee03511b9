//! Every setting of Grantkeep: one record each, read from defaults, a file and the environment.
//!
//! A later source wins: default, `grantkeep.toml`, environment. This is the only place that looks
//! at the environment. What cannot work is refused here, in one line that says how to mend it.

mod check;
mod database;
mod reference;
mod secret;
mod settings;
mod sources;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use database::Database;
pub use reference::markdown;
pub use secret::Secret;
pub use settings::{Config, SETTINGS, Setting, find};
pub use sources::{Loaded, Origin};
pub use value::{AuditPolicy, CodeSandbox, LogFormat, Millis, MissingEnvironment, Route};

/// The file read when none is named, if it is there.
pub const FILE: &str = "grantkeep.toml";

/// Names the file to read instead of [`FILE`]; the one variable that is not itself a setting.
pub const FILE_VARIABLE: &str = "GRANTKEEP_CONFIG";

/// What every variable of ours begins with.
pub const PREFIX: &str = "GRANTKEEP_";

/// A configuration that cannot work: one line for the operator that says how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

impl Config {
    /// Reads the file (`named`, else the one in `GRANTKEEP_CONFIG`, else [`FILE`] if it is there)
    /// and the environment.
    pub fn load(named: Option<&Path>) -> Result<Loaded, ConfigError> {
        let environment = environment();
        let named = named
            .map(Path::to_path_buf)
            .or_else(|| environment.get(FILE_VARIABLE).map(PathBuf::from));
        let text = read_file(named.as_deref())?;
        let file = named.unwrap_or_else(|| PathBuf::from(FILE));
        let name = file.display().to_string();
        let open = text.as_ref().and_then(|it| sources::check_reach((&name, it), &file).err());
        let mut loaded = sources::load((&name, text.as_deref().unwrap_or_default()), &environment)?;
        loaded.warnings.extend(open.map(|it| it.to_string()));
        loaded.file = text.map(|_| file);
        Ok(loaded)
    }

    /// A configuration from these settings alone: no file, no environment. For tests and the demo.
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let environment = pairs
            .iter()
            .map(|(key, value)| (env_name(key), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>();
        Ok(sources::load((FILE, ""), &environment)?.config)
    }
}

/// The variable that sets `key`.
pub fn env_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

/// A variable that is no setting of ours but steers the terminal or a child process, such as
/// `NO_COLOR`. Names that begin with [`PREFIX`] belong in a record, not here.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The file of the program that is running, if the system tells it.
pub fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Our variables that are valid UTF-8. An empty one counts as not set.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn environment() -> BTreeMap<String, String> {
    std::env::vars().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect()
}

fn read_file(named: Option<&Path>) -> Result<Option<String>, ConfigError> {
    let path = named.unwrap_or(Path::new(FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError(format!(
            "cannot read the configuration file {}: {error}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests;
