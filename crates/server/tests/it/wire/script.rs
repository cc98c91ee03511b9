//! Sends requests one after another, exactly as they are written, and judges each answer.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use super::models::{Shape, faults};
use crate::world::{Reply, World, read};

/// Whose credential is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Nobody,
    Server,
    /// The browser client, with a connect token.
    Browser,
    /// An API key, as older code sends it.
    Key,
    /// The same by HTTP Basic, with the key's id before it.
    Basic,
}

/// One request and what comes back. Names in braces are filled in from what is known by then.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub by: By,
    /// Method and target, as on the request line.
    pub line: &'static str,
    pub body: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub status: u16,
    pub shape: Shape,
    /// A name to keep a value of the answer by, and where the value stands in it (RFC 6901).
    pub keep: &'static [(&'static str, &'static str)],
}

pub const fn case(
    name: &'static str,
    by: By,
    line: &'static str,
    (status, shape): (u16, Shape),
) -> Case {
    Case { name, by, line, body: "", headers: &[], status, shape, keep: &[] }
}

impl Case {
    pub const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    pub const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    pub const fn keep(self, keep: &'static [(&'static str, &'static str)]) -> Self {
        Self { keep, ..self }
    }
}

/// What is known: project, tokens, ids.
#[derive(Default)]
pub struct Known(BTreeMap<String, String>);

impl Known {
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not known yet"))
    }

    fn fill(&self, text: &str) -> String {
        let filled = self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        });
        let unknown = filled
            .match_indices('{')
            .any(|(at, _)| filled[at + 1..].starts_with(|next: char| next.is_ascii_lowercase()));
        assert!(!unknown, "not known yet: {filled}");
        filled
    }
}

/// Sends one request with what every client of its kind sends.
pub async fn send(world: &World, known: &Known, case: &Case, usual: &[(&str, &str)]) -> Reply {
    let (method, target) = case.line.split_once(' ').unwrap();
    let url = format!("{}{}", world.url, known.fill(target));
    let mut request = world.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
    for (name, value) in usual.iter().chain(case.headers) {
        request = request.header(*name, known.fill(value));
    }
    request = match case.by {
        By::Nobody => request,
        By::Server => request.bearer_auth(known.get("access_token")),
        By::Browser => request.bearer_auth(known.get("browser_token")),
        By::Key => request.bearer_auth(known.get("key")),
        By::Basic => request.basic_auth(known.get("key_id"), Some(known.get("key"))),
    };
    if !case.body.is_empty() {
        request = request.body(known.fill(case.body));
    }
    read(request).await
}

/// Sends all of them, and tells everything that a strict client would trip over.
pub async fn play(
    world: &World,
    known: &mut Known,
    cases: &[Case],
    usual: &[(&str, &str)],
) -> Vec<String> {
    let mut found = Vec::new();
    for case in cases {
        let reply = send(world, known, case, usual).await;
        let mut wrong = faults(&reply, case.shape);
        if reply.status != case.status {
            wrong.push(format!("status {}, not {}", reply.status, case.status));
        }
        if !wrong.is_empty() {
            let text: String = reply.text.chars().take(300).collect();
            found.push(format!("{} ({}): {}: {text}", case.name, case.line, wrong.join("; ")));
            continue;
        }
        for (name, place) in case.keep {
            let body: Value = serde_json::from_str(&reply.text).unwrap_or_default();
            let value = body.pointer(place).and_then(Value::as_str);
            known.set(name, value.unwrap_or_else(|| panic!("no {place} in {reply:?}")));
        }
    }
    found
}
