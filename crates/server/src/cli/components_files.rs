//! Reading a component from disk: a file with all that it imports, or a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

use super::Failure;
use crate::components::{FILES_BYTES_MAX, FILES_MAX, Files, closure};

/// Folders that are no part of a component.
const SKIPPED: [&str; 2] = ["node_modules", "tests"];
/// What a component may consist of, where a whole folder is taken.
const ENDINGS: [&str; 4] = ["mjs", "cjs", "js", "json"];
/// Names of the file that is loaded first, where `package.json` does not say.
const ENTRIES: [&str; 3] = ["index.mjs", "index.js", "index.cjs"];

/// What was read.
pub(super) struct Folder {
    pub files: Files,
    /// The file that is loaded first.
    pub entry: String,
}

/// Reads what stands at the path.
pub(super) fn read(path: &Path) -> Result<Folder, Failure> {
    if path.is_dir() { folder(path) } else { file(path) }
}

fn file(path: &Path) -> Result<Folder, Failure> {
    let path = std::fs::canonicalize(path)
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", path.display())))?;
    // Imports may lead out of the file's own folder, so look from as far up as they can.
    let read = |name: &str| std::fs::read_to_string(Path::new("/").join(name)).ok();
    let entry = path.strip_prefix("/").unwrap_or(&path).to_string_lossy().into_owned();
    let mut texts: BTreeMap<String, Option<String>> = BTreeMap::new();
    loop {
        let before = texts.len();
        let wanted = std::cell::RefCell::new(Vec::new());
        let found = closure(&entry, |name| {
            let known = texts.get(name);
            if known.is_none() {
                wanted.borrow_mut().push(name.to_owned());
            }
            known?.as_deref()
        });
        for name in wanted.into_inner() {
            let text = read(&name);
            texts.insert(name, text);
        }
        if texts.len() == before || found.len() > FILES_MAX {
            return Ok(below_common(&entry, &Vec::from_iter(found), &texts));
        }
    }
}

/// The files by their paths below the deepest folder that holds them all.
fn below_common(entry: &str, paths: &[String], texts: &BTreeMap<String, Option<String>>) -> Folder {
    let folder = |path: &str| {
        path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default()
    };
    let mut common = folder(entry);
    while !paths.iter().all(|it| it.starts_with(&common)) {
        common = folder(common.trim_end_matches('/'));
    }
    let text = |path: &str| texts.get(path).cloned().flatten().unwrap_or_default();
    let files = paths.iter().map(|it| (it[common.len()..].to_owned(), Bytes::from(text(it))));
    Folder { files: files.collect(), entry: entry[common.len()..].to_owned() }
}

fn folder(root: &Path) -> Result<Folder, Failure> {
    let mut files = Files::new();
    let mut bytes = 0;
    for path in walk(root)? {
        let content = std::fs::read(&path)?;
        bytes += content.len();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        files.insert(name, Bytes::from(content));
        if files.len() > FILES_MAX || bytes > FILES_BYTES_MAX {
            return Err(Failure::Usage(format!(
                "{} has more than {FILES_MAX} files or {FILES_BYTES_MAX} bytes.",
                root.display()
            )));
        }
    }
    let entry = entry(&files).ok_or_else(|| {
        Failure::Usage(format!(
            "{} has no `main` in package.json and no index.mjs: which file is loaded first?",
            root.display()
        ))
    })?;
    Ok(Folder { files, entry })
}

/// The scripts and JSON files below a folder, hidden ones and packages left out.
pub(super) fn walk(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if name.starts_with('.') || SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = entry.path();
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file()
                && path.extension().is_some_and(|it| ENDINGS.iter().any(|want| it == *want))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entry(files: &Files) -> Option<String> {
    let package = files.get("package.json");
    let package: Option<Value> = package.and_then(|it| serde_json::from_slice(it).ok());
    let main = package.and_then(|it| it["main"].as_str().map(str::to_owned));
    if let Some(main) = main {
        let main = main.trim_start_matches("./").to_owned();
        return files.contains_key(&main).then_some(main);
    }
    if let Some(entry) = ENTRIES.iter().find(|it| files.contains_key(**it)) {
        return Some((*entry).to_owned());
    }
    let mut scripts = files.keys().filter(|it| !it.contains('/') && it.ends_with("js"));
    let only = scripts.next().cloned();
    only.filter(|_| scripts.next().is_none())
}
