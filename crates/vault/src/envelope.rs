//! One layer of AES-256-GCM: `nonce || ciphertext || tag`. The nonce is made by the primitive.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::{Zeroize, Zeroizing};

use crate::random;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const TAG_BYTES: usize = 16;
/// What a box is longer than its content.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_LEN + TAG_BYTES;

pub(crate) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// A key ready for use. The primitive's own copy of it is wiped when dropped.
pub(crate) struct Cipher(RandomizedNonceKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        match RandomizedNonceKey::new(&AES_256_GCM, key) {
            Ok(key) => Self(key),
            // Only out of memory leads here: the length of the key is right by its type.
            Err(_) => random::abort("no memory for a key"),
        }
    }

    /// Appends the box of `plain` to `out`.
    ///
    /// Aborts the process if the system gives no randomness; plaintext is bounded by memory, which
    /// is far below the 64 GiB that the mode allows.
    pub(crate) fn seal_onto(&self, out: &mut Vec<u8>, aad: &[u8], plain: &[u8]) {
        let nonce_at = out.len();
        out.reserve_exact(plain.len() + OVERHEAD_BYTES);
        out.extend([0; NONCE_LEN]);
        let plain_at = out.len();
        // Encrypted in place in `out`, so that no other copy of the plaintext is made.
        out.extend(plain);
        let Ok((nonce, tag)) =
            self.0.seal_in_place_separate_tag(Aad::from(aad), &mut out[plain_at..])
        else {
            out[plain_at..].zeroize();
            random::abort("no randomness for a nonce")
        };
        out[nonce_at..plain_at].copy_from_slice(nonce.as_ref());
        out.extend(tag.as_ref());
    }

    /// `None`: not sealed with this key for this additional data. Nothing else can be told.
    pub(crate) fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }

    /// Opens a box that holds a key.
    pub(crate) fn open_key(&self, sealed: &[u8], aad: &[u8]) -> Option<KeyBytes> {
        let bytes = self.open(sealed, aad)?;
        let mut key = KeyBytes::default();
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(key)
    }
}
