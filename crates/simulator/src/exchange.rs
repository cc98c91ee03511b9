//! A request as the providers read it, and the answer they give.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::refreshes::RefreshId;

/// Names and values in the order sent.
#[derive(Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The value, or empty when it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }

    /// Whether a parameter came twice, which RFC 6749 section 3.1 forbids.
    pub(crate) fn any_twice(&self) -> bool {
        self.0.iter().enumerate().any(|(n, (name, _))| self.0[..n].iter().any(|it| it.0 == *name))
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// One request, read whole.
pub(crate) struct Call {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Set for a refresh with a token that was once issued here.
    pub refresh: Option<RefreshId>,
}

impl Call {
    /// A call that nobody sent: how the in-process methods use the same code as the pages.
    pub(crate) fn made_here(method: Method, path: &str, params: &str) -> Self {
        let (query, body) = match method {
            Method::GET => (params.to_owned(), Bytes::new()),
            _ => (String::new(), Bytes::from(params.to_owned())),
        };
        let (path, headers) = (path.to_owned(), HeaderMap::new());
        Self { method, path, query, headers, body, refresh: None }
    }

    pub(crate) fn query(&self) -> Params {
        Params::parse(self.query.as_bytes())
    }

    pub(crate) fn form(&self) -> Params {
        Params::parse(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or("")
    }

    pub(crate) fn cookie(&self, name: &str) -> &str {
        self.header("cookie")
            .split(';')
            .filter_map(|it| it.trim().split_once('='))
            .find(|(it, _)| *it == name)
            .map_or("", |(_, value)| value)
    }

    /// The part of the path before the endpoint: `/slug` or `/slug/w/workspace`.
    pub(crate) fn root(&self) -> String {
        let slug = self.path.split('/').nth(1).unwrap_or("");
        match self.workspace() {
            Some(workspace) => format!("/{slug}/w/{workspace}"),
            None => format!("/{slug}"),
        }
    }

    pub(crate) fn workspace(&self) -> Option<&str> {
        let mut parts = self.path.split('/').skip(2);
        if parts.next() == Some("w") { parts.next() } else { None }
    }

    /// What follows `Bearer`, `Basic` or `OAuth` in the Authorization header.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let value = self.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (sent, rest) = value.split_once(' ')?;
        sent.eq_ignore_ascii_case(scheme).then_some(rest.trim())
    }

    /// User and password of HTTP Basic (RFC 7617), as sent.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        use base64::Engine as _;
        let sent = self.authorization("basic")?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(sent).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }
}

/// Decodes one form-encoded word, as client authentication wants it (RFC 6749 section 2.3.1).
pub(crate) fn form_decoded(word: &str) -> String {
    percent_decode_str(&word.replace('+', " ")).decode_utf8_lossy().into_owned()
}

pub(crate) fn form_encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// An answer, whole, so that faults can bend it.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers, body: Bytes::from(body) }
    }

    pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A page. It may not be framed, and loads nothing from elsewhere.
    pub(crate) fn html(status: StatusCode, body: String) -> Self {
        const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; \
            img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";
        Self::new(status, "text/html; charset=utf-8", body)
            .with("content-security-policy", POLICY)
            .with("x-frame-options", "DENY")
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "no-referrer")
    }

    pub(crate) fn see_other(to: &str) -> Self {
        Self::new(StatusCode::SEE_OTHER, "text/plain", String::new()).with("location", to)
    }

    pub(crate) fn not_found() -> Self {
        Self::json(StatusCode::NOT_FOUND, &serde_json::json!({ "error": "not_found" }))
    }

    /// Sets a header; a value that cannot be one is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Where a redirect leads; empty when this is none.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).and_then(|it| it.to_str().ok()).unwrap_or("")
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
