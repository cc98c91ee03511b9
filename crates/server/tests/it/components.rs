//! Components: published, listed, asked for their fields, and run in real workers.

mod accounts;
mod every_action;
mod fields;
mod files;
mod publishing;
mod running;
mod shipped;
