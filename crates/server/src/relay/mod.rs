//! The only way out for code in a sandbox. A run reaches the web through this and nothing else, and
//! here its placeholders become credentials, on the way to the hosts of their own apps alone.
//!
//! 1. `way.rs` judges where a connection may go, before it is made.
//! 2. `connection.rs` ends TLS towards the code, with a certificate of the worker's own authority,
//!    and reads requests.
//! 3. `forward.rs` makes each of them anew: judged, with credentials put in (`replace.rs`), sent by
//!    `egress.rs`, once more with a fresh token after a 401.
//! 4. `answer.rs` passes the answer back, with placeholders where the app repeats a credential.
//!
//! What a run may use stands in [`RunGrants`] (`grants.rs`). What it prints goes through
//! [`Scrubber`] before it is kept.

mod answer;
mod connection;
mod forward;
mod grants;
mod load;
mod replace;
mod scrub;
mod sign;
mod socket;
mod way;

pub use connection::serve;
pub use grantkeep_runtime::{Authority, HostCertificate, NotSigned};
pub use grants::{RunBy, RunGrants, UpstreamCall};
pub use scrub::Scrubber;
pub use sign::oauth1_authorization;
pub use way::{Way, admit};
