//! A secret setting: neither printed nor compared, wiped when the last holder lets it go.

use std::sync::Arc;

use zeroize::Zeroizing;

/// Text that must not be shown. Copies share one buffer.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes `text` over; the caller keeps no copy.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(Arc::new(text))
    }

    /// The text itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
