//! The simulator through HTTP, as the product meets it.

#![allow(clippy::unwrap_used)] // helpers of tests are not tests to clippy

mod apps;
mod catalog;
mod control;
mod faults;
mod keys;
mod oauth1;
mod oauth2;
mod pages;
mod refreshes;
mod rotation;
mod world;
