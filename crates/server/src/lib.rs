//! Grantkeep: a self-hosted connection broker. The trunk; read the modules in this order.

pub mod clock;
pub mod config;
pub mod db;
pub mod egress;
pub mod error;
pub mod failpoint;
pub mod ids;

pub mod body;
pub mod breakers;
pub mod flights;
pub mod journal;
mod json_line;
pub mod keys;
pub mod limits;
pub mod meters;
mod own_file;
pub mod paging;
pub mod path;
pub mod query;
pub mod reach;
pub mod scope;
pub mod slots;
pub mod tallies;
pub mod tenant;
pub mod workers;

pub mod app;
pub mod attempts;
pub mod audit;
pub mod boot;
pub mod callback_origins;
pub mod callers;
mod catalog_file;
pub mod outbox;

pub mod projects;
pub mod usage;
pub mod users;

pub mod apps;
pub mod stash;
pub mod tokens;
pub mod webhooks;
pub mod workflows;

pub mod accounts;

pub mod connect;
pub mod proxy;
pub mod relay;

pub mod components;

pub mod triggers;

pub(crate) mod authn;
pub(crate) mod cors;
pub mod docs;
pub(crate) mod health;
pub mod jobs;
pub mod router;
pub(crate) mod sdk;

pub mod serve;
pub mod telemetry;

pub mod demo;
pub mod embedded;
pub mod trial;

pub mod scan;

pub mod cli;
