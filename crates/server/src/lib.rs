//! Grantkeep.
