//! `cargo xtask components`: has the shipped components described, in the index beside them.

use std::path::Path;

use crate::{place, run};

/// Seals nothing that is kept: the store goes with the folder.
const ROOT_KEY: &str = "MtovqCWyX8w56KzK2iZn3m0PfrYkEI7RzH/xAytwX6Q=";

/// Runs the program itself, which loads each component in a worker.
pub fn describe() -> Result<bool, String> {
    let data = std::env::temp_dir().join(format!("grantkeep-components-{}", std::process::id()));
    std::fs::create_dir_all(&data).map_err(|it| format!("{}: {it}", data.display()))?;
    let folder = place::root().join("components");
    // Only `migrate` and `serve` make a store.
    let done = program(&data, &["migrate"], None)
        .and_then(|made| Ok(made && program(&data, &["components", "index"], Some(&folder))?));
    let _ = std::fs::remove_dir_all(&data);
    done
}

fn program(data: &Path, words: &[&str], folder: Option<&Path>) -> Result<bool, String> {
    let mut command = run::cargo();
    command
        .args(["run", "--quiet", "--package", "grantkeep", "--"])
        .args(words)
        .args(folder)
        .env("GRANTKEEP_DATA_DIR", data)
        .env("GRANTKEEP_ROOT_KEY", ROOT_KEY);
    command.status().map(|it| it.success()).map_err(|it| format!("cargo run: {it}"))
}
