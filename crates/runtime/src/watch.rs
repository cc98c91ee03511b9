//! What a worker's processes use, as the kernel counts it. Nothing inside the sandbox is asked.

use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

/// Processes looked at; a worker that has more is over its limit anyway.
const LOOKED_AT: usize = 1_024;
/// The fields of `/proc/<pid>/stat` after the name, from 0: utime, stime, cutime, cstime, rss.
const TIMES: std::ops::RangeInclusive<usize> = 11..=14;
const RESIDENT: usize = 21;

#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub cpu: Duration,
    pub resident_bytes: u64,
    pub pids: Vec<u32>,
}

/// The process and all that descends from it. What is gone meanwhile counts as nothing.
pub(crate) fn tree(root: u32) -> Usage {
    let mut usage = Usage { pids: vec![root], ..Usage::default() };
    let mut ticks = 0;
    let mut at = 0;
    while at < usage.pids.len() && at < LOOKED_AT {
        let pid = usage.pids[at];
        at += 1;
        let (spent, resident) = stat(pid);
        ticks += spent;
        usage.resident_bytes += resident;
        children(pid, &mut usage.pids);
    }
    usage.cpu = spent(ticks);
    usage
}

/// The processor time of these processes alone, which is quicker to learn.
pub(crate) fn cpu(pids: &[u32]) -> Duration {
    spent(pids.iter().map(|pid| stat(*pid).0).sum())
}

fn spent(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / clock_ticks_per_second().max(1))
}

/// Whether it is there, and has not come to its end: one that nobody has asked about yet has.
pub(crate) fn lives(pid: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Ticks of processor time, with that of children that ended, and resident bytes.
fn stat(pid: u32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold anything, so what counts is the last parenthesis.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    (TIMES.map(number).sum(), number(RESIDENT) * page_size() as u64)
}

/// Children are listed by the thread that made them.
fn children(pid: u32, into: &mut Vec<u32>) {
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        into.extend(list.split_whitespace().filter_map(|it| it.parse::<u32>().ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_its_child_are_seen() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let usage = tree(std::process::id());
        assert!(usage.pids.contains(&child.id()), "{usage:?}");
        assert!(usage.resident_bytes > 1 << 20, "{usage:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
