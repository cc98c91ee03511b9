//! What apps answered to a refresh, on this machine's disk before anybody reads it.
//!
//! A provider that rotates refresh tokens has forgotten the old one when it answers, and the new
//! one is in this process's memory alone until the store has it. This file closes the gap: a
//! process that dies in between leaves the answer here, sealed, and the next one applies it.
//!
//! Each process writes a file of its own (`own_file.rs`). The leases of one that died are void, its
//! answers are still to be stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::ids::{AccountId, InstanceId, OperationId, ProjectId, UserId};
use crate::own_file;
use crate::tenant::{Environment, Tenant};

/// Name of the folder in the data folder.
const FOLDER: &str = "journal";
const EXTENSION: &str = "journal";
/// Answers written with one sync of the disk.
const GROUP_MAX: usize = 64;
/// Bytes that a disk must take which took none before.
const TRIED_BYTES: usize = 64 * 1024;
/// A file of which nothing is needed any more is emptied at this size.
const EMPTIED_BYTES: u64 = 256 * 1024;

/// An answer to be stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    pub operation: OperationId,
    pub project: ProjectId,
    pub environment: Environment,
    pub user: UserId,
    pub account: AccountId,
    pub app_slug: String,
    /// Of the credentials that the exchange began with.
    pub version: i64,
    pub fence: i64,
    pub received_at_ms: i64,
    /// Sealed under the user's key.
    #[serde(with = "bytes_as_text")]
    pub sealed: Vec<u8>,
}

impl Entry {
    pub fn tenant(&self) -> Tenant {
        Tenant { project: self.project.clone(), environment: self.environment }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Kept(Entry),
    /// It is in the store, or needed no more.
    Done(OperationId),
}

mod bytes_as_text {
    use super::{Engine, STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// This process's journal. Its file is made when it is first needed.
pub struct Journal {
    folder: PathBuf,
    instance: InstanceId,
    writer: Mutex<Option<Sender<Ask>>>,
    /// The disk did not take what it was given last.
    broken: Arc<AtomicBool>,
}

enum Ask {
    Keep(Box<Entry>, oneshot::Sender<io::Result<()>>),
    Done(OperationId),
}

/// What a dead process left.
pub struct Orphan {
    pub instance: InstanceId,
    /// What it did not bring to an end, in the order in which it came.
    pub entries: Vec<Entry>,
    path: PathBuf,
    /// Holds the lock, so that no other process takes it too.
    _file: File,
}

impl Journal {
    pub fn new(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join(FOLDER),
            instance: InstanceId::mint(),
            writer: Mutex::new(None),
            broken: Arc::default(),
        }
    }

    /// The name under which this process takes leases.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// Makes sure that an answer could be kept. To be called before one is asked for.
    ///
    /// # Errors
    /// The folder or the file cannot be made, or written; after a failure, until the disk takes
    /// something again.
    pub fn ready(&self) -> io::Result<()> {
        let mut writer = self.writer();
        if self.broken.load(Ordering::Relaxed) {
            self.try_disk()?;
            self.broken.store(false, Ordering::Relaxed);
        }
        if writer.is_none() {
            let name = format!("{}.{EXTENSION}", self.instance);
            let (file, _) = own_file::create(&self.folder, &name)?;
            let (to, from) = channel();
            let broken = Arc::clone(&self.broken);
            let write = move || write(file, &from, &broken);
            std::thread::Builder::new().name("journal".into()).spawn(write)?;
            *writer = Some(to);
        }
        Ok(())
    }

    /// Writes as much as an answer takes, apart from the journal.
    fn try_disk(&self) -> io::Result<()> {
        let path = self.folder.join(format!("{}.try", self.instance));
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let tried = file.write_all(&vec![0; TRIED_BYTES]).and_then(|()| file.sync_data());
        std::fs::remove_file(path)?;
        tried
    }

    /// Keeps an answer. It survives a crash of this process and of the machine when this returns.
    ///
    /// # Errors
    /// The disk is full or broken. The caller still has the answer, and stores it at once.
    pub async fn keep(&self, entry: Entry) -> io::Result<()> {
        let (told, kept) = oneshot::channel();
        self.ask(Ask::Keep(Box::new(entry), told))?;
        kept.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Notes that an answer is in the store. May be forgotten by a crash: applying it twice changes
    /// nothing. What this process did not keep is passed over.
    pub fn done(&self, operation: &OperationId) {
        // Nobody has kept anything where there is no writer.
        let _ = self.ask(Ask::Done(operation.clone()));
    }

    fn ask(&self, ask: Ask) -> io::Result<()> {
        self.writer().as_ref().ok_or_else(gone)?.send(ask).map_err(|_| gone())
    }

    fn writer(&self) -> MutexGuard<'_, Option<Sender<Ask>>> {
        // Nothing that can panic runs under the lock.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What processes left that died. Each is given to one caller only.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn orphans(&self) -> io::Result<Vec<Orphan>> {
        let mut found = Vec::new();
        for path in own_file::listed(&self.folder, EXTENSION)? {
            found.extend(orphan(path)?);
        }
        Ok(found)
    }
}

impl Orphan {
    /// Takes the file away, once all of it is in the store.
    ///
    /// # Errors
    /// Of the file system; it will be found again.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

fn gone() -> io::Error {
    io::Error::other("the journal is not open")
}

fn text(line: &Line) -> io::Result<String> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    Ok(text)
}

/// `None`: its process lives, or another process was quicker.
fn orphan(path: PathBuf) -> io::Result<Option<Orphan>> {
    let name = path.file_stem().and_then(|it| it.to_str());
    let Some(instance) = name.and_then(InstanceId::parse) else { return Ok(None) };
    let Some(file) = own_file::adopt(&path)? else { return Ok(None) };
    let entries = read(&std::fs::read(&path)?);
    Ok(Some(Orphan { instance, entries, path, _file: file }))
}

/// What is not done yet. A line that was cut off by a crash was never promised to anybody.
fn read(bytes: &[u8]) -> Vec<Entry> {
    let mut open = BTreeMap::new();
    for (nth, line) in bytes.split(|it| *it == b'\n').filter(|it| !it.is_empty()).enumerate() {
        match serde_json::from_slice(line) {
            Ok(Line::Kept(entry)) => {
                open.insert(entry.operation.clone(), (nth, entry));
            }
            Ok(Line::Done(operation)) => {
                open.remove(&operation);
            }
            Err(_) => tracing::warn!(line = nth + 1, "a line of a journal is cut off or damaged"),
        }
    }
    let mut open: Vec<_> = open.into_values().collect();
    open.sort_by_key(|(nth, _)| *nth);
    open.into_iter().map(|(_, entry)| entry).collect()
}

/// Writes what is asked for, many answers with one sync, until the journal is dropped.
fn write(mut file: File, asks: &Receiver<Ask>, broken: &AtomicBool) {
    let (mut open, mut torn) = (BTreeSet::new(), false);
    while let Ok(first) = asks.recv() {
        let rest = std::iter::from_fn(|| asks.try_recv().ok());
        let (mut lines, mut waiting) = (String::new(), Vec::new());
        for ask in std::iter::once(first).chain(rest).take(GROUP_MAX) {
            let line = match ask {
                Ask::Keep(entry, told) => {
                    open.insert(entry.operation.clone());
                    waiting.push(told);
                    text(&Line::Kept(*entry))
                }
                Ask::Done(operation) if open.remove(&operation) => text(&Line::Done(operation)),
                Ask::Done(_) => continue,
            };
            // Ids, numbers and base64: there is nothing in it that could not be written.
            lines.push_str(&line.unwrap_or_default());
        }
        if torn {
            // What was cut off must not spoil the line after it.
            lines.insert(0, '\n');
        }
        let mut written = file.write_all(lines.as_bytes());
        if written.is_ok() && !waiting.is_empty() {
            written = file.sync_data();
        }
        torn = written.is_err();
        if torn {
            broken.store(true, Ordering::Relaxed);
        }
        for told in waiting {
            let _ = told.send(match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
        }
        if open.is_empty() && file.metadata().is_ok_and(|it| it.len() > EMPTIED_BYTES) {
            // Nothing of it is needed; if it fails, the file stays long.
            let _ = file.set_len(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(sealed: &[u8]) -> Entry {
        Entry {
            operation: OperationId::mint(),
            project: ProjectId::mint(),
            environment: Environment::Production,
            user: UserId::mint(),
            account: AccountId::mint(),
            app_slug: "x".into(),
            version: 3,
            fence: 7,
            received_at_ms: 11,
            sealed: sealed.to_vec(),
        }
    }

    #[tokio::test]
    async fn what_is_kept_and_not_done_is_found_once_its_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (dead, living) = (Journal::new(dir.path()), Journal::new(dir.path()));
        dead.ready().unwrap();
        living.ready().unwrap();
        let entries = [entry(b"one"), entry(b"two"), entry(b"three")];
        for it in &entries {
            dead.keep(it.clone()).await.unwrap();
        }
        dead.done(&entries[1].operation);
        // While it lives, nobody takes its file; nor the file of the one who looks.
        assert!(living.orphans().unwrap().is_empty());
        let instance = dead.instance().clone();
        drop(dead);
        let orphans = loop {
            let orphans = living.orphans().unwrap();
            if !orphans.is_empty() {
                break orphans;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(orphans[0].instance, instance);
        let left: Vec<_> = orphans[0].entries.iter().map(|it| it.sealed.clone()).collect();
        assert_eq!(left, [b"one".to_vec(), b"three".to_vec()]);
        assert!(living.orphans().unwrap().is_empty(), "the finder holds it");
        for orphan in orphans {
            orphan.remove().unwrap();
        }
        assert!(living.orphans().unwrap().is_empty());
    }

    #[tokio::test]
    async fn x_11_after_a_failure_the_disk_is_tried_before_an_answer_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path());
        journal.ready().unwrap();
        journal.broken.store(true, Ordering::Relaxed);
        let (folder, aside) = (dir.path().join(FOLDER), dir.path().join("aside"));
        std::fs::rename(&folder, &aside).unwrap();
        assert!(journal.ready().is_err());
        assert!(journal.ready().is_err(), "it is asked again each time");
        std::fs::rename(&aside, &folder).unwrap();
        journal.ready().unwrap();
        journal.keep(entry(b"kept")).await.unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left of the try");
    }

    #[test]
    fn a_line_cut_off_at_any_byte_loses_itself_only() {
        let (first, second) = (entry(b"first"), entry(b"second"));
        let one = text(&Line::Kept(first)).unwrap();
        let two = text(&Line::Kept(second)).unwrap();
        for cut in 0..two.len() - 1 {
            let bytes = [one.as_bytes(), &two.as_bytes()[..cut]].concat();
            assert_eq!(read(&bytes).len(), 1, "cut at {cut}");
        }
        assert_eq!(read(&[one.as_bytes(), two.as_bytes()].concat()).len(), 2);
    }

    proptest! {
        /// A damaged line takes no other with it, and none is made up.
        #[test]
        fn x_02_damaged_lines_are_passed_over(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let (first, second) = (entry(b"first"), entry(b"second"));
            let one = text(&Line::Kept(first)).unwrap();
            let two = text(&Line::Kept(second)).unwrap();
            let bytes = [one.as_bytes(), &garbage, b"\n", two.as_bytes()].concat();
            let sealed: Vec<_> = read(&bytes).into_iter().map(|it| it.sealed).collect();
            prop_assert_eq!(sealed, [b"first".to_vec(), b"second".to_vec()]);
        }
    }
}
