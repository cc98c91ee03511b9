//! The listener: takes connections, holds the limits, drains at the end.
//!
//! The framework's own listener has no limit on how long a head may take, how long a connection
//! may sit idle, or how long a request may run; all of them are set here, from the configuration.

mod activity;
mod bodies;
mod client_ip;
mod connection;
mod framing;
mod gate;
mod signals;
mod stream;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::task::TaskTracker;

pub(crate) use activity::{Activity, Busy, Patience};
pub use client_ip::ClientIp;
use connection::Shared;
pub(crate) use framing::Refusal;
use gate::Gate;
pub(crate) use gate::keeps_body;
use signals::Signals;
pub use signals::stop_signal;
pub(crate) use stream::Watched;
use tls::Certificate;

use crate::config::{Config, ConfigError};
use crate::telemetry::metrics;

/// First and longest pause after a failed accept, such as for want of file handles.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// Why the listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificate, for one.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Somebody else listens there, or nobody may.
    #[error("cannot listen on {0}: {1}. Stop what listens there, or choose another address")]
    Bind(SocketAddr, #[source] io::Error),
}

/// A listener that has its address but takes no connection yet.
pub struct Bound {
    listener: TcpListener,
    metrics: Option<TcpListener>,
    certificate: Option<Arc<Certificate>>,
    /// Taken with or without a certificate: a process that takes no SIGHUP is ended by it.
    hangups: Signals,
    config: Config,
}

/// Listens where the configuration says.
pub async fn bind(config: &Config) -> Result<Bound, ServeError> {
    on(listen(config.listen).await?, config).await
}

/// Uses a listener that somebody else made, such as a test that needed its port first.
pub async fn on(listener: TcpListener, config: &Config) -> Result<Bound, ServeError> {
    let certificate = Certificate::load(config)?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let hangups = Signals::new(SignalKind::hangup());
    Ok(Bound { listener, metrics, certificate, hangups, config: config.clone() })
}

/// Whether native TLS is on, if its files can be used.
pub(crate) fn has_tls(config: &Config) -> Result<bool, ConfigError> {
    Ok(Certificate::load(config)?.is_some())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Bind(address, error))
}

/// Binds and runs. See [`Bound::run`].
pub async fn serve(
    config: &Config,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    bind(config).await?.run(router, stop).await
}

impl Bound {
    /// Where connections will be taken: the port, if the configuration left it open.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where metrics are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|it| it.local_addr().ok())
    }

    /// Serves until `stop`, then takes no more connections and lets requests under way finish, for
    /// as long as `drain_timeout_ms` says.
    pub async fn run(
        self,
        router: Router,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let config = &self.config;
        let tls = self.certificate.as_ref().map(Certificate::acceptor).transpose()?;
        // Connections, and what goes on though its connection is gone.
        let connections = TaskTracker::new();
        let shared = Shared::new(config, Gate::new(config, router, &connections), tls);
        let (stopping, stopped) = watch::channel(false);
        let main = accept(self.listener, shared, &connections, &stopped, config.connections_max);
        let metrics = serve_metrics(self.metrics, config, &connections, &stopped);
        let fresh = async {
            match &self.certificate {
                Some(it) => it.keep_fresh(self.hangups).await,
                None => tls::nothing_to_read(self.hangups).await,
            }
        };
        tokio::select! {
            () = main => {}
            () = metrics => {}
            () = fresh => {}
            () = stop => {}
        }
        // Leaving the block above has dropped the listeners: nobody new gets in.
        stopping.send_replace(true);
        connections.close();
        let draining = connections.len();
        tracing::info!(connections = draining, "draining");
        let limit = config.drain_timeout_ms.duration();
        if tokio::time::timeout(limit, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "not all requests ended in time");
        }
        Ok(())
    }
}

/// Metrics have a listener of their own, so that the public one never shows them.
async fn serve_metrics(
    listener: Option<TcpListener>,
    config: &Config,
    connections: &TaskTracker,
    stopped: &watch::Receiver<bool>,
) {
    let Some(listener) = listener else { return std::future::pending().await };
    let shared = Shared::new(config, Gate::new(config, metrics::router(), connections), None);
    accept(listener, shared, connections, stopped, config.connections_max).await;
}

/// Takes connections for ever, at most so many at once.
async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: &TaskTracker,
    stopped: &watch::Receiver<bool>,
    connections_max: u32,
) {
    let room = Arc::new(Semaphore::new(connections_max as usize));
    let mut pause = PAUSE_FIRST;
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                pause = PAUSE_FIRST;
                let _ = stream.set_nodelay(true);
                let (shared, stop) = (Arc::clone(&shared), stopped.clone());
                connections.spawn(async move {
                    let open = Open::new(permit);
                    shared.serve(stream, peer, stop).await;
                    drop(open);
                });
            }
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken; trying again shortly");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_LONGEST);
            }
        }
    }
}

/// The peer hung up before we looked; the next may be fine.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// An open connection, counted.
struct Open(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Open {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        metrics::connection_opened();
        Self(permit)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::connection_closed();
    }
}

#[cfg(test)]
mod tests;
