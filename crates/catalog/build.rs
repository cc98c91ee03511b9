//! Lists the app files and the icons, so that they are compiled into the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?).join("embedded.rs");
    let mut text = String::new();
    table(&mut text, "APP_FILES", &files(&root, "apps", "toml")?);
    table(&mut text, "ICON_FILES", &files(&root, "icons", "svg")?);
    fs::write(out, text)
}

#[allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

/// The files under `folder` ending in `extension`, sorted, so that builds are the same everywhere.
fn files(root: &Path, folder: &str, extension: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                let name = path.strip_prefix(root).map_err(io::Error::other)?;
                found.push((name.to_string_lossy().replace('\\', "/"), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn table(text: &mut String, name: &str, files: &[(String, PathBuf)]) {
    let _ = writeln!(text, "pub(crate) static {name}: &[(&str, &str)] = &[");
    for (path, full) in files {
        let full = full.display().to_string();
        let _ = writeln!(text, "    ({path:?}, include_str!({full:?})),");
    }
    text.push_str("];\n");
}
