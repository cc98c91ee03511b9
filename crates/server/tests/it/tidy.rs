//! The rules of the house as tests. A rule that only stands in a guide is soon not true.
//!
//! Clippy and rustfmt hold what they can (see `clippy.toml`); this file holds the rest.

mod levels;
mod links;
pub mod security_doc;
pub mod sources;

use sources::{Source, root, walk};

const LINE_COLUMNS_MAX: usize = 100;
/// Lines of a Rust file before its tests begin.
const FILE_LINES_MAX: usize = 500;
/// A longer word (an address, a test vector) excuses its line.
const WORD_COLUMNS_MAX: usize = 40;

/// Fails with every breach at once: one run, one list to work off.
#[track_caller]
pub fn none(breaches: &[String], rule: &str) {
    assert!(breaches.is_empty(), "{rule}\n\n  {}\n", breaches.join("\n  "));
}

fn trunk() -> Vec<Source> {
    walk("crates/server/src", &["rs"])
}

#[test]
fn the_rules_see_the_code() {
    assert!(trunk().len() >= 5, "no sources found under {}", root().display());
    assert!(walk("crates", &["toml"]).len() >= 5);
    assert!(!walk(".", &["md"]).is_empty());
}

/// What has no place to break: an address, a test vector, the outline of a picture.
fn cannot_be_broken(line: &str) -> bool {
    line.contains("<path d=") || line.split(' ').any(|it| it.chars().count() > WORD_COLUMNS_MAX)
}

#[test]
fn a_line_fits_into_100_columns() {
    let mut breaches = Vec::new();
    for source in walk(".", &["rs", "sql"]).into_iter().chain(walk("tests", &["mjs"])) {
        for (number, line) in source.numbered() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX && !cannot_be_broken(line) {
                breaches.push(format!("{}:{number} has {columns} columns", source.path));
            }
        }
    }
    none(&breaches, "A line has at most 100 columns: break it, comments too.");
}

#[test]
fn a_file_has_at_most_500_lines_before_its_tests() {
    let mut breaches = Vec::new();
    for source in walk(".", &["rs"]).iter().filter(|it| it.path.contains("/src/")) {
        let lines = source.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > FILE_LINES_MAX {
            breaches.push(format!("{} has {lines}", source.path));
        }
    }
    none(&breaches, "A file has at most 500 lines before its tests: give a verb its own file.");
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["utils", "util", "common", "helpers", "helper", "core", "types", "misc"];
    let sources = walk("crates", &["rs"]);
    let named = |source: &&Source| {
        let mut parts = source.path.split('/').skip(2);
        parts.any(|part| drawers.contains(&part.trim_end_matches(".rs")))
    };
    let breaches: Vec<String> = sources.iter().filter(named).map(|it| it.path.clone()).collect();
    none(&breaches, "A module is named for what it is about. Put this code beside its caller:");
}

fn is_storage(source: &Source) -> bool {
    source.path.ends_with("/store.rs") || source.path.contains("/store/")
}

#[test]
fn storage_knows_no_http_no_clock_and_no_cryptography() {
    let banned = [
        "axum",
        "hyper",
        "http",
        "reqwest",
        "egress",
        "clock",
        "SystemTime",
        "vault",
        "grantkeep_vault",
        "aws_lc_rs",
        "keys",
    ];
    let stores = trunk().into_iter().filter(is_storage);
    let breaches: Vec<String> = stores.flat_map(|it| it.code_with_any(&banned)).collect();
    none(
        &breaches,
        "store.rs is SQL only: take the time, the hash, the sealed bytes as arguments.",
    );
}

#[test]
fn http_knows_no_sql() {
    let faces = trunk().into_iter().filter(|it| it.path.ends_with("/api.rs"));
    let breaches: Vec<String> = faces.flat_map(|it| it.sql()).collect();
    none(&breaches, "api.rs is HTTP only: call a verb, and let its store.rs speak SQL.");
}

#[test]
fn inside_a_noun_only_storage_speaks_sql() {
    let nouns = levels::nouns();
    let mut breaches = Vec::new();
    for source in trunk() {
        let noun = source.module();
        if nouns.contains(&noun) && !is_storage(&source) {
            breaches.extend(source.sql());
        }
    }
    none(&breaches, "A noun's SQL stands in its store.rs (or store/*.rs), and nowhere else.");
}

#[test]
fn columns_have_types_that_both_engines_read_alike() {
    let banned = [
        "timestamp",
        "timestamptz",
        "datetime",
        "date",
        "json",
        "jsonb",
        "uuid",
        "serial",
        "bigserial",
        "integer",
        "int",
        "smallint",
        "real",
        "numeric",
        "varchar",
        "blob",
        "autoincrement",
    ];
    let migrations = walk("crates/server/migrations", &["sql"]);
    let breaches: Vec<String> =
        migrations.iter().flat_map(|it| it.code_with_any(&banned)).collect();
    none(&breaches, "Columns are text, bigint, boolean or bytea; a time is a bigint named *_ms.");
}

#[test]
fn a_leaf_depends_on_nothing_of_ours() {
    let mut breaches = Vec::new();
    for manifest in walk("crates", &["toml"]) {
        let above = ["/server/", "/torture/"].iter().any(|it| manifest.path.contains(it));
        let leaf = manifest.path.ends_with("/Cargo.toml") && !above;
        for (number, line) in manifest.numbered().filter(|_| leaf) {
            let ours = line.starts_with("grantkeep") || line.contains("path = \"../");
            if ours {
                breaches.push(format!("{}:{number} {line}", manifest.path));
            }
        }
    }
    none(&breaches, "A leaf stands alone: hand it what it needs as an argument or a trait.");
}

#[test]
fn e_01_the_product_has_no_second_http_client() {
    let clients = ["reqwest", "ureq", "isahc", "surf", "curl", "awc", "minreq", "attohttpc"];
    let mut breaches = Vec::new();
    for manifest in walk("crates", &["toml"]).iter().filter(|it| it.path.ends_with("/Cargo.toml")) {
        let lines = manifest.numbered().take_while(|(_, line)| *line != "[dev-dependencies]");
        for (number, line) in lines {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if clients.contains(&name) {
                breaches.push(format!("{}:{number} {name}", manifest.path));
            }
        }
    }
    none(&breaches, "Outbound HTTP goes through egress.rs; other clients are for tests only.");
}

#[test]
fn no_package_of_another_vendor() {
    let vendor = concat!("@pipe", "dream/");
    let packages = walk(".", &["json"]).into_iter();
    let ours = packages.filter(|it| it.path.ends_with("package.json"));
    let breaches: Vec<String> =
        ours.filter(|it| it.text.contains(vendor)).map(|it| it.path).collect();
    none(&breaches, "The clients are ours alone: remove this dependency.");
}
