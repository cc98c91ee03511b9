//! Randomness from the operating system's CSPRNG, by way of aws-lc. There is no other source, and
//! no way on without it.

use aws_lc_rs::error::Unspecified;

use crate::envelope::{KEY_BYTES, KeyBytes};

/// Fills `bytes`. Aborts the process if the system gives no randomness.
pub(crate) fn fill(bytes: &mut [u8]) {
    fill_from(aws_lc_rs::rand::fill, bytes);
}

pub(crate) fn key() -> KeyBytes {
    let mut key = KeyBytes::new([0; KEY_BYTES]);
    fill(&mut *key);
    key
}

/// An error could be caught and retried, a panic is caught by a server around its handlers: neither
/// may lead to a secret made of zeros, so the process ends.
pub(crate) fn abort(reason: &str) -> ! {
    eprintln!("grantkeep: {reason}; stopping, because no secret can be made safely");
    std::process::abort()
}

fn fill_from(source: impl Fn(&mut [u8]) -> Result<(), Unspecified>, bytes: &mut [u8]) {
    if source(bytes).is_err() {
        abort("the operating system gave no randomness");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    const CHILD: &str = "child-without-randomness";
    const SIGABRT: i32 = 6;

    /// Runs itself in a second process, where the source fails.
    #[test]
    fn v_10_a_failing_source_aborts_the_process() {
        if std::env::args().any(|it| it == CHILD) {
            let caught = std::panic::catch_unwind(|| fill_from(|_| Err(Unspecified), &mut [0; 32]));
            panic!("went on: {caught:?}");
        }
        let name = "random::tests::v_10_a_failing_source_aborts_the_process";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", name, CHILD])
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), Some(SIGABRT), "{child:?}");
        assert!(String::from_utf8_lossy(&child.stderr).contains("gave no randomness"));
    }

    #[test]
    fn v_10_keys_are_fresh() {
        let mut seen: Vec<_> = (0..1_000).map(|_| key().to_vec()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
    }
}
