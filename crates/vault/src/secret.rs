//! Values that must not be printed, compared, serialised or copied without meaning to.

use std::fmt;

use zeroize::Zeroizing;

use crate::OpenError;

/// A secret text. Wiped when dropped. It has no `Display`, `Serialize`, `Clone` or `==`, and its
/// `Debug` says `[redacted]`, so that a struct around it may derive.
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Every place that calls this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A second copy, made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Secret bytes, under the same rules as [`Secret`].
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// # Errors
    /// [`OpenError::NotText`] if the bytes are not UTF-8.
    pub fn into_text(self) -> Result<Secret, OpenError> {
        let text = std::str::from_utf8(&self.0).map_err(|_| OpenError::NotText)?;
        Ok(Secret::new(text))
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretBytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OwnerKey, RootKey};

    /// Does not compile if `$type` has `$trait`: two impls would then fit and `_` be ambiguous.
    macro_rules! assert_lacks {
        ($type:ty: $($trait:path),+) => { $({
            trait Probe<A> { fn probe() {} }
            impl<T: ?Sized> Probe<()> for T {}
            impl<T: ?Sized + $trait> Probe<u8> for T {}
            <$type as Probe<_>>::probe();
        })+ };
    }

    #[test]
    fn v_05_secrets_cannot_be_cloned_compared_or_shown() {
        assert_lacks!(Secret: Clone, PartialEq, fmt::Display, serde::Serialize, std::hash::Hash);
        assert_lacks!(SecretBytes: Clone, PartialEq, fmt::Display, serde::Serialize);
        assert_lacks!(RootKey: Clone, PartialEq, fmt::Display, fmt::Debug, serde::Serialize);
        assert_lacks!(OwnerKey: Clone, PartialEq, fmt::Display, fmt::Debug, serde::Serialize);
    }

    #[test]
    fn v_05_debug_tells_nothing() {
        let secret = Secret::new("hunter2");
        let shown = format!("{:?} {:#?}", secret, Some(SecretBytes::new(*b"hunter2")));
        assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
        assert_eq!(secret.duplicate().expose(), "hunter2");
    }

    #[test]
    fn bytes_that_are_not_text_are_an_error() {
        assert_eq!(SecretBytes::new([0xff]).into_text().unwrap_err(), OpenError::NotText);
        assert_eq!(SecretBytes::new(*b"ok").into_text().unwrap().expose(), "ok");
    }
}
