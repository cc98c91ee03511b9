//! Opaque tokens and API keys: made from the system's randomness, stored as a digest, compared in
//! constant time.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::random;
use crate::secret::Secret;

/// Random characters in a key made by [`key`]: 43 of base62 hold 256 bits.
const KEY_RANDOM_CHARS: usize = 43;
/// Fewer random characters than this is no key of ours, whatever its checksum says.
const KEY_RANDOM_CHARS_MIN: usize = 30;
/// A text longer than this is not looked at. Characters.
const KEY_CHARS_MAX: usize = 256;
/// 62^6 is more than 2^32, so six characters hold a CRC-32.
const CHECKSUM_CHARS: usize = 6;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `prefix` and then `chars` random letters and digits (5.95 bits each).
pub fn base62(prefix: &str, chars: usize) -> Secret {
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + chars));
    text.push_str(prefix);
    push_base62(&mut text, chars);
    Secret::from(text)
}

/// `prefix` and then `bytes` random bytes as base64url without padding (32 make 43 characters).
pub fn base64url(prefix: &str, bytes: usize) -> Secret {
    let mut random = Zeroizing::new(vec![0; bytes]);
    random::fill(&mut random);
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes * 4 / 3 + 4));
    text.push_str(prefix);
    BASE64_URL_SAFE_NO_PAD.encode_string(&*random, &mut text);
    Secret::from(text)
}

/// `prefix` and then `bytes` random bytes as base64 with padding (32 make 44 characters).
pub fn base64(prefix: &str, bytes: usize) -> Secret {
    let mut random = Zeroizing::new(vec![0; bytes]);
    random::fill(&mut random);
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes * 4 / 3 + 4));
    text.push_str(prefix);
    BASE64_STANDARD.encode_string(&*random, &mut text);
    Secret::from(text)
}

/// `prefix` and then `bytes` random bytes as lower-case hexadecimal.
pub fn hex(prefix: &str, bytes: usize) -> Secret {
    let mut random = Zeroizing::new(vec![0; bytes]);
    random::fill(&mut random);
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes * 2));
    text.push_str(prefix);
    for byte in &*random {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    Secret::from(text)
}

/// An API key: `<prefix>_<43 of base62><checksum>`, 256 bits.
///
/// The checksum lets a key that was mistyped or cut be refused without asking the database, and a
/// secret scanner know ours from others. It is no proof of anything.
pub fn key(prefix: &str) -> Secret {
    let chars = prefix.len() + 1 + KEY_RANDOM_CHARS + CHECKSUM_CHARS;
    let mut text = Zeroizing::new(String::with_capacity(chars));
    text.push_str(prefix);
    text.push('_');
    push_base62(&mut text, KEY_RANDOM_CHARS);
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.map(char::from));
    Secret::from(text)
}

/// Whether this may be a key made by [`key`], by its form and checksum alone.
pub fn verify_checksum(text: &str) -> bool {
    if text.len() > KEY_CHARS_MAX || !text.is_ascii() {
        return false;
    }
    let Some((prefix, rest)) = text.rsplit_once('_') else { return false };
    if prefix.is_empty() || rest.len() < KEY_RANDOM_CHARS_MIN + CHECKSUM_CHARS {
        return false;
    }
    if !rest.bytes().all(|it| it.is_ascii_alphanumeric()) {
        return false;
    }
    let (body, given) = text.as_bytes().split_at(text.len() - CHECKSUM_CHARS);
    checksum(body) == given
}

/// What is stored of a token: SHA-256. Enough without salt or stretching, because tokens are
/// random and long; never for passwords.
pub fn digest(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    out
}

/// Compares in a time that depends on the lengths only.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// HMAC-SHA-256 (RFC 2104), for signing webhooks and cursors.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

/// Bytes of 248 and more are thrown away, because 256 is no multiple of 62.
fn push_base62(text: &mut String, chars: usize) {
    let end = text.len() + chars;
    let mut random = Zeroizing::new([0; 64]);
    while text.len() < end {
        random::fill(&mut *random);
        let fair = random.iter().filter(|&&it| it < 248);
        for byte in fair.take(end - text.len()) {
            text.push(char::from(BASE62[usize::from(byte % 62)]));
        }
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_CHARS] {
    let mut rest = crc32(body);
    let mut out = [b'0'; CHECKSUM_CHARS];
    for digit in out.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    out
}

/// CRC-32 as in gzip (reflected polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc32_table();
    !bytes
        .iter()
        .fold(!0, |crc: u32, &byte| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8))
}

const fn crc32_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index: u32 = 0;
    while index < 256 {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[index as usize] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_01_known_checksums() {
        // The check value of CRC-32/ISO-HDLC, and zlib.crc32 of the second in Python.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b"gk_live_"), 0x62AB_3156);
        assert_eq!(&checksum(b""), b"000000");
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
    }

    #[test]
    fn a_01_a_key_verifies_and_any_changed_character_is_seen() {
        let key = key("gk_live");
        let text = key.expose();
        assert!(text.starts_with("gk_live_") && text.len() == 8 + 43 + 6, "{}", text.len());
        assert!(verify_checksum(text));
        for at in 0..text.len() {
            for other in ['0', 'Z', 'a', '_', '-'] {
                let mut changed = text.to_owned();
                changed.replace_range(at..=at, &other.to_string());
                assert_eq!(verify_checksum(&changed), changed == text, "{at} {other}");
            }
            assert!(!verify_checksum(&text[..at]), "cut at {at}");
        }
        assert!(!verify_checksum(&format!("{text}0")));
        assert!(!verify_checksum(&format!(" {text}")));
    }

    #[test]
    fn a_01_short_long_and_bare_keys_are_refused_though_their_checksum_is_right() {
        let with_checksum = |body: String| {
            let sum = checksum(body.as_bytes());
            body + std::str::from_utf8(&sum).unwrap()
        };
        assert!(verify_checksum(&with_checksum(format!("gk_{}", "a".repeat(30)))));
        assert!(!verify_checksum(&with_checksum(format!("gk_{}", "a".repeat(29)))));
        assert!(!verify_checksum(&with_checksum(format!("gk_{}", "a".repeat(300)))));
        assert!(!verify_checksum(&with_checksum(format!("_{}", "a".repeat(30)))));
        assert!(!verify_checksum(&with_checksum("a".repeat(40))));
    }

    #[test]
    fn a_01_lengths_and_alphabets() {
        let all = |text: &str, fit: fn(char) -> bool| text.chars().all(fit);
        for length in [0, 1, 30, 64, 65, 200] {
            let text = base62("p_", length);
            assert_eq!(text.expose().len(), 2 + length);
            assert!(all(&text.expose()[2..], |it| it.is_ascii_alphanumeric()));
        }
        assert_eq!(base64url("cps_", 32).expose().len(), 4 + 43);
        let text = hex("ctok_", 16);
        assert_eq!(text.expose().len(), 5 + 32);
        assert!(all(&text.expose()[5..], |it| matches!(it, '0'..='9' | 'a'..='f')));
    }

    #[test]
    fn f_01_ten_thousand_tokens_are_all_different_and_use_every_character_evenly() {
        let texts: Vec<String> = (0..10_000).map(|_| base62("", 43).expose().to_owned()).collect();
        assert_eq!(texts.iter().collect::<HashSet<_>>().len(), texts.len());
        let mut counts = [0_i32; 128];
        texts.iter().flat_map(|it| it.bytes()).for_each(|it| counts[usize::from(it)] += 1);
        for letter in BASE62 {
            // Expected 6935, standard deviation 83: eight of them are allowed.
            let count = counts[usize::from(*letter)];
            assert!((count - 6_935).abs() < 664, "{} {count}", char::from(*letter));
        }
    }

    #[test]
    fn v_12_digest_and_hmac_known_answers() {
        let hex =
            |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().concat();
        // FIPS 180-4 example "abc"; RFC 4231 test cases 2 and 6 (a key longer than a block).
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&digest("abc")), abc);
        let two = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")), two);
        let six = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(&hmac_sha256(&[0xaa; 131], text)), six);
    }

    #[test]
    fn a_03_equality() {
        assert!(equal(b"", b"") && equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd") && !equal(b"abc", b"ab") && !equal(b"", b"a"));
    }

    proptest! {
        #[test]
        fn a_01_checksum_never_panics(text in "\\PC{0,300}") {
            prop_assert!(!verify_checksum(&text));
        }
    }
}
