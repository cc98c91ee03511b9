//! One request of code's, made anew: judged, with credentials in it, and sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::answer::{Record, pass, screen};
use super::connection::Link;
use super::grants::Granted;
use super::load::{Load, Need};
use super::replace::{Replacer, Spelling};
use super::socket;
use crate::audit::Event;
use crate::egress::{self, EgressError, Limits, Ports};
use crate::error::{self, Error, Result};
use crate::meters::Meter;
use crate::proxy::headers::named_by_connection;
use crate::proxy::inject::Injection;
use crate::proxy::send::told;
use crate::proxy::sign::Unsigned;
use crate::serve::{Busy, Refusal};
use crate::slots::{RETRY_AFTER_S, Slot};
use crate::tallies::Noted;

/// Headers of the connection, which pass neither way (RFC 9110 section 7.6.1).
const HOPS: [HeaderName; 11] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("alt-svc"),
];

/// Answers one request. What cannot be sent is answered here, by an error of ours.
pub(super) async fn forward(
    link: &Link,
    mut request: Request<Incoming>,
    refusal: Option<Refusal>,
    busy: Busy,
) -> Response<Body> {
    let method = request.method().clone();
    let mut record = Record::begin(link, (&method, request.uri().path()), busy);
    let upgrade = socket::is_asked(&request).then(|| hyper::upgrade::on(&mut request));
    let sent = match judge(link, &request, refusal) {
        Ok(()) => send(link, &mut record, request).await,
        Err(error) => Err(error),
    };
    match (sent, upgrade) {
        (Ok((response, slots, _)), Some(code))
            if response.status() == StatusCode::SWITCHING_PROTOCOLS =>
        {
            socket::join(link, (code, response), (record, slots))
        }
        (Ok((response, slots, end)), _) => pass((record, &method), response, (slots, end)),
        (Err(error), _) => {
            record.failed(error.kind().code);
            let mut response = error.into_response();
            // The rest of the body would be taken for the next request.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// Refuses what is no plain request to the host of the connection.
fn judge(link: &Link, request: &Request<Incoming>, refusal: Option<Refusal>) -> Result<()> {
    link.grants.not_over()?;
    match refusal {
        Some(Refusal::Ambiguous) => {
            return Err(error::INVALID_REQUEST.saying("The request can be read in two ways."));
        }
        Some(Refusal::HeadTooLarge) => return Err(error::HEADERS_TOO_LARGE.into()),
        None => {}
    }
    let plain = link.scheme == "http";
    if plain && link.app.egress.check(&link.way.uri("http")?, Ports::Any).is_err() {
        return Err(error::SCHEME_NOT_ALLOWED.saying("Code reaches this host by https only."));
    }
    let (uri, headers) = (request.uri(), request.headers());
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(error::METHOD_NOT_ALLOWED.saying("Code cannot use this method."));
    }
    if uri.authority().is_some() || uri.scheme().is_some() || !uri.path().starts_with('/') {
        return Err(error::INVALID_TARGET.saying("The request must name a path, not a URL."));
    }
    if headers.contains_key(UPGRADE) && !socket::is_asked(request) {
        return Err(error::INVALID_REQUEST
            .saying("Of upgrades, WebSockets are passed on, asked for by GET; no others."));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (host, more) = (hosts.next().and_then(|it| it.to_str().ok()), hosts.next());
    let (name, port) = (link.way.name(), link.way.port);
    let fits = |it: &str| {
        it.eq_ignore_ascii_case(&link.way.authority(link.scheme))
            || it.eq_ignore_ascii_case(&format!("{name}:{port}"))
    };
    if more.is_some() || !host.is_some_and(fits) {
        return Err(error::INVALID_TARGET
            .saying("`Host` must name, once, the host that the connection leads to."));
    }
    Ok(())
}

/// Without what belongs to the connection that they came on.
pub(super) fn without_hops(mut headers: HeaderMap) -> HeaderMap {
    for name in named_by_connection(&headers) {
        headers.remove(name);
    }
    for name in &HOPS {
        headers.remove(name);
    }
    headers
}

type Answered = (Response<Incoming>, Vec<Slot>, Instant);

async fn send(link: &Link, record: &mut Record, request: Request<Incoming>) -> Result<Answered> {
    let owners = link.way.owners(&link.app, &link.grants, link.scheme);
    let upgrade = socket::is_asked(&request);
    let (parts, body) = request.into_parts();
    let asked = Asked::of(link, (parts, upgrade), &owners);
    let load = Load::of(body, asked.need(&owners), record.sent.clone()).await?;
    let end = Instant::now() + link.app.config.proxy_total_timeout_ms.duration();
    let mut sending = Sending { link, asked, owners, load, end, slots: Vec::new() };
    let response = sending.run(record).await?;
    let Asked { method, upgrade, .. } = &sending.asked;
    screen(&link.app, (method, *upgrade), &response)?;
    Ok((response, sending.slots, end))
}

/// A request as code made it, without what belongs to its connection.
struct Asked {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    /// How its body is written, where placeholders may stand in it.
    spelling: Option<Spelling>,
    /// The one owner that signs it.
    signer: Option<usize>,
    /// Whether it asks for a WebSocket.
    upgrade: bool,
}

impl Asked {
    fn of(link: &Link, (parts, upgrade): (Parts, bool), owners: &[&Granted]) -> Self {
        let mut headers = without_hops(parts.headers);
        for name in [HOST, CONTENT_LENGTH, EXPECT] {
            headers.remove(name);
        }
        if link.grants.has_blinds() {
            // Answers are looked through for credentials, so they must be in clear.
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if upgrade {
            socket::ask(link, &mut headers);
        }
        let blind = owners.iter().any(|it| !it.blinds.is_empty());
        let clear = blind && !headers.contains_key(CONTENT_ENCODING);
        let spelling = Spelling::of(headers.get(CONTENT_TYPE)).filter(|_| clear);
        let mut signers = (0..owners.len()).filter(|at| owners[*at].signs(&headers));
        let (signer, another) = (signers.next(), signers.next());
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(ToOwned::to_owned),
            // Of two accounts nobody can say which is meant.
            signer: signer.filter(|_| another.is_none()),
            spelling,
            headers,
            upgrade,
        }
    }

    fn need(&self, owners: &[&Granted]) -> Need {
        let signed = self.signer.is_some_and(|at| owners[at].signer.covers_body(&self.headers));
        match (signed, self.spelling) {
            (true, _) => Need::Whole,
            (false, Some(_)) => Need::Text,
            (false, None) => Need::Nothing,
        }
    }
}

struct Sending<'a> {
    link: &'a Link,
    asked: Asked,
    owners: Vec<&'a Granted>,
    load: Load,
    end: Instant,
    /// One for each account whose credential leaves.
    slots: Vec<Slot>,
}

/// A request, ready to leave.
struct Made {
    request: Request<egress::Body>,
    url: String,
    /// The owners whose credentials are in it.
    used: BTreeSet<usize>,
}

impl Sending<'_> {
    async fn run(&mut self, record: &mut Record) -> Result<Response<Incoming>> {
        let (mut renewed, mut proved, mut noted, mut refused) = (false, false, false, false);
        loop {
            let held: Vec<Arc<Injection>> = self.owners.iter().map(|it| it.current()).collect();
            let Made { request, url, used } = self.request(&held).await?;
            if !noted {
                self.note(record, (&held, &used)).await?;
                noted = true;
            }
            let response = match self.once(request, &used).await {
                Ok(response) => response,
                Err(error) if error.was_refused() && self.load.can_be_sent_again() && !refused => {
                    refused = true;
                    continue;
                }
                Err(_) if record.sent.is_over() => return Err(error::BODY_TOO_LARGE.into()),
                Err(error) => return Err(told(&error)),
            };
            if !self.load.can_be_sent_again() {
                return Ok(response);
            }
            if let Some(at) = self.asked.signer
                && !proved
                && let Some(said) = self.owners[at].signer.asks(&response)
                && self.owners[at].signer.wants_nonce(&self.link.app, &url, said).await
            {
                proved = true;
                continue;
            }
            let expired = response.status() == StatusCode::UNAUTHORIZED && !used.is_empty();
            if expired && !renewed && self.renew(&held, &used, &url).await {
                renewed = true;
                continue;
            }
            return Ok(response);
        }
    }

    /// Gets another token, if there is one for the same host: whoever reconnected meanwhile may
    /// have done so elsewhere. What the app said is the answer otherwise: code must see that a
    /// grant is gone.
    async fn renew(&self, held: &[Arc<Injection>], used: &BTreeSet<usize>, url: &str) -> bool {
        let app = &self.link.app;
        let mut any = false;
        for at in used {
            any |= self.owners[*at].renew(app, &held[*at]).await.unwrap_or(false);
        }
        let url = Url::parse(url);
        any && used.iter().all(|at| url.as_ref().is_ok_and(|it| self.owners[*at].owns(app, it)))
    }

    /// The request as it leaves, credentials and all.
    async fn request(&mut self, held: &[Arc<Injection>]) -> Result<Made> {
        let owners = self.owners.iter().zip(held).enumerate();
        let owners = owners.map(|(at, (granted, it))| (at, granted.blinds.as_slice(), &**it));
        let mut replacer = Replacer::new(owners.collect());
        let mut headers = self.asked.headers.clone();
        replacer.headers(&mut headers)?;
        let target = replacer.target(&self.asked.path, self.asked.query.as_deref());
        let text = self.asked.spelling.and_then(|it| replacer.text(self.load.whole(), it));
        let instead = text.map(|it| Bytes::copy_from_slice(&it));
        let mut used = replacer.used().clone();
        let link = self.link;
        let url = format!("{}://{}{}", link.scheme, link.way.authority(link.scheme), *target);
        let method = &self.asked.method;
        if let Some(at) = self.asked.signer {
            let body = instead.as_deref().unwrap_or(self.load.whole());
            let mut unsigned = Unsigned { method, url: &url, headers: &mut headers, body };
            self.owners[at].signer.sign(&link.app, &held[at], &mut unsigned).await?;
            used.insert(at);
        }
        let posts = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
        if posts && matches!(self.load, Load::Nothing) {
            // Some servers answer 411 to a POST without a length.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = Request::new(self.load.take(instead)?);
        *request.method_mut() = method.clone();
        *request.uri_mut() = url.parse().map_err(|_| Error::from(error::INVALID_TARGET))?;
        *request.headers_mut() = headers;
        Ok(Made { request, url, used })
    }

    /// Before a credential leaves: that it may, that not too many do at once, and that it is
    /// written down.
    async fn note(
        &mut self,
        record: &mut Record,
        (held, used): (&[Arc<Injection>], &BTreeSet<usize>),
    ) -> Result<()> {
        let link = self.link;
        let (app, by) = (&link.app, &link.grants.by);
        for at in used {
            let account = &held[*at].usable.account;
            if app.freezes().await?.hold(&by.tenant.project, &account.app_slug) {
                return Err(error::FROZEN.into());
            }
            let slot = app.slots.take(&account.id);
            let busy = || Error::from(error::TOO_MANY_AT_ONCE).retry_after(RETRY_AFTER_S);
            self.slots.push(slot.ok_or_else(busy)?);
            record.uses(&account.id);
            let noted = Noted {
                actor: &by.actor,
                account: &account.id,
                writes: self.asked.method != Method::GET,
                now_ms: app.clock.now_ms(),
            };
            let first = || {
                let event = Event::new("code.request", &by.actor, &by.origin).tenant(&by.tenant);
                let event = event.target("account", account.id.as_str());
                event.user(&account.external_id).detail(json!({
                    "app": account.app_slug,
                    "method": self.asked.method.as_str(),
                    "host": link.way.name(),
                }))
            };
            record.windows.push(app.tallies.open(&app.audit, noted, first).await?);
            app.meters.count(&by.tenant, Meter::ProxyCalls, app.clock.now_ms());
        }
        Ok(())
    }

    async fn once(
        &self,
        request: Request<egress::Body>,
        used: &BTreeSet<usize>,
    ) -> Result<Response<Incoming>, EgressError> {
        let app = &self.link.app;
        let left = self.end.saturating_duration_since(Instant::now());
        let limits = Limits {
            answer_bytes_max: app.config.proxy_answer_bytes_max,
            first_byte_timeout: left,
            total_timeout: left,
            ports: self.owners.first().map_or(Ports::WebOrHttp, |it| it.ports),
        };
        let egress = used.first().map_or(&app.egress, |at| &self.owners[*at].egress);
        let project = self.link.grants.by.tenant.project.as_str();
        if self.asked.upgrade {
            egress.upgrade(request, limits).await
        } else {
            egress.stream_for(project, request, limits).await
        }
    }
}
