use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use crate::aad::FORMAT;

/// Names a key without telling anything about it: 64 bits of a hash of a 256-bit random key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::BYTES]);

impl KeyId {
    pub(crate) const BYTES: usize = 8;

    pub(crate) fn of(label: &str, key: &[u8]) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&(label.len() as u64).to_be_bytes());
        hash.update(label.as_bytes());
        hash.update(key);
        let hash = hash.finish();
        let mut id = [0; Self::BYTES];
        id.copy_from_slice(&hash.as_ref()[..Self::BYTES]);
        Self(id)
    }

    /// The id that stands after the format byte of everything stored.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        let (&format, rest) = stored.split_first()?;
        let id = rest.first_chunk().filter(|_| format == FORMAT)?;
        Some(Self(*id))
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// 16 lower-case hexadecimal digits, as stored in rows and shown to operators.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}
