//! The throw-away certificate authority of one worker.
//!
//! Its certificate lies in the sandbox, where Node trusts it; its key never does. So the host can
//! end TLS toward the code, and nobody outside that one worker believes what it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

#[derive(Debug, thiserror::Error)]
#[error("no certificate for {host}: {reason}")]
pub struct NotSigned {
    host: String,
    reason: rcgen::Error,
}

/// A server's certificate for one name, and its key.
pub struct HostCertificate {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Lives as long as its worker.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A fresh one, known to nobody yet.
    pub fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Grantkeep worker");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// The certificate, as it lies in the sandbox.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a certificate for a host name or an IP address. About a third of a millisecond: keep
    /// it for the worker's life.
    pub fn certificate_for(&self, host: &str) -> Result<HostCertificate, NotSigned> {
        self.sign(host).map_err(|reason| NotSigned { host: host.to_owned(), reason })
    }

    fn sign(&self, host: &str) -> Result<HostCertificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![host.to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(HostCertificate { chain: vec![certificate.der().clone()], key: key.into() })
    }
}
