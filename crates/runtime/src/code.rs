//! What a worker runs: the files of a component, its packages, and the names that mean us.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use serde_json::json;

use crate::limits::{CODE_BYTES, CODE_FILES};

/// The package that is always there.
const OURS: &str = "@grantkeep/runtime";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Path below `/code`, and content.
    pub files: Vec<(String, Bytes)>,
    /// The file of those to import.
    pub entry: String,
    /// Place below `/code/node_modules`, and the folder of the store that is laid there.
    pub packages: Vec<(String, PathBuf)>,
    /// Package names that mean `@grantkeep/runtime`, besides that one.
    pub aliases: Vec<String>,
}

/// What was laid so far, against the limits.
#[derive(Default)]
struct Laid {
    files: usize,
    bytes: u64,
}

/// Where code is laid.
pub(crate) struct Ground {
    /// Of the worker; beside it, what is being copied.
    pub folder: PathBuf,
    /// Where our package is, as the worker sees it.
    pub runtime: PathBuf,
    /// Copies of packages for all workers, on the same disk as the folder.
    pub copies: PathBuf,
}

/// Fills the folder of a worker. Packages are linked, not copied, each on another disk once for all
/// workers; nothing outside of them is followed.
pub(crate) fn lay(code: &Code, ground: &Ground) -> Result<(), String> {
    let Ground { folder, runtime, .. } = ground;
    if !code.files.iter().any(|(path, _)| *path == code.entry) {
        return Err(format!("its entry {} is not among its files", code.entry));
    }
    let mut laid = Laid::default();
    for (path, content) in &code.files {
        let file = folder.join(inside(path)?);
        laid.count(content.len() as u64)?;
        write(&file, content).map_err(|it| format!("{path}: {it}"))?;
    }
    let modules = folder.join("node_modules");
    let ours = || std::iter::once(OURS).chain(code.aliases.iter().map(String::as_str));
    for name in ours() {
        shim(&modules.join(inside(name)?), name, runtime).map_err(|it| format!("{name}: {it}"))?;
    }
    for (place, package) in &code.packages {
        if !ours().any(|name| name == place) {
            link(&near(package, ground)?, &modules.join(inside(place)?), &mut laid)?;
        }
    }
    Ok(())
}

/// The package's folder, or a copy of it on the disk of the workers. The store names folders by
/// what is in them, so a name is one package for ever.
fn near(package: &Path, Ground { folder, copies, .. }: &Ground) -> Result<PathBuf, String> {
    let failed = |it: io::Error| format!("{}: {it}", package.display());
    let disk = |it: &Path| it.metadata().map(|it| it.dev()).map_err(failed);
    let (Some(name), Some(beside)) = (package.file_name(), folder.parent()) else {
        return Ok(package.to_path_buf());
    };
    if disk(package)? == disk(folder)? {
        return Ok(package.to_path_buf());
    }
    let copy = copies.join(name);
    if !copy.is_dir() {
        let fresh = beside.join("package");
        link(package, &fresh, &mut Laid::default())?;
        // Another worker may have been first with the same.
        if let Err(error) = fs::rename(&fresh, &copy) {
            fs::remove_dir_all(&fresh).map_err(failed)?;
            copy.is_dir().then_some(()).ok_or_else(|| failed(error))?;
        }
    }
    Ok(copy)
}

impl Laid {
    fn count(&mut self, bytes: u64) -> Result<(), String> {
        self.files += 1;
        self.bytes += bytes;
        if self.files > CODE_FILES {
            return Err(format!("more than {CODE_FILES} files, packages included"));
        }
        if self.bytes > CODE_BYTES {
            return Err(format!("more than {CODE_BYTES} bytes, packages included"));
        }
        Ok(())
    }
}

/// A path that stays below where it begins, on any system.
pub(crate) fn inside(path: &str) -> Result<PathBuf, String> {
    let plain = |it| matches!(it, Component::Normal(_));
    let good =
        !path.is_empty() && !path.contains(['\0', '\\']) && Path::new(path).components().all(plain);
    good.then(|| Path::new(path).components().collect())
        .ok_or_else(|| format!("{path:?} does not name a place below the folder"))
}

/// A new file that everybody may read.
pub(crate) fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(parent) = file.parent() {
        make(parent)?;
    }
    let mut made = fs::OpenOptions::new().write(true).create_new(true).open(file)?;
    io::Write::write_all(&mut made, content)?;
    made.set_permissions(fs::Permissions::from_mode(0o644))
}

/// A folder that everybody may read, whatever mask this process has: workers run as somebody else.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), make)?;
    fs::create_dir(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// A package of that name which hands out ours, to both kinds of modules.
fn shim(folder: &Path, name: &str, runtime: &Path) -> io::Result<()> {
    let faces = json!({ "import": "./index.mjs", "require": "./index.cjs" });
    let package = json!({
        "name": name, "version": env!("CARGO_PKG_VERSION"),
        "main": "./index.cjs", "exports": { ".": faces },
    });
    let of = |file: &str| json!(runtime.join(file)).to_string();
    write(&folder.join("package.json"), package.to_string().as_bytes())?;
    write(
        &folder.join("index.cjs"),
        format!("module.exports = require({});\n", of("index.cjs")).as_bytes(),
    )?;
    let whole = format!("export * from {0};\nexport {{ default }} from {0};\n", of("index.mjs"));
    write(&folder.join("index.mjs"), whole.as_bytes())
}

fn link(from: &Path, to: &Path, laid: &mut Laid) -> Result<(), String> {
    let failed = |it: io::Error| format!("{}: {it}", from.display());
    make(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (kind, target) = (entry.file_type().map_err(failed)?, to.join(entry.file_name()));
        if kind.is_dir() {
            link(&entry.path(), &target, laid)?;
        } else if kind.is_file() {
            laid.count(entry.metadata().map_err(failed)?.len())?;
            if fs::hard_link(entry.path(), &target).is_err() {
                fs::copy(entry.path(), &target).map_err(failed)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_folder() {
        for bad in ["", "/a", "../a", "a/../b", "a\0b", "./a", "a\\b"] {
            assert!(inside(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b.mjs", "@scope/name", "..a", "a/node_modules/b"] {
            assert!(inside(good).is_ok(), "{good:?}");
        }
    }
}
