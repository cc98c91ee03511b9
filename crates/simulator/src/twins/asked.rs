//! A request to a twin, and how it is held against what was to come.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::file::Pairs;
use super::fill;
use crate::exchange::{Call, Params};

/// A request as the app's own server would have seen it.
pub(super) struct Asked<'a> {
    pub method: &'a Method,
    /// The host that it was for.
    pub host: String,
    /// Segments of the path, decoded.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// As it was sent to here, for signatures that cover it.
    pub call: &'a Call,
}

/// An address of the file, filled.
pub(super) struct Place {
    pub host: String,
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
}

impl<'a> Asked<'a> {
    /// `None`: the path names no host.
    pub(super) fn of(call: &'a Call, root: &str) -> Option<Self> {
        let rest = call.path.strip_prefix(root)?.strip_prefix('/')?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self {
            method: &call.method,
            host: bare_host(&decoded(host)),
            path: segments(path),
            query: call.query().pairs().to_vec(),
            headers: &call.headers,
            body: &call.body,
            call,
        })
    }

    /// Whether it is for this address; its query may hold more.
    pub(super) fn is_at(&self, place: &Place) -> bool {
        self.host == place.host
            && self.path == place.path
            && place.query.iter().all(|it| self.query.contains(it))
    }

    /// What stands in the query besides what the address has of its own.
    pub(super) fn query_beside(&self, place: &Place) -> Vec<(String, String)> {
        let mut rest = self.query.clone();
        for pair in &place.query {
            if let Some(at) = rest.iter().position(|it| it == pair) {
                rest.remove(at);
            }
        }
        rest
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The parameters of a form or of a JSON object of texts. `Err` says what it is instead.
    pub(super) fn body_pairs(&self, format: &str) -> Result<Vec<(String, String)>, String> {
        let sent = self.header("content-type").unwrap_or("none");
        let (media_type, _) = sent.split_once(';').unwrap_or((sent, ""));
        let expected = match format {
            "json" => "application/json",
            _ => "application/x-www-form-urlencoded",
        };
        if media_type.trim() != expected {
            return Err(format!("content-type is {sent}, not {expected}"));
        }
        if format != "json" {
            return Ok(Params::parse(self.body).pairs().to_vec());
        }
        let body: Result<BTreeMap<String, Value>, _> = serde_json::from_slice(self.body);
        let body = body.map_err(|it| format!("the body is not JSON: {it}"))?;
        let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        Ok(body.iter().map(|(name, it)| (name.clone(), text(it))).collect())
    }
}

impl Place {
    /// `None`: a value in it was left out.
    pub(super) fn of(template: &str, values: &Pairs) -> Option<Self> {
        let (host, rest) = match template.split_once("://") {
            Some((_, after)) if !template.starts_with("${") => {
                after.split_at(after.find(['/', '?']).unwrap_or(after.len()))
            }
            _ => template.split_at(template.find('}')? + 1),
        };
        let rest = fill::address(rest, values)?;
        let (path, query) = rest.split_once('?').unwrap_or((&rest, ""));
        Some(Self {
            host: bare_host(&fill::text(host, values)?),
            path: segments(path.strip_prefix('/').unwrap_or(path)),
            query: Params::parse(query.as_bytes()).pairs().to_vec(),
        })
    }
}

fn bare_host(text: &str) -> String {
    let host = text.strip_prefix("https://").unwrap_or(text);
    host.strip_suffix('/').unwrap_or(host).to_ascii_lowercase()
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').map(decoded).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What was wrong with a request: all of it, not only the first.
#[derive(Default)]
pub(super) struct Doubts(Vec<String>);

impl Doubts {
    pub(super) fn none(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, doubt: impl Into<String>) {
        self.0.push(doubt.into());
    }

    pub(super) fn unless(&mut self, is_so: bool, doubt: impl Into<String>) {
        if !is_so {
            self.add(doubt);
        }
    }

    /// The value, or what was wrong.
    pub(super) fn of<T: Default>(&mut self, found: Result<T, String>) -> T {
        found.unwrap_or_else(|doubt| {
            self.add(doubt);
            T::default()
        })
    }

    pub(super) fn same(&mut self, what: &str, expected: Option<&str>, sent: Option<&str>) {
        if expected != sent {
            let shown = |it: Option<&str>| it.map_or("nothing".to_owned(), |it| format!("`{it}`"));
            self.add(format!("{what} is {}, not {}", shown(sent), shown(expected)));
        }
    }

    /// Exactly these, in any order, each as often as it stands there.
    pub(super) fn same_pairs(
        &mut self,
        what: &str,
        mut expected: Vec<(String, String)>,
        sent: &[(String, String)],
    ) {
        for (name, value) in sent {
            match expected.iter().position(|it| it.0 == *name && it.1 == *value) {
                Some(at) => {
                    expected.remove(at);
                }
                None => self.add(format!("{what} has `{name}={value}`")),
            }
        }
        for (name, value) in expected {
            self.add(format!("{what} lacks `{name}={value}`"));
        }
    }

    /// Exactly these headers; of those that HTTP itself needs, nothing is said.
    pub(super) fn same_headers(&mut self, expected: &Pairs, sent: &HeaderMap) {
        for (name, value) in expected {
            let mut found = sent.get_all(name).iter().filter_map(|it| it.to_str().ok());
            self.same(&format!("header {name}"), Some(value), found.next());
            self.unless(found.next().is_none(), format!("header {name} comes twice"));
        }
        let plumbing =
            ["host", "accept", "accept-encoding", "user-agent", "content-length", "content-type"];
        for name in sent.keys().map(http::HeaderName::as_str) {
            let known = expected.contains_key(name) || plumbing.contains(&name);
            self.unless(known, format!("header {name} is not asked for"));
        }
    }

    pub(super) fn text(&self) -> String {
        self.0.join("; ")
    }
}

/// Names in lower case, as they are compared.
pub(super) fn lower(headers: &Pairs) -> Pairs {
    headers.iter().map(|(name, it)| (name.to_ascii_lowercase(), it.clone())).collect()
}
