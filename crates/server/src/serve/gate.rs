//! What every request passes on its way to the router, and every answer on its way back.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::Either;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Uri, Version};
use ipnet::IpNet;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::Instrument;

use super::bodies::{Arrived, Upload};
use super::client_ip::{ClientIp, client_ip, is_trusted, strip};
use super::framing::Refusal;
use crate::callers::Origin;
use crate::config::Config;
use crate::error::{self, Error};
use crate::ids::{ProjectId, RequestId};
use crate::telemetry::access;

/// Names a request in the answer; a proxy's own name for it is only logged.
const REQUEST_ID: &str = "x-request-id";

/// Longest name that a proxy gave a request and that is logged, in bytes.
const PROXY_ID_BYTES_MAX: usize = 64;

/// Where workflows take requests.
const WORKFLOWS: &str = "/v1/workflows/";
/// Have the body of such a request kept as a file, whatever its size.
const KEPT: &str = "x-pd-upload-body";
const KEPT_QUERY: &str = "pipedream_upload_body=1";

/// Checks a request and asks the router.
pub(super) struct Gate {
    router: Router,
    /// Requests that are done to their end.
    acts: TaskTracker,
    trusted: Vec<IpNet>,
    /// The path of the public URL, without its last slash.
    prefix: String,
    /// Host and port of the public URL.
    authority: String,
    /// Hosts below this one are addresses of workflows.
    workflow_domain: Option<String>,
    body_bytes_max: usize,
    /// For what is passed on to an app.
    proxy_bytes_max: usize,
    /// For files, which are stored as they come.
    file_bytes_max: usize,
    header_count_max: usize,
    uri_bytes_max: usize,
    timeout: Duration,
    /// The same for what has code run.
    code_timeout: Duration,
    /// The same for calls to apps.
    proxy_timeout: Duration,
}

impl Gate {
    pub(super) fn new(config: &Config, router: Router, acts: &TaskTracker) -> Arc<Self> {
        Arc::new(Self {
            router,
            acts: acts.clone(),
            trusted: config.trusted_proxies.clone(),
            prefix: config.public_url.path().trim_end_matches('/').to_owned(),
            authority: authority(&config.public_url),
            workflow_domain: config.workflow_domain.clone(),
            body_bytes_max: config.body_bytes_max,
            proxy_bytes_max: config.proxy_request_bytes_max,
            file_bytes_max: config.stash_file_bytes_max,
            header_count_max: config.header_count_max as usize,
            uri_bytes_max: config.uri_bytes_max,
            timeout: config.request_timeout_ms.duration(),
            code_timeout: config.longest_answer(),
            proxy_timeout: config.longest_call(),
        })
    }

    /// The answer to `request`, which came from `peer`. There always is one.
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        refusal: Option<Refusal>,
    ) -> Response {
        let id = RequestId::mint();
        let proxy = is_trusted(peer.ip(), &self.trusted).then(|| proxy_id(request.headers()));
        let ClientIp(ip) = client_ip(peer.ip(), request.headers(), &self.trusted);
        let record = access::Record::begin(&request, &id, ip, proxy.flatten().as_deref());
        let verdict = refusal.map_or_else(|| self.check(&request), |it| Err(refused(it)));
        let span = record.span().clone();
        let mut response = async {
            if let Err(error) = verdict {
                return closing(error.into_response());
            }
            strip(request.headers_mut());
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(ClientIp(ip));
            extensions.insert(Origin { ip: Some(ip), request_id: Some(id.clone()) });
            extensions.insert(record.route());
            self.route(request).await
        }
        .instrument(span)
        .await;
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        record.finish(response.status());
        response
    }

    /// Refuses what no handler should see.
    fn check(&self, request: &Request<Incoming>) -> Result<(), Error> {
        let (uri, headers) = (request.uri(), request.headers());
        if uri.path_and_query().map_or(0, |it| it.as_str().len()) > self.uri_bytes_max {
            return Err(error::URI_TOO_LONG.into());
        }
        if headers.len() > self.header_count_max {
            return Err(error::HEADERS_TOO_LARGE.into());
        }
        if request.method() == Method::CONNECT {
            return Err(error::METHOD_NOT_ALLOWED.into());
        }
        check_host(request)?;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
        let to = self.destination(request);
        let bytes_max = self.bytes_max(to.as_ref().unwrap_or(uri), headers);
        if length.and_then(|it| it.parse::<usize>().ok()).is_some_and(|it| it > bytes_max) {
            let text = format!("A body for this path has at most {bytes_max} bytes.");
            return Err(error::BODY_TOO_LARGE.saying(text));
        }
        Ok(())
    }

    /// Largest body that may come to this URI, which is routed already.
    fn bytes_max(&self, uri: &Uri, headers: &HeaderMap) -> usize {
        let kept = uri.path().starts_with(WORKFLOWS) && keeps_body(uri, headers);
        match within(uri.path()) {
            _ if kept => self.file_bytes_max,
            Some("proxy") => self.proxy_bytes_max,
            Some("file_stash") => self.file_bytes_max,
            _ => self.body_bytes_max,
        }
    }

    /// How long the answer may take. What has code run or calls an app has that one's own limits:
    /// who exceeds them is told so by the run or the call, and not by this.
    fn timeout(&self, uri: &Uri) -> Duration {
        match within(uri.path()) {
            Some("actions" | "components" | "triggers" | "deployed-triggers" | "workflows") => {
                self.code_timeout
            }
            Some("proxy") => self.proxy_timeout,
            _ => self.timeout,
        }
    }

    /// Where the request is routed to, if its URI says it in another way.
    fn destination(&self, request: &Request<Incoming>) -> Option<Uri> {
        let clean = routed(request.uri(), &self.prefix);
        let uri = clean.as_ref().unwrap_or(request.uri());
        let domain = self.workflow_domain.as_deref();
        let glued = || glued(uri, (&self.authority, &self.prefix), domain);
        self.of_workflow(request, uri).or_else(glued).or(clean)
    }

    /// The same request at the address of the workflow that its host names.
    fn of_workflow(&self, request: &Request<Incoming>, uri: &Uri) -> Option<Uri> {
        let domain = self.workflow_domain.as_deref()?;
        let host = request.uri().host().or_else(|| {
            let text = request.headers().get(header::HOST)?.to_str().ok()?;
            text.split(':').next()
        })?;
        below(uri, &host.to_ascii_lowercase(), domain)
    }

    /// Asks the router, within the time limit; a panic becomes an answer.
    async fn route(&self, mut request: Request<Incoming>) -> Response {
        if let Some(uri) = self.destination(&request) {
            *request.uri_mut() = uri;
        }
        let arrived = Arrived::default();
        let bytes_max = self.bytes_max(request.uri(), request.headers());
        let timeout = self.timeout(request.uri());
        let waits = request.headers().contains_key(header::EXPECT);
        let upload = |body| Body::new(Upload::new(body, (bytes_max, waits), arrived.clone()));
        let mut request = request.map(upload);
        DefaultBodyLimit::max(self.body_bytes_max).apply(&mut request);
        let whole = changes(&request);
        let asking = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        let asking = if whole {
            Either::Left(self.acts.spawn(asking.in_current_span()).map(Result::ok))
        } else {
            Either::Right(asking.map(Some))
        };
        match tokio::time::timeout(timeout, asking).await {
            Ok(Some(Ok(Ok(response)))) => response,
            Ok(Some(Ok(Err(never)))) => match never {},
            // The panic itself was logged by the hook.
            Ok(Some(Err(_)) | None) => Error::from(error::INTERNAL).into_response(),
            Err(_) if arrived.is_whole() => Error::from(error::TIMED_OUT).into_response(),
            Err(_) => closing(Error::from(error::REQUEST_TIMEOUT).into_response()),
        }
    }
}

/// Whether the request is done to its end though its caller may have left: one that changes things
/// must not stop between two of them. A call to an app ends with its caller.
fn changes(request: &Request<Body>) -> bool {
    !request.method().is_safe() && within(request.uri().path()) != Some("proxy")
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Ambiguous => error::INVALID_REQUEST.logging("framed in two ways"),
        Refusal::HeadTooLarge => error::HEADERS_TOO_LARGE.into(),
    }
}

/// HTTP/1.1 names the host once (RFC 9112 section 3.2); HTTP/2 does so in a field of its own.
fn check_host(request: &Request<Incoming>) -> Result<(), Error> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let missing = request.version() == Version::HTTP_11 && hosts == 0;
    if hosts > 1 || missing {
        return Err(error::INVALID_REQUEST.saying("Send the Host header once."));
    }
    Ok(())
}

/// After this answer nothing more is read: what follows may not be a request.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What a proxy calls the request, if that is fit to be logged.
fn proxy_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b':');
    (text.len() <= PROXY_ID_BYTES_MAX && text.bytes().all(plain)).then(|| text.to_owned())
}

/// What a path below `/v1/connect/[{project}/]` is about. Bodies of two of them are passed on or
/// stored as they come, and not kept.
fn within(path: &str) -> Option<&str> {
    let mut parts = path.strip_prefix("/v1/connect/")?.split('/');
    let first = parts.next()?;
    if first.starts_with(ProjectId::PREFIX) { parts.next() } else { Some(first) }
}

/// The URI to route by, if it differs: without the public URL's prefix, and each run of slashes one
/// slash, because clients that fill an empty id into a path double them. Escapes stay as they are,
/// so that what is authorised is what is routed.
fn routed(uri: &Uri, prefix: &str) -> Option<Uri> {
    let path = uri.path();
    let below = path.strip_prefix(prefix).filter(|it| it.starts_with('/')).unwrap_or(path);
    if below.len() == path.len() && !path.contains("//") {
        return None;
    }
    let mut clean = String::with_capacity(below.len());
    for c in below.chars() {
        if c != '/' || !clean.ends_with('/') {
            clean.push(c);
        }
    }
    if let Some(query) = uri.query() {
        clean.push('?');
        clean.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(clean).ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether the body of a request to a workflow is to be kept as a file, as header or query say.
pub(crate) fn keeps_body(uri: &Uri, headers: &HeaderMap) -> bool {
    let queried = || uri.query().is_some_and(|it| it.split('&').any(|it| it == KEPT_QUERY));
    headers.get(KEPT).is_some_and(|it| it.as_bytes() == b"1") || queried()
}

fn authority(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The address of a workflow that a client put, as a whole, after the address of this server
/// (`/https:/host/..`; two slashes are one already).
fn glued(uri: &Uri, (own, prefix): (&str, &str), domain: Option<&str>) -> Option<Uri> {
    let rest = ["/https:/", "/http:/"].iter().find_map(|it| uri.path().strip_prefix(it))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let query = uri.query().map(|it| format!("?{it}")).unwrap_or_default();
    let asked: Uri = format!("/{path}{query}").parse().ok()?;
    let host = authority.split(':').next()?.to_ascii_lowercase();
    if let Some(found) = domain.and_then(|it| below(&asked, &host, it)) {
        return Some(found);
    }
    let asked = routed(&asked, prefix).unwrap_or(asked);
    let ours = authority.eq_ignore_ascii_case(own) && asked.path().starts_with(WORKFLOWS);
    ours.then_some(asked)
}

/// The address of the workflow that a host below `domain` names, with what the request asks there.
fn below(uri: &Uri, host: &str, domain: &str) -> Option<Uri> {
    let key = host.strip_suffix(domain)?.strip_suffix('.')?;
    if key.is_empty() || !key.bytes().all(|it| it.is_ascii_alphanumeric()) {
        return None;
    }
    let asked = uri.path_and_query().map_or("/", |it| it.as_str());
    let asked = if uri.path() == "/" { &asked[1..] } else { asked };
    let mut parts = uri.clone().into_parts();
    let text = format!("/v1/workflows/{key}{asked}");
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_below_the_domain_of_workflows_names_one() {
        let at = |host: &str, uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            below(&uri, host, "flows.example").map(|it| it.to_string())
        };
        let wanted = "/v1/workflows/eo1a/x?a=b";
        assert_eq!(at("eo1a.flows.example", "/x?a=b").as_deref(), Some(wanted));
        assert_eq!(at("eo1a.flows.example", "/?a=b").as_deref(), Some("/v1/workflows/eo1a?a=b"));
        for host in ["flows.example", ".flows.example", "a.b.flows.example", "eo1aflows.example"] {
            assert_eq!(at(host, "/x"), None, "{host}");
        }
    }

    #[test]
    fn an_address_that_was_glued_to_ours_is_the_workflows() {
        let at = |text: &str| {
            let uri: Uri = text.parse().unwrap();
            glued(&uri, ("gk.example:8443", "/b"), Some("flows.example")).map(|it| it.to_string())
        };
        let own = "/https:/GK.example:8443/b/v1/workflows/eo1a/x?a=b";
        assert_eq!(at(own).as_deref(), Some("/v1/workflows/eo1a/x?a=b"));
        let named = "/http:/eo1a.flows.example?a=b";
        assert_eq!(at(named).as_deref(), Some("/v1/workflows/eo1a?a=b"));
        for other in [
            "/https:/gk.example:8443/b/v1/connect/proj_1/accounts",
            "/https:/gk.example/b/v1/workflows/eo1a",
            "/https:/evil.example/v1/workflows/eo1a",
            "/https:",
            "/v1/workflows/eo1a",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_proxy_and_the_stash_take_large_bodies() {
        for path in ["/v1/connect/proxy", "/v1/connect/proxy/aa", "/v1/connect/proj_1/proxy/aa"] {
            assert_eq!(within(path), Some("proxy"), "{path}");
        }
        assert_eq!(within("/v1/connect/proj_1/file_stash"), Some("file_stash"));
        assert_eq!(within("/v1/connect/file_stash"), Some("file_stash"));
        for path in [
            "/v1/connect/proj_1/accounts",
            "/v1/connect/users/proxy",
            "/v1/connect/proj_1/accounts/proxy",
            "/v1/connect/proj_1/proxy2",
            "/v1/proxy",
        ] {
            assert!(!matches!(within(path), Some("proxy" | "file_stash")), "{path}");
        }
    }

    #[test]
    fn row116_slashes_are_collapsed_and_escapes_left_alone() {
        let path = |text: &str, prefix: &str| {
            let uri: Uri = text.parse().unwrap();
            routed(&uri, prefix).unwrap_or(uri).to_string()
        };
        assert_eq!(path("/v1/connect//accounts?a=//b", ""), "/v1/connect/accounts?a=//b");
        assert_eq!(path("///v1////x/", ""), "/v1/x/");
        assert_eq!(path("/v1/..%2fadmin/%2f%2f", ""), "/v1/..%2fadmin/%2f%2f");
        assert_eq!(path("/base/v1//x?q", "/base"), "/v1/x?q");
        assert_eq!(path("/basement/v1", "/base"), "/basement/v1");
        assert_eq!(path("/v1", "/base"), "/v1");
        assert_eq!(path("http://h/v1//x", ""), "http://h/v1/x");
    }
}
