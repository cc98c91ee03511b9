//! The processes that run components' code: started when the first is needed, ended with the
//! server.

mod home;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use grantkeep_runtime::{Code, Limits, Pool, Profile, Settings, Unavailable, Wanted};
use moka::future::Cache;
use tokio::process::Command;
use tokio::sync::OnceCell;

use self::home::Home;
use crate::config::{self, CodeSandbox, Config};
use crate::error::{self, Error, Result};
use crate::ids::{ComponentId, ProjectId};
use crate::slots::Slots;

/// Node.js of at least this major version runs code.
pub const NODE_MAJOR_MIN: u32 = 20;
/// How long Node may take to tell its version.
const VERSION_WAIT: Duration = Duration::from_secs(5);
/// Bytes of code kept read at once, of all projects.
const CODE_BYTES_KEPT: u64 = 64 * 1024 * 1024;
/// Where packages are kept, in the data folder.
const PACKAGES_FOLDER: &str = "packages";
/// Words that make this program put itself into a sandbox and become a worker.
pub const CONFINE: &str = "sandbox-exec";

/// Names the code of one version for ever.
type CodeName = (ComponentId, String);

/// The workers of this process, and what they run.
pub(crate) struct Workers {
    pool: OnceCell<(Pool, Home)>,
    codes: Cache<CodeName, Arc<Code>>,
    /// Runs under way, by project.
    pub slots: Slots<ProjectId>,
}

impl Workers {
    pub fn new(config: &Config) -> Self {
        let weigh = |_: &CodeName, code: &Arc<Code>| {
            let bytes: usize = code.files.iter().map(|(path, text)| path.len() + text.len()).sum();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            pool: OnceCell::new(),
            codes: Cache::builder().max_capacity(CODE_BYTES_KEPT).weigher(weigh).build(),
            slots: Slots::new(config.code_runs_per_project_max),
        }
    }

    /// The workers; started by the first who needs them.
    ///
    /// # Errors
    /// [`error::CODE_UNAVAILABLE`], which says what is missing on this machine.
    pub async fn pool(&self, config: &Config) -> Result<&Pool> {
        let warm = config.code_warm as usize;
        let (pool, _) = self.pool.get_or_try_init(|| start(config, warm)).await?;
        Ok(pool)
    }

    /// Has the log say what code runs in, by one worker that is ended at once. Where code has run
    /// already, it was said then.
    pub async fn announce(&self, config: &Config) {
        if self.pool.initialized() {
            return;
        }
        if let Err(why) = node(config).await {
            tracing::info!("components cannot be run: {why}");
            return;
        }
        match start(config, 0).await {
            Ok(begun) => end(&begun).await,
            Err(error) => tracing::warn!("components cannot be run: {}", error.text()),
        }
    }

    /// The code of a version, remembered since it never changes.
    pub async fn code<F>(&self, name: CodeName, read: F) -> Result<Arc<Code>>
    where
        F: Future<Output = Result<Code>>,
    {
        if let Some(known) = self.codes.get(&name).await {
            return Ok(known);
        }
        let code = Arc::new(read.await?);
        self.codes.insert(name, Arc::clone(&code)).await;
        Ok(code)
    }

    /// Ends all of them.
    pub async fn shutdown(&self) {
        if let Some(begun) = self.pool.get() {
            end(begun).await;
        }
    }
}

async fn end((pool, home): &(Pool, Home)) {
    pool.shutdown().await;
    home.remove().await;
}

/// Where packages are kept.
pub(crate) fn packages_folder(config: &Config) -> PathBuf {
    let data = std::path::absolute(&config.data_dir);
    data.unwrap_or_else(|_| config.data_dir.clone()).join(PACKAGES_FOLDER)
}

async fn start(config: &Config, warm: usize) -> Result<(Pool, Home)> {
    let (node, _) = node(config).await.map_err(|why| error::CODE_UNAVAILABLE.saying(why))?;
    let home = Home::make(config).map_err(|it| error::CODE_UNAVAILABLE.logging(it))?;
    let sandbox = match config.code_sandbox {
        CodeSandbox::Best => Wanted::Best,
        CodeSandbox::Bubblewrap => Wanted::Bubblewrap,
        CodeSandbox::Landlock => Wanted::Landlock,
        CodeSandbox::None => Wanted::NoneByName,
    };
    let settings = Settings {
        node,
        sandbox,
        confine: confine(),
        folder: home.pool(),
        workers_max: config.code_workers_max as usize,
        warm,
        idle_max: config.code_idle_ms.duration(),
        limits: limits(config),
    };
    let pool = Pool::start(settings).await.map_err(|why| unavailable(&why))?;
    let Profile { name, lacks, because, .. } = pool.profile();
    tracing::info!(profile = name, "components run in `{name}`");
    for lack in lacks {
        tracing::warn!(profile = name, because = because.as_deref(), "workers: {lack}");
    }
    Ok((pool, home))
}

/// This program and the word that makes it a worker's jailer. Where it does not know its own path,
/// bubblewrap has to do.
fn confine() -> Vec<std::ffi::OsString> {
    match config::own_program() {
        Some(program) => vec![program.into_os_string(), CONFINE.into()],
        None => Vec::new(),
    }
}

/// The limits of a run, as they are set.
pub(crate) fn limits(config: &Config) -> Limits {
    Limits {
        wall: config.code_wall_ms.duration(),
        cpu: config.code_cpu_ms.duration(),
        heap_mib: u64::from(config.code_heap_mib),
        rss_mib: u64::from(config.code_memory_mib),
        output_bytes: config.code_output_bytes_max,
        ..Limits::default()
    }
}

/// Why no worker can be had, for callers: nothing was run.
pub(crate) fn unavailable(why: &Unavailable) -> Error {
    match why {
        Unavailable::Busy { .. } | Unavailable::Stopping => {
            error::CODE_UNAVAILABLE.saying(why.to_string()).retry_after(1)
        }
        Unavailable::Start(_) | Unavailable::Code(_) => error::CODE_UNAVAILABLE.logging(why),
        Unavailable::Sandbox(_) => error::CODE_UNAVAILABLE
            .saying(format!(
                "Code cannot be run on this server: {why}. Its operator installs bubblewrap, or \
                 sets `code_sandbox`."
            ))
            .logging(why),
    }
}

/// Where Node.js is, and its version. The error says what to install.
pub(crate) async fn node(config: &Config) -> Result<(PathBuf, String), String> {
    let missing = || {
        format!(
            "This server has no Node.js, which runs components. Its operator installs Node.js \
             {NODE_MAJOR_MIN} or newer, or names it by the setting `code_node`."
        )
    };
    let path = match &config.code_node {
        Some(path) => path.clone(),
        None => on_path("node").ok_or_else(missing)?,
    };
    // The folders of a version manager are links, which a sandbox would not have.
    let path = std::fs::canonicalize(&path).map_err(|_| missing())?;
    let asked = Command::new(&path).arg("--version").kill_on_drop(true).output();
    let answer = tokio::time::timeout(VERSION_WAIT, asked).await;
    let Ok(Ok(answer)) = answer else { return Err(missing()) };
    let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next();
    let major = major.and_then(|it| it.parse::<u32>().ok());
    if major.is_some_and(|it| it >= NODE_MAJOR_MIN) {
        return Ok((path, version));
    }
    Err(format!(
        "Node.js at {} is {version}, and components need {NODE_MAJOR_MIN} or newer.",
        path.display()
    ))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = config::variable("PATH")?;
    folders.split(':').map(|it| Path::new(it).join(program)).find(|it| it.is_file())
}
