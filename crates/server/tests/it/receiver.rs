//! A product's endpoint in a test: a server on loopback that answers by a script and keeps what
//! came.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Say {
    Status(u16),
    /// The whole answer, byte for byte.
    Raw(Vec<u8>),
    /// Close the connection without a word.
    HangUp,
    /// Nothing, for as long as the other side waits.
    Nothing,
    /// A good head at once, and then a byte now and then for ever.
    Drip,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Post {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Post {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|it| it.to_str().unwrap()).unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }
}

#[derive(Default)]
struct State {
    next: VecDeque<Say>,
    usual: Option<Say>,
    posts: Vec<Post>,
    answered: usize,
}

pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    came: tokio::sync::Mutex<mpsc::UnboundedReceiver<Post>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Answers 200 until told otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let (tell, came) = mpsc::unbounded_channel();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tell) = (Arc::clone(&shared), tell.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &shared, &tell).await;
                });
            }
        });
        Self { url, state, came: came.into(), task }
    }

    /// Says this to the next requests, each once.
    pub fn script(&self, says: &[Say]) {
        self.state.lock().unwrap().next.extend(says.iter().cloned());
    }

    /// Says this whenever the script is at its end.
    pub fn usually(&self, say: Say) {
        self.state.lock().unwrap().usual = Some(say);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.state.lock().unwrap().posts.clone()
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().posts.len()
    }

    /// How many requests got an answer.
    pub fn answered(&self) -> usize {
        self.state.lock().unwrap().answered
    }

    /// Posts by their id.
    pub fn by_id(&self) -> HashMap<String, Vec<Post>> {
        let mut all: HashMap<String, Vec<Post>> = HashMap::new();
        for post in self.posts() {
            all.entry(post.id().to_owned()).or_default().push(post);
        }
        all
    }

    /// Waits for a request.
    pub async fn next(&self) -> Post {
        self.came.lock().await.recv().await.unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    state: &Mutex<State>,
    tell: &mpsc::UnboundedSender<Post>,
) -> std::io::Result<()> {
    let Some(post) = read(&mut stream).await? else { return Ok(()) };
    let say = {
        let mut state = state.lock().unwrap();
        state.posts.push(post.clone());
        let next = state.next.pop_front();
        next.or_else(|| state.usual.clone()).unwrap_or(Say::Status(200))
    };
    let _ = tell.send(post);
    match say {
        Say::Status(status) => stream.write_all(&head(status, 2)).await?,
        Say::Raw(bytes) => {
            // Whoever has heard enough hangs up.
            let _ = stream.write_all(&bytes).await;
        }
        Say::HangUp => return Ok(()),
        Say::Nothing => {
            let _ = stream.read(&mut [0; 1]).await;
            return Ok(());
        }
        Say::Drip => {
            stream.write_all(&head(200, 1_000_000)).await?;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            return Ok(());
        }
    }
    state.lock().unwrap().answered += 1;
    stream.shutdown().await
}

fn head(status: u16, length: usize) -> Vec<u8> {
    let body = if length == 2 { "ok" } else { "" };
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Post>> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        if let Some(end) = end {
            let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = text.lines();
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            let mut headers = HeaderMap::new();
            for (name, value) in lines.filter_map(|it| it.split_once(": ")) {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let length = headers
                .get("content-length")
                .map_or(0, |it| it.to_str().unwrap().parse::<usize>().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                return Ok(Some(Post { path, headers, body }));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
