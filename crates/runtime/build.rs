//! Lists the files of the package `@grantkeep/runtime`, so that they are compiled in.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Below `sdk/runtime`, what no worker reads.
const LEFT_OUT: [&str; 3] = ["tests", "node_modules", "dist"];
const WANTED: [&str; 4] = ["mjs", "cjs", "js", "json"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../sdk/runtime");
    let root = root.canonicalize()?;
    let mut list = String::from("const PACKAGE: &[(&str, &str)] = &[\n");
    for path in files(&root)? {
        let name = path.strip_prefix(&root).map_err(io::Error::other)?;
        let (name, path) = (name.display(), path.display());
        writeln!(list, "    (r\"{name}\", include_str!(r\"{path}\")),")
            .map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("package.rs"), list)
}

#[allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let left_out = path.file_name().is_some_and(|it| LEFT_OUT.iter().any(|out| it == *out));
        if path.is_dir() && !left_out {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|it| WANTED.iter().any(|want| it == *want)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
