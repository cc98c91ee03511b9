//! A name server on loopback that says something else each time, and a resolver that asks it over
//! UDP (RFC 1035).
//!
//! The product asks the operating system, whose name servers no test can choose; so here another
//! resolver is handed to `Egress::with_resolver`, and all that comes after the look-up is the
//! product's own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use grantkeep::egress::Resolve;
use tokio::net::UdpSocket;

/// Bytes of a message without extensions (RFC 1035 section 4.2.1).
const MESSAGE_BYTES_MAX: usize = 512;
const HEAD_BYTES: usize = 12;
/// What follows a name in a question: type and class.
const QUESTION_TAIL_BYTES: usize = 4;

/// Answers each question with what `said` makes of the number of questions before it.
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NameServer {
    pub async fn start(said: impl Fn(usize) -> Vec<Ipv4Addr> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut question = [0; MESSAGE_BYTES_MAX];
            loop {
                let (count, from) = socket.recv_from(&mut question).await.unwrap();
                let said = said(counter.fetch_add(1, Ordering::SeqCst));
                socket.send_to(&answer(&question[..count], &said), from).await.unwrap();
            }
        });
        Self { address, asked, task }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Asks this server alone, and remembers nothing.
    pub fn resolver(&self) -> Resolve {
        let server = self.address;
        Arc::new(move |name| Box::pin(look_up(server, name)))
    }
}

/// The question once more, and an A record with a life of 0 for each address.
fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut message = question[..2].to_vec();
    let count = u8::try_from(addresses.len()).unwrap();
    // An answer, recursion available; one question, `count` answers.
    message.extend([0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
    message.extend(&question[HEAD_BYTES..end_of_question(question)]);
    for address in addresses {
        // The name of the question, type A, class IN, life 0, four bytes.
        message.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        message.extend(address.octets());
    }
    message
}

fn end_of_question(message: &[u8]) -> usize {
    let mut at = HEAD_BYTES;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    at + 1 + QUESTION_TAIL_BYTES
}

async fn look_up(server: SocketAddr, name: String) -> io::Result<Vec<IpAddr>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(server).await?;
    // Recursion desired; one question.
    let mut question = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        question.push(u8::try_from(label.len()).map_err(io::Error::other)?);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    socket.send(&question).await?;
    let mut message = [0; MESSAGE_BYTES_MAX];
    let count = socket.recv(&mut message).await?;
    let records = &message[end_of_question(&message[..count])..count];
    let address = |record: &[u8]| Ipv4Addr::from(<[u8; 4]>::try_from(&record[12..]).unwrap());
    Ok(records.chunks_exact(16).map(|it| address(it).into()).collect())
}
