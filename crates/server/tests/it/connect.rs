//! The hosted flow, from the page to the account, as a browser goes through it.

mod binding;
pub mod browser;
mod callback;
mod choice;
mod fields;
mod flow;
mod keys;
mod link;
mod list;
mod own_client;
mod page;
mod plain;
mod validate;
mod verified;
