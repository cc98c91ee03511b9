//! The end of a grant, in the app's own way.

use http::StatusCode;

use super::asked::{Asked, Doubts, Place, lower};
use super::{State, Twin, fill, proof};
use crate::exchange::Answer;

pub(super) fn revoke(twin: &Twin, state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let file = &twin.file;
    state.calls.revoke += 1;
    let text = |key: &str, usual: &'static str| -> String {
        file.text_or(&format!("oauth2.revocation.{key}"), usual).to_owned()
    };
    let (way, param) = (text("place", "form"), text("param", "token"));
    let token = state.revoked_token(file).unwrap_or_default();
    let mut doubts = Doubts::default();
    doubts.same("the method", Some(&text("method", "POST")), Some(asked.method.as_str()));
    let mut values = state.secrets();
    values.insert("token".to_owned(), token.clone());
    let mut headers = fill::pairs(&lower(&file.pairs("oauth2.revocation.headers")), &values);
    let mut expected = Vec::new();
    match way.as_str() {
        // It stands in the address, and was found there.
        "path" => {}
        "bearer" => {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        _ => expected.push((param.clone(), token)),
    }
    let beside = asked.query_beside(place);
    let mut sent = if way == "query" {
        beside
    } else {
        doubts.unless(beside.is_empty(), format!("the query holds {beside:?}"));
        let empty = asked.body.is_empty();
        let format = if way == "json" { "json" } else { "form" };
        if empty { Vec::new() } else { doubts.of(asked.body_pairs(format)) }
    };
    // Said to need none, it needs none; a public client has to name itself all the same.
    match file.text("oauth2.revocation.client_auth") {
        Some("none") => {}
        own => {
            let usual = file.text_or("oauth2.client_auth", "post");
            let auth = own.unwrap_or(if way == "bearer" { "none" } else { usual });
            let auth = auth.to_owned();
            let parts = &mut proof::Sent {
                asked,
                pairs: &sent,
                headers: &mut headers,
                doubts: &mut doubts,
            };
            expected.extend(proof::client(twin, state, &auth, parts));
        }
    }
    expected.extend(fill::pairs(&file.pairs("oauth2.revocation.params"), &values));
    if way == "form" && param == "token" {
        // A hint may come or not (RFC 7009 section 2.1), but not a wrong one.
        let kind = if state.revokes_refresh(file) { "refresh_token" } else { "access_token" };
        sent.retain(|(name, value)| name != "token_type_hint" || value != kind);
    }
    doubts.same_pairs("the revocation", expected, &sent);
    doubts.same_headers(&headers, asked.headers);
    if !doubts.none() {
        return twin.refused(state, "revocation", &doubts, StatusCode::BAD_REQUEST);
    }
    state.ledger.revoked = true;
    Answer::new(StatusCode::OK, "application/json", String::new())
}
