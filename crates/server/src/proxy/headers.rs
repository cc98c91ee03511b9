//! Which headers pass, either way.
//!
//! To the app go a few that say what the body is and what is wanted, and those that the caller
//! marked for it. Back come all but those that speak to a connection, or to the browser about our
//! own origin.

use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use url::Url;

use crate::error::{self, Result};

/// A header with this in front is meant for the app.
pub(super) const PREFIX: &str = "x-pd-proxy-";

/// Passed on as they are.
const PASSED: [&str; 11] = [
    "accept",
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
];

/// Not for an app, though marked for it: they belong to the connection, to the browser, to us, or
/// tell the app of another request than the one that was judged.
const REFUSED: [&str; 50] = [
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "alt-used",
    "authorization",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-ip",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "method-override",
    "origin",
    "permissions-policy",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "wl-proxy-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-url",
    "x-originating-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
];
const REFUSED_BEGINNINGS: [&str; 6] =
    ["proxy-", "sec-", "x-envoy-", "x-forwarded-", "x-grantkeep-", "x-pd-"];

/// Not passed back.
const DROPPED: [&str; 33] = [
    "accept-ch",
    "age",
    "alt-svc",
    "cache-control",
    "cdn-cache-control",
    "clear-site-data",
    "connection",
    "content-length",
    "critical-ch",
    "expires",
    "keep-alive",
    "nel",
    "origin-agent-cluster",
    "permissions-policy",
    "pragma",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "sourcemap",
    "strict-transport-security",
    "surrogate-control",
    "te",
    "timing-allow-origin",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
];
const DROPPED_BEGINNINGS: [&str; 13] = [
    "access-control-",
    "content-security-policy",
    "cross-origin-",
    "proxy-",
    "public-key-pins",
    "sec-",
    // Orders to web servers in front of this one, which would send their own files.
    "x-accel-",
    "x-grantkeep-",
    "x-lighttpd-",
    "x-litespeed-",
    "x-pd-",
    "x-reproxy-",
    "x-sendfile",
];

/// What a browser would show as a page.
const PAGES: [&str; 5] =
    ["text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"];

/// The headers that the app gets from the caller. What the app's file adds comes after.
///
/// # Errors
/// [`error::HEADER_NOT_ALLOWED`] for a marked header that no app may get.
pub(super) fn to_app(from: &HeaderMap) -> Result<HeaderMap> {
    let mut to = HeaderMap::with_capacity(from.len() + 4);
    for name in PASSED {
        for value in from.get_all(name) {
            to.append(HeaderName::from_static(name), value.clone());
        }
    }
    for key in from.keys() {
        let Some(name) = key.as_str().strip_prefix(PREFIX) else { continue };
        let name = marked(name)?;
        // The marked one counts, where the caller's own client sends another by habit.
        to.remove(&name);
        for value in from.get_all(key) {
            to.append(name.clone(), value.clone());
        }
    }
    // What says nothing must not keep the app's own default from being sent.
    if to.get(ACCEPT).is_some_and(|it| it == "*/*") {
        to.remove(ACCEPT);
    }
    // Answers are looked through for the credential, so they must be in clear.
    to.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(to)
}

/// What every request has, unless the caller or the app's file says otherwise.
pub(super) fn complete(headers: &mut HeaderMap) {
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("Grantkeep"));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
}

fn marked(name: &str) -> Result<HeaderName> {
    let refused = REFUSED.binary_search(&name).is_ok()
        || REFUSED_BEGINNINGS.iter().any(|it| name.starts_with(it))
        // Some servers read `X_Name` as `X-Name`, and so as one that was refused.
        || name.contains('_');
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if !refused => Ok(name),
        _ => Err(error::HEADER_NOT_ALLOWED
            .saying(format!("The header `{PREFIX}{name}` cannot be sent to an app."))
            .with(json!({ "header": name }))),
    }
}

/// The headers that the caller gets from the app. `at` is where the app was asked; `own` is where
/// this server is.
pub(super) fn to_caller(mut headers: HeaderMap, at: &Url, own: &[&Url]) -> HeaderMap {
    let named = named_by_connection(&headers);
    let dropped = |name: &HeaderName| {
        DROPPED.binary_search(&name.as_str()).is_ok()
            || DROPPED_BEGINNINGS.iter().any(|it| name.as_str().starts_with(it))
            || named.contains(name)
    };
    let gone: Vec<HeaderName> = headers.keys().filter(|it| dropped(it)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
    if let Some(location) = headers.remove(LOCATION)
        && let Some(to) =
            place(&location, at).filter(|it| !own.iter().any(|own| is_at(own, it, at)))
        && let Ok(to) = HeaderValue::from_str(to.as_str())
    {
        headers.insert(LOCATION, to);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'"),
    );
    // It is one user's data, whatever the app says of who asks with its own credential.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if is_page(&headers) && !headers.contains_key(CONTENT_DISPOSITION) {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    headers
}

pub(crate) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|it| it.to_str().ok());
    let names = values.flat_map(|it| it.split(','));
    names.filter_map(|it| HeaderName::from_bytes(it.trim().as_bytes()).ok()).collect()
}

/// Where a `Location` leads, if to the web. It is sent as a whole: for the caller's client, a
/// relative one would lead to this server, and whoever follows it there brings his own credential.
fn place(location: &HeaderValue, at: &Url) -> Option<Url> {
    let url = location.to_str().ok().and_then(|it| at.join(it).ok())?;
    matches!(url.scheme(), "https" | "http").then_some(url)
}

/// Whether a client that goes to `to` brings what it has for `own`. Some compare the host alone, so
/// another port of it counts too, unless it is the very place that was asked.
fn is_at(own: &Url, to: &Url, at: &Url) -> bool {
    let host = |it: &Url| it.host_str().map(|it| it.trim_end_matches('.').to_owned());
    to.origin() == own.origin() || (host(to) == host(own) && to.origin() != at.origin())
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    PAGES.iter().any(|it| it.eq_ignore_ascii_case(kind))
}

/// The length that the app announced, if it did.
pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the answer is a stream of events (HTML, server-sent events).
pub(crate) fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.trim_start().get(..17).is_some_and(|it| it.eq_ignore_ascii_case("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        let mut all = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            all.append(name, value);
        }
        all
    }

    #[test]
    fn the_lists_are_in_order_so_that_they_can_be_searched() {
        assert!(REFUSED.is_sorted() && DROPPED.is_sorted());
    }

    #[test]
    fn p_05_only_marked_and_harmless_headers_reach_the_app() {
        let from = headers(&[
            ("authorization", "Bearer ours"),
            ("cookie", "a=b"),
            ("host", "us"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x_api_key", "k"),
            ("x-http-method-override", "DELETE"),
            ("x-pd-environment", "production"),
            ("x-grantkeep-target", "/x"),
            ("connection", "authorization, x-api-key"),
            ("content-type", "application/json"),
            ("idempotency-key", "7"),
            ("accept", "*/*"),
            ("x-pd-proxy-accept", "text/csv"),
            ("x-pd-proxy-x-foo", "bar"),
            ("x-pd-proxy-x-foo", "baz"),
            ("x-request-id", "ours"),
            ("x-pd-proxy-x-request-id", "theirs"),
        ]);
        let mut to = to_app(&from).unwrap();
        complete(&mut to);
        let mut names: Vec<&str> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "accept",
            "accept-encoding",
            "content-type",
            "idempotency-key",
            "user-agent",
            "x-foo",
            "x-request-id",
        ];
        assert_eq!(names, expected);
        assert_eq!(to["accept"], "text/csv");
        assert_eq!(to["x-request-id"], "theirs");
        assert_eq!(to.get_all("x-foo").iter().count(), 2);
    }

    #[test]
    fn row_72_headers_that_no_app_may_get() {
        for name in [
            "authorization",
            "cookie",
            "host",
            "connection",
            "x-forwarded-host",
            "x_api_key",
            "transfer-encoding",
            "proxy-authorization",
            "sec-fetch-mode",
            "x-pd-proxy-x",
            "te",
            "x-http-method-override",
            "accept-encoding",
            "via",
            "cf-connecting-ip",
            "client-ip",
            "true-client-ip",
            "x-cluster-client-ip",
            "x-envoy-original-path",
            "x-forwarded",
            "x-host",
            "x-original-host",
            "",
        ] {
            let key = HeaderName::from_bytes(format!("{PREFIX}{name}").as_bytes()).unwrap();
            let from: HeaderMap = [(key, HeaderValue::from_static("x"))].into_iter().collect();
            let refused = to_app(&from).unwrap_err();
            assert_eq!(refused.kind().code, "header_not_allowed", "{name}");
        }
    }

    #[test]
    fn p_06_row_80_what_an_app_says_to_a_browser_is_dropped() {
        let at = Url::parse("https://api.x.com/a").unwrap();
        let from = headers(&[
            ("set-cookie", "a=b"),
            ("strict-transport-security", "max-age=1"),
            ("alt-svc", "h3"),
            ("clear-site-data", "*"),
            ("public-key-pins-report-only", "x"),
            ("service-worker-allowed", "/"),
            ("content-security-policy-report-only", "x"),
            ("access-control-allow-origin", "*"),
            ("x-grantkeep-error", "frozen"),
            ("x-accel-redirect", "/secret"),
            ("x-sendfile", "/etc/passwd"),
            ("x-sendfile2", "/etc/passwd 0-"),
            ("x-lighttpd-send-file", "/etc/passwd"),
            ("x-litespeed-location", "/secret"),
            ("x-reproxy-url", "http://127.0.0.1/"),
            ("connection", "x-inner, close"),
            ("x-inner", "1"),
            ("cache-control", "public, max-age=100"),
            ("content-type", "Text/HTML; charset=utf-8"),
            ("location", "javascript:alert(1)"),
            ("etag", "\"1\""),
        ]);
        let to = to_caller(from, &at, &[]);
        let mut names: Vec<&str> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "cache-control",
            "content-disposition",
            "content-security-policy",
            "content-type",
            "etag",
            "x-content-type-options",
        ];
        assert_eq!(names, expected);
        assert_eq!(to["cache-control"], "private, no-store");
    }

    #[test]
    fn p_03_a_location_is_whole_and_never_this_server() {
        let at = Url::parse("https://api.x.com/a/b?q").unwrap();
        let own = ["https://gk.example/base", "https://login.acme.example", "http://gk:8080"];
        let own = own.map(|it| Url::parse(it).unwrap());
        let own: Vec<&Url> = own.iter().collect();
        let moved = |location: &str, own: &[&Url]| {
            let to = to_caller(headers(&[("location", location)]), &at, own);
            to.get("location").map(|it| it.to_str().unwrap().to_owned())
        };
        for (location, whole) in [
            ("../b?c", "https://api.x.com/b?c"),
            ("/v1/connect/apps/slack/accounts", "https://api.x.com/v1/connect/apps/slack/accounts"),
            ("https:/v1/connect", "https://api.x.com/v1/connect"),
            ("?page=2", "https://api.x.com/a/b?page=2"),
            ("//gk.example.evil.example/x", "https://gk.example.evil.example/x"),
            ("http://api.x.com:81/x#y", "http://api.x.com:81/x#y"),
        ] {
            assert_eq!(moved(location, &own).as_deref(), Some(whole), "{location}");
        }
        for location in [
            "https://gk.example/v1/connect",
            "//GK.example/v1",
            "https:\\\\gk.example\\v1",
            "https://gk.example./v1",
            "http://a:b@gk.example:81/v1",
            "https://login.acme.example/x",
            "http://gk:8080/v1",
        ] {
            assert_eq!(moved(location, &own), None, "{location}");
        }
        // An app at another port of our host may lead on to itself.
        let beside = Url::parse("https://api.x.com:8443/").unwrap();
        assert!(moved("/x", &[&beside]).is_some());
        assert_eq!(moved("https://api.x.com:8443/x", &[&beside]), None);
    }
}
