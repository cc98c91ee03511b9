//! JSON bodies of the API, as every type that is read from one.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use futures::FutureExt;
use grantkeep::apps::api_clients::OAuthAppWish;
use grantkeep::body::Json;
use grantkeep::projects::api::{LogoWish, ProjectWish};
use grantkeep::tokens::api::NewToken;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub fn run(data: &[u8]) {
    read::<NewToken>(data);
    read::<ProjectWish>(data);
    read::<OAuthAppWish>(data);
    read::<LogoWish>(data);
}

fn read<T: DeserializeOwned>(data: &[u8]) {
    let request = Request::builder().header("content-type", "application/json");
    let request = request.body(Body::from(data.to_vec())).expect("a request");
    let read = Json::<T>::from_request(request, &()).now_or_never().expect("all of it is there");
    let value = serde_json::from_slice::<Value>(data);
    match (read, value) {
        (Ok(_), value) => assert!(value.is_ok_and(|it| it.is_object())),
        (Err(error), value) => {
            assert_eq!(error.kind().status, 400, "{error}");
            let text = error.text();
            assert!(
                value.is_err() || error.kind().code != "invalid_json" || text.contains("twice")
            );
            if let Ok(value) = value {
                assert_silent(&value, text);
            }
        }
    }
}

/// No value is repeated in an error (L-01): it may be a secret.
fn assert_silent(value: &Value, told: &str) {
    match value {
        Value::String(text) => {
            // Shorter ones, and those in the parser's own words, may stand there by chance.
            let telling = text.len() >= 12 && text.bytes().any(|it| it.is_ascii_digit());
            let found = telling && !text.contains("line") && told.contains(text.as_str());
            assert!(!found, "{told:?} repeats a value");
        }
        Value::Array(items) => items.iter().for_each(|it| assert_silent(it, told)),
        Value::Object(members) => members.values().for_each(|it| assert_silent(it, told)),
        _ => {}
    }
}
