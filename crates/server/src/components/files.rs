//! The files of a component: which may be, and which of many belong to one.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;

use super::{FILES_BYTES_MAX, FILES_MAX, field};
use crate::error::Result;

/// Characters of a path.
const PATH_CHARS_MAX: usize = 255;
/// What an import may leave out.
const ENDINGS: [&str; 6] = ["", ".mjs", ".js", ".cjs", ".json", "/index.mjs"];

/// Path to content.
pub type Files = BTreeMap<String, Bytes>;

/// Refuses files that no component has: odd paths, too many, too much.
///
/// # Errors
/// [`crate::error::INVALID_FIELD`].
pub(super) fn check(files: &Files) -> Result<()> {
    if files.is_empty() || files.len() > FILES_MAX {
        return Err(field("files", format!("A component has 1 to {FILES_MAX} files.")));
    }
    let bytes: usize = files.values().map(Bytes::len).sum();
    if bytes > FILES_BYTES_MAX {
        let text =
            format!("The files have {bytes} bytes together, and may have {FILES_BYTES_MAX}.");
        return Err(field("files", text));
    }
    match files.keys().find(|it| !is_path(it)) {
        None => Ok(()),
        Some(path) => {
            let shown: String = path.chars().filter(|it| !it.is_control()).take(80).collect();
            let text = format!(
                "`{shown}` cannot be a file's path: letters, digits and `._-@` in parts with \
                 slashes between them, none of which is `.`, `..` or `node_modules`."
            );
            Err(field("files", text))
        }
    }
}

/// A path that means the same everywhere, and stays within the folder that it is put into.
fn is_path(path: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"._-@".contains(&it);
    let part = |it: &str| {
        !it.is_empty()
            && !it.bytes().all(|it| it == b'.')
            && it != "node_modules"
            && it.bytes().all(plain)
    };
    path.len() <= PATH_CHARS_MAX && path.split('/').all(part)
}

/// The file and all that it imports by a path, and what those import. Any quoted text that begins
/// with a dot and names one of the files counts as an import.
pub fn closure<'a>(entry: &str, text_of: impl Fn(&str) -> Option<&'a str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![entry.to_owned()];
    while let Some(path) = left.pop() {
        let Some(text) = text_of(&path) else { continue };
        if !found.insert(path.clone()) {
            continue;
        }
        let quoted = text.split(['"', '\'', '`']).filter(|it| it.starts_with('.'));
        for import in quoted {
            let Some(target) = joined(&path, import) else { continue };
            let named = ENDINGS.iter().map(|it| format!("{target}{it}"));
            left.extend(named.into_iter().find(|it| text_of(it).is_some()));
        }
    }
    found
}

/// What an import means that stands in the file of that path.
pub(super) fn joined(from: &str, import: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hash(content: &[u8]) -> String {
    hex(digest(&SHA256, content).as_ref())
}

/// One hash over texts of which each is told from the next.
pub(super) fn hash_all<'a>(texts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&text.len().to_be_bytes());
        context.update(text);
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_brings_what_it_imports() {
        let files = BTreeMap::from([
            ("a/actions/x.mjs", "import app from '../a.app.mjs'; import z from \"node:fs\";"),
            ("a/a.app.mjs", "import { b } from \"./common/b\"; // not ../../../../etc/passwd"),
            ("a/common/b.mjs", "export const b = require('./c.json');"),
            ("a/common/c.json", "{}"),
            ("a/actions/y.mjs", ""),
        ]);
        let found = closure("a/actions/x.mjs", |it| files.get(it).copied());
        let expected = ["a/a.app.mjs", "a/actions/x.mjs", "a/common/b.mjs", "a/common/c.json"];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_path_stays_in_its_folder() {
        for path in ["a.mjs", "a/b-c/d_e.mjs", ".x", "@a/b.js"] {
            assert!(is_path(path), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a\\b", "a\0", "node_modules/x"] {
            assert!(!is_path(path), "{path}");
        }
    }
}
