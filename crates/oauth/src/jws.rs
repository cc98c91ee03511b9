//! Signed JSON (RFC 7515, RFC 7519), compact, as it is made here. What others made is read in
//! [`crate::prove`].

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::Secret;
use crate::key::{Algorithm, KeyError, SigningKey};

/// What makes one JWT unlike every other: a fresh `jti` (16 random bytes are enough), and now.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    pub jti: &'a str,
    /// Seconds since 1970.
    pub now_s: i64,
}

/// With what a JWT is signed, and what its header says besides.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    pub key: &'a SigningKey,
    pub algorithm: Algorithm,
    /// Further members, `x5t#S256` for one. `alg`, `typ` and the key's own `kid` win over them.
    pub header: Option<&'a Map<String, Value>>,
}

impl<'a> Signing<'a> {
    /// With the key's own algorithm and nothing in the header besides.
    pub fn with(key: &'a SigningKey) -> Self {
        Self { key, algorithm: key.algorithms()[0], header: None }
    }

    /// A JWT (RFC 7515 §3.1). `typ` is left out where it is `None`.
    pub fn jwt(&self, typ: Option<&str>, claims: &Map<String, Value>) -> Result<Secret, KeyError> {
        let mut header = self.header.cloned().unwrap_or_default();
        header.insert("alg".to_owned(), self.algorithm.as_str().into());
        header.extend(typ.map(|it| ("typ".to_owned(), it.into())));
        header.extend(self.key.kid().map(|it| ("kid".to_owned(), it.into())));
        let claims = Zeroizing::new(serde_json::to_string(claims).map_err(|_| KeyError::Sign)?);
        let input = input(&Value::Object(header).to_string(), &claims);
        let signature = self.key.sign(self.algorithm, input.as_bytes())?;
        Ok(joined(input, &signature))
    }
}

/// The same signed by a shared secret with HS256 (RFC 7518 §3.2).
pub(crate) fn by_secret(secret: &Secret, header: &str, claims: &str) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let input = input(header, claims);
    let signature = hmac::sign(&key, input.as_bytes());
    joined(input, signature.as_ref())
}

/// What is signed (RFC 7515 §5.1).
pub(crate) fn input(header: &str, claims: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(2 * (header.len() + claims.len()) + 1_024));
    BASE64_URL_SAFE_NO_PAD.encode_string(header, &mut out);
    out.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut out);
    out
}

pub(crate) fn joined(mut input: Zeroizing<String>, signature: &[u8]) -> Secret {
    input.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    Secret::from(input)
}

/// Claims from pairs; those without a value are left out.
pub(crate) fn claims<'a>(
    pairs: impl IntoIterator<Item = (&'a str, Option<Value>)>,
) -> Map<String, Value> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
pub(crate) mod tests;
