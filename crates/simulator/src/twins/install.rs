//! Apps that are installed: the person's own token opens his installation, and the operator's app
//! asks for its tokens with a JWT that it signs.

use http::StatusCode;
use serde_json::json;

use super::answer::LIFE_S;
use super::asked::{Asked, Doubts, lower};
use super::jwt::{CLOCK_SKEW_S, Jwt};
use super::ledger::Ledger;
use super::{State, Twin, fill, statement};
use crate::exchange::Answer;
use crate::secrets;

/// Seconds that the app's own proof may live, from when it was made.
const PROOF_LIFE_S: u64 = 600;
/// The moment at which tokens end, as such servers write it; the time of tests is no calendar's.
const ENDS_AT: &str = "2999-01-01T00:00:00Z";

/// The person's own token, good for one question.
pub(super) fn user_token(state: &mut State) -> Answer {
    let token = secrets::fresh("ut.");
    state.user_token = Some(token.clone());
    state.visit = None;
    Answer::json(StatusCode::OK, &json!({ "access_token": token, "token_type": "bearer" }))
}

/// Whether the person may use the installation.
pub(super) fn check(twin: &Twin, state: &mut State, asked: &Asked) -> Answer {
    state.calls.check += 1;
    let mut doubts = Doubts::default();
    doubts.same("the method", Some("GET"), Some(asked.method.as_str()));
    let token = state.user_token.clone().unwrap_or_default();
    let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
    doubts.same_headers(&headers.into_iter().collect(), asked.headers);
    if !doubts.none() {
        return twin.refused(state, "check", &doubts, StatusCode::UNAUTHORIZED);
    }
    Answer::json(StatusCode::OK, &json!({ "total_count": 1 }))
}

/// A token of the installation, for the app itself.
pub(super) fn token(twin: &Twin, state: &mut State, asked: &Asked) -> Answer {
    state.calls.again += 1;
    let file = &twin.file;
    let mut doubts = Doubts::default();
    doubts.same("the method", Some("POST"), Some(asked.method.as_str()));
    doubts.unless(asked.body.is_empty(), "a body where there is none to be");
    let mut headers = fill::pairs(&lower(&file.pairs("oauth2.token_headers")), &state.secrets());
    let sent = asked.header("authorization").unwrap_or_default().to_owned();
    match Jwt::read(sent.strip_prefix("Bearer ").unwrap_or_default()) {
        None => doubts.add("the app's own proof is no JWT"),
        Some(mut jwt) => {
            doubts.unless(jwt.is_by_rsa(statement::public_key()), "the proof's signature is wrong");
            jwt.head_is("alg", "RS256", &mut doubts);
            jwt.claim_is("iss", &state.client.id.clone(), &mut doubts);
            let (made_s, ends_s) = (jwt.number("iat"), jwt.number("exp"));
            let now_s = twin.now_ms() / 1_000;
            let made = made_s <= now_s && now_s - made_s <= 2 * CLOCK_SKEW_S;
            doubts.unless(made, "the proof was not made now, or bears a time to come");
            let lives = ends_s > now_s && ends_s <= made_s + PROOF_LIFE_S;
            doubts.unless(lives, "the proof ends too early or too late");
            doubts.unless(jwt.claims.is_empty(), "the proof says more");
        }
    }
    headers.insert("authorization".to_owned(), sent);
    doubts.same_headers(&headers, asked.headers);
    if !doubts.none() {
        return twin.refused(state, "token", &doubts, StatusCode::UNAUTHORIZED);
    }
    state.ledger = Ledger::open("P0", None);
    let token = state.ledger.issue_access(Some(twin.now_ms() + LIFE_S * 1_000));
    Answer::json(StatusCode::CREATED, &json!({ "token": token, "expires_at": ENDS_AT }))
}
