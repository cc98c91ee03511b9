//! One thing that a worker is told to do, from the line that says so to its answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::door::Visit;
use crate::failure::Memory;
use crate::limits::{ASKED_BYTES, CALLS_AT_ONCE, LOG_LINES, LOOK_EVERY, TMP_FILES};
use crate::protocol::{Hello, Line, reply_line};
use crate::worker::Worker;
use crate::{Authority, CallError, Failure, FileBody, Host, Limits, Notice, Target, refuse};

/// How long the end of a process is waited for, once its connection is closed.
const END_WAIT: Duration = Duration::from_secs(1);
/// The call that begins the wall time anew, and how long a run may take with it.
const REFRESH: &str = "flow.refreshTimeout";
const REFRESHED_WALL: Duration = Duration::from_secs(750);
/// What V8 says before it ends the process for want of memory.
const OUT_OF_HEAP: [&str; 3] =
    ["heap out of memory", "Reached heap limit", "invalid table size Allocation failed"];
/// What is said where the kernel gave no more memory.
const OUT_OF_MEMORY: [&str; 4] =
    ["Allocation failed", "process out of memory", "Cannot allocate memory", "bad_alloc"];

/// Answers nothing: for code that is loaded and does not run yet.
pub(crate) struct Nobody;

impl Nobody {
    fn refusal() -> CallError {
        CallError::new("NotRunning", "Code that is being loaded cannot call out; do it in run()")
    }
}

impl Host for Nobody {
    fn notice(&self, _: Notice) {}

    async fn call(&self, _: &str, _: Value) -> Result<Value, CallError> {
        Err(Self::refusal())
    }

    async fn connect(&self, _: Target, _: Arc<Authority>, mut stream: UnixStream) {
        drop(refuse(&mut stream, &Self::refusal()).await);
    }

    async fn file(&self, _: &str, _: u64, _: &mut FileBody) -> Result<(), CallError> {
        Err(Self::refusal())
    }
}

/// Tells the worker a line, numbered by `worker.last`, and gives its answer.
///
/// After any failure but `Thrown` the worker is in an unknown state: drop it.
pub(crate) async fn converse<H: Host>(
    worker: &mut Worker,
    line: &[u8],
    limits: &Limits,
    host: &Arc<H>,
) -> Result<Value, Failure> {
    // What an earlier run still wanted is no business of this one's host.
    while worker.door.visits.try_recv().is_ok() {}
    worker.process.thaw();
    let mut conversation = Conversation {
        cpu_before: worker.process.cpu(),
        said_before: worker.process.said.bytes(),
        deadline: Instant::now() + limits.wall,
        last_deadline: Instant::now() + limits.wall.max(REFRESHED_WALL),
        tasks: JoinSet::new(),
        calls: 0,
        output: 0,
        asked: 0,
        logs: 0,
        worker,
        limits,
        host,
    };
    conversation.worker.control.send(line);
    conversation.hold().await
}

struct Conversation<'a, H> {
    worker: &'a mut Worker,
    limits: &'a Limits,
    host: &'a Arc<H>,
    cpu_before: Duration,
    said_before: u64,
    deadline: Instant,
    last_deadline: Instant,
    tasks: JoinSet<Done>,
    calls: usize,
    output: usize,
    /// Bytes of its calls.
    asked: usize,
    logs: usize,
}

/// What a task of the host ended with.
enum Done {
    Call { number: u64, refreshes: bool, answer: Result<Value, CallError> },
    Visit,
}

impl<H: Host> Conversation<'_, H> {
    async fn hold(&mut self) -> Result<Value, Failure> {
        let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while self.calls < CALLS_AT_ONCE && self.worker.control.has_room() {
                let Some(line) = self.worker.control.line()? else { break };
                if let Some(end) = self.hear(&line)? {
                    return end;
                }
            }
            let read = self.calls < CALLS_AT_ONCE && self.worker.control.has_room();
            tokio::select! {
                moved = self.worker.control.moved(read) => {
                    if !matches!(moved, Ok(1..)) {
                        return Err(self.why_it_ended().await);
                    }
                }
                Some(visit) = self.worker.door.visits.recv() => self.receive(visit),
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Ok(done) = done {
                        self.finish(done);
                    }
                }
                _ = look.tick() => self.look()?,
                () = tokio::time::sleep_until(self.deadline) => {
                    return Err(Failure::Timeout { limit: self.limits.wall });
                }
            }
        }
    }

    /// `Some`: the answer that was waited for.
    fn hear(&mut self, text: &[u8]) -> Result<Option<Result<Value, Failure>>, Failure> {
        let line: Line = serde_json::from_slice(text)
            .map_err(|it| Failure::Protocol(format!("a line that is not of it: {it}")))?;
        let of_this = [line.id, line.of].contains(&Some(self.worker.last));
        if let (true, Some(number)) = (of_this, line.call) {
            self.asked += text.len();
            if self.asked > ASKED_BYTES {
                return Err(Failure::Output { limit_bytes: ASKED_BYTES });
            }
            self.call(number, line);
            return Ok(None);
        }
        self.output += text.len();
        if self.output > self.limits.output_bytes {
            return Err(Failure::Output { limit_bytes: self.limits.output_bytes });
        }
        if !of_this {
            // Of a run that is over, whose code went on.
            return Ok(None);
        }
        if line.id.is_none() {
            if let Some(notice) = line.notice() {
                self.logs += usize::from(matches!(notice, Notice::Log(_)));
                if !matches!(notice, Notice::Log(_)) || self.logs <= LOG_LINES {
                    self.host.notice(notice);
                }
            }
            return Ok(None);
        }
        match (line.ok, line.error) {
            (Some(value), None) => Ok(Some(Ok(value))),
            (None, Some(thrown)) => Ok(Some(Err(Failure::Thrown(Box::new(thrown))))),
            _ => Err(Failure::Protocol("an answer that is neither ok nor an error".into())),
        }
    }

    fn call(&mut self, number: u64, line: Line) {
        self.calls += 1;
        let host = Arc::clone(self.host);
        let method = line.method.unwrap_or_default();
        self.tasks.spawn(async move {
            let answer = host.call(&method, line.params).await;
            Done::Call { number, refreshes: method == REFRESH, answer }
        });
    }

    fn finish(&mut self, done: Done) {
        if let Done::Call { number, refreshes, answer } = done {
            self.calls -= 1;
            if refreshes && answer.is_ok() {
                self.deadline = self.last_deadline.min(Instant::now() + self.limits.wall);
            }
            self.worker.control.send(&reply_line(number, answer));
        }
    }

    fn receive(&mut self, visit: Visit) {
        let Visit { hello, stream, place } = visit;
        let host = Arc::clone(self.host);
        let (authority, last) = (Arc::clone(&self.worker.authority), self.worker.last);
        self.tasks.spawn(async move {
            match hello {
                // What was sent before the answer is not moved on, so it must not be there.
                Hello::Connect(target) if stream.buffer().is_empty() => {
                    host.connect(target, authority, stream.into_inner()).await;
                }
                Hello::File { of, path, bytes } if of == last => {
                    file(&*host, stream, &path, bytes).await;
                }
                _ => {}
            }
            drop(place);
            Done::Visit
        });
    }

    /// Compares what the kernel counts with the limits.
    fn look(&mut self) -> Result<(), Failure> {
        let (limits, usage) = (self.limits, self.worker.process.usage());
        if usage.cpu.saturating_sub(self.cpu_before) > limits.cpu {
            return Err(Failure::Cpu { limit: limits.cpu });
        }
        if usage.resident_bytes > limits.rss_mib << 20 {
            return Err(Failure::Memory { limit_mib: limits.rss_mib, of: Memory::Resident });
        }
        if usage.pids.len() as u64 > limits.processes {
            return Err(Failure::Processes { limit: limits.processes });
        }
        let said = self.worker.process.said.bytes() - self.said_before;
        if said > limits.output_bytes as u64 {
            return Err(Failure::Output { limit_bytes: limits.output_bytes });
        }
        if self.worker.process.files_in_tmp() > TMP_FILES {
            return Err(Failure::Files { limit: TMP_FILES });
        }
        Ok(())
    }

    async fn why_it_ended(&mut self) -> Failure {
        let process = &mut self.worker.process;
        let how = tokio::time::timeout(END_WAIT, process.ended()).await;
        let how = how.unwrap_or_else(|_| "it closed its connection".into());
        let stderr = process.said.text();
        let any = |words: &[&str]| words.iter().any(|it| stderr.contains(it));
        if any(&OUT_OF_HEAP) {
            return Failure::Memory { limit_mib: self.limits.heap_mib, of: Memory::Heap };
        }
        if any(&OUT_OF_MEMORY) {
            return Failure::Memory { limit_mib: self.limits.rss_mib, of: Memory::Resident };
        }
        Failure::Ended { how, stderr }
    }
}

/// Hands a file on and answers the one line.
async fn file<H: Host>(host: &H, stream: BufReader<UnixStream>, path: &str, bytes: u64) {
    let mut body = stream.take(bytes);
    let answer = host.file(path, bytes, &mut body).await;
    let mut stream = body.into_inner();
    let _ = match answer {
        Ok(()) => crate::accept(&mut stream).await,
        Err(error) => refuse(&mut stream, &error).await,
    };
    drop(stream.shutdown().await);
}
