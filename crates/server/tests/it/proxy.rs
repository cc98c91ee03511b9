//! Calls to apps with an account's credential, which nobody sees.

mod bounds;
mod credentials;
mod http2;
pub mod lab;
mod news;
mod paths;
mod rows;
mod signature;
pub mod upstream;
