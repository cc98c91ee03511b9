//! Makes `icons/simple-icons.tsv` from the package `simple-icons`, unpacked in a folder:
//! `npm pack simple-icons && tar xzf simple-icons-*.tgz && cargo xtask catalog icons package`.
//!
//! Only the icons that app files name are taken, and none that carries a licence of its own: the
//! rest is CC0 1.0. Names that are left without an icon are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use serde::Deserialize;

#[derive(Deserialize)]
struct Icon {
    slug: String,
    /// Six hexadecimal digits: the brand's colour.
    hex: String,
    license: Option<Licence>,
}

#[derive(Deserialize)]
struct Licence {
    #[serde(rename = "type")]
    kind: String,
}

fn main() -> ExitCode {
    let Some(package) = std::env::args().nth(1) else {
        eprintln!("usage: icons FOLDER: the unpacked npm package simple-icons");
        return ExitCode::from(2);
    };
    match run(Path::new(&package)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{package}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(package: &Path) -> io::Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let data = fs::read_to_string(package.join("data/simple-icons.json"))?;
    let icons: Vec<Icon> = serde_json::from_str(&data).map_err(io::Error::other)?;
    let icons: BTreeMap<&str, &Icon> = icons.iter().map(|it| (it.slug.as_str(), it)).collect();
    let mut lines = String::new();
    let (mut taken, mut licensed, mut unknown) = (0, Vec::new(), Vec::new());
    for name in wanted(&root.join("apps"))? {
        let Some(icon) = icons.get(name.as_str()) else {
            unknown.push(name);
            continue;
        };
        if icon.license.as_ref().is_some_and(|it| it.kind != "CC0-1.0") {
            licensed.push(name);
            continue;
        }
        let svg = fs::read_to_string(package.join(format!("icons/{name}.svg")))?;
        let path = svg.split_once(" d=\"").and_then(|(_, rest)| rest.split_once('"'));
        let (path, _) = path.ok_or_else(|| io::Error::other(format!("{name}: no path")))?;
        let _ = writeln!(lines, "{name}\t{}\t{path}", icon.hex.to_lowercase());
        taken += 1;
    }
    fs::write(root.join("icons/simple-icons.tsv"), lines)?;
    println!("{taken} icons");
    println!("with a licence of their own: {}", licensed.join(" "));
    println!("not in the package: {}", unknown.join(" "));
    Ok(())
}

/// The names that stand in app files.
fn wanted(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(wanted(&path)?);
        } else if path.extension().is_some_and(|it| it == "toml") {
            let text = fs::read_to_string(&path)?;
            let icon =
                |line: &str| Some(line.strip_prefix("icon = \"")?.strip_suffix('"')?.to_owned());
            names.extend(text.lines().find_map(icon));
        }
    }
    Ok(names)
}
