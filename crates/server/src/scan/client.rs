//! Requests to the one server that is looked at, and to nobody else.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Method, Request};
use serde_json::Value;
use url::Url;

use crate::config::Config;
use crate::egress::Egress;

/// Requests of one scan. It takes about 150.
pub const REQUESTS_MAX: u32 = 300;
/// Characters of what a server said that are repeated.
const QUOTED_CHARS_MAX: usize = 120;

/// Why there is no verdict.
#[derive(Debug)]
pub enum Trouble {
    /// The server does not answer, or refuses the set-up. The text says what to do.
    SetUp(String),
    /// The deployment has nothing to try this with.
    NotAsked(String),
    /// A step before the attack went otherwise than it must.
    Unexpected(String),
}

/// One browser profile, or none: what keeps cookies.
#[derive(Default)]
pub struct Profile(Mutex<BTreeMap<String, String>>);

impl Profile {
    fn header(&self) -> Option<String> {
        let cookies = self.0.lock().ok()?;
        let pairs: Vec<String> = cookies.iter().map(|(name, it)| format!("{name}={it}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep(&self, headers: &HeaderMap) {
        let Ok(mut cookies) = self.0.lock() else { return };
        for text in headers.get_all(SET_COOKIE).iter().filter_map(|it| it.to_str().ok()) {
            let pair = text.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A request that is being put together.
pub struct Ask<'a> {
    method: Method,
    place: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    profile: Option<&'a Profile>,
}

impl<'a> Ask<'a> {
    pub fn new(method: Method, place: impl Into<String>) -> Self {
        let place = place.into();
        Self { method, place, headers: Vec::new(), body: Vec::new(), profile: None }
    }

    pub fn get(place: impl Into<String>) -> Self {
        Self::new(Method::GET, place)
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        self.body = form.extend_pairs(pairs).finish().into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub fn of(mut self, profile: &'a Profile) -> Self {
        self.profile = Some(profile);
        self
    }
}

/// What came back.
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The stable code of an answer or of a page.
    pub fn code(&self) -> String {
        if let Some(code) = self.json()["code"].as_str() {
            return code.to_owned();
        }
        let after = self.text.rsplit_once("<code>").map(|it| it.1).unwrap_or_default();
        after.split_once("</code>").map(|it| it.0.to_owned()).unwrap_or_default()
    }

    /// What a page tells its script.
    pub fn boot(&self) -> Value {
        let after = self.text.split_once(r#"id="boot">"#).map(|it| it.1).unwrap_or_default();
        let text = after.split_once("</script>").map(|it| it.0).unwrap_or_default();
        serde_json::from_str(text).unwrap_or_default()
    }

    pub fn cookies(&self) -> Vec<&str> {
        let all = self.headers.get_all(SET_COOKIE).iter();
        // One that is taken away gives nobody anything.
        all.filter_map(|it| it.to_str().ok()).filter(|it| !it.contains("Max-Age=0")).collect()
    }

    /// For a verdict: short, and without what could be a secret.
    pub fn told(&self) -> String {
        let code: String = self.code().chars().take(QUOTED_CHARS_MAX).collect();
        if code.is_empty() {
            format!("status {}", self.status)
        } else {
            format!("status {} {code}", self.status)
        }
    }

    /// Whether a person's no was taken, and has ended its flow. Without the issuer that some apps
    /// must send it is refused for that, which ends the flow as well.
    pub fn ended_by_a_no(&self) -> bool {
        self.is(200, "access_denied") || self.is(400, "issuer_mismatch")
    }

    pub fn is(&self, status: u16, code: &str) -> bool {
        self.status == status && self.code() == code
    }
}

pub struct Client {
    egress: Egress,
    base: Url,
    sent: AtomicU32,
}

impl Client {
    /// The operator names the server, so it may be on a private address.
    pub fn new(config: &Config, base: Url) -> Result<Self, Trouble> {
        let egress = Egress::for_operator(config).map_err(|it| Trouble::SetUp(it.to_string()))?;
        Ok(Self { egress, base, sent: AtomicU32::new(0) })
    }

    pub fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    pub fn is_here(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// The place as an address of the server that was named; any other is refused.
    fn address(&self, place: &str) -> Result<Url, Trouble> {
        let wrong = |why: String| Trouble::SetUp(why);
        let path = self.base.path().trim_end_matches('/');
        let text = if place.starts_with('/') {
            format!("{}{path}{place}", self.base.origin().ascii_serialization())
        } else {
            place.to_owned()
        };
        let url = Url::parse(&text).map_err(|it| wrong(format!("{it}: cannot ask for it")))?;
        if self.is_here(&url) {
            return Ok(url);
        }
        let host = url.host_str().unwrap_or_default();
        Err(wrong(format!("The scan would have to call {host}, which is not the server named.")))
    }

    pub async fn send(&self, ask: Ask<'_>) -> Result<Seen, Trouble> {
        if self.sent.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            return Err(Trouble::SetUp(format!("The scan ended after {REQUESTS_MAX} requests.")));
        }
        let url = self.address(&ask.place)?;
        let unusable = |it: &dyn std::fmt::Display| Trouble::SetUp(format!("{it}"));
        let mut request = Request::new(Full::new(Bytes::from(ask.body)));
        *request.method_mut() = ask.method;
        *request.uri_mut() = url.as_str().parse().map_err(|it| unusable(&it))?;
        for (name, value) in ask.headers {
            let value = HeaderValue::from_str(&value).map_err(|it| unusable(&it))?;
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        if let Some(cookies) = ask.profile.and_then(Profile::header) {
            let value = HeaderValue::from_str(&cookies).map_err(|it| unusable(&it))?;
            request.headers_mut().insert(COOKIE, value);
        }
        let answer = self.egress.send(request, self.egress.limits()).await.map_err(|error| {
            Trouble::SetUp(format!("The server does not answer: {}", error.detail()))
        })?;
        if let Some(profile) = ask.profile {
            profile.keep(&answer.headers);
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Ok(Seen { status: answer.status.as_u16(), headers: answer.headers, text })
    }
}

/// Whether an answer is a page.
pub fn is_page(seen: &Seen) -> bool {
    seen.header(CONTENT_TYPE.as_str()).starts_with("text/html")
}
