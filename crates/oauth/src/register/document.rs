//! Clients whose id is the address of a document about them (OAuth Client ID Metadata Document,
//! draft 00), which they serve themselves.

use serde_json::{Map, Value};

use super::ClientMetadata;
use crate::endpoint::{self, EndpointError};
use crate::key::KeyError;

/// A document longer than this is not read by servers. Bytes (draft 00 §6.6).
pub const DOCUMENT_BYTES_MAX: usize = 5 * 1024;

/// Why there can be no such document. Always a fault of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("the address is not acceptable: {0}")]
    Endpoint(#[from] EndpointError),
    #[error("the address needs a path and must not have a query, nor `.` or `..` in it")]
    Path,
    #[error("such a client has no secret: it proves itself with a key, or not at all")]
    Secret,
    #[error("a redirect URI is needed")]
    NoRedirect,
    #[error("more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Checks an address that is to be a client's id (draft 00 §3). Servers compare it byte by byte, so
/// it must be written as a browser would.
pub fn check_url(url: &str, allow_loopback_http: bool) -> Result<(), DocumentError> {
    let parsed = endpoint::check(url, allow_loopback_http)?;
    if parsed.path() == "/" || parsed.query().is_some() || parsed.as_str() != url {
        return Err(DocumentError::Path);
    }
    Ok(())
}

/// The document to be served at `url` as `application/json` (draft 00 §4).
pub fn document(
    url: &str,
    client: &ClientMetadata,
    allow_loopback_http: bool,
) -> Result<Map<String, Value>, DocumentError> {
    check_url(url, allow_loopback_http)?;
    let mut members = client.members()?;
    let secret = ["client_secret", "client_secret_expires_at"];
    if client.auth.is_symmetric() || secret.iter().any(|it| members.contains_key(*it)) {
        return Err(DocumentError::Secret);
    }
    if client.redirect_uris.is_empty() {
        return Err(DocumentError::NoRedirect);
    }
    members.insert("client_id".to_owned(), url.into());
    let length = serde_json::to_string(&members).map_or(usize::MAX, |it| it.len());
    if length > DOCUMENT_BYTES_MAX { Err(DocumentError::TooLong) } else { Ok(members) }
}
