//! `${name}` and `${base64(...)}`, as the format of app files has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::file::Pairs;

/// All that may not stand unencoded in a segment of a path (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text with its values. `None`: it names something, and nothing of that has a value.
pub(super) fn text(template: &str, values: &Pairs) -> Option<String> {
    let mut names = Vec::new();
    let text = with(template, &mut |name| {
        names.push(name.to_owned());
        Some(values.get(name).cloned().unwrap_or_default())
    })?;
    let given = names.is_empty() || names.iter().any(|it| values.contains_key(it));
    given.then_some(text)
}

/// The same in an address, where values are encoded and none may be missing.
pub(super) fn address(template: &str, values: &Pairs) -> Option<String> {
    let encoded = |it: &String| utf8_percent_encode(it, RESERVED).to_string();
    with(template, &mut |name| values.get(name).map(encoded))
}

/// The texts of a JSON value, each by itself: a quote in a value stays a quote in a text.
pub(super) fn json(template: &Value, values: &Pairs) -> Option<Value> {
    Some(match template {
        Value::String(it) => Value::String(text(it, values).unwrap_or_default()),
        Value::Array(items) => items.iter().map(|it| json(it, values)).collect::<Option<_>>()?,
        Value::Object(members) => {
            let filled = members.iter().map(|(name, it)| Some((name.clone(), json(it, values)?)));
            Value::Object(filled.collect::<Option<_>>()?)
        }
        other => other.clone(),
    })
}

/// All of a table; what names only values that were left out is left out too.
pub(super) fn pairs(templates: &Pairs, values: &Pairs) -> Pairs {
    let filled = templates.iter().filter_map(|(name, it)| Some((name.clone(), text(it, values)?)));
    filled.collect()
}

fn with(template: &str, put: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
    let Some((before, after)) = template.split_once("${") else {
        return Some(template.to_owned());
    };
    let end = closing(after)?;
    let (body, rest) = (&after[..end], &after[end + 1..]);
    let value = match body.strip_prefix("base64(").and_then(|it| it.strip_suffix(')')) {
        Some(argument) => STANDARD.encode(with(argument, put)?),
        None => put(body)?,
    };
    Some(format!("{before}{value}{}", with(rest, put)?))
}

fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, it) in text.char_indices() {
        match it {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}
