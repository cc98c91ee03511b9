//! Runs people's JavaScript: Node processes in a sandbox, each for one key alone.
//!
//! The host hands over code and an input; the code can do nothing but ask the host, over one socket.
//! What it may ask for stands in [`Host`]; what it may use up in [`Limits`].

mod authority;
mod code;
mod failure;
mod host;
mod limits;
mod pool;
mod protocol;
mod sandbox;

pub use authority::{Authority, HostCertificate, NotSigned};
pub use code::Code;
pub use failure::{CallError, Failure, Memory, Position, Thrown, Unavailable};
pub use host::{FileBody, Host, Target, accept, refuse};
pub use limits::{LOG_LINES, Limits};
pub use pool::{Key, Pool, Settings};
pub use protocol::{Description, Log, Notice, Op};
pub use sandbox::{Profile, Wanted};
