//! Packages come by lock file: what it names and nothing else, unpacked and never run.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use grantkeep_runtime::packages::{NotInstalled, install};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::world::{module, worlds};

/// A registry: what is at which address, and how often it was asked.
#[derive(Default)]
struct Registry {
    tarballs: BTreeMap<String, Bytes>,
    packages: serde_json::Map<String, Value>,
    asked: AtomicUsize,
}

impl Registry {
    fn add(&mut self, place: &str, tarball: Vec<u8>) {
        let url = format!("https://registry.test/{place}.tgz");
        let integrity = format!("sha512-{}", STANDARD.encode(digest(&SHA512, &tarball)));
        self.packages.insert(
            format!("node_modules/{place}"),
            json!({ "resolved": url, "integrity": integrity, "hasInstallScript": true }),
        );
        self.tarballs.insert(url, tarball.into());
    }

    fn lock(&self) -> String {
        json!({ "lockfileVersion": 3, "packages": self.packages }).to_string()
    }

    async fn install(
        &self,
        store: &Path,
    ) -> Result<Vec<(String, std::path::PathBuf)>, NotInstalled> {
        let fetch = async |url: String| {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.tarballs.get(&url).cloned().ok_or_else(|| format!("{url}: 404"))
        };
        install(&self.lock(), store, fetch).await
    }
}

fn tarball(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o4755);
        // As an attacker writes it: past the checks of the library.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        let content = if kind.is_file() {
            content
        } else {
            header.set_link_name_literal(content).unwrap();
            ""
        };
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    zipped(&builder.into_inner().unwrap())
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

fn file<'a>(path: &'a str, content: &'a str) -> (&'a str, EntryType, &'a str) {
    (path, EntryType::Regular, content)
}

#[tokio::test]
async fn r_100_a_package_is_used_and_its_scripts_are_not_run() {
    for world in worlds().await {
        let store = world.folder.path().join("packages");
        let scripts = "{\"name\":\"left\",\"main\":\"index.js\",\
            \"scripts\":{\"preinstall\":\"touch ran\",\"postinstall\":\"touch ran\"}}";
        let mut registry = Registry::default();
        registry.add(
            "left",
            tarball(&[
                file("package/package.json", scripts),
                file("package/index.js", "module.exports = 'left ' + require('right');"),
            ]),
        );
        registry.add("right", tarball(&[file("right/index.js", "module.exports = 'right';")]));
        let mut code = module(
            "import left from 'left'; export default { key: 'k', version: '0.0.1', \
             type: 'action', props: {}, run() { return left; } };",
        );
        code.packages = registry.install(&store).await.unwrap();
        assert_eq!(world.returned("packages", &code).await, "left right");
        // Again, from the store alone.
        assert_eq!(registry.install(&store).await.unwrap(), code.packages);
        assert_eq!(registry.asked.load(Ordering::Relaxed), 2);
        for (_, folder) in &code.packages {
            assert!(!folder.join("ran").exists());
            let name = folder.file_name().unwrap().to_str().unwrap();
            assert!(name.len() == 128 && name.bytes().all(|it| it.is_ascii_hexdigit()));
        }
        assert_eq!(std::fs::read_dir(&store).unwrap().count(), 2);
    }
}

#[tokio::test]
async fn packages_on_another_disk_are_copied_once_for_all_workers() {
    use std::os::unix::fs::MetadataExt;
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else { return };
    for world in worlds().await {
        let disk = |it: &Path| it.metadata().unwrap().dev();
        if disk(memory.path()) == disk(world.folder.path()) {
            return;
        }
        let mut registry = Registry::default();
        registry.add("left", tarball(&[file("package/index.js", "module.exports = 'left';")]));
        let mut code = module(
            "import left from 'left'; export default { key: 'k', version: '0.0.1', \
             type: 'action', props: {}, run() { return left; } };",
        );
        code.packages = registry.install(memory.path()).await.unwrap();
        for name in ["a", "b"] {
            assert_eq!(world.returned(name, &code).await, "left");
        }
        let copies = world.folder.path().join("runtime/packages");
        let copies: Vec<_> = std::fs::read_dir(copies).unwrap().collect();
        assert_eq!(copies.len(), 1);
        let copied = copies[0].as_ref().unwrap().path().join("index.js");
        // Its own name, and one in the folder of each worker.
        assert_eq!(copied.metadata().unwrap().nlink(), 3);
    }
}

#[tokio::test]
async fn r_100_other_bytes_than_the_lock_file_names_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut registry = Registry::default();
    registry.add("left", tarball(&[file("package/index.js", "good")]));
    let evil = tarball(&[file("package/index.js", "evil")]);
    for bytes in registry.tarballs.values_mut() {
        *bytes = evil.clone().into();
    }
    let error = registry.install(folder.path()).await.unwrap_err();
    assert!(matches!(error, NotInstalled::Integrity { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn r_100_a_tarball_that_is_more_than_plain_files_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (outer, store) = (folder.path(), folder.path().join("store"));
    let good = file("package/index.js", "good");
    let bomb = zipped(&vec![0; 400 << 20]);
    let bad = [
        tarball(&[good, file("package/../../escaped", "x")]),
        tarball(&[good, file("../escaped", "x")]),
        tarball(&[good, file("/tmp/grantkeep-escaped", "x")]),
        tarball(&[good, ("package/link", EntryType::Symlink, "/etc/passwd")]),
        tarball(&[good, ("package/link", EntryType::Link, "/etc/passwd")]),
        tarball(&[("package/l", EntryType::Symlink, ".."), file("package/l/escaped", "x")]),
        tarball(&[good, ("package/device", EntryType::Char, "")]),
        tarball(&[good, ("package/pipe", EntryType::Fifo, "")]),
        tarball(&[]),
        b"no tarball".to_vec(),
        bomb,
    ];
    for (number, tarball) in bad.into_iter().enumerate() {
        let mut registry = Registry::default();
        registry.add("bad", tarball);
        let error = registry.install(&store).await.unwrap_err();
        assert!(matches!(error, NotInstalled::Unpack { .. }), "{number}: {error}");
        assert_eq!(std::fs::read_dir(&store).unwrap().count(), 0, "{number}");
        assert_eq!(std::fs::read_dir(outer).unwrap().count(), 1, "{number}");
    }
    assert!(!Path::new("/tmp/grantkeep-escaped").exists());
}

#[tokio::test]
async fn a_file_of_a_package_has_no_bits_but_those_of_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mut registry = Registry::default();
    registry.add("left", tarball(&[file("package/bin", "x")]));
    let installed = registry.install(folder.path()).await.unwrap();
    let mode = installed[0].1.join("bin").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}
