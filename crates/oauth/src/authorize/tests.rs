use proptest::prelude::*;

use super::*;
use crate::Secret;
use crate::answer::{Failure, Malformed, Response, Rules};
use crate::jws::{self, Signing, Stamp};
use crate::key::samples;
use crate::token::{BodyFormat, Client, ClientAuth, Endpoint};
use serde_json::json;

static NONE: Params = Params::new();

fn plain() -> Authorize<'static> {
    Authorize {
        endpoint: "https://as.example/authorize",
        client_id: "client 1",
        redirect_uri: "https://us.example/connect/oauth/oa_1/callback",
        state: "s",
        verifier: None,
        scopes: &["read", "write:all"],
        scope_separator: " ",
        scope_param: "scope",
        app_params: &NONE,
        tenant_params: &NONE,
        param_names: &NONE,
        resources: &[],
        dpop_jkt: None,
        allow_loopback_http: false,
    }
}

fn params(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn pairs(url: &str) -> Vec<(String, String)> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

#[test]
fn f_09_the_request_is_for_a_code() {
    let expected = "https://as.example/authorize?response_type=code&client_id=client+1\
        &redirect_uri=https%3A%2F%2Fus.example%2Fconnect%2Foauth%2Foa_1%2Fcallback\
        &state=s&scope=read+write%3Aall";
    assert_eq!(plain().url().unwrap(), expected);
}

#[test]
fn f_05_s256_and_never_plain() {
    let verifier = Verifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
    let url = Authorize { verifier: Some(&verifier), ..plain() }.url().unwrap();
    assert!(url.ends_with(
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    ));
    assert!(!url.contains(verifier.expose()));
}

#[test]
fn f_15_reserved_parameters_cannot_be_set_by_a_tenant() {
    for name in RESERVED.iter().chain(&["code_challenge", "code_challenge_method", "STATE"]) {
        let tenant_params = params(&[(name, "x")]);
        let error = Authorize { tenant_params: &tenant_params, ..plain() }.url().unwrap_err();
        assert_eq!(error, AuthorizeError::Reserved((*name).to_owned()));
    }
    for name in OURS.iter().chain(&["code_challenge_method", "scope"]) {
        let app_params = params(&[(name, "x")]);
        assert!(Authorize { app_params: &app_params, ..plain() }.url().is_err(), "{name}");
        let endpoint = format!("https://as.example/authorize?{name}=x");
        assert!(Authorize { endpoint: &endpoint, ..plain() }.url().is_err(), "{name}");
    }
    let (names, tenant) = (params(&[("client_id", "client_key")]), params(&[("client_key", "")]));
    let renamed = Authorize { param_names: &names, tenant_params: &tenant, ..plain() };
    assert!(renamed.url().is_err());
}

#[test]
fn f_15_other_parameters_are_added_once_and_the_tenants_win() {
    let app = params(&[("access_type", "offline"), ("prompt", "none"), ("resource", "r")]);
    let tenant = params(&[("prompt", "consent"), ("login_hint", "a@b")]);
    let both = Authorize { app_params: &app, tenant_params: &tenant, ..plain() };
    let pairs = pairs(&both.url().unwrap());
    let find = |name: &str| pairs.iter().filter(|it| it.0 == name).count();
    assert_eq!(find("prompt"), 1);
    assert!(pairs.contains(&("prompt".into(), "consent".into())));
    assert!(pairs.contains(&("access_type".into(), "offline".into())));
    assert!(pairs.contains(&("login_hint".into(), "a@b".into())));
}

#[test]
fn the_habits_of_servers_are_followed() {
    let names = params(&[("client_id", "client_key")]);
    let url = Authorize {
        endpoint: "https://as.example/authorize?v=2",
        scope_separator: ",",
        scope_param: "user_scope",
        param_names: &names,
        ..plain()
    };
    let url = url.url().unwrap();
    assert!(url.starts_with("https://as.example/authorize?v=2&response_type=code&client_key="));
    assert!(url.ends_with("&user_scope=read%2Cwrite%3Aall"), "{url}");
    let none = Authorize { scopes: &[], ..plain() }.url().unwrap();
    assert!(!none.contains("scope"), "{none}");
}

#[test]
fn f_14_the_endpoint_must_be_https() {
    let endpoint = "http://127.0.0.1:9000/authorize";
    assert!(Authorize { endpoint, ..plain() }.url().is_err());
    assert!(Authorize { endpoint, allow_loopback_http: true, ..plain() }.url().is_ok());
}

proptest! {
    #[test]
    fn f_10_values_come_back_byte_for_byte(
        redirect_uri in "\\PC{0,40}", state in "\\PC{1,40}", value in any::<String>(),
    ) {
        let tenant = params(&[("login_hint", &value)]);
        let one = Authorize {
            redirect_uri: &redirect_uri, state: &state, tenant_params: &tenant, ..plain()
        };
        let pairs = pairs(&one.url().unwrap());
        prop_assert!(pairs.contains(&("redirect_uri".into(), redirect_uri)));
        prop_assert!(pairs.contains(&("state".into(), state)));
        prop_assert!(pairs.contains(&("login_hint".into(), value)));
        prop_assert_eq!(pairs.len(), 6);
    }
}

#[test]
fn d_03_d_07_resources_and_the_key_of_the_code() {
    let app = params(&[("resource", "r"), ("prompt", "consent")]);
    let resources = ["https://a.example/mcp", "https://b.example"];
    let it = Authorize {
        resources: &resources,
        dpop_jkt: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        app_params: &app,
        ..plain()
    };
    let url = it.url().unwrap();
    let expected = "&resource=https%3A%2F%2Fa.example%2Fmcp&resource=https%3A%2F%2Fb.example\
        &dpop_jkt=0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I&prompt=consent";
    assert!(url.ends_with(expected), "{url}");
    let it = Authorize { resources: &["https://a.example/#x"], ..plain() };
    assert_eq!(it.url(), Err(AuthorizeError::Resource(ResourceError::Fragment)));
}

fn pushing() -> Endpoint<'static> {
    Endpoint {
        url: "https://as.example/par",
        format: BodyFormat::Form,
        params: &NONE,
        headers: &NONE,
        param_names: &NONE,
        resources: &[],
        allow_loopback_http: false,
    }
}

fn response(status: u16, body: &str) -> Response<'_> {
    Response { status, retry_after: None, body: body.as_bytes() }
}

#[test]
fn d_04_a_pushed_request_has_the_id_once_and_one_authentication() {
    let secret = Secret::new("s");
    let assertion = Secret::new("a.b.c");
    for (auth, beside) in [
        (ClientAuth::Basic, ""),
        (ClientAuth::Post, "&client_secret=s"),
        (ClientAuth::Tls, ""),
        (
            ClientAuth::Assertion(&assertion),
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
            &client_assertion=a.b.c",
        ),
    ] {
        let client = Client { id: "client 1", secret: Some(&secret), auth };
        let request = plain().push(&pushing(), &client).unwrap();
        assert_eq!(&*request.url, "https://as.example/par");
        let url = plain().url().unwrap();
        let query = url.split_once('?').unwrap().1;
        assert_eq!(request.body.as_ref().unwrap().expose(), format!("{query}{beside}"));
        assert_eq!(request.header("authorization").is_some(), matches!(auth, ClientAuth::Basic));
    }
    let tenant_params = params(&[("state", "x")]);
    let client = Client { id: "client 1", secret: None, auth: ClientAuth::None };
    let error = Authorize { tenant_params: &tenant_params, ..plain() }.push(&pushing(), &client);
    assert_eq!(error.unwrap_err(), RequestError::Reserved("state".to_owned()));
}

/// RFC 9126 §2.2, §4.
#[test]
fn d_04_the_browser_gets_the_id_and_the_reference_only() {
    let body = r#"{"request_uri":"urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
        "expires_in":60}"#;
    let pushed = read_push(&Rules::default(), &response(201, body), 1_000).unwrap();
    assert_eq!(pushed.expires_at_ms, Some(61_000));
    let tenant_params = params(&[("prompt", "consent")]);
    let it = Authorize { tenant_params: &tenant_params, ..plain() };
    let expected = "https://as.example/authorize?client_id=client+1&request_uri=\
        urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6esc_11ACC5bwc014ltc14eY22c";
    assert_eq!(it.pushed_url(&pushed).unwrap(), expected);
}

#[test]
fn d_04_answers_to_a_push_that_are_none() {
    let read = |status, body| read_push(&Rules::default(), &response(status, body), 0).unwrap_err();
    for body in ["{}", r#"{"request_uri":""}"#, r#"{"request_uri":"a b"}"#] {
        assert_eq!(
            read(201, body),
            Failure::Malformed(Malformed::Missing("request_uri")),
            "{body}"
        );
    }
    assert!(matches!(read(400, r#"{"error":"invalid_client"}"#), Failure::Client(_)));
    assert!(matches!(read(400, r#"{"error":"invalid_request"}"#), Failure::Refused(_)));
    assert!(matches!(read(503, ""), Failure::Transient { .. }));
    assert!(matches!(read(302, ""), Failure::Malformed(Malformed::Redirect)));
}

#[test]
fn d_05_an_object_has_everything_and_the_address_nothing_beside() {
    let key = samples::ed25519();
    let stamp = Stamp { jti: "j", now_s: 1_700_000_000 };
    let how = RequestObject { signing: Signing::with(&key), audience: "https://as.example", stamp };
    let verifier = Verifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
    let resources = ["https://a.example", "https://b.example", "https://c.example"];
    let it = Authorize { verifier: Some(&verifier), resources: &resources, ..plain() };
    let object = it.object(&how).unwrap();
    let (header, claims) = jws::tests::read(&key, object.expose());
    assert_eq!(header, json!({"alg": "EdDSA", "typ": "oauth-authz-req+jwt"}));
    let expected = json!({
        "iss": "client 1", "aud": "https://as.example", "jti": "j",
        "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 1_700_000_300,
        "response_type": "code", "client_id": "client 1", "state": "s",
        "redirect_uri": "https://us.example/connect/oauth/oa_1/callback",
        "scope": "read write:all", "code_challenge_method": "S256",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "resource": resources,
    });
    assert_eq!(claims, expected);
    let expected =
        format!("https://as.example/authorize?client_id=client+1&request={}", object.expose());
    assert_eq!(it.object_url(&object).unwrap(), expected);
    let client = Client { id: "client 1", secret: None, auth: ClientAuth::Tls };
    let more = params(&[("scope", "all"), ("audience", "x")]);
    let endpoint = Endpoint { params: &more, ..pushing() };
    let request = it.push_object(&endpoint, &client, &object).unwrap();
    let expected = format!("client_id=client+1&request={}", object.expose());
    assert_eq!(request.body.unwrap().expose(), expected);
}

#[test]
fn d_05_no_parameter_can_pose_as_a_claim() {
    let key = samples::p256();
    let stamp = Stamp { jti: "j", now_s: 0 };
    let how = RequestObject { signing: Signing::with(&key), audience: "https://as.example", stamp };
    for name in ["aud", "iss", "exp"] {
        let tenant_params = params(&[(name, "x")]);
        let it = Authorize { tenant_params: &tenant_params, ..plain() };
        assert_eq!(it.object(&how).unwrap_err(), RequestError::Reserved(name.to_owned()));
    }
}

#[test]
fn d_04_settings_of_the_endpoint_change_nothing_of_what_is_pushed() {
    let client = Client { id: "client 1", secret: None, auth: ClientAuth::None };
    for name in ["state", "response_type", "scope", "redirect_uri"] {
        let more = params(&[(name, "x")]);
        let endpoint = Endpoint { params: &more, ..pushing() };
        let error = plain().push(&endpoint, &client).unwrap_err();
        assert_eq!(error, RequestError::Reserved(name.to_owned()));
    }
    let names = params(&[("client_id", "client_key")]);
    let endpoint = Endpoint { param_names: &names, resources: &["urn:x"], ..pushing() };
    let it = Authorize { param_names: &names, ..plain() };
    let request = it.push(&endpoint, &client).unwrap();
    let body = request.body.unwrap();
    let pairs: Vec<_> = url::form_urlencoded::parse(body.expose().as_bytes()).collect();
    let ids = pairs.iter().filter(|(name, _)| name.starts_with("client_")).count();
    assert_eq!((ids, pairs.len()), (1, 5), "{pairs:?}");
}
