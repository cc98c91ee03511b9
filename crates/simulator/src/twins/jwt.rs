//! Signed JSON (RFC 7519) as a server reads it that believes nothing.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::asked::Doubts;

/// A clock may be off by as much.
pub(super) const CLOCK_SKEW_S: u64 = 60;

/// What stood in it. Members are taken out as they are looked at, so that what is left is too much.
pub(super) struct Jwt {
    pub head: Map<String, Value>,
    pub claims: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let part = |nth: usize| {
            let bytes = URL_SAFE_NO_PAD.decode(signed.split('.').nth(nth)?).ok()?;
            serde_json::from_slice(&bytes).ok()
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { head: part(0)?, claims: part(1)?, signed: signed.to_owned(), signature })
    }

    /// ES256 under a key on P-256 (RFC 7518 section 6.2).
    pub(super) fn is_by_jwk(&self, jwk: &Value) -> bool {
        let part = |name: &str| {
            jwk[name].as_str().and_then(|it| URL_SAFE_NO_PAD.decode(it).ok()).unwrap_or_default()
        };
        let point = [vec![4], part("x"), part("y")].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// RS256; the key as PKCS #1 has it.
    pub(super) fn is_by_rsa(&self, public: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// HS256.
    pub(super) fn is_by_secret(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
    }

    pub(super) fn head_is(&mut self, name: &str, expected: &str, doubts: &mut Doubts) {
        let sent = self.head.remove(name);
        let sent = sent.as_ref().and_then(Value::as_str);
        doubts.same(&format!("`{name}` of the signed object"), Some(expected), sent);
    }

    pub(super) fn claim_is(&mut self, name: &str, expected: &str, doubts: &mut Doubts) {
        let sent = self.claims.remove(name);
        let sent = sent.as_ref().and_then(Value::as_str);
        doubts.same(&format!("the claim `{name}`"), Some(expected), sent);
    }

    pub(super) fn number(&mut self, name: &str) -> u64 {
        self.claims.remove(name).and_then(|it| it.as_u64()).unwrap_or(0)
    }

    pub(super) fn text(&mut self, name: &str) -> String {
        let sent = self.claims.remove(name);
        sent.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Made now, and good for so many seconds at most.
    pub(super) fn lives(&mut self, life_s: u64, now_s: u64, doubts: &mut Doubts) {
        let (made_s, ends_s) = (self.number("iat"), self.number("exp"));
        doubts.unless(made_s.abs_diff(now_s) <= CLOCK_SKEW_S, "the object was not made now");
        let lives = ends_s > now_s && ends_s <= made_s + life_s;
        doubts.unless(lives, "the object ends too early or too late");
    }
}

/// The thumbprint of a key on P-256 (RFC 7638).
pub(super) fn thumbprint(jwk: &Value) -> String {
    let text = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
    let (curve, kind, x, y) = (text("crv"), text("kty"), text("x"), text("y"));
    let text = format!(r#"{{"crv":"{curve}","kty":"{kind}","x":"{x}","y":"{y}"}}"#);
    sha256(&text)
}

/// SHA-256 in base64url.
pub(super) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}
