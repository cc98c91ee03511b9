//! A package's tarball becomes a folder: plain files and nothing else, all at once or not at all.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use crate::code::{inside, make};

/// Files of one package.
const FILES: usize = 50_000;
/// Bytes of one package once unpacked: a small tarball can hold a great deal.
const UNPACKED_BYTES: u64 = 256 << 20;
/// Bytes of what stands between files, padding included.
const OVERHEAD_BYTES: u64 = 64 << 20;
/// How deep folders may lie.
const DEPTH: usize = 64;

pub(super) fn unpack(tarball: &[u8], folder: &Path) -> Result<(), String> {
    let failed = |it: io::Error| it.to_string();
    let parent = folder.parent().ok_or("the store has no folder")?;
    fs::create_dir_all(parent).map_err(failed)?;
    let aside = aside(parent)?;
    let unpacked = fs::create_dir(&aside).map_err(failed).and_then(|()| into(tarball, &aside));
    let moved = unpacked.and_then(|()| match fs::rename(&aside, folder) {
        // Somebody else was as far, with the same bytes.
        Err(_) if folder.is_dir() => Ok(()),
        moved => moved.map_err(failed),
    });
    drop(fs::remove_dir_all(&aside));
    moved
}

/// A name in the same folder, so that the move is one step.
fn aside(parent: &Path) -> Result<PathBuf, String> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| "no randomness")?;
    Ok(parent.join(format!("new-{:032x}", u128::from_ne_bytes(random))))
}

fn into(tarball: &[u8], folder: &Path) -> Result<(), String> {
    let failed = |it: io::Error| format!("its tarball cannot be read: {it}");
    let plain = MultiGzDecoder::new(tarball).take(UNPACKED_BYTES + OVERHEAD_BYTES);
    let mut archive = Archive::new(plain);
    let (mut files, mut bytes) = (0, 0);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let raw = entry.path_bytes().into_owned();
        let path = place(&raw)?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            other => return Err(format!("{} is no plain file ({other:?})", path.display())),
        }
        files += 1;
        bytes += entry.size();
        if files > FILES || bytes > UNPACKED_BYTES {
            return Err(format!("more than {FILES} files or {UNPACKED_BYTES} bytes"));
        }
        let runs = entry.header().mode().is_ok_and(|it| it & 0o100 != 0);
        write(&folder.join(path), &mut entry, if runs { 0o755 } else { 0o644 }).map_err(failed)?;
    }
    if files == 0 {
        return Err("its tarball is empty".into());
    }
    Ok(())
}

/// Below the package: the first folder of the tarball, whatever its name, is the package itself.
fn place(raw: &[u8]) -> Result<PathBuf, String> {
    let bad = || format!("{:?} leads out of the package", String::from_utf8_lossy(raw));
    let text = std::str::from_utf8(raw).map_err(|_| bad())?;
    let text = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
    let path = inside(text).map_err(|_| bad())?;
    let mut parts = path.components();
    parts.next();
    let rest: PathBuf = parts.collect();
    if rest.components().count() > DEPTH { Err(bad()) } else { Ok(rest) }
}

fn write(file: &Path, content: &mut impl Read, mode: u32) -> io::Result<()> {
    let nowhere = !matches!(file.components().next_back(), Some(Component::Normal(_)));
    let parent = file.parent().filter(|_| !nowhere);
    let parent = parent.ok_or_else(|| io::Error::other("a file without a name"))?;
    make(parent)?;
    let mut options = fs::OpenOptions::new();
    let mut made = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    io::copy(content, &mut made)?;
    // Whatever mask this process has: workers run as somebody else.
    made.set_permissions(PermissionsExt::from_mode(mode))
}
