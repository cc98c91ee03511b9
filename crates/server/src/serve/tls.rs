//! Native TLS, with certificates that are read again when they change.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::signals::Signals;
use crate::config::{Config, ConfigError};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The certificate in use.
pub(super) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("cert", &self.cert).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificate {
    /// Reads the files that the configuration names. `None`: TLS is off.
    pub(super) fn load(config: &Config) -> Result<Option<Arc<Self>>, ConfigError> {
        let (Some(cert), Some(key)) = (&config.tls_cert_file, &config.tls_key_file) else {
            return Ok(None);
        };
        let current = RwLock::new(Arc::new(read(cert, key)?));
        Ok(Some(Arc::new(Self { cert: cert.clone(), key: key.clone(), current })))
    }

    /// TLS 1.2 and 1.3; HTTP/2 where the client can.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, ConfigError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError(format!("TLS cannot be set up: {error}")))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(server)))
    }

    /// Reads the files again at SIGHUP and when they changed. Never returns.
    pub(super) async fn keep_fresh(&self, mut hangup: Signals) {
        let mut seen = self.stamp();
        loop {
            let asked = tokio::select! {
                () = hangup.next() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let stamp = self.stamp();
            if asked || stamp != seen {
                seen = stamp;
                self.reload();
            }
        }
    }

    /// Takes the new files into use; a broken pair leaves the old one in place.
    fn reload(&self) {
        match read(&self.cert, &self.key) {
            Ok(fresh) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!("the TLS certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the new TLS certificate is no good; the old one stays");
            }
        }
    }

    /// Changes when a file does.
    fn stamp(&self) -> [Option<(u64, std::time::SystemTime)>; 2] {
        [&self.cert, &self.key].map(|path| {
            let metadata = File::open(path).and_then(|it| it.metadata()).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        })
    }
}

/// What SIGHUP does without native TLS. Never returns.
pub(super) async fn nothing_to_read(mut hangup: Signals) {
    loop {
        hangup.next().await;
        tracing::info!("SIGHUP: without native TLS there is nothing to read again");
    }
}

fn read(cert: &PathBuf, key: &PathBuf) -> Result<CertifiedKey, ConfigError> {
    let refuse = |setting: &str, path: &PathBuf, why: String| {
        ConfigError(format!("{setting}: cannot use {}: {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse("tls_cert_file", cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(refuse("tls_cert_file", cert, "there is no certificate in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| refuse("tls_key_file", key, error.to_string()))?;
    // Fails, too, when the key is not that of the certificate.
    CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())
        .map_err(|error| refuse("tls_key_file", key, error.to_string()))
}
