//! One app of every kind of behaviour in the catalogue, connected, refreshed, used and revoked at
//! its simulated twin: each request must be as the app's own file says, to the letter.

mod front;
mod made_up;
mod scenario;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::{FutureExt as _, StreamExt as _};
use grantkeep::projects::{Change, update};
use grantkeep_catalog::behaviour::{Kind, kinds};
use grantkeep_catalog::{App, Catalog, Options};
use grantkeep_simulator::Twin;

use crate::world::World;
use scenario::Scenario;

/// Twins that are gone through at once.
const AT_ONCE: usize = 12;
/// On the second engine, one twin of so many.
const SAMPLE: usize = 12;
/// Names apps, by slug and with commas between, to try out these alone.
const ONLY_VARIABLE: &str = "GRANTKEEP_TEST_TWINS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_behaviour_has_a_twin_that_takes_it_for_real() {
    let apps = representatives();
    let files = files_of(&apps);
    assert_files_are_taken(&files);
    go_through(&World::sqlite_of_twins(&files).await, &apps).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_the_twins_on_the_other_engine() {
    let apps: Vec<Arc<App>> = representatives().into_iter().step_by(SAMPLE).collect();
    go_through(&World::postgres_of_twins(&files_of(&apps)).await, &apps).await;
}

/// The apps that stand for their kinds, those of the most common behaviour first.
fn representatives() -> Vec<Arc<App>> {
    #[expect(clippy::disallowed_methods, reason = "for one run by hand")]
    let only = std::env::var(ONLY_VARIABLE).unwrap_or_default();
    if !only.is_empty() {
        return only.split(',').map(|slug| Catalog::builtin().get(slug).unwrap()).collect();
    }
    let kinds = kinds(Catalog::builtin().apps());
    kinds.iter().map(Kind::app).map(Arc::clone).collect()
}

fn files_of(apps: &[Arc<App>]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/apps");
    let path = |slug: &str| folder.join(&slug[..1]).join(format!("{slug}.toml"));
    apps.iter().map(|it| std::fs::read_to_string(path(&it.slug)).unwrap()).collect()
}

/// The twin's file holds to the rules as the app's own does.
fn assert_files_are_taken(files: &[String]) {
    let simulated = |text: &String| Twin::mirrored(text, "http://127.0.0.1:1").unwrap();
    let options = Options { allow_loopback: true };
    let mut problems = Vec::new();
    for (slug, text) in files.iter().map(simulated) {
        let path = format!("{slug}.toml");
        if let Err(why) = Catalog::from_files([(path.as_str(), text.as_str())], options) {
            problems.push(why.to_string());
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

async fn go_through(world: &World, apps: &[Arc<App>]) {
    let change = Change { require_key_test: Some(true), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
    let began = Instant::now();
    let one = |(app, twin): (&Arc<App>, &Arc<Twin>)| {
        let (app, twin) = (Arc::clone(app), Arc::clone(twin));
        async move {
            let scenario = Scenario { world, app: &app, twin: &twin };
            let panic = AssertUnwindSafe(scenario.run()).catch_unwind().await.err();
            let mut wrong = twin.refusals();
            wrong.extend(panic.map(|it| text_of(&*it)));
            (!wrong.is_empty()).then(|| format!("{}: {}", app.slug, wrong.join("\n    ")))
        }
    };
    let runs = apps.iter().zip(&world.twins).map(one);
    let mut failed: Vec<String> = futures::stream::iter(runs)
        .buffer_unordered(AT_ONCE)
        .filter_map(|it| async { it })
        .collect()
        .await;
    failed.sort();
    let (all, bad) = (apps.len(), failed.len());
    println!("{}: {all} twins, {bad} failed, {:?}", world.engine, began.elapsed());
    assert!(failed.is_empty(), "{bad} of {all} twins failed:\n\n{}\n", failed.join("\n\n"));
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
