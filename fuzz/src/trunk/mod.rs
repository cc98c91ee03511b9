//! What the server reads of a request, as far as it can be called without a server. Readers that
//! are private to their module have property tests beside them instead.

pub mod cursor;
pub mod json_body;
pub mod query;

/// A target's name, which is that of its corpus too, and its body.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 3] =
    [("cursor", cursor::run), ("json_body", json_body::run), ("query", query::run)];
