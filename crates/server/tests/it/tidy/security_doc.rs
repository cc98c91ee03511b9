//! docs/security.md names only tests that exist.

use std::collections::BTreeSet;

use super::none;
use super::sources::{Source, root, walk};

const DOCUMENT: &str = "docs/security.md";

/// A row of the tables: the id of a promise, and the cell that says what holds it.
struct Row<'a> {
    id: &'a str,
    held_by: &'a str,
}

/// `F-01`, `R-114`: a letter, a dash, two or three digits.
fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [b'A'..=b'Z', b'-', digits @ ..] if (2..=3).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit))
}

fn rows(document: &str) -> Vec<Row<'_>> {
    let mut found = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        let (id, held_by) = (cells.next().unwrap_or_default(), cells.last().unwrap_or_default());
        if is_id(id) {
            found.push(Row { id, held_by });
        }
    }
    found
}

/// The names at the beginning of a cell; what follows them is prose.
fn tests(cell: &str) -> Vec<&str> {
    let mut rest = cell;
    let mut names = Vec::new();
    while let Some((name, after)) = rest.strip_prefix('`').and_then(|it| it.split_once('`')) {
        names.push(name);
        rest = after.strip_prefix(", ").unwrap_or_default();
    }
    names
}

/// The names of all tests, found in one walk over the sources.
pub struct Tests(BTreeSet<String>);

impl Tests {
    pub fn of(sources: &[Source]) -> Self {
        let mut names = BTreeSet::new();
        for source in sources {
            let rust = source.text.split("fn ").skip(1).filter_map(|it| it.split_once('('));
            names.extend(rust.map(|(name, _)| name.to_owned()));
            for quote in ['\'', '"', '`'] {
                let (begin, end) = (format!("({quote}"), format!("{quote},"));
                let calls = source.text.split(&begin).skip(1);
                let named = calls.filter_map(|it| it.split_once(&end));
                names.extend(named.map(|(name, _)| name.to_owned()));
            }
        }
        Self(names)
    }

    pub fn have(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

#[test]
fn every_test_that_the_security_document_names_exists() {
    let document = std::fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let mut sources = walk("crates", &["rs"]);
    sources.extend(walk("tests", &["mjs"]));
    sources.extend(walk("sdk", &["mjs"]));
    let all = Tests::of(&sources);
    let mut breaches = Vec::new();
    let mut seen = BTreeSet::new();
    for Row { id, held_by } in rows(&document) {
        if !seen.insert(id) {
            breaches.push(format!("{id} stands there twice"));
        }
        if held_by.is_empty() {
            breaches.push(format!("{id} says neither what holds it nor what is missing"));
        }
        let missing = tests(held_by).into_iter().filter(|name| !all.have(name));
        breaches.extend(missing.map(|name| format!("{id} names {name}")));
    }
    assert!(seen.len() > 50, "the rows of {DOCUMENT} are not found");
    none(
        &breaches,
        "docs/security.md names tests that are not there: mend the name or say not yet",
    );
}

#[test]
fn names_end_where_prose_begins() {
    let line = "| F-01 | A promise. | `a_b`, `says this`. Also `c.rs` |\n| What | is | it |\n";
    let rows = rows(line);
    assert_eq!((rows.len(), rows[0].id), (1, "F-01"));
    assert_eq!(tests(rows[0].held_by), ["a_b", "says this"]);
    assert!(tests("not yet: `a_b`").is_empty());
}
