//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Over, Patience};
use super::bodies::Download;
use super::gate::Gate;
use super::stream::Watched;
use crate::config::Config;

/// Least buffer that the HTTP library takes, in bytes.
const BUFFER_BYTES_MIN: usize = 8192;

/// Streams that a peer opened and reset before we looked at them; more end the connection
/// (CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 20;

/// Streams that we reset because the peer broke the protocol; more end the connection.
const BROKEN_STREAMS_MAX: usize = 100;

/// How often an HTTP/2 peer is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection that was told to end may take to do so.
const GOODBYE: Duration = Duration::from_secs(1);

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) gate: Arc<Gate>,
    pub(super) tls: Option<TlsAcceptor>,
    builder: Builder<TokioExecutor>,
    patience: Patience,
    handshake: Duration,
    head_bytes_max: usize,
}

impl Shared {
    pub(super) fn new(config: &Config, gate: Arc<Gate>, tls: Option<TlsAcceptor>) -> Arc<Self> {
        Arc::new(Self {
            gate,
            tls,
            builder: builder(config),
            patience: Patience::new(config),
            handshake: config.header_timeout_ms.duration(),
            head_bytes_max: config.header_bytes_max,
        })
    }

    /// Serves `stream` until it ends, or until `stop` and what is under way has been answered.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stop: watch::Receiver<bool>,
    ) {
        let Some(tls) = &self.tls else { return self.drive(stream, peer, stop).await };
        match tokio::time::timeout(self.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.drive(stream, peer, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn drive<S>(&self, stream: S, peer: SocketAddr, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let activity = Activity::new();
        let stream = Watched::new(stream, Arc::clone(&activity), self.head_bytes_max);
        let service = service_fn(|request: Request<Incoming>| {
            let (refusal, busy) = activity.begin();
            let gate = Arc::clone(&self.gate);
            async move {
                let response = gate.answer(request, peer, refusal).await;
                Ok::<_, Infallible>(response.map(|inner| Download { inner, _busy: busy }))
            }
        });
        let mut serving = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let over = tokio::select! {
            ended = &mut serving => return log_end(ended),
            over = activity.run_out(self.patience) => Some(over),
            _ = stop.wait_for(|it| *it) => None,
        };
        if matches!(over, Some(Over::Head | Over::Stalled)) {
            return tracing::debug!(?over, "connection closed");
        }
        serving.as_mut().graceful_shutdown();
        let goodbye = async {
            if over == Some(Over::Idle) {
                tokio::time::sleep(GOODBYE).await;
            } else {
                activity.run_out(self.patience).await;
            }
        };
        tokio::select! {
            ended = &mut serving => log_end(ended),
            () = goodbye => {}
        }
    }
}

/// Peers that hang up or talk nonsense are everyday matters.
fn log_end(ended: Result<(), axum::BoxError>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

fn builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // `Activity` keeps the time, because the library's clock also runs between requests.
        .header_read_timeout(None)
        .max_headers(config.header_count_max as usize)
        .max_buf_size(config.header_bytes_max.max(BUFFER_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.h2_streams_max)
        .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(BROKEN_STREAMS_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
