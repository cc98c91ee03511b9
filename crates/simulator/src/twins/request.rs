//! Authorization requests that do not stand in the address: pushed (RFC 9126), signed (RFC 9101).

use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, Doubts, Place, lower};
use super::jwt::Jwt;
use super::{State, Twin, fill, proof};
use crate::exchange::Answer;
use crate::secrets;

type Sent = Vec<(String, String)>;

/// Seconds that a pushed request is kept.
const PUSHED_LIFE_S: u64 = 60;
/// Seconds that a signed request may live.
const OBJECT_LIFE_S: u64 = 600;

/// A request that was left here.
pub(super) struct Pushed {
    uri: String,
    params: Sent,
    ends_ms: u64,
}

/// Takes a request in.
pub(super) fn push(twin: &Twin, state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let file = &twin.file;
    state.calls.pushed += 1;
    let mut doubts = Doubts::default();
    doubts.same("the method", Some("POST"), Some(asked.method.as_str()));
    let beside = asked.query_beside(place);
    doubts.unless(beside.is_empty(), format!("the query holds {beside:?}"));
    let sent = doubts.of(asked.body_pairs("form"));
    let mut headers = fill::pairs(&lower(&file.pairs("oauth2.token_headers")), &state.secrets());
    let auth = file.text_or("oauth2.client_auth", "post").to_owned();
    let parts =
        &mut proof::Sent { asked, pairs: &sent, headers: &mut headers, doubts: &mut doubts };
    let proved = proof::client(twin, state, &auth, parts);
    for (name, value) in &proved {
        let there = sent.iter().any(|it| it.0 == *name && it.1 == *value);
        doubts.unless(there, format!("the pushed request lacks `{name}`"));
    }
    doubts.same_headers(&headers, asked.headers);
    let own = |it: &&(String, String)| it.0 == twin.renamed("client_id") || !proved.contains(it);
    let params = sent.iter().filter(own).cloned().collect();
    if !doubts.none() {
        return twin.refused(state, "push", &doubts, StatusCode::BAD_REQUEST);
    }
    let uri = secrets::fresh("urn:ietf:params:oauth:request_uri:");
    let answer = json!({ "request_uri": uri, "expires_in": PUSHED_LIFE_S });
    let ends_ms = twin.now_ms() + PUSHED_LIFE_S * 1_000;
    state.pushed = Some(Pushed { uri, params, ends_ms });
    Answer::json(StatusCode::CREATED, &answer)
}

/// The parameters of the request, wherever they are.
pub(super) fn params(twin: &Twin, state: &mut State, sent: Sent, doubts: &mut Doubts) -> Sent {
    let file = &twin.file;
    let mut sent = sent;
    if file.has("oauth2.par_url") {
        let uri = value(&sent, "request_uri");
        alone(twin, state, ("request_uri", &uri), &sent, doubts);
        // Good once (RFC 9126 section 4).
        let Some(pushed) = state.pushed.take().filter(|it| it.uri == uri) else {
            doubts.add("request_uri is not known, or was used");
            return Vec::new();
        };
        doubts.unless(twin.now_ms() < pushed.ends_ms, "request_uri has expired");
        sent = pushed.params;
    }
    if file.flag("oauth2.request_object", false) {
        let object = value(&sent, "request");
        alone(twin, state, ("request", &object), &sent, doubts);
        sent = opened(twin, state, &object, doubts);
    }
    sent
}

fn value(sent: &Sent, name: &str) -> String {
    sent.iter().find(|it| it.0 == name).map(|it| it.1.clone()).unwrap_or_default()
}

/// Nothing beside the client's id.
fn alone(
    twin: &Twin,
    state: &State,
    (name, value): (&str, &str),
    sent: &Sent,
    doubts: &mut Doubts,
) {
    let id = (twin.renamed("client_id"), state.client.id.clone());
    let by = (name.to_owned(), value.to_owned());
    doubts.same_pairs("the reference", vec![id, by], sent);
}

/// The parameters in a signed object.
fn opened(twin: &Twin, state: &mut State, object: &str, doubts: &mut Doubts) -> Sent {
    let Some(mut jwt) = Jwt::read(object) else {
        doubts.add("`request` is no JWT");
        return Vec::new();
    };
    doubts.unless(jwt.is_by_jwk(&state.jwk), "the request's signature is wrong");
    jwt.head_is("typ", "oauth-authz-req+jwt", doubts);
    jwt.head_is("alg", "ES256", doubts);
    jwt.claim_is("iss", &state.client.id.clone(), doubts);
    let audience = twin.file.text_or("oauth2.issuer", "").to_owned();
    jwt.claim_is("aud", &audience, doubts);
    let now_s = twin.now_ms() / 1_000;
    jwt.lives(OBJECT_LIFE_S, now_s, doubts);
    doubts.unless(jwt.number("nbf") <= now_s, "the request is not good yet");
    proof::once(state, &jwt.text("jti"), doubts);
    let mut params = Sent::new();
    for (name, value) in std::mem::take(&mut jwt.claims) {
        match value {
            Value::Array(all) => {
                let texts = all.iter().filter_map(Value::as_str);
                params.extend(texts.map(|it| (name.clone(), it.to_owned())));
            }
            other => params.push((name, other.as_str().unwrap_or_default().to_owned())),
        }
    }
    params
}
