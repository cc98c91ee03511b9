//! The demonstration: pretend providers, a real server and a small product, all on this machine.
//!
//! What the product does it does through the public HTTP API alone, so [`acme`] and [`product`] are
//! also an example to read before writing your own.

mod acme;
mod browser;
mod morning;
mod once;
mod product;
mod steps;
mod world;

pub use once::once;
pub use product::Shop;
pub use steps::{Report, Step};
pub use world::{Options, World, simulate};

pub use crate::embedded::Trouble;
use crate::embedded::{Doing, Result};

/// What the names of temporary folders begin with.
pub const FOLDER: &str = "grantkeep-demo-";
