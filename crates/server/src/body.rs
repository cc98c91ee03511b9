//! JSON bodies, with an error that says what is wrong with them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{self, Error};

/// A JSON body. Unknown fields are ignored, because clients of the wire API send more than is
/// documented.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if !is_json(request.headers()) {
            return Err(error::UNSUPPORTED_MEDIA.into());
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            if too_large { error::BODY_TOO_LARGE } else { error::INVALID_REQUEST }
        })?;
        check(&body)?;
        match axum::Json::<Object<T>>::from_bytes(&body) {
            Ok(axum::Json(Object(body))) => Ok(Self(body)),
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Refuses what two readers could read in two ways: a field named twice (RFC 8259 section 4), also
/// where this server would ignore it, and nesting that no request needs.
///
/// # Errors
/// [`error::INVALID_JSON`].
pub fn check(text: &[u8]) -> Result<(), Error> {
    match serde_json::from_slice::<Plain>(text) {
        Ok(Plain) => Ok(()),
        Err(wrong) if wrong.is_data() => {
            Err(error::INVALID_JSON.saying("A field stands twice in the body."))
        }
        Err(_) => Err(error::INVALID_JSON.into()),
    }
}

/// Any JSON whose objects name each field once, nested no deeper than the parser goes (128).
struct Plain;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Plain;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Plain, E> {
                Ok(Plain)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Plain, E> {
                Ok(Plain)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Plain, E> {
                Ok(Plain)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Plain, E> {
                Ok(Plain)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Plain, E> {
                Ok(Plain)
            }

            fn visit_str<E>(self, _: &str) -> Result<Plain, E> {
                Ok(Plain)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
                while items.next_element::<Plain>()?.is_some() {}
                Ok(Plain)
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Plain, M::Error> {
                let mut seen = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name) {
                        return Err(serde::de::Error::custom("duplicate field"));
                    }
                    map.next_value::<Plain>()?;
                }
                Ok(Plain)
            }
        }
        from.deserialize_any(Anything)
    }
}

/// Takes a JSON object only. Left to itself, serde reads an array as the fields in their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        from.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

fn refusal(rejection: &JsonRejection) -> Error {
    match rejection {
        JsonRejection::JsonSyntaxError(_) => error::INVALID_JSON.into(),
        // The text names the field and the type wanted, and holds nothing of the value but its
        // kind.
        JsonRejection::JsonDataError(data) => {
            let text = data.body_text();
            let short = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
            // By two names that stand for one.
            if short.contains("duplicate field") {
                return error::INVALID_JSON.saying("A field stands twice in the body.");
            }
            error::INVALID_TYPE.saying(without_values(short))
        }
        _ => error::INVALID_REQUEST.into(),
    }
}

/// Serde quotes what does not fit, which may be a secret: a string as Rust writes it, with its
/// quotes escaped (`invalid type: string "..."`), and a word in place of a known one between back
/// quotes (`unknown variant `...`, expected ...`).
fn without_values(text: &str) -> String {
    let text = match text.split_once("unknown variant `") {
        // The value comes first and may hold anything; the known words come last.
        Some((before, rest)) => {
            let known = rest.rsplit_once("`, expected ").map_or("", |(_, known)| known);
            Cow::Owned(format!("{before}unknown word, expected {known}"))
        }
        None => Cow::Borrowed(text),
    };
    let mut out = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                if quoted {
                    out.push('…');
                }
            }
            _ if !quoted => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn l_01_values_are_not_repeated_in_errors() {
        let text = r#"expires_in: invalid type: string "s3cret", expected i64 at line 1 column 24"#;
        let said = super::without_values(text);
        assert!(!said.contains("s3cret"), "{said}");
        assert!(said.contains("expected i64"), "{said}");
    }

    #[test]
    fn l_01_a_value_with_quotes_or_in_place_of_a_word_is_not_repeated() {
        for text in [
            r#"invalid type: string "a\"s3cret", expected a sequence at line 1 column 20"#,
            r#"invalid type: string "\\\"s3cret\\", expected a sequence at line 1 column 20"#,
            "unknown variant `s3cret`, expected `opened` or `closed` at line 1 column 20",
            "unknown variant `a`, expected s3cret`, expected `opened` at line 1 column 20",
        ] {
            let said = super::without_values(text);
            assert!(!said.contains("s3cret"), "{said}");
            assert!(said.contains("expected") && said.contains("column 20"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn l_01_no_text_is_repeated_whatever_is_in_it(value in r#"["\\`a-c]{0,12}s3cret["\\`]{0,4}"#) {
            let body = serde_json::json!(value).to_string();
            let error = serde_json::from_str::<Vec<String>>(&body).unwrap_err().to_string();
            prop_assert!(error.contains("s3cret"));
            prop_assert!(!super::without_values(&error).contains("s3cret"));
        }
    }
}
