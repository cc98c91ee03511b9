//! One worker: from the start of its process to the code that it holds.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::control::Control;
use crate::door::{Door, Visit};
use crate::limits::{HELLO_WAIT, LOAD_WAIT};
use crate::process::{Process, Reaper, Spawner};
use crate::protocol::{Hello, load_line};
use crate::run::{Nobody, converse};
use crate::sandbox::{Kind, Place, Sandbox};
use crate::{Authority, Code, Description, Failure, Thrown, Unavailable, code};

/// The protocol spoken here.
const VERSION: u32 = 1;

pub(crate) struct Worker {
    pub process: Process,
    pub control: Control,
    pub door: Door,
    pub authority: Arc<Authority>,
    /// Number of the last thing it was told to do.
    pub last: u64,
    pub loaded: Option<Description>,
    sandbox: Arc<Sandbox>,
}

/// A path of any length as one that a socket can have, good as long as the file is open. A socket's
/// name has 107 bytes at most, and where the folder is is not ours to say, so the kernel is shown
/// the folder as a file that is open.
fn short(socket: &Path) -> io::Result<(File, PathBuf)> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let open = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(name);
    Ok((open, short))
}

/// Makes the worker's socket. Where it may open none itself, it is started with this one, and the
/// connections are made from here.
fn door(sandbox: &Sandbox, place: &Place, command: &mut Command) -> io::Result<Door> {
    let socket = place.socket();
    let (open, path) = short(&socket)?;
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o600))?;
    if sandbox.kind == Kind::Landlock {
        command.stdin(Stdio::from(OwnedFd::from(listener)));
        return Ok(Door::reach((open, path), sandbox.limits.connections));
    }
    std::os::unix::fs::chown(&socket, place.uid, place.uid)?;
    listener.set_nonblocking(true)?;
    Ok(Door::open(tokio::net::UnixListener::from_std(listener)?, sandbox.limits.connections))
}

impl Worker {
    /// Starts one that holds no code, and returns when it has said hello.
    pub async fn start(
        sandbox: &Arc<Sandbox>,
        spawner: &Spawner,
        reaper: &Reaper,
    ) -> Result<Self, Unavailable> {
        let failed = |it: &dyn std::fmt::Display| Unavailable::Start(it.to_string());
        let authority = Arc::new(Authority::new().map_err(|it| failed(&it))?);
        let place = sandbox.place(authority.pem()).map_err(|it| failed(&it))?;
        let mut command = sandbox.command(&place);
        let mut door = door(sandbox, &place, &mut command)
            .map_err(|it| Unavailable::Start(format!("{}: {it}", place.socket().display())))?;
        let mut process = Process::start(spawner, command, place, reaper.clone()).await?;
        let control = hello(&mut door, &mut process).await?;
        process.settle(sandbox.tasks());
        let sandbox = Arc::clone(sandbox);
        let (last, loaded) = (0, None);
        Ok(Self { process, control, door, authority, last, loaded, sandbox })
    }

    /// Gives it its code. Once: a worker never gets another.
    pub async fn load(&mut self, code: &Code) -> Result<(), Failure> {
        let ground = code::Ground {
            folder: self.process.place().code(),
            runtime: self.sandbox.runtime_inside(),
            copies: self.sandbox.folder.join("packages"),
        };
        let (laid, entry) = (code.clone(), code.entry.clone());
        let (tell, done) = oneshot::channel();
        let laying = move || drop(tell.send(code::lay(&laid, &ground)));
        self.process.laying = Some(tokio::task::spawn_blocking(laying));
        done.await.map_err(|it| Unavailable::Code(it.to_string()))?.map_err(Unavailable::Code)?;
        self.last += 1;
        let line = load_line(self.last, &entry);
        let mut limits = self.sandbox.limits.clone();
        limits.wall = LOAD_WAIT;
        let nobody = Arc::new(Nobody);
        let mut told = converse(self, &line, &limits, &nobody).await.map_err(|it| match it {
            Failure::Thrown(thrown) => Failure::Load(thrown),
            other => other,
        })?;
        let component = told.get_mut("component").map(Value::take).unwrap_or_default();
        let description = serde_json::from_value(component).map_err(|it| {
            let message = format!("what the module exports cannot be described: {it}");
            let name = "TypeError".into();
            Failure::Load(Box::new(Thrown { name, message, ..Thrown::default() }))
        })?;
        self.loaded = Some(description);
        Ok(())
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }
}

async fn hello(door: &mut Door, process: &mut Process) -> Result<Control, Unavailable> {
    let said = process.said.clone();
    let first = tokio::select! {
        first = door.visits.recv() => first,
        how = process.ended() => {
            let words = said.text();
            return Err(Unavailable::Start(format!("it ended at once ({how}): {}", words.trim())));
        }
        () = tokio::time::sleep(HELLO_WAIT) => {
            let seconds = HELLO_WAIT.as_secs();
            return Err(Unavailable::Start(format!("no hello within {seconds} s")));
        }
    };
    match first {
        Some(Visit { hello: Hello::Control { version: VERSION, .. }, stream, .. }) => {
            Ok(Control::new(stream))
        }
        Some(Visit { hello, .. }) => Err(Unavailable::Start(format!("it said {hello:?} first"))),
        None => Err(Unavailable::Start("its socket closed".into())),
    }
}
