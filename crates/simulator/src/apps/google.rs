//! What Google's APIs have in common: the shape of errors, pages by token.

use http::StatusCode;
use serde_json::{Value, json};

use super::Refusal;
use super::room::{Asked, Room, ok};
use crate::exchange::Answer;

pub(super) fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::NoCredential => error(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "Request is missing required authentication credential. Expected OAuth 2 access token.",
        ),
        Refusal::BadCredential | Refusal::Revoked => error(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        ),
        Refusal::TooMany => error(
            StatusCode::TOO_MANY_REQUESTS,
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute per user'.",
        ),
        Refusal::Broken(status) => error(status, "INTERNAL", "Internal error encountered."),
    }
}

pub(super) fn error(status: StatusCode, name: &str, message: &str) -> Answer {
    let body = json!({ "error": { "code": status.as_u16(), "message": message, "status": name } });
    Answer::json(status, &body)
}

pub(super) fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", "Requested entity was not found.")
}

pub(super) fn invalid(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
}

/// One page of a list, its members beside the list's own.
pub(super) fn page(room: &Room, asked: &Asked, items: (&str, Vec<Value>), size: &str) -> Answer {
    let token = asked.word("pageToken");
    let from = match token.strip_prefix("tok-") {
        Some(from) => from.parse().ok(),
        None => token.is_empty().then_some(0),
    };
    let Some(from) = from else { return invalid("Invalid page token.") };
    let (name, items) = items;
    let (items, next) = room.page(items, from, asked.number(size, 100));
    let mut body = json!({ name: items });
    if let Some(next) = next {
        body["nextPageToken"] = json!(format!("tok-{next}"));
    }
    ok(&body)
}
