//! JSON bodies, with an error that says what is wrong with them.

use std::marker::PhantomData;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{self, Error};

/// A JSON body. Unknown fields are ignored, because clients of the wire API send more than is
/// documented.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        match axum::Json::<Object<T>>::from_request(request, state).await {
            Ok(axum::Json(Object(body))) => Ok(Self(body)),
            Err(rejection) => Err(refusal(&rejection)),
        }
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
        JsonRejection::MissingJsonContentType(_) => error::UNSUPPORTED_MEDIA.into(),
        JsonRejection::JsonSyntaxError(_) => error::INVALID_JSON.into(),
        // The text names the field and the type wanted, and holds nothing of the value but its
        // kind.
        JsonRejection::JsonDataError(data) => {
            let text = data.body_text();
            let short = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
            if short.contains("duplicate field") {
                return error::INVALID_JSON.saying("A field stands twice in the body.");
            }
            error::INVALID_TYPE.saying(without_values(short))
        }
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => error::BODY_TOO_LARGE.into(),
        _ => error::INVALID_REQUEST.into(),
    }
}

/// Serde quotes strings that do not fit (`invalid type: string "..."`); such a string may be a
/// secret.
fn without_values(text: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
            if quoted {
                out.push('…');
            }
        } else if !quoted {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn l_01_values_are_not_repeated_in_errors() {
        let text = r#"expires_in: invalid type: string "s3cret", expected i64 at line 1 column 24"#;
        let said = super::without_values(text);
        assert!(!said.contains("s3cret"), "{said}");
        assert!(said.contains("expected i64"), "{said}");
    }
}
