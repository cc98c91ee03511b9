//! What a run may use up. Each overrun ends that run, with its worker, and nothing else.

use std::time::Duration;

/// Wall time of a run, unless it asks for another.
pub const WALL: Duration = Duration::from_mins(1);
/// Processor time of a run: all threads and processes of its worker together.
pub const CPU: Duration = Duration::from_secs(30);
/// V8's heap, in MiB.
pub const HEAP_MIB: u64 = 256;
/// Resident memory of a worker's processes together, in MiB. Node itself takes about 60.
pub const RSS_MIB: u64 = 768;
/// Bytes that a run may say: its notices and what it returns.
pub const OUTPUT_BYTES: usize = 6 << 20;
/// Files that one process of a worker may hold open.
pub const FILES_OPEN: u64 = 256;
/// Processes of a worker at once.
pub const PROCESSES: u64 = 64;
/// Bytes in a worker's `/tmp`, in MiB.
pub const TMP_MIB: u64 = 256;
/// Bytes of what a run is given.
pub const PAYLOAD_BYTES: usize = 6 << 20;
/// Connections that a worker may hold open at once.
pub const CONNECTIONS: usize = 64;

/// Log lines of a run that are handed on. The rest is counted as output and left out.
pub const LOG_LINES: usize = 1_000;
/// One line of the protocol, in bytes.
pub(crate) const LINE_BYTES: usize = 8 << 20;
/// The first line of a connection, in bytes: a name, a port or a path.
pub(crate) const FIRST_LINE_BYTES: usize = 16 << 10;
/// How long a connection may take over its first line.
pub(crate) const FIRST_LINE_WAIT: Duration = Duration::from_secs(5);
/// What is kept of a worker's standard error, in bytes, to say why it ended.
pub(crate) const STDERR_BYTES: usize = 16 << 10;
/// Calls of a run that are answered at once. The next are not read before one is done.
pub(crate) const CALLS_AT_ONCE: usize = 16;
/// Bytes of all calls of a run: what it stores and asks for.
pub(crate) const ASKED_BYTES: usize = 256 << 20;
/// Files in `/tmp`: each costs the kernel memory that no size counts.
pub(crate) const TMP_FILES: u64 = 100_000;
/// Files of a component with its packages, and their bytes.
pub(crate) const CODE_FILES: usize = 100_000;
pub(crate) const CODE_BYTES: u64 = 512 << 20;
/// How often a run's use of processor and memory is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long Node may take to say hello.
pub(crate) const HELLO_WAIT: Duration = Duration::from_secs(20);
/// How long the import of the code may take.
pub(crate) const LOAD_WAIT: Duration = Duration::from_secs(30);
/// Runs that wait for a worker at once. One more is refused.
pub(crate) const WAITING: usize = 1_000;
/// How long a run waits for a worker.
pub(crate) const WAIT: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub wall: Duration,
    pub cpu: Duration,
    pub heap_mib: u64,
    pub rss_mib: u64,
    pub output_bytes: usize,
    pub files_open: u64,
    pub processes: u64,
    pub tmp_mib: u64,
    pub payload_bytes: usize,
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: WALL,
            cpu: CPU,
            heap_mib: HEAP_MIB,
            rss_mib: RSS_MIB,
            output_bytes: OUTPUT_BYTES,
            files_open: FILES_OPEN,
            processes: PROCESSES,
            tmp_mib: TMP_MIB,
            payload_bytes: PAYLOAD_BYTES,
            connections: CONNECTIONS,
        }
    }
}
