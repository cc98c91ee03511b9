//! Compiles the components that are shipped in: each file's text, and the index that describes
//! them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a component may consist of. The index is a file of its own.
const ENDINGS: [&str; 4] = ["mjs", "cjs", "js", "json"];
/// Made by `cargo xtask components`.
const INDEX: &str = "index.json";
/// Never shipped.
const SKIPPED: [&str; 3] = ["tests", "node_modules", INDEX];

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../components");
    let root = root.canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());
    let mut text = String::from("&[\n");
    for path in paths(&root)? {
        let name = path.strip_prefix(&root).map_err(io::Error::other)?;
        let file = path.to_string_lossy();
        let line = writeln!(text, "({:?}, include_str!({file:?})),", slashes(name));
        line.map_err(io::Error::other)?;
    }
    text.push(']');
    let out = PathBuf::from(variable("OUT_DIR")?);
    fs::write(out.join("components.rs"), text)?;
    fs::copy(root.join(INDEX), out.join(INDEX)).map(drop)
}

#[allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

fn slashes(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|it| it.to_string_lossy()).collect();
    parts.join("/")
}

/// The files under a folder, in an order that is the same everywhere.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let skipped = path.file_name().is_some_and(|it| SKIPPED.iter().any(|skip| it == *skip));
        if skipped {
            continue;
        }
        if path.is_dir() {
            found.extend(paths(&path)?);
        } else if path.extension().is_some_and(|it| ENDINGS.iter().any(|want| it == *want)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
