//! The key of one owner: seals values, each under a data key of its own.

use crate::aad::{FORMAT, Place};
use crate::envelope::{Cipher, KEY_BYTES, KeyBytes, OVERHEAD_BYTES};
use crate::key_id::KeyId;
use crate::secret::{Secret, SecretBytes};
use crate::{OpenError, random};

const DATA_KEY_AT: usize = 1 + KeyId::BYTES;
const DATA_AT: usize = DATA_KEY_AT + OVERHEAD_BYTES + KEY_BYTES;
const SEALED_BYTES_MIN: usize = DATA_AT + OVERHEAD_BYTES;

/// Seals and opens one owner's values. Got from a [`Keyring`](crate::Keyring). May be shared
/// between threads; keep it no longer than the work at hand.
pub struct OwnerKey {
    id: KeyId,
    cipher: Cipher,
}

impl OwnerKey {
    pub(crate) fn new(key: &KeyBytes) -> Self {
        Self { id: KeyId::of("grantkeep owner key id", &**key), cipher: Cipher::new(key) }
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Seals for one place under a fresh data key. 97 bytes longer than `plain`.
    ///
    /// Cannot fail: without randomness from the system the process ends.
    pub fn seal(&self, place: &Place, plain: &[u8]) -> Vec<u8> {
        let data_key = random::key();
        let mut out = Vec::with_capacity(SEALED_BYTES_MIN + plain.len());
        out.push(FORMAT);
        out.extend(self.id.as_bytes());
        self.cipher.seal_onto(&mut out, &place.data_key_aad(self.id), &*data_key);
        Cipher::new(&data_key).seal_onto(&mut out, &place.data_aad(self.id), plain);
        out
    }

    /// # Errors
    /// [`OpenError::Refused`] if it was changed, or sealed for another place or version; see the
    /// other variants. There is no way to read a value that does not pass.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<SecretBytes, OpenError> {
        let id = owner_key_id_of(sealed)?;
        if id != self.id {
            return Err(OpenError::OtherOwnerKey(id));
        }
        let (data_key, data) = (&sealed[DATA_KEY_AT..DATA_AT], &sealed[DATA_AT..]);
        let data_key = self.cipher.open_key(data_key, &place.data_key_aad(id));
        let data_key = data_key.ok_or(OpenError::Refused)?;
        let plain = Cipher::new(&data_key).open(data, &place.data_aad(id));
        plain.map(SecretBytes::from).ok_or(OpenError::Refused)
    }

    /// [`open`](Self::open) for what was sealed from text.
    pub fn open_text(&self, place: &Place, sealed: &[u8]) -> Result<Secret, OpenError> {
        self.open(place, sealed)?.into_text()
    }
}

/// Which owner key a sealed value needs; read without opening it.
///
/// # Errors
/// [`OpenError::Format`] if it is not a sealed value.
pub fn owner_key_id_of(sealed: &[u8]) -> Result<KeyId, OpenError> {
    KeyId::read(sealed).filter(|_| sealed.len() >= SEALED_BYTES_MIN).ok_or(OpenError::Format)
}
