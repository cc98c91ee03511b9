//! Where a connection may go, judged before it is made.

use std::net::IpAddr;

use hyper::Uri;
use url::{Host, Url};

use super::grants::{Granted, RunGrants};
use crate::app::App;
use crate::egress::Ports;
use crate::error::{self, Error, Result};

/// Characters of a host's name (RFC 1035 section 2.3.4).
const HOST_CHARS_MAX: usize = 253;

/// A host and port that this run may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

/// Judges a connection that code asks for. What its name resolves to is judged at each request.
///
/// # Errors
/// [`error::RUN_OVER`]; [`error::INVALID_TARGET`]; [`error::ADDRESS_NOT_ALLOWED`];
/// [`error::HOST_NOT_ALLOWED`] when the project's `code_hosts` do not hold it.
pub fn admit(app: &App, grants: &RunGrants, (host, port): (&str, u16)) -> Result<Way> {
    grants.not_over()?;
    let host = read(host).ok_or_else(|| {
        error::INVALID_TARGET.saying("This is no host that a connection could go to.")
    })?;
    let way = Way { host, port };
    let known = way.is_known(app, grants);
    if !known && !grants.may_call(&way.name()) {
        return Err(error::HOST_NOT_ALLOWED.saying(format!(
            "This project's code may not call {}. To allow it, name it in the project's \
             `code_hosts`.",
            way.name()
        )));
    }
    let ports = if known || way.is_ours(app) { Ports::Any } else { Ports::WebOrHttp };
    let judged = app.egress.check(&way.uri("https")?, ports);
    judged.map_err(|why| {
        error::ADDRESS_NOT_ALLOWED
            .saying("Code may call public hosts on the ports 443, 8443 and 80, and no others.")
            .logging(why.detail())
    })?;
    Ok(way)
}

/// The host as a browser would read it. Node writes IPv6 without brackets.
fn read(text: &str) -> Option<Host<String>> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || text.len() > HOST_CHARS_MAX {
        return None;
    }
    if let Ok(IpAddr::V6(address)) = text.parse() {
        return Some(Host::Ipv6(address));
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) if name.is_empty() || name.ends_with('.') => None,
        host => Some(host),
    }
}

impl Way {
    /// The host as it stands in a URL.
    pub(super) fn name(&self) -> String {
        self.host.to_string()
    }

    /// The host, with the port where the scheme does not say it.
    pub(super) fn authority(&self, scheme: &str) -> String {
        match (scheme, self.port) {
            ("https", 443) | ("http", 80) => self.name(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    pub(super) fn url(&self, scheme: &str) -> Result<Url> {
        let text = format!("{scheme}://{}/", self.authority(scheme));
        Url::parse(&text).map_err(|_| Error::from(error::INVALID_TARGET))
    }

    pub(super) fn uri(&self, scheme: &str) -> Result<Uri> {
        let text = format!("{scheme}://{}/", self.authority(scheme));
        text.parse().map_err(|_| Error::from(error::INVALID_TARGET))
    }

    /// The accounts whose app's own host this is, reached by `scheme`. Plain http is the
    /// development profile's, on this machine.
    pub(super) fn owners<'a>(
        &self,
        app: &App,
        grants: &'a RunGrants,
        scheme: &str,
    ) -> Vec<&'a Granted> {
        let safe = scheme == "https" || app.config.egress_allow_loopback;
        let Ok(url) = self.url(scheme) else { return Vec::new() };
        grants.accounts().iter().filter(|it| safe && it.owns(app, &url)).collect()
    }

    /// Whether it is this server, on any port, where the development profile has it on this
    /// machine: events hold links to files here.
    fn is_ours(&self, app: &App) -> bool {
        let url = &app.config.public_url;
        let host = url.host().map(|it| it.to_owned());
        let here =
            host.as_ref() == Some(&self.host) && url.port_or_known_default() == Some(self.port);
        app.config.egress_allow_loopback && here
    }

    fn is_known(&self, app: &App, grants: &RunGrants) -> bool {
        ["https", "http"].iter().any(|it| !self.owners(app, grants, it).is_empty())
    }
}
