//! How clients and tokens are proved: a secret, a signed assertion (RFC 7523), a certificate
//! (RFC 8705), a key of the account (RFC 9449).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, Doubts};
use super::file::Pairs;
use super::jwt::{CLOCK_SKEW_S, Jwt, sha256, thumbprint};
use super::{State, Twin};
use crate::exchange::{Answer, form_encoded};
use crate::secrets;

/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion may live.
const ASSERTION_LIFE_S: u64 = 300;
/// Where what ends TLS in front of the twin says whose certificate it saw: its SHA-256.
const CERTIFICATE: &str = "x-client-certificate";

/// What was sent, and what must be among it.
pub(super) struct Sent<'a> {
    pub asked: &'a Asked<'a>,
    pub pairs: &'a [(String, String)],
    /// Headers that must be there.
    pub headers: &'a mut Pairs,
    pub doubts: &'a mut Doubts,
}

/// What of the client's proof stands in the body; the rest is looked at at once.
pub(super) fn client(
    twin: &Twin,
    state: &mut State,
    auth: &str,
    sent: &mut Sent<'_>,
) -> Vec<(String, String)> {
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
            sent.headers.insert("authorization".to_owned(), value);
            Vec::new()
        }
        "none" => vec![id],
        "tls" => {
            certificate(state, sent.asked, sent.headers, sent.doubts);
            vec![id]
        }
        "private_key_jwt" | "client_secret_jwt" => {
            let find = sent.pairs.iter().find(|it| it.0 == "client_assertion");
            let text = find.map(|it| it.1.clone()).unwrap_or_default();
            assertion(twin, state, (auth, &text, sent.asked), sent.doubts);
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let kind = pair("client_assertion_type", ASSERTION_TYPE);
            vec![id, kind, pair("client_assertion", &text)]
        }
        _ => vec![id, secret],
    }
}

/// The certificate that the client has registered, and no other.
pub(super) fn certificate(
    state: &State,
    asked: &Asked<'_>,
    headers: &mut Pairs,
    doubts: &mut Doubts,
) {
    let seen = asked.header(CERTIFICATE).unwrap_or("none").to_owned();
    doubts.same("the certificate", Some(&state.certificate), Some(&seen));
    headers.insert(CERTIFICATE.to_owned(), seen);
}

fn assertion(
    twin: &Twin,
    state: &mut State,
    (auth, text, asked): (&str, &str, &Asked<'_>),
    doubts: &mut Doubts,
) {
    let Some(mut jwt) = Jwt::read(text) else { return doubts.add("client_assertion is no JWT") };
    let file = &twin.file;
    let (alg, right) = match auth {
        "client_secret_jwt" => ("HS256", jwt.is_by_secret(&state.client.secret)),
        _ => ("ES256", jwt.is_by_jwk(&state.jwk)),
    };
    doubts.unless(right, "the assertion's signature is wrong");
    jwt.head_is("alg", alg, doubts);
    jwt.head_is("typ", "JWT", doubts);
    if auth == "private_key_jwt" {
        let kid = state.jwk["kid"].as_str().unwrap_or_default().to_owned();
        jwt.head_is("kid", &kid, doubts);
    }
    let here = twin.address(asked);
    let audience = file.text_or("oauth2.client_assertion_audience", &here).to_owned();
    for (name, expected) in
        [("iss", &state.client.id), ("sub", &state.client.id), ("aud", &audience)]
    {
        jwt.claim_is(name, expected, doubts);
    }
    jwt.lives(ASSERTION_LIFE_S, twin.now_ms() / 1_000, doubts);
    once(state, &jwt.text("jti"), doubts);
    let rest = json!([jwt.head, jwt.claims]);
    doubts.unless(rest == json!([{}, {}]), format!("the assertion says more: {rest}"));
}

/// An id of a signed object is good once (RFC 7519 section 4.1.7).
pub(super) fn once(state: &mut State, jti: &str, doubts: &mut Doubts) {
    let fresh = jti.len() >= 16 && state.jtis.insert(jti.to_owned());
    doubts.unless(fresh, "`jti` is missing, short, or was used before");
}

/// Looks at the proof of the account's key, if the file wants one. `Err`: the answer that asks for
/// this server's nonce first; nothing was used up.
pub(super) fn of_key(
    twin: &Twin,
    state: &mut State,
    (asked, token): (&Asked<'_>, Option<&str>),
    headers: &mut Pairs,
    doubts: &mut Doubts,
) -> Result<(), Box<Answer>> {
    if !twin.file.flag("oauth2.dpop", false) {
        return Ok(());
    }
    let text = asked.header("dpop").unwrap_or_default().to_owned();
    headers.insert("dpop".to_owned(), text.clone());
    if let Some(token) = token {
        headers.insert("authorization".to_owned(), format!("DPoP {token}"));
    }
    let Some(mut jwt) = Jwt::read(&text) else {
        doubts.add("the header dpop is no JWT");
        return Ok(());
    };
    if jwt.text("nonce") != state.nonce {
        state.calls.nonces += 1;
        return Err(Box::new(use_nonce(state, token.is_some())));
    }
    let jwk = jwt.head.remove("jwk").unwrap_or(Value::Null);
    doubts.unless(jwt.is_by_jwk(&jwk), "the proof's signature is wrong");
    doubts.unless(jwk.get("d").is_none(), "the private half of the key was sent");
    doubts.same("the proof's key", Some(&state.key_print), Some(&thumbprint(&jwk)));
    jwt.head_is("typ", "dpop+jwt", doubts);
    jwt.head_is("alg", "ES256", doubts);
    jwt.claim_is("htm", asked.method.as_str(), doubts);
    jwt.claim_is("htu", &twin.address(asked), doubts);
    if let Some(token) = token {
        jwt.claim_is("ath", &sha256(token), doubts);
    }
    let made = jwt.number("iat").abs_diff(twin.now_ms() / 1_000) <= CLOCK_SKEW_S;
    doubts.unless(made, "the proof was not made now");
    once(state, &jwt.text("jti"), doubts);
    doubts.unless(jwt.claims.is_empty(), format!("the proof says more: {:?}", jwt.claims));
    Ok(())
}

/// RFC 9449 sections 8 and 9.
fn use_nonce(state: &State, at_api: bool) -> Answer {
    let body = json!({ "error": "use_dpop_nonce", "error_description": "With our nonce, please." });
    let answer = if at_api {
        let challenge = r#"DPoP error="use_dpop_nonce", algs="ES256""#;
        Answer::json(StatusCode::UNAUTHORIZED, &body).with("www-authenticate", challenge)
    } else {
        Answer::json(StatusCode::BAD_REQUEST, &body)
    };
    answer.with("dpop-nonce", &state.nonce)
}

/// A nonce is good for a while; the next comes with an answer (RFC 9449 section 8.2).
pub(super) fn with_next_nonce(twin: &Twin, state: &mut State, answer: Answer) -> Answer {
    if !twin.file.flag("oauth2.dpop", false) {
        return answer;
    }
    state.nonce = secrets::fresh("nonce-");
    answer.with("dpop-nonce", &state.nonce)
}
