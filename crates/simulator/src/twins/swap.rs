//! Keys for the token of a session, in the app's own way.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{self, Given, LIFE_S};
use super::asked::{Asked, Doubts, Place, lower};
use super::ledger::Ledger;
use super::{State, Twin, fill};
use crate::exchange::Answer;

pub(super) fn swap(twin: &Twin, state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let file = &twin.file;
    state.calls.again += 1;
    let mut doubts = Doubts::default();
    let method = file.text_or("key_exchange.method", "POST");
    doubts.same("the method", Some(method), Some(asked.method.as_str()));
    let query = fill::pairs(&file.pairs("key_exchange.query"), &state.values);
    let beside = asked.query_beside(place);
    doubts.same_pairs("the query", query.into_iter().collect(), &beside);
    let headers = fill::pairs(&lower(&file.pairs("key_exchange.headers")), &state.values);
    doubts.same_headers(&headers, asked.headers);
    let params = fill::pairs(&file.pairs("key_exchange.params"), &state.values);
    if params.is_empty() {
        doubts.unless(asked.body.is_empty(), "a body where there is none to be");
    } else if file.text("key_exchange.body_format") == Some("json") {
        let mut expected = json!({});
        for (path, text) in &params {
            answer::place(&mut expected, path, json!(text));
        }
        let sent: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        doubts.unless(sent == expected, format!("the body is {sent}, not {expected}"));
        let kind = asked.header("content-type");
        if !headers.contains_key("content-type") {
            doubts.same("content-type", Some("application/json"), kind);
        }
    } else {
        let sent = doubts.of(asked.body_pairs("form"));
        doubts.same_pairs("the body", params.into_iter().collect(), &sent);
    }
    if !doubts.none() {
        return twin.refused(state, "swap", &doubts, StatusCode::UNAUTHORIZED);
    }
    if let Some(word) = state.refuse.take() {
        return refusal(twin, &word);
    }
    session(twin, state)
}

/// A refusal where the file looks for one, or by the status alone.
fn refusal(twin: &Twin, word: &str) -> Answer {
    let mut body = json!({});
    match twin.file.text("key_exchange.error") {
        Some(path) => {
            answer::place(&mut body, path, json!(word));
            Answer::json(StatusCode::OK, &body)
        }
        None => Answer::json(StatusCode::UNAUTHORIZED, &json!({ "message": word })),
    }
}

fn session(twin: &Twin, state: &mut State) -> Answer {
    let file = &twin.file;
    let now_ms = twin.now_ms();
    let fixed_s = file.number("key_exchange.lifetime_s");
    let told = file.text("key_exchange.expires_in");
    let life_s = fixed_s.or(told.map(|_| LIFE_S));
    state.ledger = Ledger::open("P0", None);
    let token = state.ledger.issue_access(life_s.map(|it| now_ms + it * 1_000));
    let mut body = json!({});
    if let (Some(path), None) = (told, fixed_s) {
        let unit = file.text_or("key_exchange.expires_unit", "seconds");
        let given = Given {
            access_token: &token,
            refresh_token: None,
            scope: None,
            life_s,
            now_ms,
            nth: usize::from(state.calls.again.is_multiple_of(2)),
        };
        answer::place(&mut body, path, answer::end(unit, LIFE_S, &given));
    }
    answer::learned(file, "token_answer", &state.values, &mut body);
    if file.text("identity.from") == Some("token_answer") {
        answer::identity(file, &mut body);
        state.told = body.clone();
    }
    let place = file.text_or("key_exchange.token", "token");
    match place.strip_prefix("header:") {
        Some(name) => {
            let mut answer = Answer::json(StatusCode::OK, &body);
            let name = http::HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
            if let (Ok(name), Ok(value)) = (name, token.parse()) {
                answer.headers.insert(name, value);
            }
            answer
        }
        None if place == "body" => Answer::new(StatusCode::OK, "text/plain", token),
        None => {
            answer::place(&mut body, place, json!(token));
            Answer::json(StatusCode::OK, &body)
        }
    }
}
