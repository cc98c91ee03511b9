//! The hosted flow, from the page to the account, as a browser goes through it.

mod binding;
pub mod browser;
mod callback;
mod flow;
mod keys;
mod link;
mod page;
mod validate;
mod verified;
