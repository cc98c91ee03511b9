//! Places where a development build can be made to die, so that tests see what a crash leaves.
//!
//! A release build has none of this: there, [`reached`] is empty.

/// Every place, in the order in which a refresh comes by.
///
/// `FAILPOINT=refresh.journaled` kills the process the first time it comes to that place,
/// `FAILPOINT=refresh.journaled:3` the third time.
pub const POINTS: [&str; 15] = [
    // Nothing is written yet.
    "refresh.begun",
    // Lease and intent are stored, and nothing was sent.
    "refresh.intended",
    // The provider's answer is in memory and nowhere else.
    "refresh.answered",
    // It is in the journal, unread.
    "refresh.journaled",
    "refresh.read",
    // New tokens are sealed for the row, the transaction is not begun.
    "refresh.sealed",
    // The row is written, and not committed.
    "refresh.written",
    // Committed; the journal does not know.
    "refresh.stored",
    "refresh.ended",
    // A failure is judged, and not stored.
    "refresh.judged",
    "refresh.failed",
    // At start: a dead process's journal is found, read, applied, and taken away.
    "recover.found",
    "recover.read",
    "recover.applied",
    "recover.ended",
];

/// Places that a step of a workflow comes by, in order.
pub const WORKFLOW_POINTS: [&str; 4] = [
    // The code of a step has not run.
    "workflow.begun",
    // It has, and nothing is written.
    "workflow.done",
    // It is written, and not committed.
    "workflow.written",
    // Committed; the next step is not begun.
    "workflow.recorded",
];

/// Dies here by SIGKILL, if the environment says so.
#[cfg(debug_assertions)]
pub fn reached(point: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let known = POINTS.contains(&point) || WORKFLOW_POINTS.contains(&point);
    debug_assert!(known, "{point} is not in the list");
    let wanted = WANTED.get_or_init(|| {
        let text = crate::config::variable("FAILPOINT")?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), nth.parse().unwrap_or(1)))
    });
    let Some((name, nth)) = wanted else { return };
    if name == point && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        // Nothing of ours runs any more: no destructor, no flush, no handler.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(debug_assertions))]
pub fn reached(_point: &'static str) {}
