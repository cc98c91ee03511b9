//! The root key: given by the operator, kept out of the database.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::envelope::{Cipher, KEY_BYTES, KeyBytes};
use crate::key_id::KeyId;
use crate::random;

/// A text longer than this is not looked at. Characters.
const TEXT_CHARS_MAX: usize = 1_024;
/// 32 random bytes have about 30 different values; fewer than this never happens by chance.
const DISTINCT_BYTES_MIN: usize = 16;

const PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING);

/// Wraps owner keys. 256 bits.
pub struct RootKey {
    pub(crate) id: KeyId,
    pub(crate) cipher: Cipher,
}

/// What is wrong with the text given as root key. Never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootKeyError {
    #[error("the root key is empty")]
    Empty,
    #[error("the root key is neither base64 nor hexadecimal")]
    Encoding,
    #[error("the root key has {bytes} bytes; it must have exactly {KEY_BYTES}")]
    Length { bytes: usize },
    #[error("the root key is not random (it repeats, counts up, or is typed text in disguise)")]
    Weak,
}

impl RootKey {
    /// Reads 32 bytes given as base64 or base64url, with or without padding, or as hexadecimal.
    /// White space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, RootKeyError> {
        let bytes = decode(text.trim())?;
        if bytes.len() != KEY_BYTES {
            return Err(RootKeyError::Length { bytes: bytes.len() });
        }
        let mut key = KeyBytes::new([0; KEY_BYTES]);
        key.copy_from_slice(&bytes);
        if is_weak(&key) {
            return Err(RootKeyError::Weak);
        }
        Ok(Self { id: KeyId::of("grantkeep root key id", &*key), cipher: Cipher::new(&key) })
    }

    /// A new key as text for the operator to keep: 44 characters of base64.
    pub fn generate_text() -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(*random::key()))
    }

    /// The same for the same key, on every machine. May be shown and stored.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    if text.is_empty() {
        return Err(RootKeyError::Empty);
    }
    if text.len() > TEXT_CHARS_MAX {
        return Err(RootKeyError::Encoding);
    }
    // Hexadecimal digits are base64 too, but no random key in base64 has only those.
    if let Some(bytes) = from_hex(text) {
        return Ok(bytes);
    }
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map(Zeroizing::new).map_err(|_| RootKeyError::Encoding)
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks_exact(2) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

fn is_weak(key: &[u8; KEY_BYTES]) -> bool {
    let mut seen = [false; 256];
    for &byte in key {
        seen[usize::from(byte)] = true;
    }
    let distinct = seen.iter().filter(|&&it| it).count();
    let step = key[1].wrapping_sub(key[0]);
    let counts = key.windows(2).all(|it| it[1].wrapping_sub(it[0]) == step);
    // By chance once in 10^14 keys; a password put through base64 always.
    let typed = key.iter().all(|it| (0x20..0x7f).contains(it));
    distinct < DISTINCT_BYTES_MIN || counts || typed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "9f1c7a03e5b24d68810af3c2d97e5b6410eeb7a94f2286cd3b90517d6ce8f2a1";
    const BASE64: &str = "nxx6A+WyTWiBCvPC2X5bZBDut6lPIobNO5BRfWzo8qE=";
    const URL_SAFE_BARE: &str = "nxx6A-WyTWiBCvPC2X5bZBDut6lPIobNO5BRfWzo8qE";

    fn error(text: &str) -> RootKeyError {
        RootKey::parse(text).err().unwrap()
    }

    #[test]
    fn v_02_every_spelling_of_a_key_is_the_same_key() {
        let id = RootKey::parse(HEX).unwrap().id();
        assert_eq!(id.to_string().len(), 16);
        for text in [BASE64, URL_SAFE_BARE, &HEX.to_uppercase(), &format!(" \n{BASE64}\r\n")] {
            assert_eq!(RootKey::parse(text).unwrap().id(), id, "{text}");
        }
    }

    #[test]
    fn v_02_what_is_wrong_with_a_key_is_said() {
        let engine = BASE64_STANDARD;
        let ramp: Vec<u8> = (0..32).collect();
        for (text, expected) in [
            ("", RootKeyError::Empty),
            ("  \n ", RootKeyError::Empty),
            ("not a key!", RootKeyError::Encoding),
            (&"A".repeat(2_000), RootKeyError::Encoding),
            (&HEX[..62], RootKeyError::Length { bytes: 31 }),
            (&engine.encode([7; 31]), RootKeyError::Length { bytes: 31 }),
            (&engine.encode([7; 33]), RootKeyError::Length { bytes: 33 }),
            (&engine.encode([0; 32]), RootKeyError::Weak),
            (&engine.encode(&ramp), RootKeyError::Weak),
            (&engine.encode([1, 2].repeat(16)), RootKeyError::Weak),
            (&engine.encode("correct horse battery staple! 42"), RootKeyError::Weak),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    #[test]
    fn v_02_a_made_key_is_accepted_and_fresh() {
        let (one, other) = (RootKey::generate_text(), RootKey::generate_text());
        assert_eq!(one.len(), 44);
        assert_ne!(RootKey::parse(&one).unwrap().id(), RootKey::parse(&other).unwrap().id());
    }

    #[test]
    fn v_05_no_error_holds_any_of_the_key() {
        let text = format!("{BASE64}!");
        let shown = format!("{:?} {0}", error(&text));
        assert!(!shown.contains(&BASE64[..4]), "{shown}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,90}") {
            let _ = RootKey::parse(&text);
        }

        #[test]
        fn random_keys_are_never_called_weak(key: [u8; 32]) {
            // proptest's own shrinking makes weak keys on purpose; random draws are not.
            prop_assert!(!is_weak(&key));
        }
    }
}
