//! Workers as the server has them: the real runner, in the real sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod hostile;
mod limits;
mod packages;
mod pool;
mod runs;
mod world;

/// Not a test: what a worker's process is before it confines itself, where the profile is Landlock.
#[test]
fn becomes_a_worker() {
    if let Some(argument) = std::env::args().find(|it| it.starts_with('{')) {
        panic!("{}", grantkeep_runtime::confine_and_exec(&argument));
    }
}
