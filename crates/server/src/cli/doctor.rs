//! `grantkeep doctor`: what works, what does not, and how to mend it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use grantkeep_runtime::Profile;
use serde_json::json;

use super::{Failure, Shell, output, serve};
use crate::boot::{self, BootError};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::db::{Db, OpenError};
use crate::egress::Egress;
use crate::workers::{self, Workers};
use crate::{keys, serve as listener};

/// A clock this far from the database's makes signatures and expiry wrong.
const CLOCK_SKEW_MS_MAX: i64 = 5_000;
/// With less than this free on its disk, the data folder is soon full.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Bits of a file's mode that let everybody on the machine in.
const OTHERS: u32 = 0o007;
/// The first year in which this program existed; an earlier clock was never set.
const BUILT_MS: i64 = 1_790_000_000_000;

enum State {
    Good,
    Warn,
    Bad,
}

struct Finding {
    what: &'static str,
    state: State,
    text: String,
}

fn good(what: &'static str, text: impl Into<String>) -> Finding {
    Finding { what, state: State::Good, text: text.into() }
}

fn warn(what: &'static str, text: impl Into<String>) -> Finding {
    Finding { what, state: State::Warn, text: text.into() }
}

fn bad(what: &'static str, text: impl Into<String>) -> Finding {
    Finding { what, state: State::Bad, text: text.into() }
}

pub(super) async fn run(shell: &Shell) -> Result<(), Failure> {
    let findings = examine(shell).await;
    let failed = findings.iter().filter(|it| matches!(it.state, State::Bad)).count();
    if shell.json {
        let view = |it: &Finding| {
            let state = match it.state {
                State::Good => "ok",
                State::Warn => "warning",
                State::Bad => "error",
            };
            json!({ "check": it.what, "state": state, "text": it.text })
        };
        output::json(&findings.iter().map(view).collect());
    } else {
        for it in &findings {
            let mark = match it.state {
                State::Good => output::paint("ok  ", 32),
                State::Warn => output::paint("warn", 33),
                State::Bad => output::paint("bad ", 31),
            };
            output::line(&format!("{mark} {:<14} {}", it.what, it.text));
        }
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::Other(format!("{failed} thing(s) must be mended")))
    }
}

async fn examine(shell: &Shell) -> Vec<Finding> {
    let loaded = match crate::config::Config::load(shell.file.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => return vec![bad("configuration", error.to_string())],
    };
    let mut config = loaded.config;
    let from = loaded
        .file
        .map_or_else(|| "defaults and environment".to_owned(), |it| it.display().to_string());
    let mut findings = vec![good("configuration", from)];
    findings.extend(loaded.warnings.into_iter().map(|text| warn("configuration", text)));
    if let Err(Failure::Other(error)) = serve::find_dev_key(&mut config) {
        findings.push(bad("root key", error));
    }
    findings.push(key(&config));
    findings.push(public_url(&config));
    findings.extend(certificates(&config));
    findings.push(clock());
    findings.extend(data(&config));
    findings.extend(store(&config).await);
    findings.push(catalog(&config));
    findings.extend(code(&config).await);
    findings
}

fn key(config: &Config) -> Finding {
    match boot::keyring(config) {
        Err(error) => bad("root key", error.to_string()),
        Ok(keyring) => {
            let older = match config.older_root_keys.len() {
                0 => String::new(),
                count => format!(", and {count} that only read"),
            };
            let id = keyring.current_id();
            good("root key", format!("{id}{older} (keep a copy: nothing can be read without it)"))
        }
    }
}

fn public_url(config: &Config) -> Finding {
    let url = &config.public_url;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() == "https" {
        good("public URL", url.as_str())
    } else if local {
        warn(
            "public URL",
            format!("{url} works on this machine only. Set public_url to an https URL for others"),
        )
    } else {
        bad("public URL", format!("{url} must be https"))
    }
}

/// Files with certificates, read as `serve` does.
fn certificates(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    match listener::has_tls(config) {
        Ok(true) => findings.push(good("TLS", "certificate and key can be used")),
        Ok(false) => {}
        Err(error) => findings.push(bad("TLS", error.to_string())),
    }
    if let Err(error) = Egress::new(config) {
        findings.push(bad("outbound", error.to_string()));
    }
    findings
}

/// The data folder: who may read it, and how much room is left.
fn data(config: &Config) -> Vec<Finding> {
    let folder = &config.data_dir;
    if !folder.is_dir() {
        return Vec::new();
    }
    let mut findings = vec![room(folder)];
    let mut paths = vec![(folder.clone(), "700")];
    if let Database::Sqlite(file) = config.database() {
        paths.push((file, "600"));
    }
    let open = |path: &Path| path.metadata().is_ok_and(|it| it.permissions().mode() & OTHERS != 0);
    for (path, mode) in paths.into_iter().filter(|(path, _)| open(path)) {
        let path = path.display();
        let text = format!("{path} is open to everyone on this machine: chmod {mode} {path}");
        findings.push(warn("data folder", text));
    }
    findings
}

fn room(folder: &Path) -> Finding {
    let free = match rustix::fs::statvfs(folder) {
        Ok(it) => it.f_bavail.saturating_mul(it.f_frsize),
        Err(error) => return bad("data folder", format!("{}: {error}", folder.display())),
    };
    let text = format!("{}, {} MiB free", folder.display(), free >> 20);
    if free < FREE_BYTES_MIN {
        return warn("data folder", format!("{text}. Make room: what cannot be written is lost"));
    }
    good("data folder", text)
}

fn clock() -> Finding {
    let now_ms = Clock::system().now_ms();
    if now_ms < BUILT_MS {
        return bad("clock", format!("it says {}. Set it, and run NTP", crate::clock::iso(now_ms)));
    }
    good("clock", crate::clock::iso(now_ms))
}

async fn store(config: &Config) -> Vec<Finding> {
    let place = match config.database() {
        Database::Sqlite(file) => {
            if !file.exists() {
                return vec![warn(
                    "store",
                    format!("{} is made at the first start", file.display()),
                )];
            }
            file.display().to_string()
        }
        Database::Postgres(_) => "PostgreSQL".to_owned(),
    };
    let db = match Db::open(config).await {
        Ok(db) => db,
        Err(error) => return vec![bad("store", error.to_string())],
    };
    let mut findings = vec![schema(&db, &place).await];
    findings.extend(sealed(config, &db).await);
    if let Ok(theirs_ms) = db.now_ms().await {
        let skew = (theirs_ms - Clock::system().now_ms()).abs();
        if skew > CLOCK_SKEW_MS_MAX {
            let text = format!("it is {skew} ms from the database's. Run NTP on both machines");
            findings.push(bad("clock", text));
        }
    }
    if let Ok(left) = crate::outbox::left(&db).await {
        findings.push(good("outbox", format!("{left} job(s) waiting")));
    }
    db.close().await;
    findings
}

async fn schema(db: &Db, place: &str) -> Finding {
    match db.version().await {
        Ok(Some(version)) if version > Db::newest() => {
            return bad("store", format!("{place}: {}", OpenError::NewerSchema(version)));
        }
        Err(error) => return bad("store", error.to_string()),
        Ok(_) => {}
    }
    match db.migrations_due().await {
        Ok(0) => good("store", format!("{place}, schema up to date")),
        Ok(due) => {
            warn("store", format!("{place}, {due} migration(s) due. Run `grantkeep migrate`"))
        }
        Err(error) => bad("store", error.to_string()),
    }
}

/// Whether the root keys at hand are those of the store. Says nothing where there is no key to
/// compare, which is a finding of its own, or a store from before root keys were remembered.
async fn sealed(config: &Config, db: &Db) -> Vec<Finding> {
    let Ok(keyring) = boot::keyring(config) else { return Vec::new() };
    let Ok(missing) = keys::missing(db, &keyring).await else { return Vec::new() };
    let Ok(unread) = keys::try_each(db, &keyring).await else { return Vec::new() };
    let unread = unread.into_iter().filter(|(id, _)| !missing.contains(id));
    let damaged: Vec<_> = unread
        .map(|(id, why)| bad("root key", format!("a key that {id} wrapped cannot be read: {why}")))
        .collect();
    let other = |id| bad("root key", BootError::OtherRootKey(id).to_string());
    missing.into_iter().map(other).chain(damaged).collect()
}

fn catalog(config: &Config) -> Finding {
    match boot::catalog(config) {
        Ok(catalog) => {
            let connectable = catalog.entries().filter(|it| it.connectable).count();
            good("catalogue", format!("{connectable} apps that can be connected"))
        }
        Err(error) => bad("catalogue", error.to_string()),
    }
}

/// Components need Node.js and a sandbox; without them everything else works.
async fn code(config: &Config) -> Vec<Finding> {
    match workers::node(config).await {
        Err(why) => return vec![warn("Node.js", why)],
        Ok((_, version)) if !config.data_dir.is_dir() => return vec![good("Node.js", version)],
        Ok(_) => {}
    }
    let workers = Workers::new(config);
    let found = match workers.pool(config).await {
        Err(error) => warn("sandbox", brief(error.log().unwrap_or(error.text()))),
        Ok(pool) => {
            let Profile { name, lacks, because, .. } = pool.profile();
            let best = lacks.is_empty() && because.is_none();
            let because =
                because.as_ref().map(|it| format!(" ({})", brief(it))).unwrap_or_default();
            let run_in = format!("components run in `{name}`{because}");
            let said = std::iter::once(run_in).chain(lacks.iter().map(ToString::to_string));
            let text = said.collect::<Vec<_>>().join("; ");
            if best { good("sandbox", text) } else { warn("sandbox", text) }
        }
    };
    workers.shutdown().await;
    let version = workers::node(config).await.map_or_else(|it| it, |(_, version)| version);
    vec![good("Node.js", version), found]
}

/// The first line: what follows is what a program that was tried said at length.
fn brief(why: &str) -> String {
    let first = why.lines().find(|it| !it.trim().is_empty()).unwrap_or_default();
    first.trim().to_owned()
}
