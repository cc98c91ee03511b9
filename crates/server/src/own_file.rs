//! Files that belong to one living process. It holds a lock on each as long as it lives, so that a
//! file whose lock can be taken is that of a dead one, and what it holds can be brought to an end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Makes a file that is appended to, in a folder for such files.
///
/// # Errors
/// The folder or the file cannot be made, or written.
pub fn create(folder: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    crate::boot::private_dir(folder)?;
    // Under a name that is nobody's until the lock is held: a file without one is an orphan's.
    let path = folder.join(name);
    let fresh = path.with_extension("new");
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&fresh)?;
    file.try_lock()?;
    std::fs::rename(&fresh, &path)?;
    File::open(folder)?.sync_all()?;
    Ok((file, path))
}

/// Takes a file over. `None`: its process lives, or another process was quicker.
///
/// # Errors
/// Of the file system.
pub fn adopt(path: &Path) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Whoever had the lock a moment ago may have taken the file away.
    Ok(path.exists().then_some(file))
}

/// The files of a folder with this extension; none where there is no folder.
///
/// # Errors
/// The folder cannot be read.
pub fn listed(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let paths = listed.map(|file| file.map(|it| it.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|it| it.extension().is_some_and(|it| it == extension)).collect())
}
