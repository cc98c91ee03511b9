//! One connection of code's, from its first byte to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use grantkeep_runtime::{Authority, HostCertificate};
use hyper::body::Incoming;
use hyper::header::{COOKIE, HOST, HeaderValue};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use url::Host;

use super::forward;
use super::grants::{RunGrants, lock};
use super::socket::Joined;
use super::way::Way;
use crate::app::App;
use crate::serve::{Activity, Patience, Watched};

/// Largest head of a request, in bytes: more than any app takes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEAD_LIST_BYTES_MAX: u32 = 64 * 1024;
/// Most header fields of a request.
const HEADERS_MAX: usize = 200;
/// Hosts whose certificates are kept for a run; a further one is signed anew each time.
const CERTIFICATES_MAX: usize = 200;
/// A TLS record of the kind handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
const HTTPS_PORT: u16 = 443;
/// HTTP/2 as TLS names it (RFC 9113 section 3.2).
const H2: &[u8] = b"h2";
/// Requests at once on one connection by HTTP/2.
const STREAMS_MAX: u32 = 100;

/// A connection to one place.
pub(super) struct Link {
    pub app: Arc<App>,
    pub grants: Arc<RunGrants>,
    pub way: Way,
    pub scheme: &'static str,
    /// What goes on once a connection speaks another protocol.
    pub joined: Mutex<Option<Joined>>,
}

/// Serves one connection of a run, whose first line was answered, until it ends or the run does.
/// TLS towards the code ends here; whatever is not HTTP then is refused.
pub async fn serve<S>(
    app: &Arc<App>,
    grants: &Arc<RunGrants>,
    way: Way,
    authority: &Authority,
    stream: S,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let serving = begin((app, grants), way, authority, stream);
    tokio::select! {
        () = grants.over() => {}
        () = serving => {}
    }
}

async fn begin<S>(
    (app, grants): (&Arc<App>, &Arc<RunGrants>),
    way: Way,
    authority: &Authority,
    mut stream: S,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let patience = app.config.header_timeout_ms.duration();
    let mut first = [0];
    let read = tokio::time::timeout(patience, stream.read_exact(&mut first)).await;
    if !matches!(read, Ok(Ok(_))) {
        return;
    }
    let secure = first[0] == TLS_HANDSHAKE;
    let scheme = if secure { "https" } else { "http" };
    let is_http = first[0].is_ascii_alphabetic() && way.port != HTTPS_PORT;
    let mut stream = rewound(first, stream);
    let link = |way| {
        let (app, grants) = (Arc::clone(app), Arc::clone(grants));
        Link { app, grants, way, scheme, joined: Mutex::default() }
    };
    if secure {
        let Some(tls) = acceptor(grants, authority, &way.host) else { return };
        match tokio::time::timeout(patience, tls.accept(stream)).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
                drive_streams(link(way), stream).await;
            }
            Ok(Ok(stream)) => drive(link(way), stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "code's TLS handshake failed"),
            Err(_) => tracing::debug!("code's TLS handshake took too long"),
        }
    } else if is_http {
        drive(link(way), stream).await;
    } else {
        let _ = stream.write_all(NOT_HTTP).await;
        let _ = stream.shutdown().await;
    }
}

const NOT_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    x-grantkeep-error: invalid_request\r\nconnection: close\r\ncontent-length: 55\r\n\r\n\
    Code can reach the web by HTTP, over TLS on port 443.\r\n";

/// The stream with the byte that was read from it.
fn rewound<S>(first: [u8; 1], stream: S) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    tokio::io::join(std::io::Cursor::new(first).chain(reader), writer)
}

async fn drive<S>(link: Link, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Activity::new();
    let patience = Patience::new(&link.app.config);
    let stream = Watched::new(stream, Arc::clone(&activity), HEAD_BYTES_MAX);
    let link = Arc::new(link);
    let service = service_fn(|request: Request<Incoming>| {
        let (refusal, busy) = activity.begin();
        let link = Arc::clone(&link);
        async move { Ok::<_, Infallible>(forward::forward(&link, request, refusal, busy).await) }
    });
    {
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX).half_close(true);
        let serving = builder.serve_connection(TokioIo::new(stream), service);
        let mut serving = pin!(serving.with_upgrades());
        tokio::select! {
            ended = &mut serving => if let Err(error) = ended {
                tracing::debug!(%error, "code's connection ended");
            },
            over = activity.run_out(patience) => {
                tracing::debug!(?over, "code's connection closed");
            }
        }
    }
    let joined = lock(&link.joined).take();
    if let Some(joined) = joined {
        activity.leaves_http();
        joined.await;
    }
}

/// The same by HTTP/2.
async fn drive_streams<S>(link: Link, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Activity::new();
    let patience = Patience::new(&link.app.config);
    let stream = Watched::new(stream, Arc::clone(&activity), HEAD_BYTES_MAX);
    let link = Arc::new(link);
    let service = service_fn(|request: Request<Incoming>| {
        let (refusal, busy) = activity.begin();
        let (link, request) = (Arc::clone(&link), as_http1(request));
        async move { Ok::<_, Infallible>(forward::forward(&link, request, refusal, busy).await) }
    });
    let mut builder = http2::Builder::new(Streams::default());
    builder.max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_LIST_BYTES_MAX);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = &mut serving => if let Err(error) = ended {
            tracing::debug!(%error, "code's connection ended");
        },
        over = activity.run_out(patience) => tracing::debug!(?over, "code's connection closed"),
    }
}

/// Tasks that end with their connection.
#[derive(Clone, Default)]
struct Streams(Arc<Mutex<JoinSet<()>>>);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let mut all = lock(&self.0);
        while all.try_join_next().is_some() {}
        all.spawn(task);
    }
}

/// The request with its host in a header, and cookies in one line (RFC 9113 section 8.2.3).
fn as_http1(mut request: Request<Incoming>) -> Request<Incoming> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let authority = parts.authority.take();
    parts.scheme = None;
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    let headers = request.headers_mut();
    if let Some(host) = authority.and_then(|it| HeaderValue::from_str(it.as_str()).ok()) {
        headers.append(HOST, host);
    }
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(all) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, all);
    }
    request
}

/// Shows a certificate for the host that was connected to, and for no other.
#[derive(Debug)]
struct OneHost {
    host: Host<String>,
    key: Arc<CertifiedKey>,
}

impl ResolvesServerCert for OneHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = match (hello.server_name(), &self.host) {
            (Some(name), Host::Domain(host)) => name.eq_ignore_ascii_case(host),
            // An address is not named (RFC 6066 section 3).
            (None, Host::Ipv4(_) | Host::Ipv6(_)) => true,
            _ => false,
        };
        named.then(|| Arc::clone(&self.key))
    }
}

fn acceptor(grants: &RunGrants, authority: &Authority, host: &Host<String>) -> Option<TlsAcceptor> {
    let made = certificate(grants, authority, host).and_then(|key| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|it| it.to_string())?;
        let resolver = Arc::new(OneHost { host: host.clone(), key });
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    });
    made.inspect_err(|error| tracing::error!(error, "no TLS towards code")).ok()
}

fn certificate(
    grants: &RunGrants,
    authority: &Authority,
    host: &Host<String>,
) -> Result<Arc<CertifiedKey>, String> {
    let name = match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    if let Some(known) = lock(&grants.certificates).get(&name) {
        return Ok(Arc::clone(known));
    }
    let signed = authority.certificate_for(&name).map_err(|it| it.to_string())?;
    let HostCertificate { chain, key } = signed;
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key);
    let made = Arc::new(CertifiedKey::new(chain, key.map_err(|it| it.to_string())?));
    let mut all = lock(&grants.certificates);
    if all.len() < CERTIFICATES_MAX {
        all.insert(name, Arc::clone(&made));
    }
    Ok(made)
}
