//! Apps that speak HTTP/2.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Method;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use super::lab::{KEY, Kind, Lab, labs_of};
use crate::world::read;

type Stream = TlsStream<TcpStream>;

/// An app over TLS that speaks HTTP/2 where it is asked to. Its connections, counted from 1, are
/// served by `serve`.
struct App {
    base: String,
    authority: NamedTempFile,
}

impl App {
    async fn start<S, F>(serve: S) -> Self
    where
        S: Fn(usize, Stream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der();
        let key = rustls_pki_types::PrivateKeyDer::try_from(key).unwrap();
        let mut tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            let mut nth = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                nth += 1;
                tokio::spawn(serve(nth, stream));
            }
        });
        let authority = NamedTempFile::new().unwrap();
        std::fs::write(authority.path(), made.cert.pem()).unwrap();
        Self { base, authority }
    }

    async fn labs(&self) -> Vec<Lab> {
        let settings = [("egress_ca_file", self.authority.path().to_str().unwrap())];
        labs_of(Kind { base: &self.base, settings: &settings, ..Kind::default() }).await
    }
}

/// More than an app may send before somebody reads it.
const MUCH_BYTES: usize = 16 * 1024 * 1024;

/// Answers with what it was spoken to, and at `/much` with much.
async fn tell(_: usize, stream: Stream) {
    let service = service_fn(|request: Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let key = head.headers["authorization"].len();
        let said = format!("{:?} {key} {}", head.version, String::from_utf8_lossy(&body));
        let much = head.uri.path().ends_with("/much");
        let said = if much { vec![b'x'; MUCH_BYTES].into() } else { Bytes::from(said) };
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(said)))
    });
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

fn told(body: &str) -> String {
    format!("HTTP/2.0 {} {body}", "Bearer ".len() + KEY.len())
}

#[tokio::test]
async fn an_app_that_speaks_http_2_is_spoken_to_in_it() {
    let app = App::start(tell).await;
    for lab in app.labs().await {
        let reply = read(lab.request(Method::POST, "/x").body("body")).await;
        assert_eq!(reply.text, told("body"));
        let all = (0..8).map(|_| lab.get("/y"));
        let all = futures::future::join_all(all).await;
        assert!(all.iter().all(|it| it.text == told("")), "{all:?}");
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_no_other_from_coming() {
    let app = App::start(tell).await;
    for lab in app.labs().await {
        let mut unread = Vec::new();
        for _ in 0..8 {
            let answer = lab.request(Method::GET, "/much").send().await.unwrap();
            assert_eq!(answer.status(), 200);
            unread.push(answer);
        }
        for _ in 0..20 {
            assert_eq!(lab.get("/y").await.text, told(""));
        }
        drop(unread);
    }
}

/// Which requests of a connection are refused, counted from 1.
const REFUSED: [usize; 4] = [2, 4, 6, 7];

/// Answers with the number of the request and its body, and refuses some.
async fn refuse(_: usize, stream: Stream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut nth = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        nth += 1;
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut text = format!("{nth} ").into_bytes();
            while let Some(piece) = body.data().await {
                text.extend_from_slice(&piece.unwrap());
            }
            if REFUSED.contains(&nth) {
                return respond.send_reset(h2::Reason::REFUSED_STREAM);
            }
            let mut answer = respond.send_response(Response::new(()), false).unwrap();
            answer.send_data(text.into(), true).unwrap();
        });
    }
}

#[tokio::test]
async fn a_request_that_an_app_refused_to_look_at_goes_once_more() {
    let app = App::start(refuse).await;
    for lab in app.labs().await {
        assert_eq!(lab.get("/x").await.text, "1 ");
        assert_eq!(lab.get("/x").await.text, "3 ");
        let reply = read(lab.request(Method::POST, "/x").body("body")).await;
        assert_eq!(reply.text, "5 body");
        // And no more often than that.
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (502, "upstream_unreachable"));
        assert_eq!(lab.get("/x").await.text, "8 ");
    }
}

/// Frames of RFC 9113: an empty SETTINGS, and a GOAWAY that says that no request was looked at.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const HEADERS_TYPE: u8 = 1;
const PREFACE_BYTES: usize = 24;

/// Ends the connection when a request comes, as a server does that is about to stop.
async fn leave(mut stream: Stream) -> std::io::Result<()> {
    stream.read_exact(&mut [0; PREFACE_BYTES]).await?;
    stream.write_all(&SETTINGS).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == HEADERS_TYPE {
            break;
        }
    }
    stream.write_all(&GOAWAY).await?;
    stream.read_to_end(&mut Vec::new()).await.map(|_| ())
}

#[tokio::test]
async fn a_request_that_came_when_the_connection_ended_goes_once_more() {
    let app = App::start(|nth, stream| async move {
        if nth % 2 == 1 {
            let _ = leave(stream).await;
        } else {
            tell(nth, stream).await;
        }
    });
    let app = app.await;
    for lab in app.labs().await {
        assert_eq!(lab.get("/x").await.text, told(""));
        assert_eq!(lab.get("/x").await.text, told(""));
    }
}
