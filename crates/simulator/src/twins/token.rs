//! The token endpoint of a twin: takes what its file says and nothing else.

use http::StatusCode;
use serde_json::Value;

use super::answer::{self, Given, LIFE_S};
use super::asked::{Asked, Doubts, Place, lower};
use super::ledger::Ledger;
use super::{State, Twin, device, fill, install, proof, statement, text_at};
use crate::exchange::Answer;
use crate::secrets;

/// RFC 8628 section 3.4, RFC 8693 section 2.1, RFC 7523 section 2.1.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

type Wanted = Vec<(String, String)>;

/// What a request is for, told by what it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Exchange,
    Refresh,
    /// The person has typed the code.
    Device,
    /// What the user entered is the grant.
    Again,
}

impl Purpose {
    /// Whether the user has approved it, so that a refresh token may come with it.
    fn is_approved(self) -> bool {
        matches!(self, Self::Exchange | Self::Device)
    }
}

pub(super) fn token(twin: &Twin, state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let file = &twin.file;
    let mut doubts = Doubts::default();
    let sent = sent(twin, asked, place, &mut doubts);
    let mut headers = fill::pairs(&lower(&file.pairs("oauth2.token_headers")), &state.secrets());
    if let Err(answer) = proof::of_key(twin, state, (asked, None), &mut headers, &mut doubts) {
        return *answer;
    }
    let has = |name: &str| sent.iter().any(|it| it.0 == twin.renamed(name));
    let purpose = if has("refresh_token") {
        state.calls.refresh += 1;
        Purpose::Refresh
    } else if file.flow() == "device_code" {
        let code = sent.iter().find(|it| it.0 == "device_code").map_or("", |it| it.1.as_str());
        if let Err(word) = device::polled(state, code, twin.now_ms(), &mut doubts) {
            if !doubts.none() {
                return twin.refused(state, "poll", &doubts, StatusCode::BAD_REQUEST);
            }
            return answer::refusal(file, word, "As it stands.");
        }
        state.calls.exchange += 1;
        Purpose::Device
    } else if matches!(file.flow(), "authorization_code" | "installation") {
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
    let auth = file.text_or("oauth2.client_auth", "post").to_owned();
    let parts =
        &mut proof::Sent { asked, pairs: &sent, headers: &mut headers, doubts: &mut doubts };
    let client = proof::client(twin, state, &auth, parts);
    let mut expected = grant(twin, state, purpose, &sent, &mut doubts);
    expected.extend(client);
    let params = match purpose {
        Purpose::Refresh => "oauth2.refresh_params",
        _ => "oauth2.token_params",
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
    if purpose == Purpose::Exchange && file.flow() == "installation" {
        return install::user_token(state);
    }
    let answer = issue(twin, state, purpose, &sent);
    proof::with_next_nonce(twin, state, answer)
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
        (Purpose::Device, _) => {
            want("grant_type", DEVICE_CODE);
            want("device_code", get("device_code"));
            return expected;
        }
        (Purpose::Again, "token_exchange") => {
            want("grant_type", TOKEN_EXCHANGE);
            let table = file.pairs("oauth2.token_exchange");
            for (name, text) in fill::pairs(&table, &state.values) {
                want(&name, &text);
            }
            for audience in file.texts("oauth2.token_exchange.audience") {
                want("audience", &fill::text(audience, &state.values).unwrap_or_default());
            }
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
        if purpose.is_approved() && file.flag("oauth2.refresh", true) {
            refresh_token = Some(state.ledger.issue_refresh());
        }
    }
    let fixed_s = file.number("oauth2.answer.lifetime_s");
    let ends = !purpose.is_approved() || file.flag("oauth2.refresh", true);
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
