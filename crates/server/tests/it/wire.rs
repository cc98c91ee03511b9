//! The wire as its clients speak it: each of their requests, and what the strict ones among them
//! make of the answers.

mod components;
mod models;
mod older;
mod replay;
mod requests;
mod script;
