//! The binary `grantkeep-torture`. Called as `grantkeep-torture serve`, it is the server itself, so
//! that tests have one that is as new as they are.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|it| it == "serve") {
        return grantkeep::cli::main();
    }
    grantkeep_torture::args::main()
}
