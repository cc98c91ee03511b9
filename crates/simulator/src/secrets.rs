//! Random values, and the hashes under which they are kept.

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const RANDOM_BYTES: usize = 24;

/// A fresh value: the prefix and 192 random bits in base64url.
/// Empty should the system have no randomness: the flow then fails at once, and visibly.
pub(crate) fn fresh(prefix: &str) -> String {
    let mut bytes = [0_u8; RANDOM_BYTES];
    if rand::fill(&mut bytes).is_err() {
        return String::new();
    }
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 in lower-case hex.
pub(crate) fn hash(value: &str) -> String {
    hex(digest::digest(&digest::SHA256, value.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The S256 challenge of a PKCE verifier (RFC 7636 section 4.2).
pub(crate) fn pkce_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

pub(crate) fn same(left: &str, right: &str) -> bool {
    constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
