//! Where the workers of one process have their files.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::{self, Config};
use crate::ids::InstanceId;

/// In the data folder: a folder for each process.
const FOLDER: &str = "workers";
/// Held by the process whose workers a folder is of.
const LOCK: &str = "lock";
/// Says where else the process has files.
const ELSEWHERE: &str = "elsewhere";
/// Places that every system has, and that everybody may pass.
const SYSTEM: [&str; 2] = ["/tmp", "/run"];
/// In front of the process's id, in the name of the folder there.
const PREFIX: &str = "grantkeep-";
/// Of the process's id. Short, as a socket below has a name of 107 bytes at most.
const NAME_CHARS: usize = 6;

/// The folder of this process's workers. While the lock is held, nobody clears it away.
pub(super) struct Home {
    folder: PathBuf,
    /// Outside of the data folder.
    elsewhere: Option<PathBuf>,
    locks: Vec<File>,
}

impl Home {
    /// Makes one, and clears those of processes that are gone.
    ///
    /// A server that is root gives each worker a user id of its own, to which a data folder is
    /// closed that is private to root. Then the files are in the system's folder for temporary
    /// ones: nobody but root can list, write or rename them there.
    pub fn make(config: &Config) -> io::Result<Self> {
        // Workers have other working folders.
        let all = std::path::absolute(&config.data_dir)?.join(FOLDER);
        std::fs::create_dir_all(&all)?;
        for entry in std::fs::read_dir(&all)? {
            clear(&entry?.path());
        }
        let id = InstanceId::mint();
        let folder = all.join(id.as_str().split_at(InstanceId::PREFIX.len() + NAME_CHARS).0);
        std::fs::create_dir(&folder)?;
        let lock = File::create_new(folder.join(LOCK))?;
        lock.lock()?;
        let mut home = Self { folder, elsewhere: None, locks: vec![lock] };
        if rustix::process::geteuid().is_root() && !passed_by_all(&home.folder) {
            let temporary = config::variable("TMPDIR").map(PathBuf::from);
            let places = temporary.into_iter().chain(SYSTEM.map(PathBuf::from));
            // Where there is no such place, workers share the server's user id, which is said.
            places.filter(|it| passed_by_all(it)).any(|it| home.moves(&it, &id).is_ok());
        }
        Ok(home)
    }

    fn moves(&mut self, place: &Path, id: &InstanceId) -> io::Result<()> {
        let there = place.join(format!("{PREFIX}{id}"));
        // Said before it is there: a process that dies in between leaves nothing unknown.
        std::fs::write(self.folder.join(ELSEWHERE), there.as_os_str().as_encoded_bytes())?;
        std::fs::create_dir(&there)?;
        std::fs::set_permissions(&there, Permissions::from_mode(0o711))?;
        // Programs that tidy up temporary files leave alone what is locked.
        let lock = File::open(&there)?;
        lock.lock_shared()?;
        self.locks.push(lock);
        self.elsewhere = Some(there);
        Ok(())
    }

    /// Where the pool has its files.
    pub fn pool(&self) -> PathBuf {
        self.elsewhere.as_ref().unwrap_or(&self.folder).join("pool")
    }

    pub async fn remove(&self) {
        for folder in self.elsewhere.iter().chain([&self.folder]) {
            let _ = tokio::fs::remove_dir_all(folder).await;
        }
    }
}

/// Removes what a process left that is gone.
fn clear(folder: &Path) {
    let left = File::open(folder.join(LOCK));
    if !left.is_ok_and(|it| it.try_lock().is_ok()) {
        return;
    }
    let there = std::fs::read_to_string(folder.join(ELSEWHERE)).map(PathBuf::from);
    // Whatever the file says, nothing else is removed.
    let ours = |it: &PathBuf| it.file_name().is_some_and(|it| named_by_us(&it.to_string_lossy()));
    if let Some(there) = there.ok().filter(ours) {
        let _ = std::fs::remove_dir_all(there);
    }
    let _ = std::fs::remove_dir_all(folder);
}

fn named_by_us(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|it| InstanceId::parse(it).is_some())
}

/// Whether any user can come by to what is in this folder.
fn passed_by_all(folder: &Path) -> bool {
    let passed = |it: &Path| it.metadata().is_ok_and(|it| it.permissions().mode() & 0o001 != 0);
    folder.canonicalize().is_ok_and(|it| it.ancestors().all(passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_elsewhere_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join(format!("{PREFIX}{}", InstanceId::mint()));
        let mine = folder.path().join("mine");
        std::fs::create_dir(&mine).unwrap();
        std::fs::create_dir(&there).unwrap();
        std::fs::write(mine.join(ELSEWHERE), there.to_str().unwrap()).unwrap();
        let lock = File::create_new(mine.join(LOCK)).unwrap();
        lock.lock().unwrap();
        clear(&mine);
        assert!(mine.exists() && there.exists(), "its process is alive");
        drop(lock);
        clear(&mine);
        assert!(!mine.exists() && !there.exists());
        std::fs::create_dir(&mine).unwrap();
        std::fs::write(mine.join(ELSEWHERE), folder.path().to_str().unwrap()).unwrap();
        File::create_new(mine.join(LOCK)).unwrap();
        clear(&mine);
        assert!(!mine.exists() && folder.path().exists(), "not named by us");
    }

    #[test]
    fn one_closed_folder_on_the_way_closes_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a");
        std::fs::create_dir(&inner).unwrap();
        std::fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        for (mode, passed) in [(0o700, false), (0o711, true)] {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(passed_by_all(&inner), passed, "{mode:o}");
        }
    }
}
