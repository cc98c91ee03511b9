//! What an app holds, and a request as the apps read it.

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exchange::{Answer, Call, Params};

const PAGE_MAX: usize = 100;

/// The content of one app: lists of objects by name.
pub(super) struct Room {
    data: Map<String, Value>,
    made: u64,
    pub now_ms: u64,
    pub page_max: usize,
}

impl Room {
    pub(super) fn new(seed: &str) -> Self {
        let data = serde_json::from_str(seed).unwrap_or_default();
        Self { data, made: 0, now_ms: 0, page_max: PAGE_MAX }
    }

    pub(super) fn rows(&mut self, list: &str) -> &mut Vec<Value> {
        let rows = self.data.entry(list).or_insert_with(|| json!([]));
        if !rows.is_array() {
            *rows = json!([]);
        }
        match rows {
            Value::Array(rows) => rows,
            _ => unreachable!("it was just made one"),
        }
    }

    pub(super) fn all(&self, list: &str) -> &[Value] {
        self.data.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The row whose `member` is this text.
    pub(super) fn find(&self, list: &str, member: &str, is: &str) -> Option<&Value> {
        self.all(list).iter().find(|it| it[member].as_str() == Some(is))
    }

    pub(super) fn find_mut(&mut self, list: &str, member: &str, is: &str) -> Option<&mut Value> {
        self.rows(list).iter_mut().find(|it| it[member].as_str() == Some(is))
    }

    /// 1, 2, 3 ...
    pub(super) fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    pub(super) fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }

    /// The time as RFC 3339 writes it, with milliseconds.
    pub(super) fn now_iso(&self) -> String {
        let nanos = i128::from(self.now_ms) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .and_then(|it| it.format(&Rfc3339).ok())
            .unwrap_or_default()
    }

    /// Cuts one page out of a list: what is on it, and where the next begins.
    pub(super) fn page(
        &self,
        items: Vec<Value>,
        from: usize,
        size: usize,
    ) -> (Vec<Value>, Option<usize>) {
        let size = size.clamp(1, self.page_max);
        let next = (items.len() > from + size).then_some(from + size);
        (items.into_iter().skip(from).take(size).collect(), next)
    }
}

/// A request, read.
pub(super) struct Asked<'a> {
    pub method: &'a str,
    pub raw_path: String,
    path: Vec<String>,
    pub query: Params,
    pub sent: Value,
    call: &'a Call,
}

impl<'a> Asked<'a> {
    pub(super) fn new(call: &'a Call, path: &str) -> Self {
        let decoded = |it: &str| percent_decode_str(it).decode_utf8_lossy().into_owned();
        Self {
            method: call.method.as_str(),
            raw_path: path.to_owned(),
            path: path.trim_matches('/').split('/').map(decoded).collect(),
            query: call.query(),
            sent: read(call),
            call,
        }
    }

    /// The parts of the path, decoded.
    pub(super) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.call.header(name)
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.call.body.len()
    }

    pub(super) fn text_body(&self) -> String {
        String::from_utf8_lossy(&self.call.body).into_owned()
    }

    /// A parameter of the body or the query, numbers and booleans as text; empty when not sent.
    pub(super) fn word(&self, name: &str) -> String {
        match &self.sent[name] {
            Value::String(text) => text.clone(),
            Value::Null => self.query.get(name).to_owned(),
            other => other.to_string(),
        }
    }

    pub(super) fn number(&self, name: &str, otherwise: usize) -> usize {
        self.word(name).parse().unwrap_or(otherwise)
    }
}

fn read(call: &Call) -> Value {
    let form = call.header("content-type").starts_with("application/x-www-form-urlencoded");
    if form {
        let pairs = call.form();
        let pair = |(name, value): &(String, String)| (name.clone(), json!(value));
        return Value::Object(pairs.pairs().iter().map(pair).collect());
    }
    if call.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&call.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&call.body).into_owned()))
}

pub(super) fn ok(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}

/// Whether one text holds another, capitals aside. Everything holds the empty one.
pub(super) fn holds(text: &Value, word: &str) -> bool {
    let text = text.as_str().unwrap_or("").to_lowercase();
    text.contains(&word.to_lowercase())
}

/// Lays the members of one object over another.
pub(super) fn overlay(onto: &mut Value, from: &Value) {
    if let (Some(onto), Some(from)) = (onto.as_object_mut(), from.as_object()) {
        onto.extend(from.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}
