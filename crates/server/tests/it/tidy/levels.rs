//! Who may call whom: the table of levels in ARCHITECTURE.md, held.

use std::collections::{BTreeMap, BTreeSet};

use super::none;
use super::sources::{Source, root, walk};

/// Below every noun, and free to use each other.
const FLOOR: u32 = 0;

/// Settings, time, names and errors stand on nothing: they can be read first and alone.
const STANDS_ALONE: [&str; 4] = ["config", "clock", "ids", "error"];

/// Where a lower module names a higher one all the same, and why.
const ALLOWED: [(&str, &str, &str); 1] =
    [("app", "projects", "remembers projects and what they permit, to save a query per request")];

/// Module to level. A row of ARCHITECTURE.md gives the level, then the modules in backticks.
fn table() -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut levels = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(level), Some(names)) = (cells.next(), cells.next()) else { continue };
        let Ok(level) = level.parse() else { continue };
        for name in names.split('`').skip(1).step_by(2) {
            levels.insert(name.to_owned(), level);
        }
    }
    levels
}

/// The modules above the floor that have a folder of their own.
pub fn nouns() -> BTreeSet<String> {
    let levels = table();
    let sources = walk("crates/server/src", &["rs"]);
    let folders = sources.iter().filter(|it| it.path.ends_with("/mod.rs"));
    let names = folders.map(Source::module).filter(|it| !["cli", "config"].contains(&&**it));
    names.filter(|name| levels.get(name).is_none_or(|level| *level > FLOOR)).collect()
}

/// Every module of the trunk that the file names: `crate::a`, `crate::{a, b::c}`.
fn named(source: &Source) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    let code: Vec<(usize, &str)> = source.code().collect();
    for (index, (number, line)) in code.iter().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let later = code[index + 1..].iter().map(|(_, line)| *line);
                let text = std::iter::once(group).chain(later).collect::<Vec<_>>().join("\n");
                found.extend(heads(&text).into_iter().map(|name| (*number, name)));
            } else {
                found.insert((*number, head(rest)));
            }
        }
    }
    found
}

fn head(path: &str) -> String {
    path.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
}

/// The first names of a use group, whose opening brace is gone: `a, b::{c, d}}; ..` gives a, b.
fn heads(text: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(head(text[start..at].trim()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn a_noun_calls_only_nouns_below_it() {
    let levels = table();
    let mut breaches = Vec::new();
    for source in walk("crates/server/src", &["rs"]) {
        let from = source.module();
        let level = levels.get(&from).copied().unwrap_or(FLOOR);
        for (number, to) in named(&source) {
            let Some(&other) = levels.get(&to) else { continue };
            let allowed = ALLOWED.iter().any(|(a, b, _)| *a == from && *b == to);
            if to != from && other > FLOOR && other >= level && !allowed && from != "main" {
                let place = format!("{}:{number}", source.path);
                breaches.push(format!("{place} {from} ({level}) names {to} ({other})"));
            }
        }
    }
    none(
        &breaches,
        "A module names only modules of a lower level (table in ARCHITECTURE.md). News that must \
         go up is a job in the outbox.",
    );
}

#[test]
fn every_noun_has_a_level() {
    let levels = table();
    let missing: Vec<String> = nouns().into_iter().filter(|it| !levels.contains_key(it)).collect();
    none(&missing, "A noun needs a row in the table of levels in ARCHITECTURE.md:");
}

#[test]
fn what_stands_alone_names_nothing_of_ours() {
    let mut breaches = Vec::new();
    for source in walk("crates/server/src", &["rs"]) {
        let from = source.module();
        let alone = STANDS_ALONE.contains(&from.as_str());
        for (number, to) in named(&source).into_iter().filter(|_| alone) {
            let module = root().join("crates/server/src").join(&to);
            let is_module = module.is_dir() || module.with_extension("rs").is_file();
            if is_module && to != from {
                breaches.push(format!("{}:{number} names {to}", source.path));
            }
        }
    }
    none(&breaches, "config, clock, ids and error stand on nothing of ours:");
}

#[test]
fn a_use_group_is_read_to_its_end() {
    assert_eq!(heads("app::{self, App}, db::Db,\n ids}; other"), ["app", "db", "ids"]);
    let text = "use crate::{\n    a::B,\n    c,\n};\nfn f() { crate::d::e() } // crate::no\n";
    let source = Source { path: "x/src/y.rs".into(), text: text.into() };
    let names: Vec<String> = named(&source).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "d"]);
}
