//! The simulator through HTTP, as the product meets it.

mod catalog;
mod control;
mod faults;
mod keys;
mod oauth1;
mod oauth2;
mod pages;
mod rotation;
mod world;
