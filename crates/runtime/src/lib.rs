//! Runs people's JavaScript: Node processes in a sandbox, each for one key alone.
//!
//! The host hands over code and an input; the code can do nothing but ask the host, over one
//! socket. What it may ask for stands in [`Host`]; what it may use up in [`Limits`].

mod authority;
mod choose;
mod code;
mod control;
mod door;
mod failure;
mod host;
mod keep;
mod limits;
pub mod packages;
mod pool;
mod process;
mod protocol;
mod run;
mod sandbox;
mod watch;
mod worker;

pub use authority::{Authority, HostCertificate, NotSigned};
pub use code::Code;
pub use failure::{CallError, Failure, Memory, Position, Thrown, Unavailable};
pub use host::{FileBody, Host, Target, accept, refuse};
pub use limits::{LOG_LINES, Limits};
pub use pool::{Key, Pool, Settings};
pub use protocol::{Description, Log, Notice, Op};
#[cfg(target_os = "linux")]
pub use sandbox::confine::confine_and_exec;
pub use sandbox::{Profile, Wanted};
