//! The root keys at hand, and the owner keys they wrap.

use crate::OpenError;
use crate::aad::{FORMAT, Owner};
use crate::envelope::{KEY_BYTES, KeyBytes, OVERHEAD_BYTES};
use crate::key_id::KeyId;
use crate::owner_key::OwnerKey;
use crate::random;
use crate::root_key::RootKey;

const WRAPPED_BYTES: usize = 1 + KeyId::BYTES + OVERHEAD_BYTES + KEY_BYTES;

/// The current root key, which wraps, and older ones, which only unwrap.
///
/// To change the root key: make the new one current and the old one older, [`rewrap`](Self::rewrap)
/// every owner key, then drop the old one once no row names its id.
pub struct Keyring {
    current: RootKey,
    older: Vec<RootKey>,
}

impl Keyring {
    /// The current key may be named among the older ones too.
    pub fn new(current: RootKey, older: Vec<RootKey>) -> Self {
        Self { current, older }
    }

    /// The id that every row's wrapped key will name when a change of root key is done.
    pub fn current_id(&self) -> KeyId {
        self.current.id
    }

    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys().map(|it| it.id)
    }

    /// A fresh key for an owner, and its wrapped form, which is to be stored (77 bytes).
    pub fn new_owner_key(&self, owner: &Owner) -> (OwnerKey, Vec<u8>) {
        let key = random::key();
        (OwnerKey::new(&key), self.wrap(&key, owner))
    }

    /// # Errors
    /// [`OpenError::UnknownRootKey`] if an older root key is missing from the keyring;
    /// [`OpenError::Refused`] if it was changed, or wrapped for another owner.
    pub fn unwrap(&self, wrapped: &[u8], owner: &Owner) -> Result<OwnerKey, OpenError> {
        self.open(wrapped, owner).map(|key| OwnerKey::new(&key))
    }

    /// The same owner key wrapped by the current root key; `None` if it is already. What was sealed
    /// under the owner key stays readable. Any number of callers may do this at once.
    pub fn rewrap(&self, wrapped: &[u8], owner: &Owner) -> Result<Option<Vec<u8>>, OpenError> {
        let key = self.open(wrapped, owner)?;
        let is_current = root_key_id_of(wrapped)? == self.current.id;
        Ok((!is_current).then(|| self.wrap(&key, owner)))
    }

    /// Which root key is needed for this wrapped owner key; read without opening it.
    pub fn root_key_id_of(wrapped: &[u8]) -> Result<KeyId, OpenError> {
        root_key_id_of(wrapped)
    }

    fn keys(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    fn wrap(&self, key: &KeyBytes, owner: &Owner) -> Vec<u8> {
        let root = &self.current;
        let mut out = Vec::with_capacity(WRAPPED_BYTES);
        out.push(FORMAT);
        out.extend(root.id.as_bytes());
        root.cipher.seal_onto(&mut out, &owner.aad(root.id), &**key);
        out
    }

    fn open(&self, wrapped: &[u8], owner: &Owner) -> Result<KeyBytes, OpenError> {
        let id = root_key_id_of(wrapped)?;
        let root = self.keys().find(|it| it.id == id).ok_or(OpenError::UnknownRootKey(id))?;
        let boxed = &wrapped[1 + KeyId::BYTES..];
        root.cipher.open_key(boxed, &owner.aad(id)).ok_or(OpenError::Refused)
    }
}

fn root_key_id_of(wrapped: &[u8]) -> Result<KeyId, OpenError> {
    KeyId::read(wrapped).filter(|_| wrapped.len() == WRAPPED_BYTES).ok_or(OpenError::Format)
}
