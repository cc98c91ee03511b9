//! Where documents lie (RFC 8414 §3, §5, RFC 9728 §3, `OpenID` Connect Discovery §4).

use url::Url;

use super::DiscoveryError;
use crate::{endpoint, resource};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// Checks an issuer identifier: `https`, no query, no fragment (RFC 8414 §2).
pub fn issuer_url(issuer: &str, allow_loopback_http: bool) -> Result<Url, DiscoveryError> {
    let name = "issuer";
    let url = endpoint::check(issuer, allow_loopback_http);
    let url = url.map_err(|error| DiscoveryError::Endpoint { name, error })?;
    if issuer.contains('?') { Err(DiscoveryError::Issuer) } else { Ok(url) }
}

/// The addresses at which a server's document may lie, in the order in which to ask. The first
/// that is found is the one; if it is not believed, no other is asked.
pub fn server_urls(issuer: &str, allow_loopback_http: bool) -> Result<Vec<String>, DiscoveryError> {
    let url = issuer_url(issuer, allow_loopback_http)?;
    let (origin, path) = (url.origin().ascii_serialization(), url.path().trim_end_matches('/'));
    let mut urls = vec![format!("{origin}{OAUTH}{path}"), format!("{origin}{OPENID}{path}")];
    if !path.is_empty() {
        urls.push(format!("{origin}{path}{OPENID}"));
    }
    Ok(urls)
}

/// A place to ask, and of which resource the document must be that lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub url: String,
    pub resource: String,
}

/// The addresses at which a resource's document may lie, in the order in which to ask; what the
/// resource itself says in a challenge comes before them.
pub fn resource_urls(
    resource: &str,
    allow_loopback_http: bool,
) -> Result<Vec<Candidate>, DiscoveryError> {
    let name = "resource";
    let url = endpoint::check(resource, allow_loopback_http);
    let url = url.map_err(|error| DiscoveryError::Endpoint { name, error })?;
    resource::check(resource).map_err(|_| DiscoveryError::Wrong(name))?;
    let origin = url.origin().ascii_serialization();
    let path = if url.path() == "/" { "" } else { url.path() };
    let query = url.query().map(|it| format!("?{it}")).unwrap_or_default();
    let own = format!("{origin}{RESOURCE}{path}{query}");
    let mut all = vec![Candidate { url: own, resource: resource.to_owned() }];
    if !path.is_empty() || !query.is_empty() {
        all.push(Candidate { url: format!("{origin}{RESOURCE}"), resource: origin });
    }
    Ok(all)
}
