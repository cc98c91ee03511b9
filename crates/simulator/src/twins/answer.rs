//! Answers in the shape that the file says.

use http::StatusCode;
use serde_json::{Value, json};

use super::file::{File, Pairs};
use crate::exchange::Answer;

/// Seconds that access tokens live where the file does not fix it.
pub(super) const LIFE_S: u64 = 3_600;
/// The name and the subject of whoever connects.
pub(super) const NAME: &str = "Ada Lovelace";
pub(super) const SUBJECT: &str = "4211";

/// Sets a value at a dotted path; numbers are places in lists. `false`: something else is there.
pub(super) fn place(root: &mut Value, path: &str, value: Value) -> bool {
    let mut at = root;
    for name in path.split('.') {
        if at.is_null() {
            *at = if name.parse::<usize>().is_ok() { json!([]) } else { json!({}) };
        }
        let inner = match (&mut *at, name.parse::<usize>()) {
            (Value::Array(items), Ok(nth)) => {
                items.resize(items.len().max(nth + 1), Value::Null);
                items.get_mut(nth)
            }
            (Value::Object(members), _) => Some(members.entry(name).or_insert(Value::Null)),
            _ => None,
        };
        let Some(inner) = inner else { return false };
        at = inner;
    }
    if at.is_null() {
        *at = value;
    }
    true
}

/// Tokens as they are to be written down.
pub(super) struct Given<'a> {
    pub access_token: &'a str,
    pub refresh_token: Option<&'a str>,
    pub scope: Option<&'a str>,
    /// `None`: the answer says nothing of an end.
    pub life_s: Option<u64>,
    pub now_ms: u64,
    /// Of several places for one thing, the one to take.
    pub nth: usize,
}

/// The answer of a token endpoint.
pub(super) fn tokens(file: &File, given: &Given, values: &Pairs) -> Answer {
    let mut body = json!({});
    let at = |key: &str| {
        let paths = file.texts(&format!("oauth2.answer.{key}"));
        let path = paths.get(given.nth).or_else(|| paths.last()).copied();
        path.unwrap_or(key).to_owned()
    };
    place(&mut body, &at("access_token"), json!(given.access_token));
    if let Some(token) = given.refresh_token {
        place(&mut body, &at("refresh_token"), json!(token));
    }
    if let Some(scope) = given.scope {
        place(&mut body, &at("scope"), json!(scope));
    }
    if let Some(life_s) = given.life_s {
        let unit = file.text_or("oauth2.answer.expires_unit", "seconds");
        place(&mut body, &at("expires_in"), end(unit, life_s, given));
    }
    let own_word = file.flag("oauth2.answer.token_type_any", false);
    let bound = file.flag("oauth2.dpop", false);
    let word = if own_word { "user" } else { "Bearer" };
    place(&mut body, "token_type", json!(if bound { "DPoP" } else { word }));
    learned(file, "token_answer", values, &mut body);
    if file.text("identity.from") == Some("token_answer") {
        identity(file, &mut body);
    }
    Answer::json(StatusCode::OK, &body)
}

/// An end in the file's unit; as text now and then, since servers do that.
pub(super) fn end(unit: &str, life_s: u64, given: &Given) -> Value {
    let number = match unit {
        "milliseconds" => life_s * 1_000,
        "epoch_seconds" => given.now_ms / 1_000 + life_s,
        _ => life_s,
    };
    if given.nth == 0 { json!(number) } else { json!(number.to_string()) }
}

/// A refusal in the file's words: at the place for errors, and with status 200 where the app has
/// words or places of its own.
pub(super) fn refusal(file: &File, code: &str, text: &str) -> Answer {
    let path = file.text_or("oauth2.answer.error", "error");
    let own = file.has("oauth2.answer.error") || file.has("oauth2.answer.errors");
    let mut body = json!({});
    place(&mut body, path, json!(code));
    place(&mut body, "error_description", json!(text));
    Answer::json(if own { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &body)
}

/// What is learnt from an answer.
pub(super) fn learned(file: &File, from: &str, values: &Pairs, body: &mut Value) {
    for (name, rule) in file.learned(from) {
        if let (Some(path), Some(value)) = (rule["path"].as_str(), values.get(name)) {
            place(body, path, json!(value));
        }
    }
}

/// Whose account it is. Of several places for the name the last one is taken; where it cannot be,
/// the one before.
pub(super) fn identity(file: &File, body: &mut Value) {
    for path in file.texts("identity.subject") {
        if !path.starts_with("field:") {
            place(body, path, SUBJECT.parse().map_or(Value::Null, |it: u64| json!(it)));
        }
    }
    for path in file.texts("identity.name").into_iter().rev() {
        if !path.starts_with("field:") && place(body, path, json!(NAME)) {
            break;
        }
    }
}
