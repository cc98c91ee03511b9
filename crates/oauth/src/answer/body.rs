//! From bytes to members: JSON or a form, whatever the content type says.

use serde_json::{Map, Value};

use super::{BODY_BYTES_MAX, Members, Response};

/// Why a body says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    /// Not JSON, not a form: a page of a proxy in between, or cut short.
    Unreadable,
}

pub(super) fn read(response: &Response) -> Result<Members, Unread> {
    if response.body.len() > BODY_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    let bytes = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(response.body);
    let text = std::str::from_utf8(bytes).map_err(|_| Unread::Unreadable)?.trim();
    let value = match text.as_bytes().first() {
        Some(b'{' | b'[') => serde_json::from_str(text).ok(),
        Some(b'<' | b'"') | None => None,
        Some(_) => form(text),
    };
    value.map(Members::new).ok_or(Unread::Unreadable)
}

/// `None` if it is no form, or one in which a name repeats (RFC 6749 §5.1 allows none).
fn form(text: &str) -> Option<Value> {
    let visible = |it: char| !it.is_whitespace() && !it.is_control();
    if !text.contains('=') || !text.chars().all(visible) {
        return None;
    }
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if members.insert(name.into_owned(), Value::String(value.into_owned())).is_some() {
            return None;
        }
    }
    Some(Value::Object(members))
}
