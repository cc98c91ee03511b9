//! Calls to apps with an account's credential, which nobody sees.

mod bounds;
mod credentials;
pub mod lab;
mod news;
mod paths;
mod rows;
pub mod upstream;
