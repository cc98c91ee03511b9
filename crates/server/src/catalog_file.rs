//! A catalogue in a file, signed: newer apps without a newer program.
//!
//! The bytes are a mark, the format's number (`u32`, little-endian), the day it was made
//! (`YYYY-MM-DD`), what [`grantkeep_catalog::Catalog::pack`] gave, and an Ed25519 signature
//! (RFC 8032) of all before it. Whoever can change an app's addresses is sent the credentials of
//! its users, so no file is read whose signature is missing.

use std::fs;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use grantkeep_catalog::LoadError;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

const MARK: &[u8; 8] = b"GKSIGNED";
/// Raised whenever older programs would misread what is written.
const FORMAT: u32 = 1;
const DAY_BYTES: usize = 10;
const SIGNATURE_BYTES: usize = 64;
const HEAD_BYTES: usize = MARK.len() + 4 + DAY_BYTES;
/// Bytes of a catalogue file, at most.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What stands before the key's 32 bytes in the form that `openssl pkey -pubout` prints
/// (RFC 8410 section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// Why a catalogue file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("is no signed catalogue; make one with `grantkeep catalog pack`")]
    NotOne,
    #[error("is of format {0}, and this program reads format {FORMAT}; pack it with this version")]
    Format(u32),
    #[error(
        "set `catalog_public_keys` to the key that `grantkeep catalog pack` printed: without one, \
         nobody can tell who made the file"
    )]
    NoKeys,
    #[error("`{0}` is no Ed25519 public key in base64")]
    BadKey(String),
    #[error(
        "has no signature by one of `catalog_public_keys`: it was changed, or another made it. \
         Get it again from whom you trust"
    )]
    Signature,
    #[error(
        "the key file holds no Ed25519 key; make one with `openssl genpkey -algorithm ed25519`"
    )]
    KeyFile,
    #[error(transparent)]
    Catalog(#[from] LoadError),
}

/// A file whose signature is right.
pub struct Signed {
    /// The day it was made, `YYYY-MM-DD`.
    pub made_on: String,
    pub packed: Vec<u8>,
}

/// Reads a file that one of the keys has signed.
///
/// # Errors
/// [`Refused`]; nothing of the file was used then.
pub fn read(file: &Path, public_keys: &[String]) -> Result<Signed, Refused> {
    if public_keys.is_empty() {
        return Err(Refused::NoKeys);
    }
    let keys = public_keys.iter().map(|it| public_key(it)).collect::<Result<Vec<_>, _>>()?;
    if fs::metadata(file)?.len() > FILE_BYTES_MAX {
        return Err(Refused::TooLarge);
    }
    let bytes = fs::read(file)?;
    let Some((head, _)) = bytes.split_at_checked(HEAD_BYTES) else { return Err(Refused::NotOne) };
    let (mark, rest) = head.split_at(MARK.len());
    if mark != MARK {
        return Err(Refused::NotOne);
    }
    let (format, day) = rest.split_at(4);
    let format = format.try_into().map(u32::from_le_bytes).unwrap_or_default();
    if format != FORMAT {
        return Err(Refused::Format(format));
    }
    let signed = bytes.len().checked_sub(SIGNATURE_BYTES).filter(|it| *it >= HEAD_BYTES);
    let (signed, signature) = bytes.split_at(signed.ok_or(Refused::NotOne)?);
    let by = |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(signed, signature);
    if !keys.iter().any(|it| by(it).is_ok()) {
        return Err(Refused::Signature);
    }
    let made_on = String::from_utf8_lossy(day).into_owned();
    Ok(Signed { made_on, packed: signed[HEAD_BYTES..].to_vec() })
}

/// Writes a packed catalogue with its signature. Gives the public key, as the setting wants it.
///
/// # Errors
/// [`Refused::KeyFile`], or the file cannot be written.
pub fn write(file: &Path, packed: &[u8], made_on: &str, key: &Path) -> Result<String, Refused> {
    let pem = zeroize::Zeroizing::new(fs::read(key)?);
    let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| Refused::KeyFile)?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
        .map_err(|_| Refused::KeyFile)?;
    let mut bytes = MARK.to_vec();
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(format!("{made_on:<DAY_BYTES$.DAY_BYTES$}").bytes());
    bytes.extend(packed);
    let signature = pair.sign(&bytes);
    bytes.extend(signature.as_ref());
    fs::write(file, bytes)?;
    Ok(BASE64_STANDARD.encode(pair.public_key().as_ref()))
}

/// 32 bytes, alone or in the wrapping that `openssl` writes around them.
fn public_key(text: &str) -> Result<[u8; 32], Refused> {
    let bad = || Refused::BadKey(text.to_owned());
    let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| bad())?;
    let bare = bytes.strip_prefix(&SPKI_HEAD).unwrap_or(&bytes);
    bare.try_into().map_err(|_| bad())
}
