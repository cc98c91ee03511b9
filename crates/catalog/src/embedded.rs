//! The apps and icons that are compiled in, packed by `build.rs`.

/// Read with [`crate::blob::Blob`].
pub(crate) static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalog.bin"));
