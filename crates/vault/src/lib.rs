//! Envelope encryption: what is kept is only ever kept sealed.
//!
//! Three levels, all AES-256-GCM with a random 96-bit nonce:
//!
//! ```text
//! root key   (file, environment)      never stored by us; its id is
//!  └ owner key  (one per owner)       stored wrapped by the root key
//!     └ data key  (one per write)     stored wrapped by the owner key, beside its ciphertext
//! ```
//!
//! Destroying the wrapped owner key makes everything sealed under it unreadable for ever, which is
//! how a person is erased. Changing the root key rewraps owner keys only: one small row each.
//!
//! # Byte layout
//!
//! Written down so that another implementation can open it; `tests/vectors/` proves that one does.
//! `u64` and `i64` are big-endian, `||` joins, sizes are in bytes.
//!
//! ```text
//! box(key, aad, plain) = nonce(12) || ciphertext(len plain) || tag(16)       AES-256-GCM
//! field(x)             = u64(len x) || x
//! key id               = first 8 bytes of SHA-256(field(label) || key)
//!                        label: "grantkeep root key id" or "grantkeep owner key id"
//!
//! wrapped owner key (77) = 0x01 || root key id(8) || box(root key, owner aad, owner key)
//!   owner aad = field("grantkeep owner key") || 0x01 || root key id
//!               || kind(1) || field(project) || field(environment) || field(id)
//!               kind: 0x01 an external user; 0x02 a project, environment and id empty
//!
//! sealed (97 + len plain) = 0x01 || owner key id(8)
//!                           || box(owner key, place aad("grantkeep data key"), data key)
//!                           || box(data key, place aad("grantkeep data"), plain)
//!   place aad(label) = field(label) || 0x01 || owner key id
//!                      || field(project) || field(environment) || field(table)
//!                      || field(record) || field(column) || i64(version)
//! ```
//!
//! # What is not promised
//!
//! Secrets are wiped when dropped, but copies made by the allocator, by TLS or by a database driver
//! are out of reach. Lengths are not hidden.

mod aad;
mod envelope;
mod key_id;
mod keyring;
mod owner_key;
mod random;
mod root_key;
mod secret;
pub mod token;

pub use aad::{Owner, Place};
pub use key_id::KeyId;
pub use keyring::Keyring;
pub use owner_key::{OwnerKey, owner_key_id_of};
pub use root_key::{RootKey, RootKeyError};
pub use secret::{Secret, SecretBytes};

/// Why something stored could not be opened. None of these is ever answered with the stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, or a format this version does not know. The row was cut or written by a newer
    /// version; it was never sealed by this one.
    #[error("not a sealed value of a known format")]
    Format,
    /// The root key it was wrapped with is not in the keyring: add it as an older key.
    #[error("the root key {0} is needed and was not given")]
    UnknownRootKey(KeyId),
    /// Sealed under another owner's key, or under a key of this owner that was since destroyed.
    #[error("sealed under the owner key {0}, which is not the one at hand")]
    OtherOwnerKey(KeyId),
    /// The check failed: the bytes were changed, or belong to another place or version.
    #[error("changed since it was sealed, or moved from where it was sealed for")]
    Refused,
    /// Opened well, but text was asked for and this is not UTF-8.
    #[error("not text")]
    NotText,
}
