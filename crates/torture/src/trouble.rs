//! What keeps the harness itself from working. What the server does wrong is no trouble: it is
//! counted.

/// One line for the person who runs it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

pub type Result<T> = std::result::Result<T, Trouble>;

/// Errors of the parts, each with what was being done.
pub trait Doing<T> {
    fn doing(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|error| Trouble(format!("{what}: {error}")))
    }
}

impl<T> Doing<T> for Option<T> {
    fn doing(self, what: &str) -> Result<T> {
        self.ok_or_else(|| Trouble(what.to_owned()))
    }
}
