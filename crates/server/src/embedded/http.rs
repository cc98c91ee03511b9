//! One HTTP exchange, timed. What the product's server and the scripted browser speak through.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, LOCATION};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::{Doing, Result, Trouble};
use crate::egress::Egress;

/// What is sent.
pub struct Ask<'a> {
    pub method: Method,
    pub url: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: String,
}

impl<'a> Ask<'a> {
    pub fn get(url: &'a str) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), body: String::new() }
    }

    pub fn delete(url: &'a str) -> Self {
        Self { method: Method::DELETE, ..Self::get(url) }
    }

    /// A POST with a JSON body.
    pub fn json(url: &'a str, body: &Value) -> Self {
        Self { method: Method::POST, body: body.to_string(), ..Self::get(url) }
            .with("content-type", "application/json")
    }

    /// A POST as a form sends it.
    pub fn form(url: &'a str, body: String) -> Self {
        Self { method: Method::POST, body, ..Self::get(url) }
            .with("content-type", "application/x-www-form-urlencoded")
    }

    #[must_use]
    pub fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub took: Duration,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).doing("the answer is not JSON")
    }

    pub fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION).and_then(|it| it.to_str().ok())
    }

    /// The error text of an answer that is not a success.
    pub fn success(self, what: &str) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let said = self.json().ok().and_then(|it| it["error"].as_str().map(str::to_owned));
        Err(Trouble::new(format!("{what}: {} {}", self.status.as_u16(), said.unwrap_or_default())))
    }
}

/// Sends it and reads the whole answer. Redirects are answers.
pub async fn send(egress: &Egress, ask: Ask<'_>) -> Result<Reply> {
    let mut request = Request::builder().method(ask.method).uri(ask.url);
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::from(ask.body)).doing("the request cannot be built")?;
    let begun = Instant::now();
    let answer = egress
        .send(request, egress.limits())
        .await
        .map_err(|error| Trouble::new(format!("{}: {}", ask.url, error.detail())))?;
    let took = begun.elapsed();
    Ok(Reply { status: answer.status, headers: answer.headers, body: answer.body, took })
}
