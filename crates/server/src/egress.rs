//! The only way out: every outbound HTTP request goes through [`Egress`].
//!
//! The address that was checked is the address that is connected to, so neither an IP literal nor
//! a changing DNS answer leads into the private network. Redirects are answers, never followed.
//! Nothing is decompressed, no proxy is taken from the environment.

mod addresses;
mod connector;
mod error;
mod interim;
mod pools;
mod routes;
mod target;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::config::{Config, ConfigError};
use addresses::Policy;
use connector::Connector;
pub use connector::{Identity, Resolve};
pub use error::{EgressError, Failure};
use pools::{HttpClient, Pools};
use routes::Routes;
pub use target::Ports;

/// Most header fields in an answer.
const ANSWER_HEADERS_MAX: usize = 100;

/// Largest head of an answer, in bytes.
const ANSWER_HEAD_BYTES_MAX: u32 = 64 * 1024;

/// Most idle connections kept per host.
const IDLE_PER_HOST_MAX: usize = 32;

/// What a server may send of one answer by HTTP/2 before anybody reads it, in bytes.
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;

/// The same for all answers on one connection. More than servers have on one at once, so that
/// answers nobody reads do not keep the others from coming.
const CONNECTION_WINDOW_BYTES: u32 = 256 * STREAM_WINDOW_BYTES;

/// How often an HTTP/2 server is asked whether it is there, and how long it may take to say so. A
/// connection that is dead would be used for ever otherwise.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Characters in a URL that a tenant chose.
pub const TENANT_URL_CHARS_MAX: usize = 2_048;

/// What a request's body fails with on its way in.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request body of any kind, for [`Egress::stream`].
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// How long and how large one exchange may get.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body of the answer, in bytes. More is [`Failure::TooLarge`].
    pub answer_bytes_max: usize,
    /// Until the head of the answer is here, connecting included.
    pub first_byte_timeout: Duration,
    /// Until the whole answer is here.
    pub total_timeout: Duration,
    /// To which ports the request may go.
    pub ports: Ports,
}

impl Limits {
    /// The same, for a URL that a tenant chose.
    #[must_use]
    pub const fn for_tenant_url(mut self) -> Self {
        self.ports = Ports::Web;
        self
    }
}

/// A whole answer. Not printable: the body may hold tokens.
pub struct Answer {
    /// Any status, 3xx included.
    pub status: StatusCode,
    /// As sent, `content-encoding` and all.
    pub headers: HeaderMap,
    /// As sent, at most [`Limits::answer_bytes_max`] bytes.
    pub body: Bytes,
}

/// A whole exchange as the one who tries an app out may look at it. Not printable: both bodies may
/// hold tokens.
pub struct Seen<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    /// The request's body.
    pub sent: &'a Bytes,
    pub answer: &'a Answer,
}

/// Told of each exchange that [`Egress::send`] finished. A server has none: it is for the trial of
/// an app, where a person looks at his own account.
pub type Watch = Arc<dyn Fn(&Seen<'_>) + Send + Sync>;

/// The outbound HTTP client. Copies share one pool of connections.
#[derive(Clone)]
pub struct Egress {
    client: HttpClient,
    /// Connections that only one tenant's requests travel on.
    pools: Pools,
    /// Speaks HTTP/1.1 alone and keeps no connection.
    single: HttpClient,
    policy: Policy,
    routes: Routes,
    limits: Limits,
    watch: Option<Watch>,
}

impl Egress {
    /// The client for providers and for URLs that tenants choose.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Self::with_resolver(config, connector::system_resolver())
    }

    /// The client for a service that the operator named in the configuration, such as a collector
    /// of traces: private addresses and plain http are allowed.
    pub fn for_operator(config: &Config) -> Result<Self, ConfigError> {
        let built = Self::build(config, Policy::open(), connector::system_resolver(), None)?;
        Ok(Self { routes: Routes::none(), ..built })
    }

    /// With another way to look names up. For tests.
    pub fn with_resolver(config: &Config, resolve: Resolve) -> Result<Self, ConfigError> {
        Self::build(config, Policy::new(config), resolve, None)
    }

    /// The client for the servers that know one OAuth client by its certificate (RFC 8705): its
    /// connections are of no use to anybody else.
    pub fn showing(config: &Config, identity: Identity) -> Result<Self, ConfigError> {
        let resolve = connector::system_resolver();
        Self::build(config, Policy::new(config), resolve, Some(identity))
    }

    fn build(
        config: &Config,
        policy: Policy,
        resolve: Resolve,
        identity: Option<Identity>,
    ) -> Result<Self, ConfigError> {
        let (connector, single) = Connector::both(config, policy.clone(), resolve, identity)?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.egress_pool_idle_timeout_ms.duration())
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .http1_max_headers(ANSWER_HEADERS_MAX)
            .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX as usize)
            .http2_max_header_list_size(ANSWER_HEAD_BYTES_MAX)
            .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true);
        let client = builder.build(connector.clone());
        let single = builder.clone().pool_max_idle_per_host(0).build(single);
        let limits = Limits {
            answer_bytes_max: config.egress_answer_bytes_max,
            first_byte_timeout: config.egress_first_byte_timeout_ms.duration(),
            total_timeout: config.egress_total_timeout_ms.duration(),
            ports: Ports::Any,
        };
        let pools = Pools::new(builder, connector);
        let routes = Routes::new(config);
        Ok(Self { client, pools, single, policy, routes, limits, watch: None })
    }

    /// The same, with somebody who looks on.
    #[must_use]
    pub fn watched(self, watch: Option<Watch>) -> Self {
        Self { watch, ..self }
    }

    /// Who looks on, for another client that is to be seen too.
    pub fn watch(&self) -> Option<Watch> {
        self.watch.clone()
    }

    /// The limits that the configuration sets.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether a request to `uri` may be tried at all. An address in it is judged at once; what a
    /// name resolves to, at each call.
    pub fn check(&self, uri: &hyper::Uri, ports: Ports) -> Result<(), EgressError> {
        let uri = target::admit(uri, ports, &self.policy)?;
        target::literal(&uri, &self.policy)
    }

    /// Whether a tenant may have `text` called: a plain https URL of at most
    /// [`TENANT_URL_CHARS_MAX`], written in ASCII, without user and fragment, on a port of
    /// [`Ports::Web`]. A name beyond ASCII is refused, since it may look like another; who means
    /// it writes `xn--`.
    pub fn check_tenant_url(&self, text: &str) -> Result<hyper::Uri, EgressError> {
        let refuse = |why| EgressError::unsent(Failure::NotAllowed, why);
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() > TENANT_URL_CHARS_MAX || !printable {
            return Err(refuse("the URL is too long, or holds more than printable ASCII"));
        }
        let url = url::Url::parse(text).map_err(|_| refuse("the URL cannot be read"))?;
        let userless = url.username().is_empty() && url.password().is_none();
        if !userless || url.fragment().is_some() {
            return Err(refuse("the URL must hold neither user name nor fragment"));
        }
        let uri = url.as_str().parse().map_err(|_| refuse("the URL cannot be read"))?;
        self.check(&uri, Ports::Web)?;
        Ok(uri)
    }

    /// Sends `request`, whose URI is absolute, and reads the whole answer.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> Result<Answer, EgressError> {
        let deadline = Instant::now() + limits.total_timeout;
        let limits = Limits {
            first_byte_timeout: limits.first_byte_timeout.min(limits.total_timeout),
            ..limits
        };
        let asked = match &self.watch {
            Some(watch) => Some((watch, Asked::of(&request).await)),
            None => None,
        };
        let request = request.map(|it| it.map_err(|never| match never {}).boxed_unsync());
        let response = self.stream(request, limits).await?;
        let reading = read(response, limits.answer_bytes_max);
        let answer = tokio::time::timeout_at(deadline, reading)
            .await
            .map_err(|_| EgressError::sent(Failure::Timeout, "the answer did not end in time"))??;
        if let Some((watch, Asked { method, uri, sent })) = &asked {
            watch(&Seen { method, uri, sent, answer: &answer });
        }
        Ok(answer)
    }

    /// Sends `request` and returns once the head of the answer is here; bodies flow unbuffered.
    ///
    /// Only [`Limits::first_byte_timeout`] and [`Limits::ports`] hold: the caller bounds the body.
    pub async fn stream(
        &self,
        request: Request<Body>,
        limits: Limits,
    ) -> Result<Response<Incoming>, EgressError> {
        self.stream_by(&self.client, request, limits).await
    }

    /// The same, on connections that carry requests of `owner` and of nobody else.
    pub async fn stream_for(
        &self,
        owner: &str,
        request: Request<Body>,
        limits: Limits,
    ) -> Result<Response<Incoming>, EgressError> {
        let client = self.pools.of(owner).await;
        self.stream_by(&client, request, limits).await
    }

    /// The same for a request that asks for another protocol: by HTTP/1.1, on a connection of its
    /// own.
    pub async fn upgrade(
        &self,
        request: Request<Body>,
        limits: Limits,
    ) -> Result<Response<Incoming>, EgressError> {
        self.stream_by(&self.single, request, limits).await
    }

    async fn stream_by(
        &self,
        client: &HttpClient,
        mut request: Request<Body>,
        limits: Limits,
    ) -> Result<Response<Incoming>, EgressError> {
        let admitted = target::admit(request.uri(), limits.ports, &self.policy)?;
        *request.uri_mut() = self.routes.lead(admitted)?;
        request.headers_mut().remove(HOST);
        let connection = capture_connection(&mut request);
        let flood = interim::flood(&mut request);
        let began = Instant::now();
        let asking = tokio::time::timeout(limits.first_byte_timeout, client.request(request));
        let asked = tokio::select! {
            biased;
            () = flood.came() => None,
            asked = asking => Some(asked),
        };
        let outcome = match asked {
            Some(Ok(Ok(response))) => Ok(response),
            Some(Ok(Err(error))) => Err(EgressError::from_client(&error, was_sent(&connection))),
            Some(Err(_)) => {
                let sent = was_sent(&connection);
                Err(EgressError::new(Failure::Timeout, "no answer began in time", sent))
            }
            None => Err(EgressError::sent(Failure::Protocol, "too many interim answers")),
        };
        count(&outcome, began.elapsed());
        outcome
    }
}

/// What is kept of a request for [`Seen`].
struct Asked {
    method: Method,
    uri: Uri,
    sent: Bytes,
}

impl Asked {
    async fn of(request: &Request<Full<Bytes>>) -> Self {
        let body = request.body().clone().collect().await.unwrap_or_else(|never| match never {});
        Self { method: request.method().clone(), uri: request.uri().clone(), sent: body.to_bytes() }
    }
}

fn count(outcome: &Result<Response<Incoming>, EgressError>, took: Duration) {
    let label = match outcome {
        Ok(response) if response.status().is_server_error() => "5xx",
        Ok(response) if response.status().is_client_error() => "4xx",
        Ok(_) => "ok",
        Err(error) => error.failure().name(),
    };
    metrics::counter!("egress_requests_total", "outcome" => label).increment(1);
    metrics::histogram!("egress_request_duration_seconds").record(took.as_secs_f64());
}

/// Whether a connection was there, so that the other side may have seen the request.
fn was_sent(connection: &CaptureConnection) -> bool {
    connection.connection_metadata().is_some()
}

/// Reads the body up to `bytes_max`.
async fn read(response: Response<Incoming>, bytes_max: usize) -> Result<Answer, EgressError> {
    let too_large = || EgressError::sent(Failure::TooLarge, "the answer is too large");
    let (head, mut incoming) = response.into_parts();
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if announced.and_then(|it| it.parse::<usize>().ok()).is_some_and(|it| it > bytes_max) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| {
            EgressError::sent(Failure::Protocol, &format!("the answer broke off: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&data);
    }
    Ok(Answer { status: head.status, headers: head.headers, body: body.into() })
}

#[cfg(test)]
mod tests;
