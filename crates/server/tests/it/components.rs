//! Components: published, listed, asked for their fields, and run in real workers.

mod accounts;
mod command_line;
mod every_action;
mod fields;
mod files;
mod own_users;
mod packages;
pub mod publishing;
mod running;
mod shipped;
mod ways_out;
