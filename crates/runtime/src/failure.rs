//! How a run can fail. Each kind says what happened, the limit with its unit, and what to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What code threw, as the runner tells it. Everything in it was chosen by the code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thrown {
    pub name: String,
    pub message: String,
    pub stack: Option<String>,
    /// Of the HTTP answer that it is about.
    pub status: Option<i64>,
    /// The person who configured the component can mend it.
    pub configuration: bool,
    pub position: Option<Position>,
    /// A kind that callers may tell apart, such as `not_json` or `too_large`.
    pub code: Option<String>,
    /// What `$.flow` was asked for before: a workflow may end by that.
    pub flow: Option<serde_json::Value>,
}

/// A place in the code, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error(
        "the run took longer than {} s and was ended; make it do less at once, or raise the limit \
         on wall time", .limit.as_secs_f64()
    )]
    Timeout { limit: Duration },
    #[error(
        "the run used more than {} s of processor time and was ended; look for a loop without an \
         end, or raise the limit on processor time", .limit.as_secs_f64()
    )]
    Cpu { limit: Duration },
    #[error(
        "the run needed more than {limit_mib} MiB of {} and was ended; hold less at once, or \
         raise the limit on memory", .of.words()
    )]
    Memory { limit_mib: u64, of: Memory },
    #[error(
        "the run said more than {limit_bytes} bytes (logs, exports, events and its result \
         together) and was ended; return less, or write a file to the stash"
    )]
    Output { limit_bytes: usize },
    #[error(
        "the run started more than {limit} processes and was ended; wait for one before the next"
    )]
    Processes { limit: u64 },
    #[error("the run made more than {limit} files in /tmp and was ended; remove those not needed")]
    Files { limit: u64 },
    #[error(
        "the process that ran the code ended by itself ({how}); code must not call process.exit, \
         and a native module may have crashed{}", said(.stderr)
    )]
    Ended { how: String, stderr: String },
    #[error("the code threw {}: {}", .0.name, .0.message)]
    Thrown(Box<Thrown>),
    #[error("the code could not be loaded: {}: {}", .0.name, .0.message)]
    Load(Box<Thrown>),
    #[error(
        "the process that ran the code broke the protocol ({0}) and was ended; code must leave the \
         socket of its runner alone"
    )]
    Protocol(String),
    #[error("the input has {bytes} bytes, of {limit_bytes} allowed; put files into the stash")]
    Payload { bytes: usize, limit_bytes: usize },
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Which memory ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// What JavaScript holds, by V8's own count.
    Heap,
    /// What all of the worker's processes hold, buffers and native modules included.
    Resident,
}

impl Memory {
    fn words(self) -> &'static str {
        match self {
            Self::Heap => "JavaScript heap",
            Self::Resident => "memory",
        }
    }
}

/// The run was never begun: nothing was done for it, so it may be tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("no sandbox for running code: {0}")]
    Sandbox(String),
    #[error("no worker could be started: {0}")]
    Start(String),
    #[error(
        "all {workers} workers are busy and {waiting} runs wait; try again later, or raise the \
         number of workers"
    )]
    Busy { workers: usize, waiting: usize },
    #[error("the code cannot be laid out for a worker: {0}")]
    Code(String),
    #[error("stopping: no new runs are begun")]
    Stopping,
}

/// The host's answer to a call that it refuses or cannot do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallError {
    pub name: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl CallError {
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), code: None }
    }

    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

impl Failure {
    /// The kind, in one stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Cpu { .. } => "cpu",
            Self::Memory { .. } => "memory",
            Self::Output { .. } => "output",
            Self::Processes { .. } => "processes",
            Self::Files { .. } => "files",
            Self::Ended { .. } => "ended",
            Self::Thrown(_) => "thrown",
            Self::Load(_) => "load",
            Self::Protocol(_) => "protocol",
            Self::Payload { .. } => "payload",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// The last line that the process wrote, if any.
fn said(stderr: &str) -> String {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
    last.map(|line| format!("; its last words: {}", line.trim())).unwrap_or_default()
}
