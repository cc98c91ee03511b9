//! Where the data is: a folder that is gone afterwards, or one that the person named.

use std::path::{Path, PathBuf};

use grantkeep_vault::token;

use super::{Doing, Result};
use crate::boot::private_dir;

/// A folder that only this user can enter. A temporary one is removed when this is dropped.
pub struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// `named`, made if need be and kept; else a fresh one, its name beginning with `prefix`, that
    /// is removed at the end.
    pub fn open(named: Option<&Path>, prefix: &'static str) -> Result<Self> {
        let fresh = || std::env::temp_dir().join(token::base62(prefix, 12).expose());
        let path = named.map_or_else(fresh, Path::to_path_buf);
        let folder = Self { path, kept: named.is_some() };
        private_dir(folder.path()).doing("cannot make the data folder")?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Every file in it and below, for reading.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).doing("cannot read the data folder")? {
                let path = entry.doing("cannot read the data folder")?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    // Others hold nothing: sockets.
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // At the end of the process there is nobody left to tell.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
