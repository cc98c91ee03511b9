//! Statements that are signed with the key of a service account (RFC 7523 section 3).

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::asked::Doubts;
use super::{State, Twin, fill};

/// A clock may be off by as much.
const CLOCK_SKEW_S: u64 = 60;

/// The one key of all service accounts here: the private half as PEM, the public one as bytes.
static KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok();
    let public = pair.as_ref().map(|it| it.public_key().as_ref().to_vec());
    let private =
        pair.and_then(|it| it.as_der().ok().map(|it: Pkcs8V1Der| STANDARD.encode(it.as_ref())));
    let (private, public) = (private.unwrap_or_default(), public.unwrap_or_default());
    let lines: Vec<&str> =
        private.as_bytes().chunks(64).filter_map(|it| std::str::from_utf8(it).ok()).collect();
    let lines = lines.join("\n");
    (format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"), public)
});

/// What a person pastes.
pub(super) fn private_key() -> &'static str {
    &KEY.0
}

/// Its public half.
pub(super) fn public_key() -> &'static [u8] {
    &KEY.1
}

/// Whether statements are signed with the field of this name.
pub(super) fn is_key(file: &super::file::File, name: &str) -> bool {
    file.text("oauth2.jwt.key").is_some_and(|it| it.contains(&format!("${{{name}}}")))
}

/// What is wrong with a statement.
pub(super) fn check(twin: &Twin, state: &State, jwt: &str, doubts: &mut Doubts) {
    let Some((signed, signature)) = jwt.rsplit_once('.') else {
        return doubts.add("the statement is no JWT");
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &KEY.1);
    let right = key.verify(signed.as_bytes(), &signature).is_ok();
    doubts.unless(right, "the statement's signature is wrong");
    let part = |nth: usize| -> Map<String, Value> {
        let text = signed.split('.').nth(nth).unwrap_or_default();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap_or_default())
            .unwrap_or_default()
    };
    let (mut head, mut claims) = (part(0), part(1));
    let file = &twin.file;
    let text = |key: &str| fill::text(file.text_or(key, ""), &state.values);
    let mut want = |all: &mut Map<String, Value>, name: &str, expected: Option<String>| {
        let sent = all.remove(name);
        let expected = expected.filter(|it| !it.is_empty()).map(Value::from);
        if sent != expected {
            doubts.add(format!("`{name}` of the statement is {sent:?}, not {expected:?}"));
        }
    };
    want(&mut head, "alg", Some(file.text_or("oauth2.jwt.alg", "RS256").to_owned()));
    want(&mut head, "kid", text("oauth2.jwt.key_id"));
    want(&mut claims, "iss", text("oauth2.jwt.issuer"));
    want(&mut claims, "sub", text("oauth2.jwt.subject"));
    want(&mut claims, "aud", text("oauth2.jwt.audience"));
    let scopes = file.scopes("oauth2").join(file.text_or("oauth2.scopes.separator", " "));
    let claimed = file.flag("oauth2.jwt.scope_in_claims", false);
    want(&mut claims, "scope", claimed.then_some(scopes));
    for (name, template) in file.pairs("oauth2.jwt.claims") {
        want(&mut claims, &name, fill::text(&template, &state.values));
    }
    let mut number = |name: &str| claims.remove(name).and_then(|it| it.as_u64()).unwrap_or(0);
    let (made_s, ends_s, now_s) = (number("iat"), number("exp"), twin.now_ms() / 1_000);
    let life_s = file.number("oauth2.jwt.life_s").unwrap_or(3_600);
    doubts.unless(now_s.abs_diff(made_s) <= CLOCK_SKEW_S, "the statement was not made now");
    let lives = ends_s > now_s && ends_s <= made_s + life_s;
    doubts.unless(lives, "the statement ends too early or too late");
    // An id of its own is welcome.
    claims.remove("jti");
    head.remove("typ");
    let rest = json!([head, claims]);
    doubts.unless(rest == json!([{}, {}]), format!("the statement says more: {rest}"));
}
