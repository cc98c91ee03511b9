//! Connects to an address that was checked, and to no other.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use hyper::Uri;
use hyper::http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower::Service;
use url::Host;

use super::addresses::Policy;
use super::error::{EgressError, Failure};
use super::target::{canonical_host, is_localhost};
use crate::config::{Config, ConfigError};

/// Most addresses of one name that are tried.
const ADDRESSES_TRIED_MAX: usize = 6;

/// Head start of each address before the next is tried beside it (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Most look-ups at once. Each takes one of the runtime's threads for blocking work, of which there
/// are 512, for as long as the name's servers let it wait, whoever has given up meanwhile.
const LOOKUPS_MAX: usize = 256;

/// Of these, most by a client that all projects share, and by its sibling that speaks HTTP/1.1
/// alone. What is left is for the projects' own.
const LOOKUPS_SHARED_MAX: usize = 128;
const LOOKUPS_SINGLE_MAX: usize = 32;

/// Of these, most for one owner of connections.
pub(super) const LOOKUPS_PER_OWNER_MAX: usize = 16;

static LOOKUPS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);

/// How a name is looked up. A closure, so that tests can lie.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Asks the operating system.
pub(super) fn system_resolver() -> Resolve {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|it| it.ip()).collect())
        })
    })
}

/// What a client shows of itself in TLS (RFC 8705): its certificate, with the chain, and the key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both from PEM.
    ///
    /// # Errors
    /// [`ConfigError`], which names neither.
    pub fn read(certificate: &str, key: &str) -> Result<Self, ConfigError> {
        let unreadable = |what| ConfigError(format!("the client's {what} is not PEM"));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| unreadable("certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| unreadable("key"))?;
        Ok(Self { chain, key })
    }
}

/// Resolves, checks, connects, and does TLS, all within one time limit.
#[derive(Clone)]
pub(super) struct Connector {
    checked: Checked,
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl Connector {
    /// One that speaks all versions of HTTP, and one that speaks HTTP/1.1 alone.
    pub(super) fn both(
        config: &Config,
        policy: Policy,
        resolve: Resolve,
        identity: Option<Identity>,
    ) -> Result<(Self, Self), ConfigError> {
        let timeout = config.egress_connect_timeout_ms.duration();
        let first = tls(config, identity)?;
        let mut all = first.clone();
        all.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let checked = Checked { policy, resolve, lookups: at_most(LOOKUPS_SHARED_MAX) };
        let single = Checked { lookups: at_most(LOOKUPS_SINGLE_MAX), ..checked.clone() };
        let all = Self { checked, tls: Arc::new(all), timeout };
        Ok((all, Self { checked: single, tls: Arc::new(first), timeout }))
    }

    /// The same for one owner, whose names keep nobody else from looking up his.
    pub(super) fn of_owner(&self) -> Self {
        let lookups = at_most(LOOKUPS_PER_OWNER_MAX);
        Self { checked: Checked { lookups, ..self.checked.clone() }, ..self.clone() }
    }
}

fn at_most(lookups: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(lookups))
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, EgressError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let mut https = HttpsConnector::from((self.checked.clone(), Arc::clone(&self.tls)));
        let connecting = tokio::time::timeout(self.timeout, https.call(uri));
        Box::pin(async move {
            match connecting.await {
                Ok(Ok(stream)) => Ok(stream),
                // The checked connector names its own failures; what else fails is TLS.
                Ok(Err(error)) => Err(match error.downcast::<EgressError>() {
                    Ok(own) => *own,
                    Err(other) => EgressError::unsent(Failure::Tls, &other.to_string()),
                }),
                Err(_) => Err(EgressError::unsent(Failure::Timeout, "connecting took too long")),
            }
        })
    }
}

/// TCP to a checked address.
#[derive(Clone)]
struct Checked {
    policy: Policy,
    resolve: Resolve,
    /// How many more look-ups there may be at once.
    lookups: Arc<Semaphore>,
}

impl Service<Uri> for Checked {
    type Response = TokioIo<TcpStream>;
    type Error = EgressError;
    type Future = BoxFuture<'static, Result<Self::Response, EgressError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Checked {
    async fn connect(&self, uri: &Uri) -> Result<TcpStream, EgressError> {
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let addresses = self.addresses(uri.host().unwrap_or_default()).await?;
        let addresses: Vec<_> =
            addresses.into_iter().map(|it| SocketAddr::new(it.to_canonical(), port)).collect();
        // One bad address spoils them all: a name that also points inside is not to be trusted.
        for address in &addresses {
            self.policy.check(*address, https).map_err(|why| {
                EgressError::unsent(Failure::NotAllowed, &format!("{address}: {why}"))
            })?;
        }
        let stream = race(&addresses).await?;
        stream.set_nodelay(true).ok();
        self.recheck(&stream, &addresses, https)?;
        Ok(stream)
    }

    /// Every address of `host`. A literal is its own answer and takes the same way.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let name = match canonical_host(host) {
            Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            Some(Host::Domain(name)) if is_localhost(&name) => {
                return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
            }
            Some(Host::Domain(name)) => name,
            None => return Err(EgressError::unsent(Failure::Dns, "the host cannot be read")),
        };
        let found = self.look_up(name).await.map_err(|error| {
            EgressError::unsent(Failure::Dns, &format!("the name was not found: {error}"))
        })?;
        if found.is_empty() {
            return Err(EgressError::unsent(Failure::Dns, "the name has no address"));
        }
        Ok(found)
    }

    /// Waits for its turn. A look-up that has begun keeps its place until it ends, since nothing
    /// can stop it.
    async fn look_up(&self, name: String) -> io::Result<Vec<IpAddr>> {
        let own = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let any = LOOKUPS.acquire().await.map_err(io::Error::other)?;
        let asking = (self.resolve)(name);
        let asked = tokio::spawn(async move {
            let found = asking.await;
            drop((own, any));
            found
        });
        asked.await.map_err(io::Error::other)?
    }

    /// The kernel's word on where the connection ended up.
    fn recheck(
        &self,
        stream: &TcpStream,
        checked: &[SocketAddr],
        https: bool,
    ) -> Result<(), EgressError> {
        let refuse = |why: &str| EgressError::unsent(Failure::NotAllowed, why);
        let peer = stream.peer_addr().map_err(|error| refuse(&error.to_string()))?;
        if !checked.iter().any(|it| it.ip() == peer.ip() && it.port() == peer.port()) {
            return Err(refuse("the connection led elsewhere"));
        }
        self.policy.check(peer, https).map_err(refuse)
    }
}

/// Connects to the first address that answers, giving each a head start before the next.
async fn race(addresses: &[SocketAddr]) -> Result<TcpStream, EgressError> {
    let mut tries: FuturesUnordered<_> = addresses
        .iter()
        .take(ADDRESSES_TRIED_MAX)
        .zip(0u32..)
        .map(|(address, place)| async move {
            tokio::time::sleep(HEAD_START * place).await;
            TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))
        })
        .collect();
    let mut reasons = Vec::new();
    while let Some(tried) = tries.next().await {
        match tried {
            Ok(stream) => return Ok(stream),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(EgressError::unsent(Failure::Connect, &reasons.join("; ")))
}

/// TLS 1.2 and 1.3, the roots that browsers trust, and the operator's own.
fn tls(config: &Config, identity: Option<Identity>) -> Result<ClientConfig, ConfigError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = &config.egress_ca_file {
        let refuse = |why: String| {
            ConfigError(format!("egress_ca_file: cannot use {}: {why}", path.display()))
        };
        let found = CertificateDer::pem_file_iter(path).map_err(|it| refuse(it.to_string()))?;
        for certificate in found {
            let certificate = certificate.map_err(|it| refuse(it.to_string()))?;
            roots.add(certificate).map_err(|it| refuse(it.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(Identity { chain, key }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| ConfigError(format!("the client's certificate: {error}"))),
    }
}
