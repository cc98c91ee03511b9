//! The binary `grantkeep`.

use std::process::ExitCode;

fn main() -> ExitCode {
    grantkeep::cli::main()
}
