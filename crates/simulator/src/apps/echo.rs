//! No app in particular: says what it was sent. It takes any credential, and none.

use http::StatusCode;
use serde_json::json;

use super::room::{Asked, Room, ok};
use super::{App, Refusal, any_credential, bearer};
use crate::exchange::Answer;

pub(super) const APP: App = App {
    slug: "http",
    seed: "{}",
    credential: bearer,
    plausible: any_credential,
    open: |_| true,
    answer,
    refuse,
};

/// `/status/404` answers with that status, all else with 200.
fn answer(_: &mut Room, asked: &Asked) -> Answer {
    let body = json!({
        "method": asked.method,
        "path": asked.raw_path,
        "query": asked.query.pairs(),
        "content_type": asked.header("content-type"),
        "body": asked.sent,
    });
    match asked.path()[..] {
        ["status", status] => {
            let status = status.parse().unwrap_or(StatusCode::BAD_REQUEST);
            Answer::json(status, &body)
        }
        ["text"] => Answer::new(StatusCode::OK, "text/plain", asked.text_body()),
        _ => ok(&body),
    }
}

fn refuse(why: Refusal) -> Answer {
    let status = match why {
        Refusal::NoCredential | Refusal::BadCredential | Refusal::Revoked => {
            StatusCode::UNAUTHORIZED
        }
        Refusal::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Broken(status) => status,
    };
    Answer::json(status, &json!({ "error": status.canonical_reason() }))
}
