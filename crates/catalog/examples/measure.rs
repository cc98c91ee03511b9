//! What the catalogue costs: `cargo run --release -p grantkeep-catalog --example measure`.
//!
//! Time on the processor is counted, so that a busy machine does not blur it.

use std::time::Duration;

use grantkeep_catalog::Catalog;
use rustix::time::{ClockId, clock_gettime};

/// Queries as people type them, with errors.
const QUERIES: &[&str] = &[
    "slack",
    "goo",
    "google sheets",
    "sheets google",
    "githb",
    "salesfroce",
    "a",
    "e",
    "hub spot",
    "micro",
    "quickboks",
    "zzzzzzzz",
    "customer relationship management",
    "mail",
    "api",
    "",
];

/// Times that each query is asked.
const ROUNDS: usize = 200;

fn main() {
    let opened = timed(|| Catalog::builtin().entries().len() > 0);
    let catalog = Catalog::builtin();
    let apps = catalog.entries().len();
    println!("{apps} apps in {} bytes", Catalog::builtin_bytes());
    println!("index read in {opened:?}");
    let slugs: Vec<String> = catalog.entries().map(|it| it.slug.to_string()).collect();
    let look = |slug: &String| timed(|| catalog.get(slug).is_some());
    print("look-up, the first time", slugs.iter().map(look).collect());
    print("look-up, again", slugs.iter().map(look).collect());
    let ids: Vec<String> = catalog.entries().map(grantkeep_catalog::Entry::id).collect();
    print("look-up by id", ids.iter().map(|it| timed(|| catalog.find(it).is_some())).collect());
    let search = |query: &str| timed(|| catalog.search(query).len() <= apps);
    let mut all = Vec::new();
    for query in QUERIES {
        let times: Vec<_> = (0..ROUNDS).map(|_| search(query)).collect();
        print(&format!("search for {query:?}"), times.clone());
        all.extend(times);
    }
    print("search for all of these", all);
}

fn timed(work: impl FnOnce() -> bool) -> Duration {
    let began = worked();
    let good = work();
    let took = worked().saturating_sub(began);
    assert!(good);
    took
}

/// How long this thread has had a processor.
fn worked() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 1_000).min(times.len() - 1)];
    println!("{what}: p50 {:?}, p99 {:?}, most {:?}", at(500), at(990), at(1_000));
}
