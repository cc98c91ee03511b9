//! Packs the app files and the icons, so that they are compiled in as one text of bytes.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "src/fold.rs"]
mod fold;
#[path = "src/pack.rs"]
mod pack;

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?).join("catalog.bin");
    let mut files = Vec::new();
    for path in paths(&root.join("apps"))? {
        files.push((path.display().to_string(), fs::read_to_string(&path)?));
    }
    let icons = root.join("icons/simple-icons.tsv");
    println!("cargo::rerun-if-changed={}", icons.display());
    let icons = fs::read_to_string(icons)?;
    let icons = self::icons(&icons).map_err(io::Error::other)?;
    let pairs = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    fs::write(out, pack::pack(pairs, &icons).map_err(io::Error::other)?)
}

#[allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

/// The app files under a folder. The packing sorts them by slug, so builds are the same everywhere.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(paths(&path)?);
        } else if path.extension().is_some_and(|it| it == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The icons of a file with a name, six hexadecimal digits and a shape on each line.
fn icons(text: &str) -> Result<Vec<pack::IconData<'_>>, String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let icon = icon(line);
        found.push(icon.ok_or_else(|| format!("not an icon: {line:.40}"))?);
    }
    found.sort_by(|a, b| a.name.cmp(b.name));
    Ok(found)
}

fn icon(line: &str) -> Option<pack::IconData<'_>> {
    let (name, rest) = line.split_once('\t')?;
    let (hex, shape) = rest.split_once('\t')?;
    let color = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 6)?;
    let [_, red, green, blue] = color.to_be_bytes();
    Some(pack::IconData { name, color: [red, green, blue], shape })
}
