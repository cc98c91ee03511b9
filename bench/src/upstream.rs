//! What is called: an app with a token endpoint, and a bare server to compare with. One process.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use grantkeep_torture::trouble::{Doing, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// What the app answers to a `GET`.
pub const SMALL_BYTES: usize = 1_000;

/// A running one. Killed when dropped.
pub struct Upstream {
    _child: Child,
    pub port: u16,
}

impl Upstream {
    /// Starts it. Whatever is asked, `answer` is what a bare one says.
    pub async fn start(answer: Option<&std::path::Path>) -> Result<Self> {
        let program = std::env::current_exe().doing("the benchmark's own program")?;
        let mut command = Command::new(program);
        command.arg("upstream").stdout(Stdio::piped()).kill_on_drop(true);
        if let Some(file) = answer {
            command.arg("--answer").arg(file);
        }
        let mut child = command.spawn().doing("cannot start the upstream")?;
        let out = child.stdout.take().doing("the upstream's output")?;
        let line = BufReader::new(out).lines().next_line().await.doing("the upstream")?;
        let port = line.and_then(|it| it.parse().ok()).doing("the upstream's port")?;
        Ok(Self { _child: child, port })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

struct State {
    /// All that a bare one says.
    answer: Option<Bytes>,
    small: Bytes,
    tokens: AtomicU64,
}

/// Serves until it is killed. Prints its port.
pub async fn serve(answer: Option<PathBuf>) -> Result<()> {
    let answer = answer.map(std::fs::read).transpose().doing("the answer")?.map(Bytes::from);
    let small = Bytes::from(vec![b'x'; SMALL_BYTES]);
    let state = Arc::new(State { answer, small, tokens: AtomicU64::new(0) });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing("cannot listen")?;
    let port = listener.local_addr().doing("the port")?.port();
    #[expect(clippy::print_stdout, reason = "the parent reads it")]
    {
        println!("{port}");
    }
    loop {
        let (stream, _) = listener.accept().await.doing("cannot accept")?;
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer_to(Arc::clone(&state), request));
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(serving);
    }
}

async fn answer_to(
    state: Arc<State>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, hyper::Error> {
    if let Some(answer) = &state.answer {
        return Ok(json(answer.clone()));
    }
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(match path.as_str() {
        "/token" => {
            let nth = state.tokens.fetch_add(1, Ordering::Relaxed);
            json(Bytes::from(format!(
                r#"{{"access_token":"at-{nth}","refresh_token":"rt-{nth}","expires_in":3600,"token_type":"Bearer"}}"#
            )))
        }
        "/tokens" => json(Bytes::from(state.tokens.load(Ordering::Relaxed).to_string())),
        _ => {
            let mut answer = Response::new(Full::new(state.small.clone()));
            let kind = header::HeaderValue::from_static("application/octet-stream");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
    })
}

fn json(text: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text));
    let kind = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
