//! What servers and resources say of themselves (RFC 8414, RFC 9728, `OpenID` Connect Discovery).
//! Nothing of it is believed before it is checked here.

mod choose;
mod resource;
mod server;
mod well_known;

pub use choose::{Able, AuthMethod, Certificate, Choice, choose, choose_algorithm};
pub use resource::ResourceMetadata;
pub use server::{Pkce, Place, ServerMetadata};
pub use well_known::{Candidate, issuer_url, resource_urls, server_urls};

use serde_json::{Map, Value};

use crate::endpoint::{self, EndpointError};
use crate::json::{self, JsonError};

/// A document longer than this is refused. Bytes, after any decompression.
pub const METADATA_BYTES_MAX: usize = 256 * 1024;
/// How long a fetch may take, and how long a document may be kept. Seconds.
pub const FETCH_S_MAX: u64 = 5;
pub const CACHE_S_MAX: u64 = 24 * 3_600;
/// What one member may hold: items of a list, and bytes of a text.
const ITEMS_MAX: usize = 512;
const TEXT_BYTES_MAX: usize = 2_048;

/// What was fetched, without following redirects.
#[derive(Clone, Copy)]
pub struct Fetched<'a> {
    pub status: u16,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
}

/// Which addresses a document may name.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    pub hosts: Hosts<'a>,
    pub allow_loopback_http: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Hosts<'a> {
    /// Large servers spread over several.
    Any,
    /// That of the issuer only.
    Issuer,
    /// That of the issuer, and these.
    Listed(&'a [&'a str]),
}

/// Why a document is not believed. Names members, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("the answer is not of a JSON type")]
    ContentType,
    #[error("the document cannot be read: {0}")]
    Json(#[from] JsonError),
    #[error("the document has no `{0}`")]
    Missing(&'static str),
    #[error("`{0}` is of the wrong type, or too long")]
    Wrong(&'static str),
    #[error("`{name}` is not acceptable: {error}")]
    Endpoint { name: &'static str, error: EndpointError },
    #[error("`{0}` is at a host that this server may not name")]
    Host(&'static str),
    #[error("an issuer has neither query nor fragment")]
    Issuer,
    #[error("the document is of another issuer than was asked")]
    IssuerDiffers,
    #[error("the document is of another resource than was asked")]
    ResourceDiffers,
    #[error("the resource names another authorization server than the one with our registration")]
    OtherServer,
    #[error("the server does not offer what is needed: `{0}`")]
    Lacks(&'static str),
}

/// Credentials registered at one server are for no other, whatever a resource says (MCP; RFC 9728
/// §7.6). Both are issuer identifiers, compared character by character.
pub fn check_same_server(registered: &str, named: &str) -> Result<(), DiscoveryError> {
    if registered == named { Ok(()) } else { Err(DiscoveryError::OtherServer) }
}

fn document(fetched: &Fetched) -> Result<Map<String, Value>, DiscoveryError> {
    // RFC 8414 §3.2: any other status is none.
    if fetched.status != 200 {
        return Err(DiscoveryError::Status(fetched.status));
    }
    let kind = fetched.content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let subtype = kind.strip_prefix("application/").unwrap_or_default();
    if subtype != "json" && !subtype.ends_with("+json") {
        return Err(DiscoveryError::ContentType);
    }
    Ok(json::read(fetched.body, METADATA_BYTES_MAX)?)
}

/// Members of a document with the types that they must have. `null` counts as absent.
struct Reader<'a> {
    members: &'a Map<String, Value>,
    policy: &'a Policy<'a>,
    issuer_host: Option<String>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|it| !it.is_null())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, DiscoveryError> {
        let wrong = DiscoveryError::Wrong(name);
        self.get(name).map(|it| text(it).ok_or(wrong)).transpose()
    }

    fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, DiscoveryError> {
        let read = |it: &Value| {
            let items = it.as_array().filter(|it| it.len() <= ITEMS_MAX)?;
            items.iter().map(text).collect::<Option<Vec<_>>>()
        };
        self.get(name).map(|it| read(it).ok_or(DiscoveryError::Wrong(name))).transpose()
    }

    fn flag(&self, name: &'static str) -> Result<bool, DiscoveryError> {
        let wrong = DiscoveryError::Wrong(name);
        self.get(name).map_or(Ok(false), |it| it.as_bool().ok_or(wrong))
    }

    /// An address that may be asked.
    fn endpoint(&self, name: &'static str) -> Result<Option<String>, DiscoveryError> {
        let Some(url) = self.text(name)? else { return Ok(None) };
        let parsed = endpoint::check(&url, self.policy.allow_loopback_http);
        let parsed = parsed.map_err(|error| DiscoveryError::Endpoint { name, error })?;
        let host = parsed.host_str().unwrap_or_default();
        let issuers = || self.issuer_host.as_deref() == Some(host);
        let allowed = match self.policy.hosts {
            Hosts::Any => true,
            Hosts::Issuer => issuers(),
            Hosts::Listed(hosts) => {
                issuers() || hosts.iter().any(|it| it.eq_ignore_ascii_case(host))
            }
        };
        if allowed { Ok(Some(url)) } else { Err(DiscoveryError::Host(name)) }
    }
}

fn text(value: &Value) -> Option<String> {
    let fits = |it: &&str| it.len() <= TEXT_BYTES_MAX && !it.chars().any(char::is_control);
    value.as_str().filter(fits).map(str::to_owned)
}

#[cfg(test)]
mod tests;
