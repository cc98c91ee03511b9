//! The socket of one worker: who comes, and with which first line.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::limits::{FIRST_LINE_BYTES, FIRST_LINE_WAIT};
use crate::protocol::Hello;
use crate::{CallError, refuse};

/// Connections that may be at their first line, besides those that are open.
const AT_THE_DOOR: usize = 16;
/// Read at once while a connection says what it is.
const READ_BYTES: usize = 4_096;

/// A connection that said what it is. Its place among the open ones ends with it.
pub(crate) struct Visit {
    pub hello: Hello,
    pub stream: BufReader<UnixStream>,
    pub place: OwnedSemaphorePermit,
}

/// Hands on visits for as long as it lives.
pub(crate) struct Door {
    pub visits: mpsc::Receiver<Visit>,
    task: JoinHandle<()>,
}

impl Door {
    pub fn open(listener: UnixListener, connections: usize) -> Self {
        let (send, visits) = mpsc::channel(AT_THE_DOOR);
        let places = Arc::new(Semaphore::new(connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        let stream = BufReader::with_capacity(READ_BYTES, stream);
                        drop(tokio::spawn(greet(stream, place, send.clone())));
                    }
                    Err(_) => drop(tokio::spawn(turn_away(stream, connections))),
                }
            }
        });
        Self { visits, task }
    }

    /// Makes the connections to a worker that can only take them: there is always one that it has
    /// not used yet. One that closes it unused gets no more. The path is good as long as the file
    /// is open.
    pub fn reach((open, path): (File, PathBuf), connections: usize) -> Self {
        let (send, visits) = mpsc::channel(AT_THE_DOOR);
        let places = Arc::new(Semaphore::new(connections));
        let task = tokio::spawn(async move {
            let _open = open;
            while let Ok(stream) = UnixStream::connect(&path).await {
                let mut stream = BufReader::with_capacity(READ_BYTES, stream);
                if !matches!(stream.fill_buf().await, Ok([_, ..])) {
                    return;
                }
                match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => drop(tokio::spawn(greet(stream, place, send.clone()))),
                    Err(_) => drop(tokio::spawn(turn_away(stream.into_inner(), connections))),
                }
            }
        });
        Self { visits, task }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn greet(
    mut stream: BufReader<UnixStream>,
    place: OwnedSemaphorePermit,
    send: mpsc::Sender<Visit>,
) {
    let line = tokio::select! {
        line = first_line(&mut stream) => line,
        () = tokio::time::sleep(FIRST_LINE_WAIT) => return,
        () = send.closed() => return,
    };
    if let Some(hello) = line.and_then(|it| serde_json::from_slice(&it).ok()) {
        drop(send.send(Visit { hello, stream, place }).await);
    } else {
        let error = CallError::new("ProtocolError", "A connection begins with one line of JSON");
        drop(refuse(&mut stream, &error).await);
    }
}

async fn first_line(stream: &mut BufReader<UnixStream>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let most = FIRST_LINE_BYTES as u64;
    stream.take(most).read_until(b'\n', &mut line).await.ok()?;
    line.ends_with(b"\n").then_some(line)
}

async fn turn_away(mut stream: UnixStream, connections: usize) {
    let words = format!("More than {connections} connections at once; close one before the next");
    let error = CallError::new("TooManyConnections", words).with_code("TOO_MANY_CONNECTIONS");
    drop(tokio::time::timeout(FIRST_LINE_WAIT, refuse(&mut stream, &error)).await);
}
