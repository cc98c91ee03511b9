//! What the catalogue costs: `cargo run --release -p grantkeep-catalog --example measure`.

use std::time::{Duration, Instant};

use grantkeep_catalog::Catalog;

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
    let began = Instant::now();
    let catalog = Catalog::builtin();
    let opened = began.elapsed();
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
    let began = Instant::now();
    let good = work();
    let took = began.elapsed();
    assert!(good);
    took
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 1_000).min(times.len() - 1)];
    println!("{what}: p50 {:?}, p99 {:?}, most {:?}", at(500), at(990), at(1_000));
}
