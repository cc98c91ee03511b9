//! The binary `grantkeep`.

use std::process::ExitCode;

/// A call allocates some two hundred small things and frees them, often on another thread: the
/// system's allocator takes an eighth of all time for that, and waits at its locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    grantkeep::cli::main()
}
