//! The one integration test binary: one program to link, all of it through the front door.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod accounts;
mod app_overrides;
mod apps;
mod apps_try;
mod assertions;
mod audit;
mod callers;
mod canary;
mod catalog_file;
mod checklist;
mod components;
mod connect;
mod custom_apps;
mod demo;
mod discovery;
mod fuzz;
mod grants;
mod limits;
mod moving;
mod name_server;
mod oauth_apps;
mod openapi;
mod pages;
mod pretend;
mod projects;
mod proxy;
mod rebinding;
mod receiver;
mod recovery;
mod refresh;
mod relay;
mod rows;
mod scan;
mod scopes;
mod stash;
mod store;
mod tidy;
mod triggers;
mod twins;
mod usage;
mod webhooks;
mod wire;
mod workflows;
#[allow(dead_code, reason = "what one kind of test does not need, another does")]
mod world;
