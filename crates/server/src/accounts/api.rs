//! Accounts by HTTP.
