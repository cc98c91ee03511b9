use super::*;
use crate::answer::ExpiresUnit;

static NONE: Params = Params::new();
const NOW_MS: i64 = 1_700_000_000_000;

fn params(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn plain() -> Swap<'static> {
    Swap {
        method: Method::Post,
        url: "https://${site}.example.com/v1/login",
        query: &NONE,
        headers: &NONE,
        body: Body::None,
        basic: None,
        allow_loopback_http: false,
    }
}

fn lookup(name: &str) -> Option<&'static str> {
    match name {
        "site" => Some("acme"),
        "user" => Some("me&you"),
        "key" => Some("k\"1:2"),
        "bad" => Some("a\r\nb"),
        _ => None,
    }
}

fn response(status: u16, body: &str) -> Response<'_> {
    Response { status, retry_after: None, body: body.as_bytes() }
}

#[test]
fn a_described_request_in_json() {
    let template = json!({"login": {"user": "${user}", "keys": ["${key}"], "remember": true}});
    let query = params(&[("client", "${user}")]);
    let headers = params(&[("X-Api-Key", "${key}"), ("Content-Type", "text/plain")]);
    let it = Swap { query: &query, headers: &headers, body: Body::Json(&template), ..plain() };
    let request = it.request(&lookup).unwrap();
    assert_eq!(&*request.url, "https://acme.example.com/v1/login?client=me%26you");
    assert_eq!(request.header("x-api-key"), Some("k\"1:2"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept"), Some("application/json"));
    let body: Value = serde_json::from_str(request.body.as_ref().unwrap().expose()).unwrap();
    let expected = json!({"login": {"user": "me&you", "keys": ["k\"1:2"], "remember": true}});
    assert_eq!(body, expected);
    assert_eq!(format!("{request:?}"), "Request(POST acme.example.com)");
}

#[test]
fn a_described_request_as_a_form_and_with_basic() {
    let form = params(&[("key", "${key}"), ("user", "${user}")]);
    let it = Swap { body: Body::Form(&form), basic: Some(("${user}", "${key}")), ..plain() };
    let request = it.request(&lookup).unwrap();
    assert_eq!(request.body.as_ref().unwrap().expose(), "key=k%221%3A2&user=me%26you");
    let expected = format!("Basic {}", BASE64_STANDARD.encode("me&you:k\"1:2"));
    assert_eq!(request.header("authorization"), Some(expected.as_str()));
    let get = Swap { method: Method::Get, ..plain() }.request(&lookup).unwrap();
    assert!(get.body.is_none());
    assert_eq!(plain().request(&lookup).unwrap().body.unwrap().expose(), "");
}

#[test]
fn p_02_values_break_out_of_nothing() {
    let headers = params(&[("X-Key", "${bad}")]);
    let it = Swap { headers: &headers, ..plain() };
    assert!(matches!(it.request(&lookup), Err(RequestError::HeaderValue(_))));
    let it = Swap { basic: Some(("${key}", "x")), ..plain() };
    assert!(matches!(it.request(&lookup), Err(RequestError::HeaderValue(_))));
    let headers = params(&[("authorization", "x")]);
    let it = Swap { basic: Some(("u", "p")), headers: &headers, ..plain() };
    assert!(matches!(it.request(&lookup), Err(RequestError::TwoAuthentications)));
    let it = Swap { url: "https://${user}.example.com/", ..plain() };
    assert!(matches!(it.request(&lookup), Err(RequestError::Template(_))));
    let template = json!({"a": ["${unknown}"]});
    let it = Swap { body: Body::Json(&template), ..plain() };
    assert!(matches!(it.request(&lookup), Err(RequestError::Template(_))));
}

#[test]
fn a_token_in_the_body_with_its_end_in_any_form() {
    let rules = Rules {
        access_token: "data.session.id",
        expires_in: "data.session.ends",
        expires_unit: ExpiresUnit::EpochSeconds,
        error: "fault.code",
        ..Rules::default()
    };
    let ends = |ends: &str| {
        let body =
            format!(r#"{{"data":{{"session":{{"id":"t","ends":{ends}}}}},"token_type":"x"}}"#);
        read(&rules, &response(200, &body), NOW_MS).unwrap().expires_at_ms
    };
    assert_eq!(ends("1700000600"), Some(NOW_MS + 600_000));
    assert_eq!(ends("\"2023-11-14T22:23:20Z\""), Some(NOW_MS + 600_000));
    assert_eq!(ends("\"2023-11-14T23:23:20.5+01:00\""), Some(NOW_MS + 600_500));
    assert_eq!(ends("null"), None);
    let fault = r#"{"fault":{"code":"invalid_grant"}}"#;
    assert!(matches!(read(&rules, &response(200, fault), NOW_MS), Err(Failure::Grant(_))));
}

#[test]
fn a_token_in_a_header_or_as_the_whole_body() {
    let rules = Rules { lifetime_s: Some(60), ..Rules::default() };
    let by = |status, value, body| read_header(&rules, &response(status, body), value, NOW_MS);
    let it = by(201, Some("tok"), "").unwrap();
    assert_eq!((it.access_token.expose(), it.expires_at_ms), ("tok", Some(NOW_MS + 60_000)));
    assert!(by(200, Some("tok"), "<html>").is_ok());
    assert!(matches!(by(200, None, ""), Err(Failure::Malformed(Malformed::NoAccessToken))));
    let denied = r#"{"error":"invalid_client"}"#;
    assert!(matches!(by(401, Some("tok"), denied), Err(Failure::Client(_))));
    let by = |status, body: &str| {
        read_text(&rules, &response(status, body), NOW_MS)
            .map(|it| it.access_token.expose().to_owned())
    };
    assert_eq!(by(200, " tok\n").unwrap(), "tok");
    assert_eq!(by(200, "\"to\\u006b\"").unwrap(), "tok");
    for body in ["", "<html>", "{}", "a b", "\"", "\"\"", &"x".repeat(TOKEN_CHARS_MAX + 1)] {
        assert!(by(200, body).is_err(), "{body}");
    }
    assert!(matches!(by(503, ""), Err(Failure::Transient { .. })));
    assert!(by(403, "nope").is_err());
}
