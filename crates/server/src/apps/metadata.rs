//! Where a server says what it offers: looked for, fetched, and believed or not.
//!
//! Whoever names a URL here decides where this server sends requests, so every one goes through
//! `egress` and is bounded; nothing of an answer is used before the leaf `oauth` has judged it.

use std::time::Duration;

use axum::http::{Request, header};
use bytes::Bytes;
use grantkeep_oauth::discovery::{
    self, Candidate, DiscoveryError, FETCH_S_MAX, Fetched, Hosts, METADATA_BYTES_MAX, Policy,
    ResourceMetadata, ServerMetadata,
};
use grantkeep_oauth::{challenge, endpoint, resource};
use http_body_util::Full;
use serde_json::json;
use url::Url;

use crate::app::App;
use crate::egress::{Answer, Ports};
use crate::error::{self, Error, Result};

/// For all documents of one search together.
const SEARCH: Duration = Duration::from_secs(20);
/// What an MCP server wants of a request before it says 401.
const ANY_ANSWER: &str = "application/json, text/event-stream";
const DOCUMENT: &str = "application/json";
const OPENID: &str = "/.well-known/openid-configuration";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// What to look at. Only the URL must be given.
pub(super) struct Place<'a> {
    pub url: &'a str,
    /// What tokens are for, where the URL is that of an authorization server, or where the
    /// resource calls itself otherwise.
    pub resource: Option<&'a str>,
    /// Which of the servers that a resource names.
    pub issuer: Option<&'a str>,
}

/// A server, and what it gives tokens for.
pub(super) struct Found {
    pub server: ServerMetadata,
    pub resource: Option<Resource>,
}

pub(super) struct Resource {
    /// The identifier that is sent (RFC 8707).
    pub id: String,
    pub metadata: Option<ResourceMetadata>,
    /// What the resource said that it needs, or knows.
    pub scopes: Vec<String>,
}

/// Looks for a server by its issuer, or by the URL of a resource or MCP server that names it.
///
/// # Errors
/// [`error::DISCOVERY_FAILED`], with the URL that it failed at in `details.url`.
pub(super) async fn find(app: &App, place: &Place<'_>) -> Result<Found> {
    let search = Search { app, place };
    tokio::time::timeout(SEARCH, search.run())
        .await
        .unwrap_or_else(|_| Err(failed(place.url, &"it took longer than 20 seconds in all")))
}

struct Search<'a> {
    app: &'a App,
    place: &'a Place<'a>,
}

impl Search<'_> {
    async fn run(&self) -> Result<Found> {
        let typed = self.place.url;
        let url = endpoint::check(typed, self.loopback()).map_err(|why| failed(typed, &why))?;
        let meant = meant(&url).unwrap_or_else(|| typed.to_owned());
        match self.named_by_resource(&meant).await? {
            Some((metadata, scopes)) => {
                let issuer = self.issuer(&metadata)?;
                let server = self.server(&issuer, false).await?;
                let server = server.ok_or_else(|| failed(&issuer, &NOTHING))?;
                let scopes = if scopes.is_empty() {
                    metadata.scopes.clone().unwrap_or_default()
                } else {
                    scopes
                };
                let id = metadata.resource.clone();
                Ok(Found {
                    server,
                    resource: Some(Resource { id, metadata: Some(metadata), scopes }),
                })
            }
            None => self.by_issuer(&meant).await,
        }
    }

    /// The URL itself, or where an MCP server names nobody, its origin.
    async fn by_issuer(&self, url: &str) -> Result<Found> {
        let given = self.place.resource.map(str::to_owned);
        if let Some(server) = self.server(url, true).await? {
            let resource = given.map(bare);
            return Ok(Found { server, resource });
        }
        let origin = Url::parse(url).map(|it| it.origin().ascii_serialization());
        let origin = origin.map_err(|why| failed(url, &why))?;
        let server = self.server(&origin, true).await?.ok_or_else(|| failed(url, &NOTHING))?;
        let id = given.map_or_else(|| resource::canonical(url), Ok);
        let id = id.map_err(|why| failed(url, &why))?;
        Ok(Found { server, resource: Some(bare(id)) })
    }

    /// The issuer to take of those that a resource names.
    fn issuer(&self, metadata: &ResourceMetadata) -> Result<String> {
        if let Some(wanted) = self.place.issuer {
            metadata.check_server(wanted).map_err(|why| failed(wanted, &why))?;
            return Ok(wanted.to_owned());
        }
        let first = metadata.authorization_servers.first().cloned();
        first.ok_or_else(|| failed(&metadata.resource, &"it names no authorization server"))
    }

    /// What the resource at this URL says of itself, and the scopes that it asked for.
    async fn named_by_resource(
        &self,
        url: &str,
    ) -> Result<Option<(ResourceMetadata, Vec<String>)>> {
        let id =
            self.place.resource.map_or_else(|| resource::canonical(url), |it| Ok(it.to_owned()));
        let id = id.map_err(|why| failed(url, &why))?;
        let mut candidates =
            discovery::resource_urls(&id, self.loopback()).map_err(|why| failed(url, &why))?;
        let mut scopes = Vec::new();
        let answer = self.fetch(url, ANY_ANSWER).await?;
        if answer.status.as_u16() == 401 {
            let headers = answer.headers.get_all(header::WWW_AUTHENTICATE);
            let headers = headers.iter().filter_map(|it| it.to_str().ok());
            for said in challenge::read(headers) {
                if scopes.is_empty() {
                    scopes = said.scopes().into_iter().map(str::to_owned).collect();
                }
                if let Some(at) = said.resource_metadata() {
                    put_first(&mut candidates, at, &id);
                }
            }
        }
        for Candidate { url, resource } in candidates {
            endpoint::check(&url, self.loopback()).map_err(|why| failed(&url, &why))?;
            let answer = self.fetch(&url, DOCUMENT).await?;
            match ResourceMetadata::read(&resource, &fetched(&answer), &self.policy()) {
                Ok(metadata) => return Ok(Some((metadata, scopes))),
                Err(DiscoveryError::Status(_) | DiscoveryError::ContentType) => {}
                Err(why) => return Err(failed(&url, &why)),
            }
        }
        Ok(None)
    }

    /// The document of an issuer. `None`: there is none at any of its places. `typed`: a person
    /// wrote it, who may have added or left out the last `/`.
    async fn server(&self, issuer: &str, typed: bool) -> Result<Option<ServerMetadata>> {
        let urls = discovery::server_urls(issuer, self.loopback());
        for url in urls.map_err(|why| failed(issuer, &why))? {
            let answer = self.fetch(&url, DOCUMENT).await?;
            let read =
                |issuer: &str| ServerMetadata::read(issuer, &fetched(&answer), &self.policy());
            let other = issuer.strip_suffix('/').map_or(format!("{issuer}/"), str::to_owned);
            let server = match read(issuer) {
                Err(DiscoveryError::IssuerDiffers) if typed => read(&other),
                read => read,
            };
            match server {
                Ok(server) => return Ok(Some(server)),
                Err(DiscoveryError::Status(_) | DiscoveryError::ContentType) => {}
                Err(why) => return Err(failed(&url, &why)),
            }
        }
        Ok(None)
    }

    async fn fetch(&self, url: &str, accept: &'static str) -> Result<Answer> {
        let mut limits = self.app.egress.limits();
        limits.answer_bytes_max = METADATA_BYTES_MAX;
        limits.total_timeout = limits.total_timeout.min(Duration::from_secs(FETCH_S_MAX));
        limits.ports = Ports::Any;
        let request =
            Request::get(url).header(header::ACCEPT, accept).body(Full::<Bytes>::default());
        let request = request.map_err(|why| failed(url, &why))?;
        self.app.egress.send(request, limits).await.map_err(|why| {
            // Whether nothing is there, or it may not be called, is for the log alone.
            failed(url, &"it does not answer, or cannot be called from here").logging(why.detail())
        })
    }

    fn loopback(&self) -> bool {
        self.app.config.egress_allow_loopback
    }

    fn policy(&self) -> Policy<'static> {
        Policy { hosts: Hosts::Any, allow_loopback_http: self.loopback() }
    }
}

const NOTHING: &str =
    "neither an OAuth server nor a resource that names one describes itself there";

fn bare(id: String) -> Resource {
    Resource { id, metadata: None, scopes: Vec::new() }
}

fn fetched(answer: &Answer) -> Fetched<'_> {
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    Fetched { status: answer.status.as_u16(), content_type: kind, body: &answer.body }
}

/// What the resource itself says comes first. At a well-known place it is of whom the place is.
fn put_first(candidates: &mut Vec<Candidate>, url: &str, resource: &str) {
    let known = candidates.iter().position(|it| it.url == url);
    let first = match known {
        Some(at) => candidates.remove(at),
        None => Candidate { url: url.to_owned(), resource: resource.to_owned() },
    };
    candidates.insert(0, first);
}

/// The issuer or resource of which a well-known address is.
fn meant(url: &Url) -> Option<String> {
    let (origin, path) = (url.origin().ascii_serialization(), url.path());
    if let Some(before) = path.strip_suffix(OPENID) {
        return Some(format!("{origin}{before}"));
    }
    let after = [OPENID, SERVER, RESOURCE].iter().find_map(|it| path.strip_prefix(it))?;
    Some(format!("{origin}{after}"))
}

/// What did not work, and where. Both are the caller's own, or judged before.
pub(super) fn failed(url: &str, why: &dyn std::fmt::Display) -> Error {
    error::DISCOVERY_FAILED
        .saying(format!("Nothing can be read at {url}: {why}."))
        .with(json!({ "url": url }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_known_address_is_of_its_issuer() {
        for (typed, expected) in [
            ("https://a.example/.well-known/openid-configuration", Some("https://a.example")),
            ("https://a.example/x/.well-known/openid-configuration", Some("https://a.example/x")),
            (
                "https://a.example/.well-known/oauth-authorization-server/x/y",
                Some("https://a.example/x/y"),
            ),
            (
                "https://a.example/.well-known/oauth-protected-resource/mcp",
                Some("https://a.example/mcp"),
            ),
            ("https://a.example/mcp", None),
        ] {
            let meant = meant(&Url::parse(typed).unwrap());
            assert_eq!(meant.as_deref(), expected, "{typed}");
        }
    }

    #[test]
    fn what_a_resource_says_is_looked_at_first_and_as_what_it_is() {
        let mut all = discovery::resource_urls("https://m.example/mcp", false).unwrap();
        let root = all[1].clone();
        put_first(&mut all, &root.url, "https://m.example/mcp");
        assert_eq!((all.len(), &all[0]), (2, &root), "the root's document is of the root");
        put_first(&mut all, "https://else.example/meta", "https://m.example/mcp");
        assert_eq!((all.len(), all[0].resource.as_str()), (3, "https://m.example/mcp"));
    }
}
