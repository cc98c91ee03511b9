use serde_json::json;

use super::document::{DOCUMENT_BYTES_MAX, DocumentError, check_url, document};
use super::*;
use crate::key::samples;

const NOW_MS: i64 = 1_700_000_000_000;
const REDIRECT: &str = "https://us.example/connect/oauth/oa_1/callback";

fn plain() -> ClientMetadata<'static> {
    ClientMetadata {
        client_name: "Example",
        redirect_uris: &[REDIRECT],
        grant_types: &["authorization_code", "refresh_token"],
        auth: AuthMethod::ClientSecretBasic,
        keys: &[],
        jwks_uri: None,
        scope: "read write",
        client_uri: None,
        logo_uri: None,
        tos_uri: None,
        policy_uri: None,
        contacts: &[],
        software_id: None,
        software_version: None,
        dpop_bound: false,
        others: None,
    }
}

fn registrar(token: Option<&Secret>) -> Registrar<'_> {
    Registrar { url: "https://as.example/register", token, allow_loopback_http: false }
}

fn answer(asked: &ClientMetadata, status: u16, body: &str) -> Result<Registered, Failure> {
    let response = Response { status, retry_after: None, body: body.as_bytes() };
    read(asked, &response, NOW_MS, false)
}

fn missing(name: &'static str) -> Failure {
    Failure::Malformed(Malformed::Missing(name))
}

fn body(request: &Request) -> Value {
    serde_json::from_str(request.body.as_ref().unwrap().expose()).unwrap()
}

#[test]
fn a_registration_is_asked_for() {
    let request = registrar(None).create(&plain()).unwrap();
    let expected = json!({
        "client_name": "Example", "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic", "scope": "read write",
    });
    assert_eq!(body(&request), expected);
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let token = Secret::new("initial");
    let request = registrar(Some(&token)).create(&plain()).unwrap();
    assert_eq!(request.header("authorization"), Some("Bearer initial"));
    let http = Registrar { url: "http://as.example/register", ..registrar(None) };
    assert!(http.create(&plain()).is_err());
}

#[test]
fn a_client_with_a_key_shows_its_public_half_once() {
    let key = samples::p256();
    let keyed = ClientMetadata { auth: AuthMethod::PrivateKeyJwt, keys: &[&key], ..plain() };
    let request = body(&registrar(None).create(&keyed).unwrap());
    assert_eq!(request["token_endpoint_auth_signing_alg"], "ES256");
    let jwks = &request["jwks"]["keys"];
    assert_eq!(jwks, &json!([key.published_jwk().unwrap()]));
    assert!(jwks[0].get("d").is_none());
    let by_uri = ClientMetadata { jwks_uri: Some("https://us.example/jwks"), ..keyed };
    let request = body(&registrar(None).create(&by_uri).unwrap());
    assert!(request.get("jwks").is_none());
    let others = json!({"client_name": "Evil", "extra": 1});
    let it = ClientMetadata { others: others.as_object(), grant_types: &[], ..plain() };
    let request = body(&registrar(None).create(&it).unwrap());
    assert_eq!((&request["client_name"], &request["extra"]), (&json!("Example"), &json!(1)));
    assert_eq!(request["response_types"], json!([]));
}

/// The answer of RFC 7591 §3.2.1, with what RFC 7592 §3 adds.
#[test]
fn what_was_registered_and_what_was_changed() {
    let body = json!({
        "client_id": "s6BhdRkqt3", "client_secret": "cf136dc3c1fc93f31185e5885805d",
        "client_id_issued_at": 2_893_256_800_i64, "client_secret_expires_at": 2_893_276_800_i64,
        "redirect_uris": [REDIRECT], "grant_types": ["refresh_token", "authorization_code"],
        "client_name": "My Example", "scope": "write read",
        "token_endpoint_auth_method": "client_secret_post",
        "registration_client_uri": "https://server.example.com/connect/register?client_id=s6",
        "registration_access_token": "this.is.an.access.token.value.ffx83",
    });
    let it = answer(&plain(), 201, &body.to_string()).unwrap();
    assert_eq!(it.client_id, "s6BhdRkqt3");
    assert_eq!(it.client_secret.as_ref().unwrap().expose(), "cf136dc3c1fc93f31185e5885805d");
    assert_eq!(it.secret_expires_at_ms, Some(2_893_276_800_000));
    assert_eq!(it.auth, AuthMethod::ClientSecretPost);
    assert_eq!(it.changed, ["client_name", "token_endpoint_auth_method"]);
    let token = it.management_token.as_ref().unwrap();
    assert_eq!(token.expose(), "this.is.an.access.token.value.ffx83");
    assert!(it.management_url.as_ref().unwrap().ends_with("register?client_id=s6"));
    let shown = format!("{it:?}");
    assert!(!shown.contains("cf136") && !shown.contains("ffx83"), "{shown}");
    let never = json!({"client_id": "c", "client_secret": "s", "client_secret_expires_at": 0});
    let it = answer(&plain(), 200, &never.to_string()).unwrap();
    assert_eq!((it.secret_expires_at_ms, it.auth), (None, AuthMethod::ClientSecretBasic));
    assert!(it.changed.is_empty() && it.management_url.is_none());
}

#[test]
fn registrations_with_which_no_flow_could_end() {
    let with = |more: &str| {
        answer(&plain(), 201, &format!(r#"{{"client_id":"c","client_secret":"s"{more}}}"#))
    };
    assert_eq!(with(r#","redirect_uris":[]"#).unwrap_err(), missing("redirect_uris"));
    let other = r#","redirect_uris":["https://evil.example/"]"#;
    assert_eq!(with(other).unwrap_err(), missing("redirect_uris"));
    let magic = r#","token_endpoint_auth_method":"magic""#;
    assert_eq!(with(magic).unwrap_err(), missing("token_endpoint_auth_method"));
    assert_eq!(with(r#","client_secret":"t""#).unwrap_err(), missing("client_id"));
    let it = with(r#","registration_client_uri":"javascript:x","registration_access_token":"t""#);
    let it = it.unwrap();
    assert!(it.management_url.is_none() && it.management_token.is_none());
    let bare = |body: &str| answer(&plain(), 201, body).unwrap_err();
    assert_eq!(bare(r#"{"client_id":"c"}"#), missing("client_secret"));
    assert_eq!(bare(r#"{"client_secret":"s"}"#), missing("client_id"));
    assert_eq!(bare("{\"client_id\":\"a\\nb\",\"client_secret\":\"s\"}"), missing("client_id"));
    let denied = r#"{"error":"invalid_redirect_uri","error_description":"x"}"#;
    assert!(matches!(answer(&plain(), 400, denied), Err(Failure::Client(_))));
    let denied = r#"{"error":"invalid_client_metadata"}"#;
    assert!(matches!(answer(&plain(), 400, denied), Err(Failure::Refused(_))));
    assert!(matches!(answer(&plain(), 503, ""), Err(Failure::Transient { .. })));
    let public = ClientMetadata { auth: AuthMethod::None, ..plain() };
    assert!(answer(&public, 201, r#"{"client_id":"c"}"#).unwrap().client_secret.is_none());
}

/// RFC 7592 §2.1 to §2.3.
#[test]
fn a_registration_is_read_changed_and_ended() {
    let token = Secret::new("t");
    let it = registrar(Some(&token));
    let (read, end) = (it.read().unwrap(), it.delete().unwrap());
    assert_eq!((read.method, end.method), (Method::Get, Method::Delete));
    assert!(read.body.is_none() && end.body.is_none());
    let change = it.update(&plain(), "c").unwrap();
    assert_eq!((change.method, body(&change)["client_id"].as_str()), (Method::Put, Some("c")));
    for request in [&read, &end, &change] {
        assert_eq!(request.header("authorization"), Some("Bearer t"));
    }
}

#[test]
fn a_document_is_at_its_own_address_and_has_no_secret() {
    let url = "https://us.example/oauth/client.json";
    let public = ClientMetadata { auth: AuthMethod::None, ..plain() };
    let it = document(url, &public, false).unwrap();
    assert_eq!(it["client_id"], url);
    assert_eq!(it["redirect_uris"], json!([REDIRECT]));
    assert_eq!(document(url, &plain(), false), Err(DocumentError::Secret));
    let others = json!({"client_secret": "s"});
    let leaky = ClientMetadata { others: others.as_object(), ..public };
    assert_eq!(document(url, &leaky, false), Err(DocumentError::Secret));
    let nowhere = ClientMetadata { redirect_uris: &[], ..public };
    assert_eq!(document(url, &nowhere, false), Err(DocumentError::NoRedirect));
    let name = "x".repeat(DOCUMENT_BYTES_MAX);
    let long = ClientMetadata { client_name: &name, ..public };
    assert_eq!(document(url, &long, false), Err(DocumentError::TooLong));
}

#[test]
fn addresses_that_may_be_a_clients_id() {
    for good in ["https://us.example/client.json", "https://us.example:8443/a/b"] {
        assert_eq!(check_url(good, false), Ok(()), "{good}");
    }
    for bad in [
        "https://us.example",
        "https://us.example/",
        "https://us.example/a?b=c",
        "https://us.example/a/../b",
        "https://us.example/a/%2e/b",
        "https://US.example/a",
        "https://us.example:443/a",
    ] {
        assert_eq!(check_url(bad, false), Err(DocumentError::Path), "{bad}");
    }
    for bad in ["http://us.example/a", "https://u@us.example/a", "https://us.example/a#b", "x"] {
        assert!(matches!(check_url(bad, false), Err(DocumentError::Endpoint(_))), "{bad}");
    }
}
