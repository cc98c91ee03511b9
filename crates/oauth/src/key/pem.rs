//! Textual keys (RFC 7468) and the three ways in which private keys stand in them.

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::{KEY_BYTES_MAX, KeyError, Pair};
use crate::Secret;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
const LINE_CHARS: usize = 64;
const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";

pub(super) fn read(text: &str) -> Result<Pair, KeyError> {
    if text.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let private = block(text, |label| [PKCS8, PKCS1, SEC1].contains(&label));
    let public = |_| block(text, |it| it.ends_with("PUBLIC KEY") || it == "CERTIFICATE");
    let der = match private {
        Err(KeyError::NotKey) => {
            return Err(private.or_else(public).map_or_else(|it| it, |_| KeyError::Public));
        }
        other => other?,
    };
    // The label is often wrong, so what is inside decides.
    rsa(&der).or_else(|| elliptic(&der)).ok_or(KeyError::Unsupported)
}

fn rsa(der: &[u8]) -> Option<Pair> {
    RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).map(Pair::Rsa).ok()
}

fn elliptic(der: &[u8]) -> Option<Pair> {
    let p256 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
    let p384 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
    let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
    let found = p256().map(Pair::P256).or_else(|_| p384().map(Pair::P384));
    found.or_else(|_| ed25519().map(Pair::Ed25519)).ok()
}

/// What is in the first block with a wanted label.
pub(super) fn block(
    text: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if text.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
    for after in text.split(BEGIN).skip(1) {
        let (label, rest) = after.split_once(DASHES).ok_or(KeyError::NotKey)?;
        if !wanted(label) {
            continue;
        }
        let (inside, end) = rest.split_once("-----END ").ok_or(KeyError::NotKey)?;
        if !end.starts_with(label) {
            return Err(KeyError::NotKey);
        }
        let dense = inside.chars().filter(|it| !it.is_whitespace());
        let dense = Zeroizing::new(dense.collect::<String>());
        let der = BASE64_STANDARD.decode(&*dense).map_err(|_| KeyError::NotKey)?;
        return Ok(Zeroizing::new(der));
    }
    Err(KeyError::NotKey)
}

pub(super) fn write(label: &str, der: &[u8]) -> Secret {
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(der));
    let mut out = Zeroizing::new(String::with_capacity(2 * encoded.len() + 128));
    out.extend([BEGIN, label, DASHES, "\n"]);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_CHARS));
        out.extend([line, "\n"]);
        rest = after;
    }
    out.extend(["-----END ", label, DASHES, "\n"]);
    Secret::from(out)
}
