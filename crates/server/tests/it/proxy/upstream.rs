//! An app's server that does what a script says, byte for byte, and keeps what came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// One step of an answer.
#[derive(Clone)]
pub enum Do {
    Send(Vec<u8>),
    /// Reads the body, however it is framed, to its end.
    Body,
    /// Reads until the body holds so many bytes, framing and all.
    Read(usize),
    Tell(Arc<Notify>),
    Await(Arc<Notify>),
    /// Says nothing more, and keeps the connection.
    Hang,
    Close,
}

/// A request that came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The request line.
    pub line: String,
    /// Each header field as it came, name in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came, chunk sizes and all.
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 1.
    pub connection: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(it, _)| it == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} came twice: {self:?}");
        first
    }

    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn is_whole(&self) -> bool {
        if self.header("transfer-encoding").is_some() {
            return self.body.ends_with(b"0\r\n\r\n");
        }
        let length = self.header("content-length").map_or(0, |it| it.parse().unwrap());
        self.body.len() >= length
    }
}

type Script = VecDeque<Vec<Do>>;

pub struct Upstream {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that the other side closed, or that broke.
    ended: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `200` with this body and these further lines of a head.
pub fn answer(head: &str, body: &str) -> Vec<Do> {
    status(200, head, body)
}

pub fn status(status: u16, head: &str, body: &str) -> Vec<Do> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{head}\r\n{body}");
    vec![Do::Body, Do::Send(text.into_bytes())]
}

impl Upstream {
    /// Answers 200 and nothing until told otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let ended = Arc::new(Notify::new());
        let shared = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&ended));
        let task = tokio::spawn(async move {
            let (script, seen, ended) = shared;
            let mut connection = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connection += 1;
                let mut one = Connection {
                    stream,
                    rest: Vec::new(),
                    number: connection,
                    script: Arc::clone(&script),
                    seen: Arc::clone(&seen),
                };
                let ended = Arc::clone(&ended);
                tokio::spawn(async move {
                    let _ = one.serve().await;
                    ended.notify_one();
                });
            }
        });
        Self { address, script, seen, ended, task }
    }

    /// Does this for the next requests, one after another.
    pub fn script(&self, answers: impl IntoIterator<Item = Vec<Do>>) {
        self.script.lock().unwrap().extend(answers);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn last(&self) -> Seen {
        self.seen().pop().expect("nothing came")
    }

    /// Returns once a connection has ended.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }
}

struct Connection {
    stream: TcpStream,
    /// Read, and not yet part of a request.
    rest: Vec<u8>,
    number: usize,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Connection {
    async fn serve(&mut self) -> std::io::Result<()> {
        loop {
            let at = self.head().await?;
            let steps = self.script.lock().unwrap().pop_front();
            for step in steps.unwrap_or_else(|| answer("", "")) {
                match step {
                    Do::Send(bytes) => self.stream.write_all(&bytes).await?,
                    Do::Body => self.read(at, Seen::is_whole).await?,
                    Do::Read(bytes) => self.read(at, |it| it.body.len() >= bytes).await?,
                    Do::Tell(it) => it.notify_one(),
                    Do::Await(it) => it.notified().await,
                    Do::Hang => {
                        // Until the other side has enough of it.
                        while self.more().await? > 0 {}
                        return Ok(());
                    }
                    Do::Close => return Ok(()),
                }
            }
        }
    }

    async fn more(&mut self) -> std::io::Result<usize> {
        let mut piece = vec![0; 64 * 1024];
        let count = self.stream.read(&mut piece).await?;
        self.rest.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    /// Reads a head and gives the place of the request.
    async fn head(&mut self) -> std::io::Result<usize> {
        let end = loop {
            if let Some(end) = self.rest.windows(4).position(|it| it == b"\r\n\r\n") {
                break end;
            }
            if self.more().await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head: Vec<u8> = self.rest.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let field = |it: &str| {
            let (name, value) = it.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers = lines.map(field).collect();
        let mut all = self.seen.lock().unwrap();
        all.push(Seen { line, headers, body: Vec::new(), connection: self.number });
        Ok(all.len() - 1)
    }

    async fn read(&mut self, at: usize, enough: impl Fn(&Seen) -> bool) -> std::io::Result<()> {
        loop {
            let rest = std::mem::take(&mut self.rest);
            {
                let mut all = self.seen.lock().unwrap();
                all[at].body.extend_from_slice(&rest);
                if enough(&all[at]) {
                    return Ok(());
                }
            }
            if self.more().await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
