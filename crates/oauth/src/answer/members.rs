use std::fmt;

use serde_json::Value;
use zeroize::Zeroize;

/// A whole answer as a tree. Its texts are wiped when dropped; `Debug` shows names only.
pub struct Members(Value);

impl Members {
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// Handed on: whoever takes it wipes it.
    pub(crate) fn into_value(mut self) -> Value {
        self.0.take()
    }

    /// The value at a dotted path, with numbers for places in lists. A member whose own name has
    /// dots is found too. `null` counts as absent.
    pub fn get(&self, path: &str) -> Option<&Value> {
        find(&self.0, path).filter(|it| !it.is_null())
    }

    /// The same as text: a text as it is, a number or truth value as written.
    pub fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }
}

fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = step(value, path) {
        return Some(found);
    }
    let dots = path.match_indices('.').map(|(at, _)| at);
    dots.into_iter().find_map(|at| find(step(value, &path[..at])?, &path[at + 1..]))
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.as_object().map(|it| it.keys().collect::<Vec<_>>());
        write!(f, "Members({:?})", names.unwrap_or_default())
    }
}
