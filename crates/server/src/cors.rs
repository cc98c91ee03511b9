//! Cross-origin calls: browsers call with a connect token from the pages of the token's origins,
//! and from no others.
//!
//! A preflight carries no token, so it is answered for any origin; the call itself is judged by
//! `authn.rs`. There are no cookies in the API, so credentials are never allowed.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
/// Headers that pages may read: ours, and of an app's those that its answer cannot be used without.
const EXPOSED: &str = "content-disposition, content-range, etag, link, location, retry-after, \
     x-grantkeep-error, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id";
/// Seconds that a browser may remember a preflight.
const PREFLIGHT_LIFE_S: &str = "600";
/// Headers that pages may send, besides any that begins with `x-pd-proxy-`.
const HEADERS: [&str; 24] = [
    "accept",
    "authorization",
    "content-language",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "user-agent",
    "x-fern-language",
    "x-fern-runtime",
    "x-fern-runtime-version",
    "x-fern-sdk-name",
    "x-fern-sdk-version",
    "x-grantkeep-retry",
    "x-grantkeep-target",
    "x-pd-environment",
    "x-pd-external-user-id",
    "x-pd-rate-limit",
    "x-pd-sdk-version",
];

/// Answers preflights below `/v1/connect`. `None`: it is none.
pub(crate) fn preflight(request: &Request) -> Option<Response> {
    let asked = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let is_preflight = request.method() == Method::OPTIONS && asked;
    if !is_preflight || !request.uri().path().starts_with("/v1/connect") {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    if let Some(origin) = request.headers().get(header::ORIGIN).filter(|it| *it != "null") {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_LIFE_S));
    headers
        .insert(header::VARY, HeaderValue::from_static("origin, access-control-request-headers"));
    if let Ok(allowed) = HeaderValue::from_str(&allowed_headers(request.headers())) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    Some(response)
}

fn allowed_headers(headers: &HeaderMap) -> String {
    let asked = headers
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let proxied = asked
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| name.starts_with("x-pd-proxy-"));
    HEADERS.iter().map(|name| (*name).to_owned()).chain(proxied).collect::<Vec<_>>().join(", ")
}

/// Lets `origin` read the answer. The caller has checked that it may.
pub(crate) fn allow(headers: &mut HeaderMap, origin: &str) {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}
