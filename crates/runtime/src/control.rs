//! The control connection: lines in, lines out, both within bounds.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::Failure;
use crate::limits::LINE_BYTES;

/// Bytes that wait to be written, beyond which nothing more is read.
const PENDING_BYTES: usize = 16 << 20;

pub(crate) struct Control {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    inbox: BytesMut,
    /// How much of the inbox is known to hold no newline.
    searched: usize,
    outbox: BytesMut,
}

impl Control {
    pub fn new(stream: BufReader<UnixStream>) -> Self {
        let inbox = BytesMut::from(stream.buffer());
        let (reader, writer) = stream.into_inner().into_split();
        Self { reader, writer, inbox, searched: 0, outbox: BytesMut::new() }
    }

    pub fn send(&mut self, line: &[u8]) {
        self.outbox.extend_from_slice(line);
    }

    /// What is left to be written, or read, for others.
    pub fn has_room(&self) -> bool {
        self.outbox.len() < PENDING_BYTES
    }

    /// The next whole line that has come, without its newline.
    pub fn line(&mut self) -> Result<Option<BytesMut>, Failure> {
        if let Some(at) = memchr::memchr(b'\n', &self.inbox[self.searched..]) {
            let line = self.inbox.split_to(self.searched + at);
            self.inbox.advance(1);
            self.searched = 0;
            return Ok(Some(line));
        }
        self.searched = self.inbox.len();
        if self.searched > LINE_BYTES {
            return Err(Failure::Protocol(format!("a line of more than {LINE_BYTES} bytes")));
        }
        Ok(None)
    }

    /// Moves bytes, both ways. Returns once some have come in; 0: the other side is gone. May be
    /// dropped at any time without losing any.
    pub async fn moved(&mut self, read: bool) -> io::Result<usize> {
        loop {
            let writing = !self.outbox.is_empty();
            tokio::select! {
                count = self.reader.read_buf(&mut self.inbox), if read => return count,
                count = self.writer.write_buf(&mut self.outbox), if writing => { count?; }
                else => std::future::pending::<()>().await,
            }
        }
    }
}
