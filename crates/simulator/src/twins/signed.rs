//! OAuth 1.0a (RFC 5849) at a twin.

use http::StatusCode;

use super::asked::{Asked, Doubts, Place};
use super::consent::sent_back;
use super::{State, Twin, fill};
use crate::exchange::{Answer, form_encoded};
use crate::oauth1::{Signed, is_signature};
use crate::secrets;

/// A signature older or newer than this is refused (section 3.3).
const CLOCK_SKEW_S: u64 = 600;

/// Temporary credentials, and the verifier once the person has approved.
pub(super) struct RequestToken {
    token: String,
    secret: String,
    verifier: Option<String>,
}

/// Everything about a signature but whose token it is.
fn check(twin: &Twin, state: &State, asked: &Asked, signed: &Signed, secret: &str) -> Doubts {
    let mut doubts = Doubts::default();
    let method = twin.file.text_or("oauth1.signature_method", "HMAC-SHA1");
    let get = |name: &str| Some(signed.get(name));
    doubts.same("oauth_signature_method", Some(method), get("oauth_signature_method"));
    doubts.same("oauth_consumer_key", Some(&state.client.id), get("oauth_consumer_key"));
    let version = signed.get("oauth_version");
    doubts.unless(["", "1.0"].contains(&version), "oauth_version is not 1.0");
    doubts.unless(!signed.get("oauth_nonce").is_empty(), "oauth_nonce is missing");
    let sent_s: u64 = signed.get("oauth_timestamp").parse().unwrap_or(0);
    let now_s = twin.now_ms() / 1_000;
    doubts.unless(now_s.abs_diff(sent_s) <= CLOCK_SKEW_S, "oauth_timestamp is not now");
    let secrets = (state.client.secret.as_str(), secret);
    let right = is_signature(method, (&twin.base_url, asked.call), signed, secrets);
    doubts.unless(right, "oauth_signature is wrong");
    doubts
}

pub(super) fn request_token(twin: &Twin, state: &mut State, asked: &Asked) -> Answer {
    state.calls.exchange += 1;
    let signed = Signed::read(asked.call);
    let mut doubts = check(twin, state, asked, &signed, "");
    doubts.same("the method", Some("POST"), Some(asked.method.as_str()));
    doubts.same("oauth_callback", Some(&state.redirect_uri), Some(signed.get("oauth_callback")));
    if !doubts.none() {
        return twin.refused(state, "request token", &doubts, StatusCode::UNAUTHORIZED);
    }
    let (token, secret) = (secrets::fresh("rqt+"), secrets::fresh("s&="));
    let answer = form(&[
        ("oauth_token", &token),
        ("oauth_token_secret", &secret),
        ("oauth_callback_confirmed", "true"),
    ]);
    state.request_token = Some(RequestToken { token, secret, verifier: None });
    answer
}

pub(super) fn consent(twin: &Twin, state: &mut State, asked: &Asked) -> Answer {
    state.calls.consent += 1;
    let file = &twin.file;
    let mut doubts = Doubts::default();
    let place = Place::of(file.text_or("oauth1.authorize_url", ""), &state.values);
    let Some(place) = place.filter(|it| asked.is_at(it)) else {
        doubts.add("the address of the consent page is another one");
        return twin.refused(state, "consent", &doubts, StatusCode::NOT_FOUND);
    };
    let token = state.request_token.as_ref().map_or("none", |it| it.token.as_str()).to_owned();
    let mut expected = vec![("oauth_token".to_owned(), token.clone())];
    expected.extend(fill::pairs(&file.pairs("oauth1.authorization_params"), &state.values));
    let scopes = file.scopes("oauth1").join(file.text_or("oauth1.scopes.separator", " "));
    if !scopes.is_empty() {
        expected.push((file.text_or("oauth1.scopes.param", "scope").to_owned(), scopes));
    }
    doubts.same_pairs("the consent page's address", expected, &asked.query_beside(&place));
    if !doubts.none() {
        return twin.refused(state, "consent", &doubts, StatusCode::BAD_REQUEST);
    }
    let verifier = secrets::fresh("v+");
    if let Some(it) = &mut state.request_token {
        it.verifier = Some(verifier.clone());
    }
    let back = [("oauth_token".to_owned(), token), ("oauth_verifier".to_owned(), verifier)];
    sent_back(&state.redirect_uri, &back)
}

pub(super) fn access_token(twin: &Twin, state: &mut State, asked: &Asked) -> Answer {
    state.calls.exchange += 1;
    let signed = Signed::read(asked.call);
    let given = state.request_token.take();
    let secret = given.as_ref().map_or("", |it| it.secret.as_str());
    let mut doubts = check(twin, state, asked, &signed, secret);
    let token = given.as_ref().map(|it| it.token.as_str());
    doubts.same("oauth_token", token, Some(signed.get("oauth_token")));
    let verifier = given.as_ref().and_then(|it| it.verifier.as_deref());
    doubts.same("oauth_verifier", verifier, Some(signed.get("oauth_verifier")));
    if !doubts.none() {
        return twin.refused(state, "access token", &doubts, StatusCode::UNAUTHORIZED);
    }
    state.token_secret = secrets::fresh("ts&");
    state.ledger = super::ledger::Ledger::open("P0", None);
    let token = state.ledger.issue_access(None);
    let mut pairs: Vec<(String, String)> = vec![
        ("oauth_token".to_owned(), token),
        ("oauth_token_secret".to_owned(), state.token_secret.clone()),
    ];
    let mut told = serde_json::json!({});
    super::answer::learned(&twin.file, "token_answer", &state.values, &mut told);
    if twin.file.text("identity.from") == Some("token_answer") {
        super::answer::identity(&twin.file, &mut told);
    }
    for (name, value) in told.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        pairs.push((name.clone(), text));
    }
    state.told = told;
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    form(&pairs)
}

/// The signature of a call of the API (section 3.1).
pub(super) fn api(twin: &Twin, state: &State, asked: &Asked) -> Result<(), String> {
    let signed = Signed::read(asked.call);
    let mut doubts = check(twin, state, asked, &signed, &state.token_secret);
    let token = state.ledger.access(twin.now_ms());
    doubts.same("oauth_token", token, Some(signed.get("oauth_token")));
    if doubts.none() { Ok(()) } else { Err(doubts.text()) }
}

fn form(pairs: &[(&str, &str)]) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    Answer::new(StatusCode::OK, kind, form_encoded(pairs))
}
