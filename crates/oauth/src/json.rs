//! JSON objects of which every member has one meaning: a name that repeats is refused, because
//! readers differ in which one they take (RFC 8259 §4).

use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::encode::cleaned;

/// What is kept of a name in an error. Characters.
const NAME_CHARS_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("more than {0} bytes")]
    TooLarge(usize),
    #[error("no JSON object")]
    NotObject,
    #[error("the member `{0}` came more than once")]
    Repeated(String),
}

/// Reads an object of at most `bytes_max` bytes.
pub(crate) fn read(bytes: &[u8], bytes_max: usize) -> Result<Map<String, Value>, JsonError> {
    if bytes.len() > bytes_max {
        return Err(JsonError::TooLarge(bytes_max));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let repeated = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(&repeated).deserialize(&mut reader);
    match value.and_then(|it| reader.end().map(|()| it)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(JsonError::NotObject),
        Err(_) => Err(repeated.into_inner().map_or(JsonError::NotObject, JsonError::Repeated)),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E: Error>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E: Error>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E: Error>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_str<E: Error>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(Name(name)) = from.next_key()? {
            let value = from.next_value_seed(self)?;
            if members.contains_key(&name) {
                self.0.replace(Some(cleaned(&name, NAME_CHARS_MAX)));
                return Err(A::Error::custom("repeated"));
            }
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Result<Map<String, Value>, JsonError> {
        read(text.as_bytes(), 10_000)
    }

    #[test]
    fn d_01_a_name_has_one_meaning_at_any_depth() {
        let repeated = |name: &str| Err(JsonError::Repeated(name.to_owned()));
        assert_eq!(of(r#"{"issuer":"a","issuer":"b"}"#), repeated("issuer"));
        assert_eq!(of(r#"{"a":[{"b":1,"\u0062":2}]}"#), repeated("b"));
        assert_eq!(of("{\"a\\u202e\":1,\"a\\u202e\":1}"), repeated("a"));
        assert!(of(r#"{"a":{"b":1},"b":{"a":1}}"#).is_ok());
        assert!(of("\u{feff} {\"a\":null} ").is_ok());
    }

    #[test]
    fn d_01_anything_else_is_no_object() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for text in ["", "null", "[]", "\"a\"", "{", "{}x", "{\"a\":NaN}", "<html>", &deep] {
            assert_eq!(of(text), Err(JsonError::NotObject), "{text}");
        }
        assert_eq!(read(b"{\"a\":\"\xff\"}", 99), Err(JsonError::NotObject));
        assert_eq!(read(b"{}", 1), Err(JsonError::TooLarge(1)));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|it| Value::Object(it.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_others_read(value in any_json()) {
            let expected = value.as_object().cloned().ok_or(JsonError::NotObject);
            prop_assert_eq!(read(value.to_string().as_bytes(), usize::MAX), expected);
        }
    }
}
