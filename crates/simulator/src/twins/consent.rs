//! The consent page: what the browser must bring, and with what it is sent back.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use url::Url;

use super::asked::{Asked, Doubts, Place};
use super::fill;
use super::{State, Twin, Visit};
use crate::exchange::Answer;
use crate::secrets;

/// A state shorter than this can be guessed: 128 bits in base64url.
const STATE_CHARS_MIN: usize = 22;

/// Judges the authorization request, and approves it: a redirect, or what was wrong.
pub(super) fn consent(twin: &Twin, state: &mut State, asked: &Asked) -> Answer {
    let file = &twin.file;
    if file.text("auth") == Some("oauth1") {
        return super::signed::consent(twin, state, asked);
    }
    state.calls.consent += 1;
    let mut doubts = Doubts::default();
    let place = Place::of(file.text_or("oauth2.authorization_url", ""), &state.values);
    let Some(place) = place.filter(|it| asked.is_at(it)) else {
        doubts.add("the address of the consent page is another one");
        return twin.refused(state, "consent", &doubts, StatusCode::NOT_FOUND);
    };
    let sent = asked.query_beside(&place);
    let sent = super::request::params(twin, state, sent, &mut doubts);
    let get = |name: &str| {
        let name = twin.renamed(name);
        sent.iter().find(|it| it.0 == name).map_or("", |it| it.1.as_str()).to_owned()
    };
    let (given, challenge) = (get("state"), get("code_challenge"));
    doubts.unless(given.len() >= STATE_CHARS_MIN, "state is missing or short");
    let mut expected: Vec<(String, String)> = Vec::new();
    let mut want = |name: &str, value: &str| expected.push((twin.renamed(name), value.to_owned()));
    want("response_type", "code");
    want("client_id", &state.client.id);
    want("redirect_uri", &state.redirect_uri);
    want("state", &given);
    if file.flag("oauth2.pkce", true) {
        let bytes = URL_SAFE_NO_PAD.decode(&challenge).map_or(0, |it| it.len());
        doubts.unless(bytes == digest::SHA256_OUTPUT_LEN, "code_challenge is no SHA-256");
        want("code_challenge", &challenge);
        want("code_challenge_method", "S256");
    }
    if file.flag("oauth2.dpop", false) {
        // From here on, the grant belongs to this key (RFC 9449 section 10).
        state.key_print = get("dpop_jkt");
        want("dpop_jkt", &state.key_print);
    }
    for resource in file.texts("oauth2.resource") {
        expected.push(("resource".to_owned(), resource.to_owned()));
    }
    let scopes = file.scopes("oauth2").join(file.text_or("oauth2.scopes.separator", " "));
    if !scopes.is_empty() {
        let name = file.text_or("oauth2.scopes.param", "scope").to_owned();
        expected.push((name, scopes));
    }
    expected.extend(fill::pairs(&file.pairs("oauth2.authorization_params"), &state.values));
    doubts.same_pairs("the authorization request", expected, &sent);
    if !doubts.none() {
        return twin.refused(state, "consent", &doubts, StatusCode::BAD_REQUEST);
    }
    let code = format!("{}+/=", secrets::fresh("code."));
    state.visit = Some(Visit { code: code.clone(), challenge });
    let mut back = vec![("code".to_owned(), code), (twin.renamed("state"), given)];
    if let Some(issuer) = file.text("oauth2.issuer") {
        back.push(("iss".to_owned(), fill::text(issuer, &state.values).unwrap_or_default()));
    }
    for (name, rule) in file.learned("callback") {
        let path = rule["path"].as_str().unwrap_or(name);
        back.push((path.to_owned(), state.values.get(name).cloned().unwrap_or_default()));
    }
    sent_back(&state.redirect_uri, &back)
}

pub(super) fn sent_back(redirect_uri: &str, pairs: &[(String, String)]) -> Answer {
    let Ok(mut url) = Url::parse(redirect_uri) else { return Answer::not_found() };
    url.query_pairs_mut().extend_pairs(pairs);
    Answer::see_other(url.as_str())
}
