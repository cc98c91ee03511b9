use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Secret;
use crate::assertion::ClientAssertion;
use crate::jws::{self, Signing, Stamp};
use crate::key::{SigningKey, samples};

const NOW_S: i64 = 1_700_000_000;
const OF: Expected = Expected {
    client_id: "c",
    audiences: &["https://api.example", "https://api.example/v1/oauth/token"],
    now_s: NOW_S,
};

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::read(&Value::Object(key.public_jwk().unwrap()).to_string()).unwrap()
}

fn claims() -> Value {
    json!({"iss": "c", "sub": "c", "aud": "https://api.example", "jti": "j", "iat": NOW_S,
        "exp": NOW_S + 60})
}

fn signed_by(key: &SigningKey, typ: Option<&str>, claims: &Value) -> String {
    let claims = claims.as_object().unwrap();
    Signing::with(key).jwt(typ, claims).unwrap().expose().to_owned()
}

fn judge(claims: &Value) -> Result<Proven, Unproven> {
    let key = samples::p256();
    verify(&signed_by(&key, Some("JWT"), claims), &[public(&key)], &OF)
}

#[test]
fn b_14_what_our_own_clients_send_is_proof() {
    for key in [samples::p256(), samples::rsa()] {
        let stamp = Stamp { jti: "j1", now_s: NOW_S };
        let it = ClientAssertion { client_id: "c", audience: OF.audiences[1], stamp };
        let jwt = it.by_key(&Signing::with(&key)).unwrap();
        let proven = verify(jwt.expose(), &[public(&key)], &OF).unwrap();
        assert_eq!(proven, Proven { jti: "j1".into(), forget_at_s: NOW_S + 120 + 2 * SKEW_S });
        assert_eq!(subject(jwt.expose()).as_deref(), Some("c"));
    }
    for typ in [None, Some("client-authentication+jwt"), Some("application/JWT"), Some("jwt")] {
        let key = samples::p256();
        let jwt = signed_by(&key, typ, &claims());
        assert!(verify(&jwt, &[public(&key)], &OF).is_ok(), "{typ:?}");
    }
}

#[test]
fn b_14_the_key_must_be_the_clients_and_named_where_there_are_several() {
    let (p256, rsa) = (samples::p256(), samples::rsa());
    let keys = [public(&p256), public(&rsa)];
    let nameless = signed_by(&p256, None, &claims());
    assert_eq!(verify(&nameless, &keys, &OF), Err(Unproven::Unsigned));
    assert_eq!(verify(&nameless, &[], &OF), Err(Unproven::Unsigned));
    assert_eq!(verify(&nameless, &keys[1..], &OF), Err(Unproven::Unsigned));
    for key in [p256, rsa] {
        let kid = key.thumbprint().unwrap();
        let named = signed_by(&key.with_kid(kid), None, &claims());
        assert!(verify(&named, &keys, &OF).is_ok());
    }
    let misnamed = signed_by(&samples::p256().with_kid("k9"), None, &claims());
    assert_eq!(verify(&misnamed, &keys[..1], &OF), Err(Unproven::Unsigned));
}

/// RFC 8725 §2.1: the header must not choose how it is judged.
#[test]
fn b_14_no_other_algorithm_is_let_in() {
    let key = public(&samples::p256());
    let claims = claims().to_string();
    let pem = Value::Object(key.jwk().clone()).to_string();
    let by_secret = jws::by_secret(&Secret::new(&pem), r#"{"alg":"HS256"}"#, &claims);
    let unsigned = jws::joined(jws::input(r#"{"alg":"none"}"#, &claims), b"");
    let ed25519 = signed_by(&samples::ed25519(), None, &serde_json::from_str(&claims).unwrap());
    let (signer, critical) = (samples::p256(), json!({"crit": ["exp"]}));
    let crit = Signing { header: critical.as_object(), ..Signing::with(&signer) };
    let crit = crit.jwt(None, crate::json::read(claims.as_bytes(), 1_024).as_ref().unwrap());
    let crit = crit.unwrap();
    for jwt in [by_secret.expose(), unsigned.expose(), ed25519.as_str(), crit.expose()] {
        let one = std::slice::from_ref(&key);
        assert_eq!(verify(jwt, one, &OF), Err(Unproven::Unsigned), "{jwt}");
    }
}

#[test]
fn b_14_every_claim_must_be_right() {
    for (name, value) in [
        ("iss", json!("d")),
        ("iss", Value::Null),
        ("sub", json!("d")),
        ("aud", Value::Null),
        ("aud", json!("https://api.example/")),
        ("aud", json!("https://evil.example")),
        ("aud", json!(["https://api.example", "https://evil.example"])),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("exp", json!(NOW_S - SKEW_S)),
        ("exp", json!(NOW_S + LIFE_S_MAX + SKEW_S + 1)),
        ("exp", json!(1.0e300)),
        ("iat", json!(NOW_S + SKEW_S + 1)),
        ("iat", json!(true)),
        ("nbf", json!(NOW_S + SKEW_S + 1)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!(7)),
        ("jti", json!("j".repeat(JTI_BYTES_MAX + 1))),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        assert!(matches!(judge(&claims), Err(Unproven::Claims(_))), "{name} = {value}");
    }
    for (name, value) in [
        ("aud", json!(["https://api.example"])),
        ("exp", json!(NOW_S - SKEW_S + 1)),
        ("exp", json!(1_700_000_000.5)),
        ("exp", json!(NOW_S + LIFE_S_MAX)),
        ("nbf", json!(NOW_S + SKEW_S)),
        ("htu", json!("what nobody asked for")),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("iat");
        claims[name] = value.clone();
        assert!(judge(&claims).is_ok(), "{name} = {value}");
    }
    let mut claims = claims();
    (claims["iat"], claims["exp"]) = (json!(NOW_S + 30), json!(NOW_S + 10));
    assert!(judge(&claims).is_err());
    claims.as_object_mut().unwrap().remove("iat");
    assert!(judge(&claims).is_ok());
}

#[test]
fn b_14_one_altered_character_proves_nothing() {
    let key = samples::p256();
    let (jwt, keys) = (signed_by(&key, None, &claims()), [public(&key)]);
    for at in 0..jwt.len() {
        let mut altered = jwt.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(verify(&altered, &keys, &OF), Err(Unproven::Unsigned), "{at}");
    }
}

proptest! {
    #[test]
    fn b_14_any_text_is_judged_without_harm(text in "[a-zA-Z0-9._-]{0,80}", any in "\\PC{0,40}") {
        let keys = [public(&samples::p256())];
        for text in [&text, &any] {
            prop_assert!(verify(text, &keys, &OF).is_err());
            let _ = subject(text);
        }
    }
}
