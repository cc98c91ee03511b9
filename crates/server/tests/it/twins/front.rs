//! What ends TLS in front of a twin, and tells it whose certificate it was shown.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The header that the twin believes.
const CERTIFICATE: &str = "x-client-certificate";

pub struct Front {
    /// Without a slash at the end.
    pub url: String,
    /// To be trusted, PEM.
    pub certificate: String,
    pub client_certificate: String,
    pub client_key: String,
    /// SHA-256 of the client's certificate, in hexadecimal.
    pub client_print: String,
    inner: Arc<Inner>,
}

struct Inner {
    acceptor: TlsAcceptor,
    http: reqwest::Client,
    to: OnceLock<String>,
    shown: AtomicU64,
}

impl Front {
    pub async fn open() -> Self {
        let server = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let client = generate_simple_self_signed(["client.example".to_owned()]).unwrap();
        let inner = Arc::new(Inner {
            acceptor: TlsAcceptor::from(Arc::new(tls(&server, &client))),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            to: OnceLock::new(),
            shown: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        Self {
            url: format!("https://localhost:{port}"),
            certificate: server.cert.pem(),
            client_print: print(client.cert.der()),
            client_certificate: client.cert.pem(),
            client_key: client.signing_key.serialize_pem(),
            inner,
        }
    }

    /// Where requests are passed on to.
    pub fn lead_to(&self, base_url: &str) {
        self.inner.to.set(base_url.to_owned()).unwrap();
    }

    /// Connections in which a certificate was shown.
    pub fn shown(&self) -> u64 {
        self.inner.shown.load(Ordering::Relaxed)
    }
}

/// Whoever shows a certificate must have the client's; who shows none is let in, and the twin says
/// what it thinks of that.
fn tls(server: &CertifiedKey<KeyPair>, client: &CertifiedKey<KeyPair>) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(client.cert.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated();
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    ServerConfig::builder()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.cert.der().clone()], key)
        .unwrap()
}

fn print(der: &[u8]) -> String {
    use std::fmt::Write as _;
    digest(&SHA256, der).as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

impl Inner {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let Ok(stream) = self.acceptor.accept(stream).await else { return };
        let certificates = stream.get_ref().1.peer_certificates();
        let shown = certificates.and_then(|it| it.first()).map(|it| print(it));
        if shown.is_some() {
            self.shown.fetch_add(1, Ordering::Relaxed);
        }
        let service = service_fn(move |request| {
            let (this, shown) = (Arc::clone(&self), shown.clone());
            async move { Ok::<_, Infallible>(this.pass_on(request, shown).await) }
        });
        let server = auto::Builder::new(TokioExecutor::new());
        // A connection that breaks off is the caller's to tell.
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn pass_on(
        &self,
        request: Request<Incoming>,
        shown: Option<String>,
    ) -> Response<Full<Bytes>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        for name in ["host", "content-length", CERTIFICATE] {
            head.headers.remove(name);
        }
        let path = head.uri.path_and_query().unwrap().as_str();
        let url = format!("{}{path}", self.to.get().unwrap());
        let mut ask = self.http.request(head.method, url).headers(head.headers).body(body);
        if let Some(shown) = shown {
            ask = ask.header(CERTIFICATE, shown);
        }
        let answer = ask.send().await.unwrap();
        let mut response = Response::builder().status(answer.status());
        if let Some(kind) = answer.headers().get("content-type") {
            response = response.header("content-type", kind);
        }
        response.body(Full::new(answer.bytes().await.unwrap())).unwrap()
    }
}
