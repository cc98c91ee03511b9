//! The shapes of texts with placeholders, and of the places where they stand.

use std::collections::BTreeMap;

use super::Seen;
use crate::placeholders::closing;

/// Headers that the server would set by itself, or that mean something to it.
const SPECIAL: [&str; 4] = ["accept", "authorization", "content-type", "user-agent"];
/// Stands for any text without placeholders.
const TEXT: &str = "..";

impl Seen<'_> {
    /// Headers by what they carry. `Authorization` differs from the others, its scheme does not.
    pub(super) fn headers(&mut self, what: &str, headers: &BTreeMap<String, String>) {
        for (name, text) in headers {
            let name = name.to_ascii_lowercase();
            let special = SPECIAL.contains(&name.as_str()).then_some(name.as_str());
            let shape = self.shape(text);
            match special {
                Some(name) => self.say(format!("{what} {name}: {shape}")),
                None => self.say(format!("{what}: {shape}")),
            }
        }
    }

    /// Parameters or members by what they carry.
    pub(super) fn pairs(&mut self, what: &str, pairs: &BTreeMap<String, String>) {
        for text in pairs.values() {
            self.say(format!("{what}: {}", self.shape(text)));
        }
    }

    /// Where a URL takes values, and whether it has a query of its own.
    pub(super) fn url(&mut self, what: &str, url: &str) {
        let (authority, rest) = match url.split_once("://") {
            Some((_, after)) => after.split_at(after.find(['/', '?']).unwrap_or(after.len())),
            None => url.split_at(url.find('}').map_or(0, |at| at + 1)),
        };
        let (path, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        if authority.contains("${") {
            let whole =
                authority.starts_with("${") && authority.find('}') == Some(authority.len() - 1);
            let part = match (url.starts_with("${"), whole) {
                (true, _) => "origin",
                (false, true) => "host",
                (false, false) => "part of the host",
            };
            self.say(format!("{what}: {part} from a value"));
        }
        self.say_if(path.contains("${"), &format!("{what}: value in the path"));
        match query {
            Some(it) if it.contains("${") => self.say(format!("{what}: value in the query")),
            Some(_) => self.say(format!("{what}: query of its own")),
            None => {}
        }
    }

    /// What a text is made of: `.. {token}` for `Bearer ${oauth_access_token}`.
    pub(super) fn shape(&self, text: &str) -> String {
        let mut shape = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if at > 0 {
                shape.push_str(TEXT);
            }
            let inside = &rest[at + 2..];
            let Some(end) = closing(inside) else { return format!("{shape}{TEXT}") };
            let body = &inside[..end];
            match body.strip_prefix("base64(").and_then(|it| it.strip_suffix(')')) {
                Some(argument) => shape.extend(["base64(", &self.shape(argument), ")"]),
                None => shape.extend(["{", &self.value(body), "}"]),
            }
            rest = &inside[end + 1..];
        }
        if !rest.is_empty() {
            shape.push_str(TEXT);
        }
        shape
    }

    /// What kind of value a name stands for.
    fn value(&self, name: &str) -> String {
        let field = self.app.field(name);
        let kind = match (name, field) {
            ("oauth_access_token" | "token", None) => "token",
            ("oauth_client_id" | "client_id", None) => "client",
            (_, None) => "learnt",
            (_, Some(it)) if it.is_secret() => "secret",
            (_, Some(_)) => "field",
        };
        let optional = field.is_some_and(|it| it.optional && it.default.is_none());
        format!("{kind}{}", if optional { "?" } else { "" })
    }
}
