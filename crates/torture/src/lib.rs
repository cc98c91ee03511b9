//! Torture for the refresh of tokens and for runs of workflows: the real server is killed at every
//! place and at any moment,
//! frozen and thawed, raced against others, and the pretend providers' books are the judge.
//!
//! A development tool, `cargo xtask torture`. Everything is on 127.0.0.1.

pub mod args;
pub mod chance;
pub mod judge;
pub mod kept;
pub mod lane;
pub mod ledger;
pub mod outside;
pub mod progress;
pub mod race;
pub mod refresh;
pub mod report;
pub mod server;
pub mod stage;
pub mod tally;
pub mod trouble;
pub mod workflows;
pub mod zombies;
