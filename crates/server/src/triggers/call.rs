//! Requests to a trigger's address, as events.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value, json};

use super::REQUEST_BYTES_MAX;
use crate::error::{self, Result};

/// A request to an address.
pub(crate) struct Request {
    pub method: Method,
    /// What comes after the address, beginning with a slash.
    pub path: String,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub client_ip: Option<String>,
}

/// # Errors
/// [`error::BODY_TOO_LARGE`].
pub(crate) async fn read(body: Body) -> Result<Bytes> {
    let read = axum::body::to_bytes(body, REQUEST_BYTES_MAX).await;
    read.map_err(|_| {
        let text =
            format!("The body could not be read: an address takes {REQUEST_BYTES_MAX} bytes.");
        error::BODY_TOO_LARGE.saying(text)
    })
}

impl Request {
    /// What a source's code is given.
    pub fn event(&self) -> Value {
        json!({
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query(),
            "headers": headers(&self.headers),
            "bodyRaw": String::from_utf8_lossy(&self.body),
            "body": self.parsed(),
        })
    }

    /// What an address without code emits.
    pub fn native_event(&self, url: &str) -> Value {
        let query = self.uri.query().map(|it| format!("?{it}")).unwrap_or_default();
        let path = if self.path == "/" { "" } else { &self.path };
        json!({
            "body": self.parsed(),
            "client_ip": self.client_ip,
            "headers": headers(&self.headers),
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query(),
            "url": format!("{url}{path}{query}"),
        })
    }

    /// A name that stands twice has a list.
    fn query(&self) -> Map<String, Value> {
        let text = self.uri.query().unwrap_or_default();
        let mut all = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            add(&mut all, &name, Value::from(&*value));
        }
        all
    }

    /// JSON and forms as what they say; anything else as text.
    fn parsed(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        let kind = self.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        let text = || Value::from(String::from_utf8_lossy(&self.body));
        if kind == "application/json" || kind.ends_with("+json") {
            return serde_json::from_slice(&self.body).unwrap_or_else(|_| text());
        }
        if kind == "application/x-www-form-urlencoded" {
            let mut all = Map::new();
            for (name, value) in url::form_urlencoded::parse(&self.body) {
                add(&mut all, &name, Value::from(&*value));
            }
            return Value::Object(all);
        }
        text()
    }
}

fn add(all: &mut Map<String, Value>, name: &str, value: Value) {
    match all.get_mut(name) {
        None => drop(all.insert(name.to_owned(), value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = json!([first.take(), value]),
    }
}

/// Names in lower case; one that stands twice has its values in a row.
fn headers(given: &HeaderMap) -> Map<String, Value> {
    let mut all = Map::new();
    for name in given.keys() {
        let values = given.get_all(name).iter();
        let texts: Vec<_> = values.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
        all.insert(name.as_str().to_owned(), Value::from(texts.join(", ")));
    }
    all
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn request(kind: &'static str, body: &'static str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.append("x-two", HeaderValue::from_static("a"));
        headers.append("x-two", HeaderValue::from_static("b"));
        Request {
            method: Method::POST,
            path: "/sub".to_owned(),
            uri: Uri::from_static("/v1/hooks/k/sub?a=1&b=x%20y&a=2"),
            headers,
            body: Bytes::from_static(body.as_bytes()),
            client_ip: Some("192.0.2.7".to_owned()),
        }
    }

    #[test]
    fn a_request_becomes_an_event() {
        let event = request("application/json; charset=utf-8", r#"{"n":1}"#).event();
        assert_eq!(event["body"], json!({ "n": 1 }));
        assert_eq!(event["bodyRaw"], r#"{"n":1}"#);
        assert_eq!(event["query"], json!({ "a": ["1", "2"], "b": "x y" }));
        assert_eq!(event["headers"]["x-two"], "a, b");
        let form = request("application/x-www-form-urlencoded", "a=1&c=%C3%A4").event();
        assert_eq!(form["body"], json!({ "a": "1", "c": "ä" }));
        assert_eq!(request("application/json", "{").event()["body"], "{");
        assert_eq!(request("text/plain", "").event()["body"], Value::Null);
        let native = request("text/plain", "hi").native_event("https://x.example/v1/hooks/k");
        assert_eq!(native["url"], "https://x.example/v1/hooks/k/sub?a=1&b=x%20y&a=2");
        assert_eq!(native["client_ip"], "192.0.2.7");
    }
}
