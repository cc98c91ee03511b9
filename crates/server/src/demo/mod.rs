//! The demonstration: pretend providers, a real server and a small product, all on this machine.
//!
//! What the product does it does through the public HTTP API alone, so [`acme`] and [`product`] are
//! also an example to read before writing your own.

mod acme;
mod browser;
mod folder;
mod http;
mod once;
mod product;
mod steps;
mod world;

pub use folder::Folder;
pub use once::once;
pub use product::Shop;
pub use steps::{Report, Step};
pub use world::{Options, World, simulate};

/// What went wrong, as one line for the person who runs it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(String);

impl Trouble {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

type Result<T> = std::result::Result<T, Trouble>;

/// Errors of the parts, each with what was being done.
trait Doing<T> {
    fn doing(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|error| Trouble(format!("{what}: {error}")))
    }
}
