//! What holds a worker: the profiles, from strong to none, and the command that starts one.

#[cfg(target_os = "linux")]
pub(crate) mod confine;
#[cfg(target_os = "linux")]
mod seccomp;

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Limits, code};

/// Where the parts of a worker stand inside its own view, with bubblewrap.
const CODE: &str = "/code";
const RUN: &str = "/run/grantkeep";
const RUNTIME: &str = "/opt/grantkeep/runtime";
/// The descriptor on which bubblewrap reads the filter of system calls.
const FILTER_FD: &str = "9";
/// Memory that V8 and threads reserve and never touch, beyond what is resident, in MiB.
const RESERVED_MIB: u64 = 1_024;
/// Threads that Node makes for itself. The kernel counts threads where people count processes.
const THREADS_OF_NODE: u64 = 16;
/// Nobody, inside.
const NOBODY: &str = "65534";
/// Where a server that is root finds an id for each worker: beyond what systems hand out.
const UIDS: std::ops::Range<u32> = 1_900_000_000..1_916_777_216;
/// What programs need of the machine besides `/usr`. Links stay links.
const LINKS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];

/// The profile that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The strongest that works here: bubblewrap, then Landlock. Never none.
    #[default]
    Best,
    Bubblewrap,
    Landlock,
    /// No sandbox. For machines on which all code is trusted; must be asked for by name.
    NoneByName,
}

/// What is in force, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `bubblewrap`, `landlock` or `none`.
    pub name: &'static str,
    /// What it holds, a sentence each.
    pub holds: Vec<String>,
    /// What it does not hold, a sentence each. Shown loudly.
    pub lacks: Vec<String>,
    /// Why a stronger one is not in force.
    pub because: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bubblewrap,
    Landlock,
    Plain,
}

/// All that is the same for every worker of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub kind: Kind,
    /// The server is root, and each worker gets an id of its own.
    pub own_uid: bool,
    pub node: PathBuf,
    pub confine: Vec<OsString>,
    /// Below it: `runtime`, `etc`, `filter`, `packages`, `w`.
    pub folder: PathBuf,
    pub limits: Limits,
}

/// The folder of one worker, on the host.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub root: PathBuf,
    pub uid: Option<u32>,
}

impl Place {
    pub fn code(&self) -> PathBuf {
        self.root.join("code")
    }

    pub fn socket(&self) -> PathBuf {
        self.root.join("run/broker.sock")
    }

    fn authority(&self) -> PathBuf {
        self.root.join("run/ca.pem")
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

impl Sandbox {
    /// Makes the folder of a new worker.
    pub fn place(&self, ca: &str) -> io::Result<Place> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
        let number = u128::from_ne_bytes(random);
        let size = UIDS.end - UIDS.start;
        #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are wanted")]
        let uid = self.own_uid.then(|| UIDS.start + (number as u32) % size);
        let place = Place { root: self.folder.join("w").join(format!("{number:032x}")), uid };
        for (name, mode) in [("", 0o711), ("code", 0o755), ("run", 0o755), ("tmp", 0o700)] {
            let folder = place.root.join(name);
            std::fs::create_dir(&folder)?;
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(mode))?;
        }
        code::write(&place.authority(), ca.as_bytes())?;
        std::os::unix::fs::chown(place.tmp(), uid, uid)?;
        Ok(place)
    }

    /// Where the files of `@grantkeep/runtime` are, as the worker sees them.
    pub fn runtime_inside(&self) -> PathBuf {
        match self.kind {
            Kind::Bubblewrap => RUNTIME.into(),
            Kind::Landlock | Kind::Plain => self.folder.join("runtime"),
        }
    }

    /// The command that becomes the worker.
    pub fn command(&self, place: &Place) -> Command {
        let mut command = match self.kind {
            Kind::Bubblewrap => self.bubblewrap(place),
            Kind::Landlock => self.landlock(place),
            Kind::Plain => {
                let mut command = Command::new("prlimit");
                command.args(self.rlimits()).arg("--").arg(&self.node).args(self.node_args());
                command
            }
        };
        command.env_clear();
        for (name, value) in self.environment(place) {
            command.env(name, value);
        }
        if let Some(uid) = place.uid {
            command.uid(uid).gid(uid);
        }
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// What the kernel holds by itself, as words of `prlimit`.
    fn rlimits(&self) -> Vec<String> {
        let limits = &self.limits;
        let mut most = vec![
            ("nofile", limits.files_open),
            ("core", 0),
            ("data", (limits.rss_mib + RESERVED_MIB) << 20),
            ("fsize", limits.tmp_mib << 20),
            ("memlock", 64 << 10),
        ];
        if self.own_uid {
            most.push(("nproc", limits.processes * THREADS_OF_NODE));
        }
        most.iter().map(|(name, most)| format!("--{name}={most}:{most}")).collect()
    }

    /// Tasks in a worker's own user namespace, where the server's user has others outside.
    pub fn tasks(&self) -> Option<u64> {
        let inside = self.kind == Kind::Bubblewrap && !self.own_uid;
        inside.then_some(self.limits.processes * THREADS_OF_NODE)
    }

    fn node_args(&self) -> Vec<String> {
        let runner = self.runtime_inside().join("runner.mjs");
        let heap = format!("--max-old-space-size={}", self.limits.heap_mib);
        vec![heap, runner.display().to_string()]
    }

    fn environment(&self, place: &Place) -> Vec<(&'static str, PathBuf)> {
        let inside = self.kind == Kind::Bubblewrap;
        let of = |here: &str, there: PathBuf| if inside { here.into() } else { there };
        let tmp = of("/tmp", place.tmp());
        // Where /etc cannot be read, OpenSSL ends the process for want of a file it does not need.
        let given = (self.kind == Kind::Landlock).then(|| ("GRANTKEEP_DESCRIPTOR", "0".into()));
        let configuration = if inside { None } else { Some(("OPENSSL_CONF", "/dev/null".into())) };
        let mut environment = vec![
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("HOME", tmp.clone()),
            ("TMPDIR", tmp.clone()),
            ("TZ", "UTC".into()),
            ("LANG", "C.UTF-8".into()),
            ("GRANTKEEP_CODE", of(CODE, place.code())),
            ("GRANTKEEP_SOCKET", of(&format!("{RUN}/broker.sock"), place.socket())),
            ("GRANTKEEP_STASH", tmp.join("stash")),
            ("GRANTKEEP_CA", of(&format!("{RUN}/ca.pem"), place.authority())),
        ];
        environment.extend(configuration);
        environment.extend(given);
        environment
    }

    fn bubblewrap(&self, place: &Place) -> Command {
        let mut command = Command::new("/bin/sh");
        let open_filter = format!("exec \"$@\" {FILTER_FD}<\"$0\"");
        command.arg("-c").arg(open_filter).arg(self.folder.join("filter"));
        command.arg("prlimit").args(self.rlimits()).args(["--", "bwrap"]);
        command.args(["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]);
        command.args(["--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY]);
        command.args(["--hostname", "worker", "--seccomp", FILTER_FD]);
        let mut bind = |from: &Path, to: &Path| {
            command.arg("--ro-bind").arg(from).arg(to);
        };
        bind(Path::new("/usr"), Path::new("/usr"));
        let own = node_folder(&self.node);
        if !own.starts_with("/usr") {
            bind(&own, &own);
        }
        bind(&self.folder.join("etc"), Path::new("/etc"));
        bind(&self.folder.join("runtime"), Path::new(RUNTIME));
        bind(&place.code(), Path::new(CODE));
        bind(&place.root.join("run"), Path::new(RUN));
        for path in LINKS.map(Path::new) {
            match std::fs::read_link(path) {
                Ok(target) => drop(command.arg("--symlink").arg(target).arg(path)),
                Err(_) if path.is_dir() => drop(command.arg("--ro-bind").arg(path).arg(path)),
                Err(_) => {}
            }
        }
        let bytes = self.limits.tmp_mib << 20;
        command.args(["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]);
        command.arg("--size").arg(bytes.to_string()).args(["--tmpfs", "/tmp"]);
        command.args(["--remount-ro", "/", "--chdir", "/tmp", "--"]);
        command.arg(&self.node).args(self.node_args());
        command
    }

    #[cfg(target_os = "linux")]
    fn landlock(&self, place: &Place) -> Command {
        let machine = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"];
        let devices = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"].map(PathBuf::from);
        let mut read: Vec<PathBuf> = machine.map(PathBuf::from).to_vec();
        read.extend([node_folder(&self.node), self.folder.join("runtime"), place.code()]);
        read.push(place.authority());
        let mut write = devices.to_vec();
        write.push(place.tmp());
        let confinement = confine::Confinement {
            read,
            write,
            program: self.node.clone(),
            args: self.node_args(),
        };
        let argument = serde_json::to_string(&confinement).unwrap_or_default();
        let mut command = Command::new("prlimit");
        command.args(self.rlimits()).arg("--").args(&self.confine).arg(argument);
        command
    }

    #[cfg(not(target_os = "linux"))]
    fn landlock(&self, _: &Place) -> Command {
        Command::new("landlock-needs-linux")
    }

    /// Writes what all workers read.
    pub fn furnish(&self) -> io::Result<()> {
        let etc = self.folder.join("etc");
        if etc.exists() {
            std::fs::remove_dir_all(&etc)?;
        }
        let nobody = format!("nobody:x:{NOBODY}:{NOBODY}:nobody:/tmp:/bin/sh\n");
        let group = format!("nogroup:x:{NOBODY}:\n");
        let files = [
            ("passwd", nobody.as_str()),
            ("group", &group),
            ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
            ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        ];
        for (name, content) in files {
            code::write(&etc.join(name), content.as_bytes())?;
        }
        if let Ok(cache) = std::fs::read("/etc/ld.so.cache") {
            code::write(&etc.join("ld.so.cache"), &cache)?;
        }
        #[cfg(target_os = "linux")]
        {
            let filter = self.folder.join("filter");
            drop(std::fs::remove_file(&filter));
            code::write(&filter, &confine::filter().map_err(io::Error::other)?)?;
        }
        Ok(())
    }

    pub fn profile(&self, because: Option<String>) -> Profile {
        let (name, mut holds, lacks) = match self.kind {
            Kind::Bubblewrap => ("bubblewrap", bubblewrap_holds(&self.limits), Vec::new()),
            Kind::Landlock => ("landlock", landlock_holds(), landlock_lacks()),
            Kind::Plain => ("none", Vec::new(), plain_lacks()),
        };
        if self.own_uid {
            holds.push("Each worker has a user id of its own on the host.".into());
        }
        Profile { name, holds, lacks, because }
    }
}

/// Node with its libraries: `/opt/node` of `/opt/node/bin/node`, or the program alone.
fn node_folder(node: &Path) -> PathBuf {
    let bin = node.parent().filter(|it| it.ends_with("bin"));
    let folder = bin.and_then(Path::parent).filter(|it| it.components().count() > 1);
    folder.unwrap_or(node).to_path_buf()
}

fn sentences(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|it| (*it).to_owned()).collect()
}

fn bubblewrap_holds(limits: &Limits) -> Vec<String> {
    let mut holds = sentences(&[
        "Own user, mount, process, network, IPC and host name namespaces; no capability.",
        "No way to a network but the one socket to this server.",
        "A read-only root with /usr, Node and the code; no file of the host besides.",
        "System calls by an allow-list; no new privileges.",
    ]);
    holds.push(format!("/tmp in memory, of at most {} MiB.", limits.tmp_mib));
    holds
}

fn landlock_holds() -> Vec<String> {
    sentences(&[
        "Files by Landlock: /usr, Node and the code to read, one folder to write.",
        "No socket can be opened, of whatever kind: the worker has the one that it was given.",
        "No process can be started, and no other one signalled.",
        "System calls by an allow-list; no new privileges.",
    ])
}

fn landlock_lacks() -> Vec<String> {
    sentences(&[
        "Workers share the machine's namespaces: what /proc tells every user is seen.",
        "The size of /tmp is not limited, only that of each file.",
    ])
}

fn plain_lacks() -> Vec<String> {
    sentences(&[
        "NOTHING HOLDS THE CODE: it can read this server's files and keys, call any address, and \
         end any process that this user can. Run only code that you would run yourself.",
    ])
}
