//! Public keys that verify what somebody else signed: read from PEM or JWK, kept as a JWK.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, KEY_BYTES_MAX, KeyError, der, jwk, pem, thumbprint};
use crate::json;

/// Bytes of the number that an RSA key multiplies by: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// What stands before the point in a P-256 key of RFC 5480: the algorithm and the curve's name.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A public key that proves a client: P-256 for ES256, or RSA for RS256. `Debug` shows its name.
pub struct PublicKey {
    parsed: ParsedPublicKey,
    algorithm: Algorithm,
    /// Only what a thumbprint is made of.
    jwk: Map<String, Value>,
    kid: Option<String>,
}

impl PublicKey {
    /// Reads PEM (RFC 7468: `PUBLIC KEY`, or `RSA PUBLIC KEY` of PKCS#1) or a JWK, whichever it is.
    /// A JWK's `alg` and `use` must fit, where it has them.
    ///
    /// # Errors
    /// [`KeyError::Private`] for the half that must not be given away.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if text.trim_start().starts_with('{') {
            return Self::of_jwk(text);
        }
        if text.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        let der = pem::block(text, |it| it == "PUBLIC KEY" || it == "RSA PUBLIC KEY")
            .map_err(|_| KeyError::NotPublic)?;
        let members = of_der(&der)?;
        Self::made(members, None)
    }

    fn of_jwk(text: &str) -> Result<Self, KeyError> {
        let all = json::read(text.as_bytes(), KEY_BYTES_MAX).map_err(|_| KeyError::NotPublic)?;
        if ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|it| all.contains_key(*it)) {
            return Err(KeyError::Private);
        }
        let text = |name: &'static str| all.get(name).and_then(Value::as_str);
        let names: &[&'static str] = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => &["kty", "crv", "x", "y"],
            (Some("RSA"), _) => &["kty", "n", "e"],
            (Some(_), _) => return Err(KeyError::Unsupported),
            (None, _) => return Err(KeyError::Member("kty")),
        };
        let mut members = Map::new();
        for name in names {
            let value = text(name).ok_or(KeyError::Member(name))?;
            members.insert((*name).to_owned(), value.into());
        }
        let key = Self::made(members, text("kid").map(str::to_owned))?;
        let other = |name| text(name).is_some_and(|it| it != key.algorithm.as_str());
        if other("alg") || text("use").is_some_and(|it| it != "sig") {
            return Err(KeyError::Unsupported);
        }
        Ok(key)
    }

    /// From members of a public JWK that are there; what they say is judged here.
    fn made(jwk: Map<String, Value>, kid: Option<String>) -> Result<Self, KeyError> {
        let number = |name: &'static str| {
            let text = jwk.get(name).and_then(Value::as_str).ok_or(KeyError::Member(name))?;
            BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Member(name))
        };
        let unsupported = |_| KeyError::Unsupported;
        let (parsed, algorithm) = if jwk.contains_key("crv") {
            let point = jwk::uncompressed(&number("x")?, &number("y")?)?;
            let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
            (parsed.map_err(unsupported)?, Algorithm::Es256)
        } else {
            let (n, e) = (number("n")?, number("e")?);
            if !RSA_BYTES.contains(&n.len()) || e.last().is_none_or(|it| it % 2 == 0) {
                return Err(KeyError::Unsupported);
            }
            let with: &RsaParameters = &RSA_PKCS1_2048_8192_SHA256;
            let parsed = ParsedPublicKey::new(with, der::integers(&[&n, &e]).as_slice());
            (parsed.map_err(unsupported)?, Algorithm::Rs256)
        };
        Ok(Self { parsed, algorithm, jwk, kid })
    }

    /// The name under which its owner speaks of it; replaces the one of a JWK.
    #[must_use]
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self { kid: Some(kid.into()), ..self }
    }

    /// Its name: the one given, or its thumbprint (RFC 7638).
    pub fn kid(&self) -> String {
        self.kid.clone().unwrap_or_else(|| thumbprint(&self.jwk))
    }

    /// The one algorithm that it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it is kept as; [`PublicKey::read`] takes it.
    pub fn jwk(&self) -> &Map<String, Value> {
        &self.jwk
    }

    /// Whether the signature of a JWS (RFC 7518 §3) is this key's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, kid {:?})", self.algorithm.as_str(), self.kid())
    }
}

/// The members of the JWK that a DER says: `SubjectPublicKeyInfo` (RFC 5280 §4.1), or PKCS#1 by
/// itself.
fn of_der(bytes: &[u8]) -> Result<Map<String, Value>, KeyError> {
    let encoded = |bytes: &[u8]| Value::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    if let Some(point) = bytes.strip_prefix(&P256_SPKI) {
        return jwk::members_of_p256(point);
    }
    let inner = der::rsa_public(bytes).unwrap_or(bytes);
    match der::read(inner)?.as_slice() {
        [n, e] => Ok([("kty", "RSA".into()), ("n", encoded(n)), ("e", encoded(e))]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()),
        _ => Err(KeyError::Unsupported),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::SigningKey;
    use crate::key::samples::{self, ED25519_JWK, P256_JWK, P256_PKCS8, P384_JWK, RSA_JWK};

    /// By `openssl pkey -pubout` of the sample, and `openssl rsa -RSAPublicKey_out`.
    const P256_SPKI_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n\
        6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n\
        -----END PUBLIC KEY-----\n";
    const RSA_SPKI_PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
";
    const RSA_PKCS1_PEM: &str = "\
-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W2
6mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMs
D1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5
z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv
b3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2et
hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQAB
-----END RSA PUBLIC KEY-----
";

    fn public(private: &SigningKey) -> String {
        Value::Object(private.public_jwk().unwrap()).to_string()
    }

    #[test]
    fn a_public_key_is_read_in_every_form_and_verifies() {
        let (rsa, p256) = (samples::rsa(), samples::p256());
        for (private, texts) in [
            (&p256, vec![public(&p256), P256_SPKI_PEM.to_owned()]),
            (&rsa, vec![public(&rsa), RSA_SPKI_PEM.to_owned(), RSA_PKCS1_PEM.to_owned()]),
        ] {
            for text in texts {
                let key = PublicKey::read(&text).unwrap();
                assert_eq!(*key.jwk(), private.public_jwk().unwrap());
                assert_eq!(key.kid(), private.thumbprint().unwrap());
                assert_eq!(key.algorithm(), private.algorithms()[0]);
                let signature = private.sign(key.algorithm(), b"message").unwrap();
                assert!(key.verifies(b"message", &signature));
                assert!(!key.verifies(b"messagf", &signature));
                assert!(!key.verifies(b"message", &signature[1..]));
                let kept = Value::Object(key.jwk().clone()).to_string();
                assert_eq!(PublicKey::read(&kept).unwrap().jwk(), key.jwk());
            }
        }
        let named = public(&p256).replacen('{', r#"{"kid":"k1","use":"sig","alg":"ES256","#, 1);
        assert_eq!(PublicKey::read(&named).unwrap().kid(), "k1");
        assert_eq!(PublicKey::read(&named).unwrap().with_kid("k2").kid(), "k2");
    }

    #[test]
    fn what_is_no_usable_public_key_is_told_apart() {
        let p256 = public(&samples::p256());
        let small = r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#;
        let even = public(&samples::rsa()).replace("AQAB", "AQAC");
        let off_curve = p256.replace("x_FEz", "x_FEy");
        let for_secrecy = p256.replacen('{', r#"{"use":"enc","#, 1);
        let other = p256.replacen('{', r#"{"alg":"RS256","#, 1);
        let twice = p256.replacen('{', r#"{"kty":"RSA","#, 1);
        let p384 = public(&samples::p384());
        for (text, expected) in [
            ("", KeyError::NotPublic),
            ("{}", KeyError::Member("kty")),
            (P256_JWK, KeyError::Private),
            (RSA_JWK, KeyError::Private),
            (P384_JWK, KeyError::Private),
            (ED25519_JWK, KeyError::Private),
            (r#"{"kty":"oct","k":"AAAA"}"#, KeyError::Private),
            (P256_PKCS8, KeyError::Private),
            (small, KeyError::Unsupported),
            (&even, KeyError::Unsupported),
            (&off_curve, KeyError::Unsupported),
            (&for_secrecy, KeyError::Unsupported),
            (&other, KeyError::Unsupported),
            (&twice, KeyError::NotPublic),
            (&p384, KeyError::Unsupported),
            (r#"{"kty":"EC","crv":"P-256","x":"AA"}"#, KeyError::Member("y")),
            (&"x".repeat(KEY_BYTES_MAX + 1), KeyError::TooLong),
        ] {
            assert_eq!(PublicKey::read(text).unwrap_err(), expected, "{text:.60}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,200}", bytes: Vec<u8>) {
            let _ = PublicKey::read(&text);
            let _ = of_der(&bytes);
            let _ = of_der(&[P256_SPKI.as_slice(), &bytes].concat());
        }
    }
}
