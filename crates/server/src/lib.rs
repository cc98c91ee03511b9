//! Grantkeep: a self-hosted connection broker. The trunk; read the modules in this order.

pub mod config;

pub mod clock;
pub mod db;
pub mod error;
pub mod ids;
