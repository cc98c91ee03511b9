//! Which of a run's events are new, by what the source says of itself. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Ids that are remembered of a source whose events are unique. The oldest is forgotten first.
const IDS_MAX: usize = 100;
/// Characters of an id that count.
const ID_CHARS_MAX: usize = 1_024;

/// An event that code emitted, and what it says of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Emit {
    pub event: Value,
    pub id: Option<String>,
    pub summary: Option<String>,
    /// Milliseconds since 1970.
    pub ts: Option<i64>,
}

impl Emit {
    pub fn of(event: Value, meta: &Value) -> Self {
        let id = match &meta["id"] {
            Value::String(text) => Some(text.chars().take(ID_CHARS_MAX).collect()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a time beyond its bounds is clamped")]
        let ts = meta["ts"].as_f64().map(|it| it as i64);
        let summary = meta["summary"].as_str().map(|it| it.chars().take(ID_CHARS_MAX).collect());
        Self { event, id, summary, ts }
    }
}

/// How a source wants its events told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dedupe {
    None,
    Unique,
    Greatest,
    Last,
}

impl Dedupe {
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("unique") => Self::Unique,
            Some("greatest") => Self::Greatest,
            Some("last") => Self::Last,
            _ => Self::None,
        }
    }
}

/// What is remembered of events that were emitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The latest ids, oldest first.
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    greatest: Option<f64>,
    #[serde(default)]
    last: Option<String>,
}

impl Memory {
    /// The events of one run that are new, the oldest first, and remembers them. Those without an
    /// id cannot be told apart, and count as new.
    pub fn sift(&mut self, dedupe: Dedupe, mut batch: Vec<Emit>, now_ms: i64) -> Vec<Emit> {
        // Stable: events of one time, or without any, stay in the order of emitting.
        batch.sort_by_key(|it| it.ts.unwrap_or(now_ms));
        match dedupe {
            Dedupe::None => batch,
            Dedupe::Unique => {
                batch.retain(|it| it.id.as_deref().is_none_or(|id| self.is_unseen(id)));
                batch
            }
            Dedupe::Greatest => {
                batch.retain(|it| it.id.as_deref().is_none_or(|id| self.is_greater(id)));
                batch
            }
            Dedupe::Last => self.since_last(batch),
        }
    }

    fn is_unseen(&mut self, id: &str) -> bool {
        if self.ids.iter().any(|it| it == id) {
            return false;
        }
        self.ids.push(id.to_owned());
        let over = self.ids.len().saturating_sub(IDS_MAX);
        self.ids.drain(..over);
        true
    }

    fn is_greater(&mut self, id: &str) -> bool {
        let Some(number) = id.trim().parse::<f64>().ok().filter(|it| it.is_finite()) else {
            return true;
        };
        let greater = self.greatest.is_none_or(|it| number > it);
        if greater {
            self.greatest = Some(number);
        }
        greater
    }

    fn since_last(&mut self, mut batch: Vec<Emit>) -> Vec<Emit> {
        let known = self.last.as_deref();
        let at = known.and_then(|last| batch.iter().rposition(|it| it.id.as_deref() == Some(last)));
        if let Some(at) = at {
            batch.drain(..=at);
        }
        let newest = batch.iter().rev().find_map(|it| it.id.clone());
        self.last = newest.or_else(|| self.last.take());
        batch
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(ids: &[&str]) -> Vec<Emit> {
        let one = |(nth, id): (usize, &&str)| {
            Emit::of(json!(id), &json!({ "id": id, "ts": 1_000 + nth }))
        };
        ids.iter().enumerate().map(one).collect()
    }

    fn sifted(memory: &mut Memory, dedupe: Dedupe, ids: &[&str]) -> Vec<String> {
        memory.sift(dedupe, batch(ids), 0).into_iter().filter_map(|it| it.id).collect()
    }

    #[test]
    fn unique_remembers_a_hundred_and_forgets_the_oldest() {
        let mut memory = Memory::default();
        assert_eq!(sifted(&mut memory, Dedupe::Unique, &["a", "b", "a"]), ["a", "b"]);
        assert_eq!(sifted(&mut memory, Dedupe::Unique, &["b", "c"]), ["c"]);
        let many: Vec<String> = (0..98).map(|it| format!("n{it}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(sifted(&mut memory, Dedupe::Unique, &many).len(), 98);
        assert_eq!(sifted(&mut memory, Dedupe::Unique, &["a", "c"]), ["a"], "the 101st is gone");
        assert_eq!(memory.ids.len(), IDS_MAX);
    }

    #[test]
    fn greatest_lets_only_larger_numbers_through() {
        let mut memory = Memory::default();
        assert_eq!(sifted(&mut memory, Dedupe::Greatest, &["1", "3", "2"]), ["1", "3"]);
        assert_eq!(sifted(&mut memory, Dedupe::Greatest, &["3", "10", "9.5"]), ["10"]);
        assert_eq!(sifted(&mut memory, Dedupe::Greatest, &["later"]), ["later"]);
    }

    #[test]
    fn last_lets_through_what_comes_after_the_last_one() {
        let mut memory = Memory::default();
        assert_eq!(sifted(&mut memory, Dedupe::Last, &["a", "b"]), ["a", "b"]);
        assert_eq!(sifted(&mut memory, Dedupe::Last, &["a", "b", "c"]), ["c"]);
        assert_eq!(sifted(&mut memory, Dedupe::Last, &["c"]), Vec::<String>::new());
        assert_eq!(sifted(&mut memory, Dedupe::Last, &["x", "y"]), ["x", "y"], "no match: all");
    }

    #[test]
    fn a_batch_goes_oldest_first_and_equal_times_keep_their_order() {
        let emit = |event: &str, ts: Option<i64>| Emit::of(json!(event), &json!({ "ts": ts }));
        let all = vec![emit("c", Some(30)), emit("d", None), emit("a", Some(10)), emit("e", None)];
        let sifted = Memory::default().sift(Dedupe::None, all, 40);
        let order: Vec<_> = sifted.iter().map(|it| it.event.as_str().unwrap()).collect();
        assert_eq!(order, ["a", "c", "d", "e"]);
    }
}
