//! Processes of workers: started by one thread, ended for good, and their folders removed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc as plain;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::OptionFuture;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::limits::STDERR_BYTES;
use crate::sandbox::Place;
use crate::{Unavailable, watch};

/// What there is to start: a process that is not there yet.
struct Request {
    command: Command,
    process: Process,
    /// The process, so that it is ended with all that it began if nobody waits for it any more.
    started: oneshot::Sender<std::io::Result<Process>>,
}

/// The first descriptor after those that a process is given by name.
const FIRST_AFTER_STDIO: i32 = 3;
/// How long what it wrote is waited for, once a process is gone: a child of it may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long a killed process is waited for. One that the kernel holds longer, such as in a file
/// system that does not answer, ends when that lets go of it.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Looks for processes that were started while the others were being stopped.
const LOOKS: usize = 16;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The one thread that starts processes. bubblewrap dies with the *thread* that started it, so it
/// must not be one of those that come and go with the load.
#[derive(Clone)]
pub(crate) struct Spawner(plain::Sender<Request>);

impl Spawner {
    pub fn start() -> std::io::Result<Self> {
        let (send, receive) = plain::channel::<Request>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("workers".into()).spawn(move || {
            let _entered = runtime.enter();
            while let Ok(Request { command, mut process, started }) = receive.recv() {
                let mut command = tokio::process::Command::from(command);
                // Whoever started this process may have left files open in it, such as that of a
                // key. What it opens itself is closed on the way anyhow.
                close_fds::set_fds_cloexec(FIRST_AFTER_STDIO, &[]);
                let child = command.kill_on_drop(true).spawn();
                drop(started.send(child.map(|it| {
                    process.is(it);
                    process
                })));
            }
        })?;
        Ok(Self(send))
    }

    async fn spawn(&self, command: Command, process: Process) -> std::io::Result<Process> {
        let (started, spawned) = oneshot::channel();
        let gone = || std::io::Error::other("the thread that starts processes is gone");
        self.0.send(Request { command, process, started }).map_err(|_| gone())?;
        spawned.await.map_err(|_| gone())?
    }
}

/// What is left to do for a process that is no longer wanted.
struct Ended {
    child: Option<Child>,
    /// That process and all that descended from it, each killed.
    killed: Vec<u32>,
    reading: Option<JoinHandle<()>>,
    laying: Option<JoinHandle<()>>,
    folder: PathBuf,
}

/// Sees processes to their end. Clones share it; [`Reaper::finish`] waits for all.
#[derive(Clone)]
pub(crate) struct Reaper {
    ended: mpsc::UnboundedSender<Ended>,
    finished: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Reaper {
    pub fn start() -> Self {
        let (ended, mut next) = mpsc::unbounded_channel::<Ended>();
        let (finish, finished) = oneshot::channel();
        tokio::spawn(async move {
            let mut burials = JoinSet::new();
            while let Some(it) = next.recv().await {
                burials.spawn(bury(it));
                while burials.try_join_next().is_some() {}
            }
            burials.join_all().await;
            let _ = finish.send(());
        });
        Self { ended, finished: Arc::new(Mutex::new(Some(finished))) }
    }

    /// Waits until every process handed over is gone, once all other clones are.
    pub async fn finish(self) {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self.ended);
        if let Some(finished) = finished {
            drop(finished.await);
        }
    }
}

async fn bury(mut it: Ended) {
    if let Some(child) = &mut it.child {
        drop(child.wait().await);
    }
    // The first is gone before the rest is: the kernel clears a sandbox away by and by.
    let gone = async {
        while it.killed.iter().any(|pid| watch::lives(*pid)) {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    // One that was being started is not among them, but it holds the pipe.
    let closed = OptionFuture::from(it.reading);
    drop(tokio::time::timeout(GONE_WITHIN, async { tokio::join!(gone, closed) }).await);
    drop(OptionFuture::from(it.laying).await);
    drop(tokio::fs::remove_dir_all(&it.folder).await);
}

/// What a process wrote to its standard error: the last of it, and how much in all.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<Mutex<(Vec<u8>, u64)>>);

impl Said {
    pub fn text(&self) -> String {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&inner.0).into_owned()
    }

    pub fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    async fn read(self, mut from: ChildStderr) {
        let mut buffer = vec![0; 4_096];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.1 += read as u64;
            inner.0.extend_from_slice(&buffer[..read]);
            let surplus = inner.0.len().saturating_sub(STDERR_BYTES);
            inner.0.drain(..surplus);
        }
    }
}

/// A worker's process with all that descend from it. Dropped, it is killed and its folder removed.
pub(crate) struct Process {
    child: Option<Child>,
    pid: u32,
    /// Those that there were before any code was loaded, Node the last.
    pids: Vec<u32>,
    place: Place,
    reaper: Reaper,
    pub said: Said,
    reading: Option<JoinHandle<()>>,
    /// Fills the folder. It cannot be stopped, so the folder is removed after it.
    pub laying: Option<JoinHandle<()>>,
}

impl Process {
    pub async fn start(
        spawner: &Spawner,
        command: Command,
        place: Place,
        reaper: Reaper,
    ) -> Result<Self, Unavailable> {
        let program = command.get_program().to_string_lossy().into_owned();
        let said = Said::default();
        let (child, pids, reading, laying) = (None, Vec::new(), None, None);
        let process = Self { child, pid: 0, pids, place, reaper, said, reading, laying };
        let started = spawner.spawn(command, process).await;
        started.map_err(|it| Unavailable::Start(format!("{program}: {it}")))
    }

    fn is(&mut self, mut child: Child) {
        self.pid = child.id().unwrap_or(0);
        if let Some(stderr) = child.stderr.take() {
            self.reading = Some(tokio::spawn(self.said.clone().read(stderr)));
        }
        self.child = Some(child);
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|it| matches!(it.try_wait(), Ok(None)))
    }

    /// Waits for its end and its last words, and tells how it was. Can be begun anew.
    pub async fn ended(&mut self) -> String {
        let Some(child) = &mut self.child else { return "not started".into() };
        let how = child.wait().await;
        if let Some(reading) = &mut self.reading {
            drop(tokio::time::timeout(LAST_WORDS, reading).await);
            self.reading = None;
        }
        how.map_or_else(|it| it.to_string(), |it| it.to_string())
    }

    /// Learns which processes there are before any code of others is loaded. `tasks`: so many may
    /// they become, counted in a user namespace of their own.
    pub fn settle(&mut self, tasks: Option<u64>) {
        self.pids = watch::tree(self.pid).pids;
        for pid in &self.pids {
            // Under pressure the kernel takes a worker before the server.
            drop(std::fs::write(format!("/proc/{pid}/oom_score_adj"), "1000"));
        }
        let limit = Rlimit { current: tasks, maximum: tasks };
        for pid in self.pids.iter().filter_map(|pid| raw(*pid)).filter(|_| tasks.is_some()) {
            // Where it is not permitted, the count of processes is still looked at.
            let _ = rustix::process::prlimit(Some(pid), Resource::Nproc, limit);
        }
    }

    pub fn usage(&self) -> watch::Usage {
        watch::tree(self.pid)
    }

    /// Files in a `/tmp` that is in memory; 0 where it is a folder of the host.
    pub fn files_in_tmp(&self) -> u64 {
        // bubblewrap and its init stand before Node.
        let Some(node) = self.pids.get(2) else { return 0 };
        let tmp = format!("/proc/{node}/root/tmp");
        rustix::fs::statvfs(tmp).map_or(0, |it| it.f_files.saturating_sub(it.f_ffree))
    }

    /// Processor time until now, of the processes that a worker has between its runs.
    pub fn cpu(&self) -> Duration {
        watch::cpu(&self.pids)
    }

    /// Code runs only while a run is under way. `false`: there are processes besides Node.
    pub fn freeze(&self) -> bool {
        self.signal_node(Signal::STOP);
        self.usage().pids.len() <= self.pids.len()
    }

    pub fn thaw(&self) {
        self.signal_node(Signal::CONT);
    }

    /// Kills all there are. They are stopped first: what stands still starts nothing more. One that
    /// is just being started is in no list yet, but it is in the group.
    fn kill(&self) -> Vec<u32> {
        let group = raw(self.pid);
        let signal_group = |it| group.map(|group| rustix::process::kill_process_group(group, it));
        signal_group(Signal::STOP);
        let mut pids: Vec<u32> = Vec::new();
        for _ in 0..LOOKS {
            let known = pids.len();
            for pid in self.usage().pids {
                if !pids.contains(&pid) {
                    signal(pid, Signal::STOP);
                    pids.push(pid);
                }
            }
            if pids.len() == known {
                break;
            }
        }
        for pid in &pids {
            signal(*pid, Signal::KILL);
        }
        signal_group(Signal::KILL);
        pids
    }

    /// Node is the innermost of those that were there before any code.
    fn signal_node(&self, it: Signal) {
        if let Some(pid) = self.pids.last() {
            signal(*pid, it);
        }
    }
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn signal(pid: u32, it: Signal) {
    if let Some(pid) = raw(pid) {
        let _ = rustix::process::kill_process(pid, it);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Not reaped yet, so the numbers are still their own. With bubblewrap the kernel ends all
        // the rest once the first is gone.
        let killed = if self.is_alive() { self.kill() } else { Vec::new() };
        let (child, folder) = (self.child.take(), self.place.root.clone());
        let (reading, laying) = (self.reading.take(), self.laying.take());
        let ended = Ended { child, killed, reading, laying, folder };
        drop(self.reaper.ended.send(ended));
    }
}
