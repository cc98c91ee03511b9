//! Answers that a source's code gives to requests, as answers of this server. Whatever it says is
//! a stranger's content at our own origin: no page of it may act there, and no cookie is set.

use axum::body::Body;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Headers of one answer.
const HEADERS_MAX: usize = 64;
/// What code may not say: how the connection works, and what would hold for all of our origin.
const REFUSED: [&str; 16] = [
    "alt-svc",
    "clear-site-data",
    "connection",
    "content-length",
    "content-security-policy",
    "keep-alive",
    "public-key-pins",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-content-type-options",
];

/// What code said.
#[derive(Debug)]
pub(crate) struct Said {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Said {
    /// From `http.respond`. What cannot be said is left out.
    pub fn of(params: &Value) -> Self {
        let status = params["status"].as_u64().and_then(|it| u16::try_from(it).ok());
        let status = status.filter(|it| *it >= 200).map(StatusCode::from_u16);
        let status = status.and_then(Result::ok).unwrap_or(StatusCode::OK);
        let (body, kind) = match (&params["bodyBase64"], &params["body"]) {
            (Value::String(text), _) => {
                let bytes = BASE64_STANDARD.decode(text).unwrap_or_default();
                (bytes, "application/octet-stream")
            }
            (_, Value::Null) => (Vec::new(), ""),
            (_, Value::String(text)) => (text.clone().into_bytes(), "text/plain; charset=utf-8"),
            (_, other) => (other.to_string().into_bytes(), "application/json"),
        };
        // RFC 9110 section 15.3.5 and others: these have none.
        let bodiless = matches!(status.as_u16(), 204 | 205 | 304);
        let (body, kind) = if bodiless { (Vec::new(), "") } else { (body, kind) };
        let mut headers = headers(&params["headers"]);
        let typed = headers.iter().any(|(name, _)| name == header::CONTENT_TYPE);
        if !typed && !kind.is_empty() {
            headers.push((header::CONTENT_TYPE, HeaderValue::from_static(kind)));
        }
        Self { status, headers, body }
    }

    pub fn answer(self) -> Response<Body> {
        let mut answer = Response::new(Body::from(self.body));
        *answer.status_mut() = self.status;
        for (name, value) in self.headers {
            answer.headers_mut().append(name, value);
        }
        guarded(answer)
    }
}

fn headers(given: &Value) -> Vec<(HeaderName, HeaderValue)> {
    let Some(given) = given.as_object() else { return Vec::new() };
    let one = |(name, value): (&String, &Value)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        let ours = name.as_str().starts_with("x-grantkeep-") || name.as_str().starts_with("proxy-");
        if ours || REFUSED.contains(&name.as_str()) {
            return None;
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        Some((name, HeaderValue::try_from(text).ok()?))
    };
    given.iter().take(HEADERS_MAX).filter_map(one).collect()
}

/// An answer that can do nothing at our origin, and that every page may read: the address is the
/// only credential, and cookies count for nothing here.
pub(crate) fn guarded(mut answer: Response<Body>) -> Response<Body> {
    let set = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in set {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let anybody = HeaderValue::from_static("*");
    answer.headers_mut().entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(anybody);
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_code_can_do_nothing_at_our_origin() {
        let answer = Said::of(&json!({ "status": 201, "body": { "a": 1 }, "headers": {
            "set-cookie": "a=b", "Content-Security-Policy": "x", "x-mine": 7, "x-bad": "a\nb",
            "Strict-Transport-Security": "max-age=1", "Transfer-Encoding": "chunked",
            "x-list": ["a"] } }))
        .answer();
        assert_eq!(answer.status(), 201);
        let headers = answer.headers();
        assert_eq!(headers["x-mine"], "7");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
        for name in ["set-cookie", "strict-transport-security", "transfer-encoding", "x-bad"] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    #[test]
    fn odd_answers_are_answers() {
        for (params, status) in [
            (json!({}), 200),
            (json!({ "status": 100 }), 200),
            (json!({ "status": 700_000 }), 200),
            (json!({ "status": "404" }), 200),
            (json!({ "status": 404, "bodyBase64": "!" }), 404),
        ] {
            assert_eq!(Said::of(&params).answer().status(), status, "{params}");
        }
    }

    #[test]
    fn an_answer_without_a_body_has_none() {
        for status in [204, 205, 304] {
            let said = Said::of(&json!({ "status": status, "body": "" }));
            assert!(said.body.is_empty() && said.headers.is_empty(), "{status}");
            assert!(Said::of(&json!({ "status": status, "body": { "a": 1 } })).body.is_empty());
        }
    }
}
