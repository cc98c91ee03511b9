//! Keys: private ones that sign, read from PEM or JWK, made here, shown as public JWK (RFC 7517);
//! and public ones, by which others prove themselves.

mod der;
mod jwk;
mod pem;
mod public;
#[cfg(test)]
pub(crate) mod samples;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use aws_lc_rs::{digest, signature::RsaEncoding};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

pub use public::PublicKey;

use crate::Secret;

/// A key's text longer than this is not looked at. Bytes.
pub const KEY_BYTES_MAX: usize = 64 * 1024;

/// How a JWS is signed (RFC 7518 §3.1, RFC 8037 §3.1). There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// Strongest first, as [`crate::discovery`] prefers them.
    pub const ALL: [Self; 5] = [Self::EdDsa, Self::Es384, Self::Es256, Self::Ps256, Self::Rs256];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// `None` for any name that is not exactly one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// Why a key is not one, or cannot do what is asked. Holds nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("neither a PEM block with a private key nor a private JWK")]
    NotKey,
    #[error("more than {KEY_BYTES_MAX} bytes")]
    TooLong,
    #[error("the key is encrypted with a passphrase; give it without one")]
    Encrypted,
    #[error("a public key or a certificate; the private key is needed")]
    Public,
    #[error("a private key; give its public half, and this one to nobody")]
    Private,
    #[error("neither a PEM block with a public key nor a public JWK")]
    NotPublic,
    #[error("not an RSA (2048 to 8192 bits), P-256, P-384 or Ed25519 key, or a broken one")]
    Unsupported,
    #[error("the JWK lacks `{0}`, or it is not base64url")]
    Member(&'static str),
    #[error("this kind of key cannot sign with {}", .0.as_str())]
    Algorithm(Algorithm),
    #[error("the signature could not be made")]
    Sign,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key with its name. `Debug` shows algorithms and name only.
pub struct SigningKey {
    pair: Pair,
    kid: Option<String>,
}

impl SigningKey {
    /// Reads PEM or JWK, whichever it is. PEM: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) or SEC 1
    /// (RFC 5915); line ends may be written `\n`, as they are in a copied JSON file.
    pub fn read(text: &Secret) -> Result<Self, KeyError> {
        let text = text.expose();
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let (pair, kid) = match text.trim_start().as_bytes().first() {
            Some(b'{') => jwk::read(text)?,
            _ => (pem::read(text)?, None),
        };
        Ok(Self { pair, kid })
    }

    /// A fresh P-256 key and its PKCS#8 PEM to be sealed: for `DPoP` (RFC 9449), or for a client
    /// that proves itself with a key. The randomness is the operating system's.
    pub fn generate() -> Result<(Self, Secret), KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.map_err(|_| KeyError::Sign)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Sign)?;
        let pem = pem::write("PRIVATE KEY", der.as_ref());
        Ok((Self { pair: Pair::P256(pair), kid: None }, pem))
    }

    /// The name under which the server knows the key; replaces the one of a JWK.
    #[must_use]
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self { kid: Some(kid.into()), ..self }
    }

    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it can sign with; the one to take where nothing else is said comes first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        match self.pair {
            Pair::Rsa(_) => &[Algorithm::Rs256, Algorithm::Ps256],
            Pair::P256(_) => &[Algorithm::Es256],
            Pair::P384(_) => &[Algorithm::Es384],
            Pair::Ed25519(_) => &[Algorithm::EdDsa],
        }
    }

    /// The public half without any name (RFC 7518 §6.2, §6.3, RFC 8037 §2): just the members of
    /// which a thumbprint is made.
    pub fn public_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        jwk::public(&self.pair)
    }

    /// The public half for a JWK Set (RFC 7517 §4): with `use`, and with the name, or the
    /// thumbprint where it has none.
    pub fn published_jwk(&self) -> Result<Map<String, Value>, KeyError> {
        let kid = self.kid.clone().map_or_else(|| self.thumbprint(), Ok)?;
        let mut jwk = self.public_jwk()?;
        jwk.insert("use".to_owned(), "sig".into());
        jwk.insert("kid".to_owned(), kid.into());
        if let [one] = self.algorithms() {
            jwk.insert("alg".to_owned(), one.as_str().into());
        }
        Ok(jwk)
    }

    /// RFC 7638 with SHA-256, as base64url.
    pub fn thumbprint(&self) -> Result<String, KeyError> {
        self.public_jwk().map(|it| thumbprint(&it))
    }

    /// The bare signature of a JWS (RFC 7518 §3): fixed length for elliptic curves, not ASN.1.
    pub(crate) fn sign(&self, with: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let rng = SystemRandom::new();
        match (&self.pair, with) {
            (Pair::Rsa(it), Algorithm::Rs256) => rsa(it, &signature::RSA_PKCS1_SHA256, message),
            (Pair::Rsa(it), Algorithm::Ps256) => rsa(it, &signature::RSA_PSS_SHA256, message),
            (Pair::P256(it), Algorithm::Es256) | (Pair::P384(it), Algorithm::Es384) => {
                let signed = it.sign(&rng, message).map_err(|_| KeyError::Sign)?;
                Ok(signed.as_ref().to_vec())
            }
            (Pair::Ed25519(it), Algorithm::EdDsa) => {
                let signed = it.try_sign(message).map_err(|_| KeyError::Sign)?;
                Ok(signed.as_ref().to_vec())
            }
            _ => Err(KeyError::Algorithm(with)),
        }
    }
}

/// The thumbprint of a public key that has its required members only (RFC 7638 §3).
fn thumbprint(jwk: &Map<String, Value>) -> String {
    // Sorted by name and without white space: the canonical form.
    let sorted: BTreeMap<_, _> = jwk.iter().collect();
    let canonical = serde_json::to_string(&sorted).unwrap_or_default();
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

fn rsa(
    pair: &RsaKeyPair,
    with: &'static dyn RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut out = vec![0; pair.public_modulus_len()];
    let signed = pair.sign(with, &SystemRandom::new(), message, &mut out);
    signed.map(|()| out).map_err(|_| KeyError::Sign)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, kid {:?})", self.algorithms(), self.kid)
    }
}

/// The thumbprints of the first certificate in a PEM, `x5t` and `x5t#S256` (RFC 7515 §4.1.7,
/// §4.1.8), by which some servers find the key of an assertion.
pub fn certificate_thumbprints(pem: &str) -> Result<(String, String), KeyError> {
    let der = pem::block(pem, |label| label == "CERTIFICATE")?;
    let print = |with| BASE64_URL_SAFE_NO_PAD.encode(digest::digest(with, &der));
    Ok((print(&digest::SHA1_FOR_LEGACY_USE_ONLY), print(&digest::SHA256)))
}

#[cfg(test)]
mod tests;
