//! `cargo xtask torture mutants`: brings known faults back, one at a time, and sees that the
//! torture finds each. A check that has never failed proves nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::place;
use crate::run;
use crate::torture::{TOOL, tool};

/// Where the faults are kept, as patches. The first line of each says what finds it, and what it
/// is.
const FOLDER: &str = "crates/torture/mutants";

/// Enough for any of them, and over at the first breach.
const REFRESH: [&str; 6] = ["refresh", "--engine", "sqlite", "--kills", "400", "--first"];
const RACE: [&str; 7] = ["race", "--nodes", "2", "--races", "200", "--zombies", "80"];

struct Mutant {
    name: String,
    patch: PathBuf,
    /// `refresh` or `race`.
    found_by: String,
    about: String,
}

/// `false`: one of them was not found.
///
/// # Errors
/// A patch does not fit any more, or something does not build or start.
pub fn run(names: &[&str]) -> Result<bool, String> {
    let all = all()?;
    let wanted = |it: &&Mutant| names.is_empty() || names.contains(&it.name.as_str());
    let wanted: Vec<_> = all.iter().filter(wanted).collect();
    if wanted.is_empty() {
        let names: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
        return Err(format!("no such mutant; there are {}", names.join(", ")));
    }
    let torture = tool(true)?;
    let tree = tree()?;
    let mut found_all = true;
    for mutant in wanted {
        let begun = Instant::now();
        let program = build(mutant, &tree)?;
        let log = program.with_extension("log");
        let mut command = torture.command(&program);
        command.args(if mutant.found_by == "race" { &RACE[..] } else { &REFRESH[..] });
        let output = File::create(&log).map_err(|it| format!("{}: {it}", log.display()))?;
        let second = output.try_clone().map_err(|it| format!("{}: {it}", log.display()))?;
        let status = command.stdout(output).stderr(second).status();
        let status = status.map_err(|it| format!("cannot start {TOOL}: {it}"))?;
        // 2 is the harness's own trouble, such as a server that does not start: that finds it too,
        // but not as it should.
        let found = status.code() == Some(1);
        found_all &= found;
        let word = if found { "found" } else { "NOT FOUND" };
        let seconds = begun.elapsed().as_secs();
        println!("{word:<10} {:<26} {seconds:>4} s  {}", mutant.name, mutant.about);
    }
    Ok(found_all)
}

fn all() -> Result<Vec<Mutant>, String> {
    let folder = place::root().join(FOLDER);
    let files = std::fs::read_dir(&folder).map_err(|it| format!("{}: {it}", folder.display()))?;
    let mut all = Vec::new();
    for file in files.flatten() {
        let patch = file.path();
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&patch).map_err(|it| format!("{name}: {it}"))?;
        let first = text.lines().next().unwrap_or_default();
        let (found_by, about) =
            first.split_once(": ").ok_or(format!("{name}: the first line says nothing"))?;
        let (found_by, about) = (found_by.to_owned(), about.to_owned());
        all.push(Mutant { name, patch, found_by, about });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The last commit in a folder of its own, so that no fault is ever in the clone.
fn tree() -> Result<PathBuf, String> {
    let tree = place::target().join("torture/tree");
    let _ = std::fs::remove_dir_all(&tree);
    std::fs::create_dir_all(&tree).map_err(|it| format!("{}: {it}", tree.display()))?;
    let mut archive = Command::new("git");
    archive.args(["archive", "HEAD"]).current_dir(place::root()).stdout(Stdio::piped());
    let mut archive = archive.spawn().map_err(|it| format!("git archive: {it}"))?;
    let mut unpack = Command::new("tar");
    unpack.arg("-xC").arg(&tree).stdin(archive.stdout.take().ok_or("git archive says nothing")?);
    let unpacked = unpack.status().map_err(|it| format!("tar: {it}"))?;
    let archived = archive.wait().map_err(|it| format!("git archive: {it}"))?;
    if !(unpacked.success() && archived.success()) {
        return Err("the last commit cannot be unpacked".into());
    }
    Ok(tree)
}

/// Builds the server with the fault in it, and takes the fault out of the tree again. In a build
/// folder of its own: cargo tells the same package in two places by the age of its files alone, and
/// the clone's next build would take the fault for its own.
fn build(mutant: &Mutant, tree: &Path) -> Result<PathBuf, String> {
    apply(mutant, tree, &[])?;
    let folder = place::target().join("torture/build");
    let mut cargo = run::cargo();
    cargo.env("CARGO_TARGET_DIR", &folder);
    cargo.args(["build", "--quiet", "--package", "grantkeep"]).current_dir(tree);
    let built = cargo.status().map_err(|it| format!("cargo build: {it}"));
    apply(mutant, tree, &["--reverse"])?;
    if !built?.success() {
        return Err(format!("{} does not build", mutant.name));
    }
    let program = place::target().join("torture").join(&mutant.name);
    std::fs::copy(folder.join("debug/grantkeep"), &program)
        .map_err(|it| format!("{}: {it}", program.display()))?;
    Ok(program)
}

fn apply(mutant: &Mutant, tree: &Path, options: &[&str]) -> Result<(), String> {
    let mut git = Command::new("git");
    // Not the clone's repository, should the build folder be in it.
    git.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree));
    git.arg("apply").args(options).arg(&mutant.patch).current_dir(tree);
    let status = git.status().map_err(|it| format!("git apply: {it}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{} does not fit any more: write it anew", mutant.patch.display()))
}
