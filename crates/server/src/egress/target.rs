//! Which URLs a request may name, before any name is looked up.

use std::net::{IpAddr, SocketAddr};

use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};
use url::Host;

use super::addresses::Policy;
use super::error::{EgressError, Failure};

/// Names under which clouds serve credentials to their machines, and their parents.
const METADATA_NAMES: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "metadata.azure.com",
];

/// Ports of [`Ports::Web`].
const WEB_PORTS: [u16; 2] = [443, 8443];

/// The port that [`Ports::WebOrHttp`] adds.
const HTTP_PORT: u16 = 80;

/// To which ports a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Any: the URL comes from the operator or the catalogue.
    Any,
    /// 443 and 8443: the URL comes from a tenant.
    Web,
    /// 443, 8443 and 80.
    WebOrHttp,
}

/// `uri` with its host in the one canonical form, or why no request may go there.
pub(super) fn admit(uri: &Uri, ports: Ports, policy: &Policy) -> Result<Uri, EgressError> {
    let refuse = |why: &str| Err(EgressError::unsent(Failure::NotAllowed, why));
    let https = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP && policy.may_use_http() => false,
        _ => return refuse("the URL must begin with https://"),
    };
    let Some(authority) = uri.authority() else { return refuse("the URL has no host") };
    if authority.as_str().contains('@') {
        return refuse("the URL must not hold a user name");
    }
    let Some(host) = canonical_host(authority.host()) else {
        return refuse("the host of the URL cannot be read");
    };
    let has_port = authority.as_str().len() > authority.host().len();
    if has_port && authority.port_u16().is_none_or(|it| it == 0) {
        return refuse("the port of the URL cannot be read");
    }
    let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
    let on_this_machine = policy.loopback() && is_loopback(&host);
    if !on_this_machine && !port_allowed(port, ports) {
        return refuse("the port of the URL is not allowed");
    }
    if let Host::Domain(name) = &host
        && METADATA_NAMES.contains(&name.as_str())
    {
        return refuse("the host is a cloud's metadata service");
    }
    rebuild(uri, &host, authority.port_u16())
}

/// Judges a host that needs no look-up. `uri` was admitted.
pub(super) fn literal(uri: &Uri, policy: &Policy) -> Result<(), EgressError> {
    let refuse = |why: &str| Err(EgressError::unsent(Failure::NotAllowed, why));
    let https = uri.scheme() == Some(&Scheme::HTTPS);
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    let ip: IpAddr = match uri.host().and_then(canonical_host) {
        Some(Host::Ipv4(it)) => it.into(),
        Some(Host::Ipv6(it)) => it.into(),
        Some(Host::Domain(name)) if is_localhost(&name) && !policy.loopback() => {
            return refuse("the host is this machine");
        }
        _ => return Ok(()),
    };
    policy.check(SocketAddr::new(ip, port), https).or_else(refuse)
}

/// The host as a browser would read it: every spelling of an IPv4 address is that address, names
/// are lower case ASCII without a last dot.
pub(super) fn canonical_host(host: &str) -> Option<Host<String>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    match Host::parse(host).ok()? {
        Host::Domain(name) if name.is_empty() || name.ends_with('.') => None,
        other => Some(other),
    }
}

/// Names that mean this machine without any look-up (RFC 6761 section 6.3).
pub(super) fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
        Host::Domain(name) => is_localhost(name),
    }
}

fn port_allowed(port: u16, ports: Ports) -> bool {
    match ports {
        Ports::Any => true,
        Ports::Web => WEB_PORTS.contains(&port),
        Ports::WebOrHttp => WEB_PORTS.contains(&port) || port == HTTP_PORT,
    }
}

/// Path and query stay byte for byte what they are.
fn rebuild(uri: &Uri, host: &Host<String>, port: Option<u16>) -> Result<Uri, EgressError> {
    let authority = match port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    };
    let unreadable = || EgressError::unsent(Failure::NotAllowed, "the URL cannot be read");
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(Authority::try_from(authority).map_err(|_| unreadable())?);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(hyper::http::uri::PathAndQuery::from_static("/"));
    }
    Uri::from_parts(parts).map_err(|_| unreadable())
}
