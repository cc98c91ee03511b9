//! Every file that is compiled in holds to the rules.

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use grantkeep_catalog::{BlobError, Catalog, LoadError, Options, Problem, Severity, check};

/// Path and text of each file.
static FILES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps");
    Catalog::files_in(&folder).unwrap_or_else(|error| panic!("{error}"))
});

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    FILES.iter().map(|(path, text)| (path.as_str(), text.as_str()))
}

/// The problems of all files, looked for by as many threads as there are processors.
fn problems() -> Vec<Problem> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let part = |files: &'static [(String, String)]| {
            scope.spawn(move || {
                let problems =
                    |(path, text): &(String, String)| check::file(path, text, Options::default());
                files.iter().flat_map(problems).collect::<Vec<_>>()
            })
        };
        let parts: Vec<_> = FILES.chunks(FILES.len().div_ceil(threads)).map(part).collect();
        parts
            .into_iter()
            .flat_map(|it| it.join().unwrap_or_else(|_| panic!("a check panicked")))
            .collect()
    })
}

#[test]
fn every_file_parses_and_holds_to_the_rules() {
    let errors: Vec<String> = problems()
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert_eq!(Catalog::builtin().entries().len(), FILES.len());
    // A merge once took 78 files away without a word. Raise this with the catalogue.
    assert!(FILES.len() >= 4_500, "apps have gone missing: {}", FILES.len());
}

#[test]
fn what_is_promised_can_be_connected() {
    let connectable = || Catalog::builtin().entries().filter(|it| it.connectable);
    assert!(connectable().count() >= 3_000, "{}", connectable().count());
    let oauth = connectable().filter(|it| it.wire_auth_type == "oauth").count();
    assert!(oauth >= 900, "{oauth}");
}

#[test]
fn a_file_lies_where_its_slug_says_and_ids_are_unique() {
    let paths: HashSet<&str> = pairs().map(|(path, _)| path).collect();
    let mut ids = HashSet::new();
    for app in Catalog::builtin().apps() {
        let path = format!("apps/{}/{}.toml", &app.slug[..1], app.slug);
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
        assert!(paths.contains(full.to_str().unwrap()), "{path} is missing");
        assert!(ids.insert(app.id.clone()), "{} has the id of another app", app.slug);
        assert!(app.id.starts_with("app_") && app.id.len() == 15, "{}", app.id);
        assert_eq!(Catalog::builtin().find(&app.id).unwrap().slug, app.slug);
    }
}

#[test]
fn a_packed_app_is_the_app_of_its_file() {
    let files = Catalog::from_files(pairs(), Options::default()).unwrap();
    let packed = Catalog::builtin();
    for (app, entry) in files.apps().zip(files.entries()) {
        let other = packed.get(&app.slug).unwrap();
        assert_eq!(format!("{app:?}"), format!("{other:?}"));
        let index = packed.entries().find(|it| it.slug == app.slug).unwrap();
        assert_eq!(format!("{entry:?}"), format!("{index:?}"));
        assert_eq!(entry.wire_auth_type, app.wire_auth_type(), "{}", app.slug);
        assert_eq!(entry.id(), app.id);
    }
}

#[test]
fn bytes_from_elsewhere_are_not_believed() {
    let options = Options::default();
    let good = Catalog::pack(pairs().take(2), options).unwrap();
    assert_eq!(Catalog::from_packed(good.clone(), options).unwrap().entries().len(), 2);
    let refused = |bytes: &[u8]| Catalog::from_packed(bytes.to_vec(), options).unwrap_err();
    assert!(matches!(refused(b"slug = 1"), LoadError::Blob(BlobError::NotOne)));
    let mut newer = good.clone();
    newer[8] = 9;
    assert!(matches!(refused(&newer), LoadError::Blob(BlobError::Version(9))));
    let mut longer = good.clone();
    longer.push(0);
    assert!(matches!(refused(&longer), LoadError::Blob(BlobError::Damaged)));
    for end in 0..good.len() {
        refused(&good[..end]);
    }
    // Whatever a byte becomes, it is an error or another catalogue, and never a panic.
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        let _ = Catalog::from_packed(bad, options);
    }
}

#[test]
fn the_first_use_costs_little() {
    let began = Instant::now();
    let apps = Catalog::builtin().entries().len();
    let opened = began.elapsed();
    println!("{apps} apps, {} bytes, opened in {opened:?}", Catalog::builtin_bytes());
    // A debug build on a busy machine; the point is that nobody makes it ten times slower unseen.
    assert!(opened.as_millis() < 500, "{opened:?}");
}

#[test]
fn the_readmes_example_is_good() {
    let readme = include_str!("../apps/README.md");
    let example = readme.split("```").nth(1).unwrap().trim_start_matches("toml\n");
    assert_eq!(check::file("acme.toml", example, Options::default()), []);
}
