//! One connection of code's, from its first byte to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use grantkeep_runtime::{Authority, HostCertificate};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use url::Host;

use super::forward;
use super::grants::{RunGrants, lock};
use super::way::Way;
use crate::app::App;
use crate::serve::{Activity, Patience, Watched};

/// Largest head of a request, in bytes: more than any app takes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header fields of a request.
const HEADERS_MAX: usize = 200;
/// Hosts whose certificates are kept for a run; a further one is signed anew each time.
const CERTIFICATES_MAX: usize = 200;
/// A TLS record of the kind handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
const HTTPS_PORT: u16 = 443;

/// A connection to one place.
pub(super) struct Link {
    pub app: Arc<App>,
    pub grants: Arc<RunGrants>,
    pub way: Way,
    pub scheme: &'static str,
}

/// Serves one connection of a run, whose first line was answered, until it ends or the run does.
/// TLS towards the code ends here; whatever is not HTTP/1.1 then is refused.
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
    let link = |way| Link { app: Arc::clone(app), grants: Arc::clone(grants), way, scheme };
    if secure {
        let Some(tls) = acceptor(grants, authority, &way.host) else { return };
        match tokio::time::timeout(patience, tls.accept(stream)).await {
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
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX).half_close(true);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = &mut serving => if let Err(error) = ended {
            tracing::debug!(%error, "code's connection ended");
        },
        over = activity.run_out(patience) => tracing::debug!(?over, "code's connection closed"),
    }
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
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
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
