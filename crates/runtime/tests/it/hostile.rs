//! Code that wants out, or wants everything: `tests/hostile/*.mjs`, each with what may come of it.
//! Whatever that is, no tripwire is touched, and this process goes on.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::StreamExt;
use grantkeep_runtime::{Code, Failure, Op, Wanted};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket, UnixListener};

use crate::world::{Recorder, World, action, input, key, module, world_with};

/// What stands in the file that must not be read.
const CANARY: &str = "canary-5d1c0b7e";
/// The name of each file that must not be written.
const MARK: &str = "grantkeep-hostile-mark";
/// Memory of an earlier run shows.
const COUNTS: &str = "return (globalThis.n = (globalThis.n ?? 0) + 1);";
/// Runs of the corpus one after the other; more by `GRANTKEEP_HOSTILE_RUNS`.
const RUNS: usize = 200;
/// After so many it is said how far it is.
const TOLD: usize = 500;

struct Hostile {
    name: String,
    expected: Vec<String>,
    text: String,
}

fn corpus() -> Vec<Hostile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("// expect: ").unwrap();
        let expected = expected.split(' ').map(str::to_owned).collect();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.push(Hostile { name, expected, text });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 30);
    found
}

/// What must stay untouched.
struct Tripwires {
    world: World,
    tcp: TcpListener,
    udp: UdpSocket,
    /// Another program's, which lets everybody in.
    unix: UnixListener,
    other: World,
    /// A file that whoever started this process has left open in it.
    _left_open: std::fs::File,
}

impl Tripwires {
    async fn set(sandbox: Wanted, wall: Duration) -> Self {
        let mut left_open = tempfile::tempfile().unwrap();
        left_open.write_all(CANARY.as_bytes()).unwrap();
        rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
        let world = world_with(sandbox, |it| {
            (it.limits.wall, it.limits.cpu) = (wall, wall);
            (it.limits.heap_mib, it.limits.rss_mib) = (64, 192);
            (it.limits.output_bytes, it.limits.processes) = (1 << 20, 16);
        })
        .await;
        std::fs::write(world.folder.path().join("tripwire"), CANARY).unwrap();
        let tcp = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let udp = UdpSocket::bind(tcp.local_addr().unwrap()).await.unwrap();
        let path = world.folder.path().join("unix");
        let unix = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        // A worker of somebody else, alive all the time, however long it takes.
        let other = world_with(sandbox, |it| it.idle_max = Duration::from_hours(24)).await;
        assert_eq!(other.returned("other", &action(COUNTS)).await, json!(1));
        Self { world, tcp, udp, unix, other, _left_open: left_open }
    }

    fn code(&self, hostile: &Hostile) -> Code {
        let folder = self.world.folder.path();
        let of = |path: &Path| path.display().to_string();
        // Two profiles are asked about the path of another worker's socket differently: where the
        // host's paths can be seen, its name is a secret.
        let seen = self.world.pool.profile().name == "landlock";
        let socket = of(&self.other.folders()[0].join("run/broker.sock"));
        let other = if seen { "/run/other.sock".into() } else { socket };
        let text = hostile
            .text
            .replace("%FILE%", &of(&folder.join("tripwire")))
            .replace("%FOLDER%", &of(folder))
            .replace("%WORKERS%", &of(&folder.join("runtime/w")))
            .replace("%OTHER%", &other)
            .replace("%UNIX%", &of(&folder.join("unix")))
            .replace("%PORT%", &self.tcp.local_addr().unwrap().port().to_string())
            .replace("%LAN%", "0.0.0.0")
            .replace("%PID%", &std::process::id().to_string())
            .replace("%MARK%", MARK);
        module(&text)
    }

    async fn run(&self, hostile: &Hostile) -> Result<Value, Failure> {
        let host = Arc::new(Recorder::default());
        let op = Op::run(input());
        let (code, key) = (self.code(hostile), key(&hostile.name));
        let answer = self.world.pool.perform(&key, &code, op, Arc::clone(&host)).await;
        let said = format!("{answer:?} {:?}", host.notices.lock().unwrap());
        assert!(!said.contains(CANARY), "{} read the file: {said}", hostile.name);
        assert!(!said.contains("BREACH"), "{}: {said}", hostile.name);
        assert!(!said.contains("CARGO"), "{} saw an environment: {said}", hostile.name);
        answer
    }

    async fn untouched(&self) {
        let wait = Duration::from_millis(1);
        assert!(tokio::time::timeout(wait, self.tcp.accept()).await.is_err(), "TCP came through");
        assert!(tokio::time::timeout(wait, self.unix.accept()).await.is_err(), "a socket was used");
        let mut bytes = [0; 64];
        let came = tokio::time::timeout(wait, self.udp.recv(&mut bytes)).await;
        assert!(came.is_err(), "UDP came through");
        let folder = self.world.folder.path();
        let here = folder.to_str().unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("tripwire")).unwrap(), CANARY);
        for place in [here, "/", "/usr", "/usr/bin", "/etc", "/dev", "/dev/shm", "/root", "/var"] {
            assert!(!Path::new(place).join(MARK).exists(), "{place} was written");
        }
        let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["runtime", "tripwire", "unix"]);
        // The other worker is the same, and has heard of nothing.
        assert_eq!(self.other.returned("other", &action(COUNTS)).await, json!(2));
    }
}

async fn corpus_stays_inside(sandbox: Wanted) {
    let tripwires = Tripwires::set(sandbox, Duration::from_millis(1_500)).await;
    for hostile in corpus() {
        let answer = tripwires.run(&hostile).await;
        let came = answer.as_ref().map_or_else(Failure::code, |_| "returned");
        let expected = hostile.expected.iter().any(|it| it == "any" || it == came);
        let confined = sandbox == Wanted::Landlock && came == "thrown";
        assert!(expected || confined, "{} gave {answer:?}", hostile.name);
    }
    tripwires.untouched().await;
    tripwires.world.pool.shutdown().await;
    assert!(tripwires.world.folders().is_empty());
}

#[tokio::test]
async fn j_06_hostile_code_stays_inside_bubblewrap() {
    corpus_stays_inside(Wanted::Best).await;
}

#[tokio::test]
async fn j_06_hostile_code_stays_inside_landlock() {
    corpus_stays_inside(Wanted::Landlock).await;
}

#[tokio::test]
async fn j_05_the_parent_survives_hostile_runs() {
    #[expect(clippy::disallowed_methods, reason = "how many is the caller's wish")]
    let wanted = std::env::var("GRANTKEEP_HOSTILE_RUNS").ok().and_then(|it| it.parse().ok());
    let tripwires = Tripwires::set(Wanted::Best, Duration::from_millis(250)).await;
    let corpus = corpus();
    let runs = corpus.iter().cycle().take(wanted.unwrap_or(RUNS)).map(|it| tripwires.run(it));
    let mut ended = 0;
    let mut runs = futures::stream::iter(runs).buffer_unordered(3);
    while runs.next().await.is_some() {
        ended += 1;
        if ended % TOLD == 0 {
            println!("{ended} hostile runs are over");
        }
    }
    assert_eq!(ended, wanted.unwrap_or(RUNS));
    tripwires.untouched().await;
}
