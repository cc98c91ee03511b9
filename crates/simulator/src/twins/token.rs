//! The token endpoint of a twin: takes what its file says and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::Value;

use super::answer::{self, Given, LIFE_S};
use super::asked::{Asked, Doubts, Place, lower};
use super::ledger::Ledger;
use super::{State, Twin, fill, statement, text_at};
use crate::exchange::{Answer, form_encoded};
use crate::secrets;

/// RFC 7523 section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

type Wanted = Vec<(String, String)>;

/// What a request is for, told by what it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Exchange,
    Refresh,
    /// What the user entered is the grant.
    Again,
}

pub(super) fn token(twin: &Twin, state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let file = &twin.file;
    let mut doubts = Doubts::default();
    let sent = sent(twin, asked, place, &mut doubts);
    let has = |name: &str| sent.iter().any(|it| it.0 == twin.renamed(name));
    let purpose = if has("refresh_token") {
        state.calls.refresh += 1;
        Purpose::Refresh
    } else if file.flow() == "authorization_code" {
        state.calls.exchange += 1;
        Purpose::Exchange
    } else {
        state.calls.again += 1;
        Purpose::Again
    };
    let elsewhere = file.text("oauth2.refresh_url").and_then(|it| Place::of(it, &state.values));
    if let Some(elsewhere) = elsewhere {
        let right = asked.is_at(&elsewhere) == (purpose == Purpose::Refresh);
        doubts.unless(right, "refreshed at the address for exchanges, or the other way");
    }
    if let Some(word) = state.refuse.take() {
        return answer::refusal(file, &word, "Refused as was ordered.");
    }
    let mut headers = fill::pairs(&lower(&file.pairs("oauth2.token_headers")), &state.secrets());
    let auth = file.text_or("oauth2.client_auth", "post").to_owned();
    let client = client(twin, state, &auth, &mut headers);
    let mut expected = grant(twin, state, purpose, &sent, &mut doubts);
    expected.extend(client);
    let params = match purpose {
        Purpose::Refresh => "oauth2.refresh_params",
        Purpose::Exchange | Purpose::Again => "oauth2.token_params",
    };
    let params = fill::pairs(&file.pairs(params), &state.values);
    expected.retain(|(name, _)| !params.contains_key(name));
    expected.extend(params);
    for resource in file.texts("oauth2.resource") {
        expected.push(("resource".to_owned(), resource.to_owned()));
    }
    doubts.same_pairs("the token request", expected, &sent);
    doubts.same_headers(&headers, asked.headers);
    if !doubts.none() {
        return twin.refused(state, "token", &doubts, StatusCode::BAD_REQUEST);
    }
    issue(twin, state, purpose, &sent)
}

/// The parameters, from where the file has them.
fn sent(twin: &Twin, asked: &Asked, place: &Place, doubts: &mut Doubts) -> Wanted {
    let file = &twin.file;
    let method = file.text_or("oauth2.token_method", "POST");
    doubts.same("the method", Some(method), Some(asked.method.as_str()));
    let beside = asked.query_beside(place);
    if method == "GET" {
        return beside;
    }
    doubts.unless(beside.is_empty(), format!("the query holds {beside:?}"));
    doubts.of(asked.body_pairs(file.text_or("oauth2.body_format", "form")))
}

/// How the client proves itself: what stands in the body, and the header, if that is the way.
pub(super) fn client(
    twin: &Twin,
    state: &State,
    auth: &str,
    headers: &mut super::file::Pairs,
) -> Wanted {
    let id = (twin.renamed("client_id"), state.client.id.clone());
    let secret = (twin.renamed("client_secret"), state.client.secret.clone());
    if twin.file.text("oauth2.client") == Some("none") {
        return Vec::new();
    }
    match auth {
        "basic" => {
            // Each part is form-encoded first (RFC 6749 section 2.3.1).
            let word = |text: &str| form_encoded(&[("", text)]).split_off(1);
            let pair = format!("{}:{}", word(&id.1), word(&secret.1));
            let value = format!("Basic {}", STANDARD.encode(pair));
            headers.insert("authorization".to_owned(), value);
            Vec::new()
        }
        "none" => vec![id],
        _ => vec![id, secret],
    }
}

/// What the grant itself must bring.
fn grant(
    twin: &Twin,
    state: &State,
    purpose: Purpose,
    sent: &Wanted,
    doubts: &mut Doubts,
) -> Wanted {
    let file = &twin.file;
    let mut expected = Wanted::new();
    let mut want = |name: &str, value: &str| expected.push((twin.renamed(name), value.to_owned()));
    let get = |name: &str| {
        let name = twin.renamed(name);
        sent.iter().find(|it| it.0 == name).map_or("", |it| it.1.as_str())
    };
    let scopes = file.scopes("oauth2").join(file.text_or("oauth2.scopes.separator", " "));
    match (purpose, file.flow()) {
        (Purpose::Refresh, _) => {
            want("grant_type", "refresh_token");
            want("refresh_token", get("refresh_token"));
            return expected;
        }
        (Purpose::Exchange, _) => {
            want("grant_type", "authorization_code");
            want("redirect_uri", &state.redirect_uri);
            let visit = state.visit.as_ref();
            want("code", visit.map_or("no code was given", |it| it.code.as_str()));
            if file.flag("oauth2.pkce", true) {
                let verifier = get("code_verifier");
                let challenge = secrets::pkce_challenge(verifier);
                let right = visit.is_some_and(|it| it.challenge == challenge);
                doubts.unless(right, "code_verifier does not fit the challenge");
                want("code_verifier", verifier);
            }
            return expected;
        }
        (Purpose::Again, "password") => {
            want("grant_type", "password");
            for name in ["username", "password"] {
                want(name, state.values.get(name).map_or("", String::as_str));
            }
        }
        (Purpose::Again, "jwt_bearer") => {
            want("grant_type", JWT_BEARER);
            want("assertion", get("assertion"));
            statement::check(twin, state, get("assertion"), doubts);
        }
        (Purpose::Again, flow) => want("grant_type", flow),
    }
    if !file.flag("oauth2.jwt.scope_in_claims", false) && !scopes.is_empty() {
        expected.push((file.text_or("oauth2.scopes.param", "scope").to_owned(), scopes));
    }
    expected
}

fn issue(twin: &Twin, state: &mut State, purpose: Purpose, sent: &Wanted) -> Answer {
    let file = &twin.file;
    let now_ms = twin.now_ms();
    let mut refresh_token = None;
    if purpose == Purpose::Refresh {
        let name = twin.renamed("refresh_token");
        let token = sent.iter().find(|it| it.0 == name).map_or("", |it| it.1.as_str());
        match state.ledger.renew(token, now_ms) {
            Ok(token) => refresh_token = token,
            Err(doubt) => {
                state.refusals.push(format!("refresh: {doubt}"));
                return answer::refusal(file, "invalid_grant", "Not valid any more.");
            }
        }
    } else {
        // A code is good once.
        state.visit = None;
        let class = file.text_or("oauth2.rotation.class", "P7");
        state.ledger = Ledger::open(class, file.number("oauth2.rotation.grace_s"));
        if purpose == Purpose::Exchange && file.flag("oauth2.refresh", true) {
            refresh_token = Some(state.ledger.issue_refresh());
        }
    }
    let fixed_s = file.number("oauth2.answer.lifetime_s");
    let ends = purpose != Purpose::Exchange || file.flag("oauth2.refresh", true);
    let life_s = fixed_s.or(ends.then_some(LIFE_S));
    let access_token = state.ledger.issue_access(life_s.map(|it| now_ms + it * 1_000));
    let scopes = file.scopes("oauth2").join(file.text_or("oauth2.scopes.separator", " "));
    let given = Given {
        access_token: &access_token,
        refresh_token: refresh_token.as_deref(),
        scope: Some(scopes.as_str()).filter(|it| !it.is_empty()),
        // Where the file fixes it, the answer does not say.
        life_s: life_s.filter(|_| fixed_s.is_none()),
        now_ms,
        nth: if state.calls.refresh % 2 == 1 { usize::MAX } else { 0 },
    };
    let answer = answer::tokens(file, &given, &state.values);
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // What is learnt may be a token that was just given.
    for (name, rule) in file.learned("token_answer") {
        if let Some(text) = text_at(&body, rule["path"].as_str().unwrap_or_default())
            && purpose != Purpose::Refresh
        {
            state.values.insert(name.to_owned(), text);
        }
    }
    state.told_by_tokens(file, body);
    answer
}
