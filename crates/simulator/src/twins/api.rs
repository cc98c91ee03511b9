//! The app's own API: it answers whoever brings the credential exactly where the file puts it.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer;
use super::asked::{Asked, Doubts, Place, lower};
use super::file::Pairs;
use super::{State, Twin, fill, proof};
use crate::exchange::Answer;

/// The one member of the bodies that callers of the proxy send here, and its value.
const CALLERS: &str = "twin";

/// Which request of the file it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Verify,
    Identity,
    /// Any other, by the proxy.
    Other,
}

impl Which {
    fn table(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Identity => "identity.request",
            Self::Other => "",
        }
    }
}

pub(super) fn call(twin: &Twin, state: &mut State, asked: &Asked, which: Which) -> Answer {
    let file = &twin.file;
    let table = which.table();
    let mut doubts = Doubts::default();
    match which {
        Which::Verify => state.calls.verify += 1,
        Which::Identity => state.calls.identity += 1,
        Which::Other => state.calls.api += 1,
    }
    let values = state.with_token(twin.now_ms());
    let url = file.text(&format!("{table}.url"));
    let place = url.and_then(|it| Place::of(it, &values));
    let beside = match &place {
        Some(place) => asked.query_beside(place),
        None => asked.query.clone(),
    };
    let query = fill::pairs(&file.pairs("proxy.query"), &values);
    doubts.same_pairs("the query", query.into_iter().collect(), &beside);
    let mut headers = lower(&file.pairs("proxy.default_headers"));
    if which == Which::Other {
        // Whoever calls says by himself what he sends.
        headers.remove("content-type");
    }
    headers.extend(lower(&file.pairs("proxy.headers")));
    headers.extend(lower(&file.pairs(&format!("{table}.headers"))));
    let mut headers = fill::pairs(&headers, &values);
    if file.text("auth") == Some("oauth1") {
        // The signature stands there; it is looked at by itself.
        headers.remove("authorization");
        let sent = asked.header("authorization").unwrap_or_default().to_owned();
        headers.insert("authorization".to_owned(), sent);
        doubts.of(super::signed::api(twin, state, asked));
    }
    let token = values.get("oauth_access_token").cloned().unwrap_or_default();
    let proved = proof::of_key(twin, state, (asked, Some(&token)), &mut headers, &mut doubts);
    if let Err(answer) = proved {
        return *answer;
    }
    if file.text("oauth2.client_auth") == Some("tls") {
        // Tokens are bound to the certificate too (RFC 8705 section 3).
        proof::certificate(state, asked, &mut headers, &mut doubts);
    }
    if file.has("proxy.aws4") {
        headers.extend(super::aws::check(twin, asked, &values, &mut doubts));
    }
    doubts.same_headers(&headers, asked.headers);
    body(twin, (which, asked), &values, &mut doubts);
    if which != Which::Other {
        let method = file.text(&format!("{table}.method")).unwrap_or("GET").to_owned();
        doubts.same("the method", Some(&method), Some(asked.method.as_str()));
    }
    if !doubts.none() {
        let what = if table.is_empty() { "API" } else { table };
        return twin.refused(state, what, &doubts, StatusCode::UNAUTHORIZED);
    }
    if which == Which::Other {
        return Answer::json(StatusCode::OK, &json!({ "ok": true }));
    }
    state.met(file, which);
    let status = file.at(&format!("{table}.expect.status")).and_then(|it| it.get(0));
    let status = status.and_then(Value::as_u64).unwrap_or(200);
    let status = u16::try_from(status).ok().and_then(|it| StatusCode::from_u16(it).ok());
    Answer::json(status.unwrap_or(StatusCode::OK), &told(twin, state, which))
}

fn body(twin: &Twin, (which, asked): (Which, &Asked), values: &Pairs, doubts: &mut Doubts) {
    let file = &twin.file;
    let template = file.text(&format!("{}.body", which.table()));
    let added = fill::pairs(&file.pairs("proxy.body"), values);
    let Some(template) = template else {
        if which != Which::Other {
            doubts.unless(asked.body.is_empty(), "a body where there is none to be");
        } else if !asked.body.is_empty() {
            let mut expected = json!({ CALLERS: CALLERS });
            for (name, text) in added {
                expected[name] = json!(text);
            }
            let sent: Value = serde_json::from_slice(asked.body).unwrap_or_default();
            doubts.unless(sent == expected, format!("the body is {sent}, not {expected}"));
        }
        return;
    };
    let filled = match serde_json::from_str::<Value>(template) {
        Ok(json) => {
            let mut json = fill::json(&json, values).unwrap_or_default();
            if let Some(members) = json.as_object_mut() {
                members.extend(added.into_iter().map(|(name, it)| (name, json!(it))));
            }
            let sent: Value = serde_json::from_slice(asked.body).unwrap_or_default();
            doubts.unless(sent == json, format!("the body is {sent}, not {json}"));
            return;
        }
        Err(_) => fill::text(template, values).unwrap_or_default(),
    };
    let sent = String::from_utf8_lossy(asked.body);
    doubts.same("the body", Some(&filled), Some(&sent));
}

/// What the app says of the account.
fn told(twin: &Twin, state: &mut State, which: Which) -> Value {
    let file = &twin.file;
    let mut body = Value::Null;
    let text = |key: &str| file.text(&format!("{}.expect.{key}", which.table()));
    if let Some(path) = text("truthy") {
        answer::place(&mut body, path, json!(true));
    }
    let (from, of_identity) = match which {
        Which::Verify => ("verify", file.text("identity.from") == Some("verify")),
        _ => ("identity", true),
    };
    answer::learned(file, from, &state.values, &mut body);
    if of_identity {
        if which == Which::Verify {
            answer::learned(file, "identity", &state.values, &mut body);
        }
        answer::identity(file, &mut body);
    }
    if let Some(path) = text("present") {
        answer::place(&mut body, path, json!("something"));
    }
    if of_identity {
        state.told = body.clone();
    }
    if body.is_null() { json!({}) } else { body }
}
