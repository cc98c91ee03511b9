//! Proof Key for Code Exchange (RFC 7636), with S256. `plain` cannot be expressed here.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::Secret;

/// Characters in a verifier (RFC 7636 §4.1).
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// The secret half, which is sent to the token endpoint only.
#[derive(Debug)]
pub struct Verifier(Secret);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code verifier has 43 to 128 letters, digits, `-`, `.`, `_` or `~`")]
pub struct NotAVerifier;

impl Verifier {
    /// Takes 43 to 128 unreserved characters: 32 random bytes as base64url make 43.
    pub fn new(text: &str) -> Result<Self, NotAVerifier> {
        let unreserved = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
        let fits = VERIFIER_CHARS.contains(&text.len()) && text.bytes().all(unreserved);
        if fits { Ok(Self(Secret::new(text))) } else { Err(NotAVerifier) }
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// `BASE64URL(SHA256(verifier))` (RFC 7636 §4.2), the half that goes into the browser.
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, self.expose().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_05_the_example_of_rfc_7636_appendix_b() {
        let verifier = Verifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(!format!("{verifier:?}").contains("dBjft"));
    }

    #[test]
    fn f_05_a_verifier_has_43_to_128_unreserved_characters() {
        assert!(Verifier::new(&"a".repeat(42)).is_err());
        assert!(Verifier::new(&"a".repeat(43)).is_ok());
        assert!(Verifier::new(&"~".repeat(128)).is_ok());
        assert!(Verifier::new(&"a".repeat(129)).is_err());
        for odd in ["+", "/", "=", " ", "é"] {
            assert!(Verifier::new(&format!("{}{odd}", "a".repeat(50))).is_err(), "{odd}");
        }
    }
}
