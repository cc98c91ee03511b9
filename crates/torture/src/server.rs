//! The server under torture: the real binary in a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use grantkeep::config::variable;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::outside::Outside;
use crate::trouble::{Doing, Result, Trouble};

/// A server that is not ready after this time will not be.
const READY_TIME_MAX: Duration = Duration::from_mins(2);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(4);

/// How a server is started, each time anew.
#[derive(Clone)]
pub struct Recipe {
    /// Called as `<program> serve`.
    pub program: PathBuf,
    /// `GRANTKEEP_...` and values.
    pub environment: Vec<(String, String)>,
    /// Where its log lines go, after those of its former lives.
    pub log: PathBuf,
}

/// Ready, or dead before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Ready,
    Died,
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pid: Pid,
    pub started: Instant,
}

impl Recipe {
    /// Starts it; with a failpoint (`name:n`) it kills itself there.
    pub fn start(&self, failpoint: Option<&str>) -> Result<Server> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.doing("cannot open the server's log")?;
        let second = log.try_clone().doing("cannot open the server's log")?;
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .env_clear()
            // Where it finds what runs code.
            .env("PATH", variable("PATH").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.log.parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(second)
            .kill_on_drop(true);
        if let Some(failpoint) = failpoint {
            command.env("FAILPOINT", failpoint);
        }
        let started = Instant::now();
        let child = command.spawn().doing("cannot start the server")?;
        let pid = child.id().and_then(|it| Pid::from_raw(it.cast_signed()));
        Ok(Server { child, pid: pid.doing("the server has no process id")?, started })
    }
}

impl Server {
    /// Waits until it takes requests.
    ///
    /// # Errors
    /// It ended by itself and not by SIGKILL, or does not get ready.
    pub async fn ready(&mut self, outside: &Outside) -> Result<Start> {
        loop {
            if let Some(status) = self.ended()? {
                return died(status).map(|()| Start::Died);
            }
            if outside.is_ready().await {
                return Ok(Start::Ready);
            }
            if self.started.elapsed() > READY_TIME_MAX {
                return Err(Trouble("the server does not get ready; see its log".to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().doing("the server's process")
    }

    /// Its process, as the system names it.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    pub fn is_dead(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It ended by itself and not by SIGKILL.
    pub async fn end(&mut self) -> Result<()> {
        died(self.child.wait().await.doing("the server's process")?)
    }

    /// SIGKILL, and its end.
    pub async fn kill(&mut self) -> Result<()> {
        let _ = self.child.start_kill();
        self.end().await
    }

    /// SIGSTOP: it is frozen where it is, its connections open.
    pub fn freeze(&self) -> Result<()> {
        kill_process(self.pid, Signal::STOP).doing("cannot freeze the server")
    }

    /// SIGCONT.
    pub fn thaw(&self) -> Result<()> {
        kill_process(self.pid, Signal::CONT).doing("cannot thaw the server")
    }
}

fn died(status: ExitStatus) -> Result<()> {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) if signal == Signal::KILL.as_raw() => Ok(()),
        _ => Err(Trouble(format!("the server ended by itself ({status}); see its log"))),
    }
}
