//! Packages of published components: what the lock file names, fetched by the server and never
//! run there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::receiver::{Receiver, Say};
use crate::world::{Reply, World};

/// The registry's name, which leads to a server of the test.
const REGISTRY: &str = "registry.example.com";
/// Runs when npm installs it with scripts: whoever does that is found out.
const PACKAGE: &str = "{\"name\":\"left\",\"version\":\"1.0.0\",\"main\":\"index.js\",\
    \"scripts\":{\"preinstall\":\"touch ran\",\"postinstall\":\"touch ran\"}}";

struct Lab {
    world: World,
    registry: Receiver,
}

async fn labs() -> Vec<Lab> {
    let mut all = Vec::new();
    for postgres in [false, true] {
        let registry = Receiver::start().await;
        let address = registry.url.trim_end_matches("/hook").to_owned();
        let route = format!("{REGISTRY}={address}");
        let settings = [("egress_dev_routes", route.as_str())];
        let world = if postgres {
            World::postgres(&settings).await
        } else {
            World::sqlite(&settings).await
        };
        all.push(Lab { world, registry });
    }
    all
}

fn tarball(says: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let index = format!("module.exports = {says:?};");
    for (path, text) in [("package/package.json", PACKAGE), ("package/index.js", &index)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(&builder.into_inner().unwrap()).unwrap();
    zip.finish().unwrap()
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", BASE64_STANDARD.encode(digest(&SHA512, bytes)))
}

fn lock(url: &str, integrity: &str) -> String {
    json!({ "lockfileVersion": 3, "packages": { "": { "dependencies": { "left": "1.0.0" } },
        "node_modules/left": { "version": "1.0.0", "resolved": url, "integrity": integrity,
            "hasInstallScript": true } } })
    .to_string()
}

fn place() -> String {
    format!("https://{REGISTRY}/left/-/left-1.0.0.tgz")
}

impl Lab {
    /// The registry gives these bytes from now on.
    fn gives(&self, bytes: &[u8]) {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        self.registry.usually(Say::Raw([head.as_bytes(), bytes].concat()));
    }

    async fn publish(&self, key: &str, lock: &str) -> Reply {
        let code = format!(
            "import left from 'left';\nexport default {{ key: {key:?}, name: \"With a package\", \
             version: \"0.0.1\", type: \"action\", props: {{}}, run() {{ return left; }} }};\n"
        );
        let package = json!({ "name": "acme", "main": "index.mjs",
            "scripts": { "postinstall": "touch ran" }, "dependencies": { "left": "1.0.0" } });
        let file = |path: &str, text: &str| json!({ "path": path, "text": text });
        let files = [
            file("index.mjs", &code),
            file("package.json", &package.to_string()),
            file("package-lock.json", lock),
        ];
        let body = json!({ "files": files, "entry": "index.mjs" });
        self.world.post(&self.world.path("/components"), body).await
    }

    /// What is in the store of packages, by path.
    fn store(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.world.app.config.data_dir.join("packages")];
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    async fn ran(&self, key: &str) -> Value {
        let reply = self.world.run_action(key, json!({})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["ret"].clone()
    }
}

#[tokio::test]
async fn j_09_row_100_a_folder_with_a_lock_file_runs_with_its_packages_and_none_of_their_scripts() {
    for lab in labs().await {
        let good = tarball("left of the test");
        lab.gives(&good);
        let made = lab.publish("one", &lock(&place(), &integrity(&good))).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(lab.ran("~/one").await, "left of the test");
        assert_eq!(lab.registry.posts()[0].path, "/left/-/left-1.0.0.tgz");
        let store = lab.store();
        let names: Vec<_> = store.keys().filter_map(|it| it.file_name()?.to_str()).collect();
        assert_eq!(names, ["index.js", "package.json"], "no script ran: {store:?}");
        // What is there is not fetched again, neither to run nor by another component.
        assert_eq!(lab.publish("two", &lock(&place(), &integrity(&good))).await.status, 201);
        assert_eq!(lab.ran("~/two").await, "left of the test");
        assert_eq!(lab.registry.count(), 1);
        // Another process has the same folder here, and would fetch it elsewhere.
        std::fs::remove_dir_all(lab.world.app.config.data_dir.join("packages")).unwrap();
        let other = World::beside(&lab.world).await;
        let reply = other.run_action("~/one", json!({})).await;
        assert_eq!(reply.json()["ret"], "left of the test", "{reply:?}");
        assert_eq!(lab.registry.count(), 2);
    }
}

#[tokio::test]
async fn j_09_row_100_what_is_not_what_the_lock_file_names_is_not_published() {
    for lab in labs().await {
        let (good, evil) = (tarball("good"), tarball("evil"));
        let named = integrity(&good);
        let told = async |lock: &str| {
            let reply = lab.publish("bad", lock).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "component_broken".into()));
            assert!(lab.store().is_empty());
            reply.text
        };
        lab.gives(&evil);
        let said = told(&lock(&place(), &named)).await;
        assert!(said.contains("left") && said.contains("SHA-512 differs"), "{said}");
        lab.registry.usually(Say::Status(404));
        let said = told(&lock(&place(), &named)).await;
        assert!(said.contains("the registry answered 404"), "{said}");
        lab.gives(b"no tarball");
        let said = told(&lock(&place(), &integrity(b"no tarball"))).await;
        assert!(said.contains("not unpacked"), "{said}");
        let asked = lab.registry.count();
        for (lock, part) in [
            (lock("https://10.0.0.1/left.tgz", &named), "left"),
            (lock("https://metadata.internal./left.tgz", &named), "left"),
            (lock("file:///etc/passwd", &named), "not of a registry"),
            (lock("git+ssh://git.example.com/left", &named), "not of a registry"),
            (lock(&place(), "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="), "no SHA-512"),
            ("{".to_owned(), "not read"),
            ("{\"lockfileVersion\":1}".to_owned(), "version is 1"),
        ] {
            let said = told(&lock).await;
            assert!(said.contains(part), "{lock}: {said}");
        }
        assert_eq!(lab.registry.count(), asked);
        let found = lab.world.get(&lab.world.path("/components/~/bad")).await;
        assert_eq!(found.status, 404);
    }
}

/// A version that was published, on a machine whose registry now gives something else.
#[tokio::test]
async fn j_09_row_100_a_package_that_was_swapped_since_is_not_run() {
    for lab in labs().await {
        let (good, evil) = (tarball("good"), tarball("evil"));
        lab.gives(&good);
        let made = lab.publish("one", &lock(&place(), &integrity(&good))).await;
        assert_eq!(made.status, 201, "{made:?}");
        std::fs::remove_dir_all(lab.world.app.config.data_dir.join("packages")).unwrap();
        lab.gives(&evil);
        let other = World::beside(&lab.world).await;
        let reply = other.run_action("~/one", json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "component_broken".into()));
        assert!(reply.text.contains("SHA-512 differs") && !reply.text.contains("evil"));
        assert!(lab.store().is_empty());
    }
}
