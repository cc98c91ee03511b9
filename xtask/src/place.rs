//! Where things are: the clone, the build output, the cache, tools on the `PATH`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment's one door in this program.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The root of the clone that `cargo xtask` was called in. Read at run time: two clones may share
/// one build folder, and then this program was perhaps compiled in the other.
pub fn root() -> PathBuf {
    let manifest = variable("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// What is kept between clones: tools fetched once, and the build output.
pub fn cache() -> PathBuf {
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = variable("HOME").map(|home| Path::new(&home).join(".cache"));
    base.or(home).unwrap_or_else(std::env::temp_dir).join("grantkeep")
}

/// The build folder: `CARGO_TARGET_DIR`, or one outside the clone, so that a fresh clone on a
/// machine that built before starts warm.
pub fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// The program's full path, if it is on the `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}
