use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW_MS: i64 = 1_700_000_000_000;
const TEN_YEARS_MS: i64 = 315_360_000_000;

fn response(status: u16, body: &str) -> Response<'_> {
    Response { status, retry_after: None, body: body.as_bytes() }
}

fn read_with(rules: &Rules, status: u16, body: &Value) -> Result<Tokens, Failure> {
    read(rules, &response(status, &body.to_string()), NOW_MS)
}

fn read_plain(status: u16, body: &str) -> Result<Tokens, Failure> {
    read(&Rules::default(), &response(status, body), NOW_MS)
}

fn class(failure: &Failure) -> &'static str {
    match failure {
        Failure::Grant(_) => "grant",
        Failure::Client(_) => "client",
        Failure::Transient { .. } => "transient",
        Failure::Refused(_) => "refused",
        Failure::Malformed(_) => "malformed",
    }
}

fn failed(status: u16, body: &str) -> &'static str {
    class(&read_plain(status, body).unwrap_err())
}

#[test]
fn the_example_of_rfc_6749_section_5_1() {
    let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example",
        "expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","example_parameter":"x"}"#;
    let rules = Rules { token_type_any: true, ..Rules::default() };
    let it = read(&rules, &response(200, body), NOW_MS).unwrap();
    assert_eq!(it.access_token.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(it.refresh_token.unwrap().expose(), "tGzv3JOkF0XG5Qx2TlKWIA");
    assert_eq!(it.expires_at_ms, Some(NOW_MS + 3_600_000));
    assert_eq!((it.scopes, it.token_type.as_deref()), (None, Some("example")));
    assert_eq!(it.members.text("example_parameter").as_deref(), Some("x"));
}

#[test]
fn t_03_the_type_is_bearer_in_any_case() {
    let with = |kind: Value| json!({"access_token": "a", "token_type": kind});
    let strict = Rules::default();
    for kind in [json!("Bearer"), json!("bearer"), json!("BEARER"), json!(null), json!("")] {
        assert!(read_with(&strict, 200, &with(kind.clone())).is_ok(), "{kind}");
    }
    assert!(read_with(&strict, 200, &json!({"access_token": "a"})).is_ok());
    for kind in ["mac", "DPoP", "user", "Bearer token"] {
        let error = read_with(&strict, 200, &with(json!(kind))).unwrap_err();
        assert_eq!(error, Failure::Malformed(Malformed::TokenType), "{kind}");
        let loose = Rules { token_type_any: true, ..strict };
        assert!(read_with(&loose, 200, &with(json!(kind))).is_ok(), "{kind}");
    }
}

#[test]
fn t_04_an_answer_without_a_refresh_token_keeps_the_stored_one() {
    for given in [json!({}), json!({"refresh_token": null}), json!({"refresh_token": ""})] {
        let mut body = json!({"access_token": "a"});
        body.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let it = read_with(&Rules::default(), 200, &body).unwrap();
        assert!(it.refresh_token.is_none(), "{body}");
    }
    assert!(read_plain(200, "access_token=a&refresh_token=").unwrap().refresh_token.is_none());
}

#[test]
fn t_05_expires_in_forms() {
    let at = |value: Value| {
        let rules = Rules { lifetime_s: Some(60), ..Rules::default() };
        let body = json!({"access_token": "a", "expires_in": value});
        read_with(&rules, 200, &body).unwrap().expires_at_ms.unwrap() - NOW_MS
    };
    for (value, expected_ms) in [
        (json!(3600), 3_600_000),
        (json!("3600"), 3_600_000),
        (json!(" 3600 "), 3_600_000),
        (json!(3599.5), 3_599_500),
        (json!("3599.5"), 3_599_500),
        (json!(3.6e3), 3_600_000),
        (json!(0), 0),
        (json!("0"), 0),
        (json!(-1), 0),
        (json!("-3600"), 0),
        (json!(i64::MIN), 0),
        (json!(315_360_000), TEN_YEARS_MS),
        (json!(315_360_001), TEN_YEARS_MS),
        (json!(u64::MAX), TEN_YEARS_MS),
        (json!(1e300), TEN_YEARS_MS),
        (json!("1e999"), 60_000),
        (json!("NaN"), 60_000),
        (json!("inf"), 60_000),
        (json!(null), 60_000),
        (json!(""), 60_000),
        (json!("never"), 60_000),
        (json!(true), 60_000),
        (json!([3600]), 60_000),
        (json!({}), 60_000),
    ] {
        assert_eq!(at(value.clone()), expected_ms, "{value}");
    }
}

#[test]
fn t_05_a_missing_lifetime_is_the_apps_or_none() {
    let body = json!({"access_token": "a"});
    let at = |lifetime_s| {
        let rules = Rules { lifetime_s, ..Rules::default() };
        read_with(&rules, 200, &body).unwrap().expires_at_ms
    };
    assert_eq!(at(None), None);
    assert_eq!(at(Some(7_200)), Some(NOW_MS + 7_200_000));
    assert_eq!(at(Some(u64::MAX)), Some(NOW_MS + TEN_YEARS_MS));
}

#[test]
fn t_05_other_units_and_absolute_moments() {
    let at = |unit, value: Value| {
        let rules = Rules { expires_unit: unit, expires_in: "expires_at", ..Rules::default() };
        let body = json!({"access_token": "a", "expires_at": value});
        read_with(&rules, 200, &body).unwrap().expires_at_ms.map(|it| it - NOW_MS)
    };
    let epoch_s = ExpiresUnit::EpochSeconds;
    assert_eq!(at(ExpiresUnit::Milliseconds, json!(1_500)), Some(1_500));
    assert_eq!(at(epoch_s, json!(1_700_000_060)), Some(60_000));
    assert_eq!(at(epoch_s, json!("1700000060")), Some(60_000));
    assert_eq!(at(epoch_s, json!("2023-11-14T22:14:20Z")), Some(60_000));
    assert_eq!(at(epoch_s, json!("2023-11-15T00:14:20.5+02:00")), Some(60_500));
    assert_eq!(at(epoch_s, json!("2001-01-01T00:00:00Z")), Some(0));
    assert_eq!(at(epoch_s, json!(5)), Some(0));
    assert_eq!(at(epoch_s, json!("9999-12-31T23:59:59Z")), Some(TEN_YEARS_MS));
    assert_eq!(at(epoch_s, json!("soon")), None);
    assert_eq!(at(ExpiresUnit::EpochMilliseconds, json!(1_700_000_060_250_i64)), Some(60_250));
}

#[test]
fn f_16_scopes_in_text_or_list() {
    let scopes = |value: Value| {
        let body = json!({"access_token": "a", "scope": value});
        read_with(&Rules::default(), 200, &body).unwrap().scopes
    };
    let two = Some(vec!["read".to_owned(), "write:all".to_owned()]);
    assert_eq!(scopes(json!("read write:all")), two);
    assert_eq!(scopes(json!("read,write:all")), two);
    assert_eq!(scopes(json!(" read,  write:all read ")), two);
    assert_eq!(scopes(json!(["read", "write:all", 1])), two);
    assert_eq!(scopes(json!("")), Some(vec![]));
    assert_eq!(scopes(json!(null)), None);
    let rules = Rules { scope_separator: "|", ..Rules::default() };
    let body = json!({"access_token": "a", "scope": "read|write:all"});
    assert_eq!(read_with(&rules, 200, &body).unwrap().scopes, two);
}

#[test]
fn nested_and_renamed_members() {
    let rules = Rules {
        access_token: "authed_user.access_token",
        scope: "authed_user.scope",
        token_type: "authed_user.token_type",
        token_type_any: true,
        ..Rules::default()
    };
    let body = json!({"ok": true, "team": {"id": "T1"}, "sites": [{"id": 7}], "a.b": "dotted",
        "authed_user": {"access_token": "xoxp", "scope": "chat:write,users:read",
        "token_type": "user"}});
    let it = read_with(&rules, 200, &body).unwrap();
    assert_eq!(it.access_token.expose(), "xoxp");
    assert_eq!(it.scopes.unwrap().len(), 2);
    assert_eq!(it.members.text("team.id").as_deref(), Some("T1"));
    assert_eq!(it.members.text("sites.0.id").as_deref(), Some("7"));
    assert_eq!(it.members.text("a.b").as_deref(), Some("dotted"));
    assert_eq!(it.members.text("sites.1.id"), None);
    assert_eq!(it.members.text("team"), None);
}

#[test]
fn forms_and_marks_before_json_are_read() {
    let body = "access_token=gho_1&scope=repo%2Cgist&token_type=bearer&expires_in=28800";
    let it = read_plain(200, body).unwrap();
    assert_eq!(it.access_token.expose(), "gho_1");
    assert_eq!(it.scopes.unwrap(), ["repo", "gist"]);
    assert_eq!(it.expires_at_ms, Some(NOW_MS + 28_800_000));
    let marked = "\u{feff} {\"access_token\":\"a\"}\n";
    assert_eq!(read_plain(200, marked).unwrap().access_token.expose(), "a");
}

#[test]
fn t_06_errors_by_class() {
    for (status, body, expected) in [
        (400, r#"{"error":"invalid_grant"}"#, "grant"),
        (401, r#"{"error":"invalid_grant","error_description":"x"}"#, "grant"),
        (400, "error=invalid_grant", "grant"),
        (400, r#"{"error":"INVALID_GRANT"}"#, "grant"),
        (401, r#"{"error":"invalid_client"}"#, "client"),
        (400, r#"{"error":"unauthorized_client"}"#, "client"),
        (400, r#"{"error":"unsupported_grant_type"}"#, "client"),
        (400, r#"{"error":"invalid_request"}"#, "refused"),
        (400, r#"{"error":"invalid_scope"}"#, "refused"),
        (400, r#"{"error":"something_new"}"#, "refused"),
        (400, r#"{"error":{"code":190,"type":"OAuthException"}}"#, "refused"),
        (400, r#"{"message":"bad"}"#, "refused"),
        (403, "{}", "refused"),
        (400, r#"{"error":"temporarily_unavailable"}"#, "transient"),
        (408, "", "transient"),
        (425, "", "transient"),
        (429, r#"{"error":"invalid_grant"}"#, "transient"),
        (500, r#"{"error":"invalid_grant"}"#, "transient"),
        (502, "<html>Bad gateway</html>", "transient"),
        (503, r#"{"access_token":"a"}"#, "transient"),
        (200, "<html>Down for maintenance</html>", "transient"),
        (200, "", "transient"),
        (200, r#"{"access_token":"#, "transient"),
        (200, "access_token=a&access_token=b", "transient"),
        (400, "Bad Request", "transient"),
        (302, "", "malformed"),
        (307, r#"{"access_token":"a"}"#, "malformed"),
        (200, "{}", "malformed"),
        (200, r#"{"access_token":""}"#, "malformed"),
        (200, r#"{"access_token":null}"#, "malformed"),
        (200, r#"{"access_token":7}"#, "malformed"),
        (200, "[]", "malformed"),
    ] {
        assert_eq!(failed(status, body), expected, "{status} {body}");
    }
}

#[test]
fn t_06_status_200_with_an_error_is_an_error() {
    for (body, expected) in [
        (r#"{"error":"bad_verification_code","error_description":"The code"}"#, "grant"),
        ("error=bad_refresh_token&error_description=x", "grant"),
        (r#"{"error":"incorrect_client_credentials"}"#, "client"),
        (r#"{"ok":false,"error":"invalid_refresh_token"}"#, "grant"),
        (r#"{"ok":false,"error":"bad_client_secret"}"#, "client"),
        (r#"{"ok":false,"error":"ratelimited"}"#, "transient"),
        (r#"{"ok":false,"access_token":"a"}"#, "refused"),
        (r#"{"error":"odd","access_token":"a"}"#, "refused"),
        (r#"{"error":true,"access_token":"a"}"#, "refused"),
        (r#"{"error":["invalid_grant"]}"#, "grant"),
    ] {
        assert_eq!(failed(200, body), expected, "{body}");
    }
    for no_error in ["null", "\"\"", "0", "false", "[]", "{}"] {
        let body = format!(r#"{{"access_token":"a","error":{no_error}}}"#);
        assert!(read_plain(200, &body).is_ok(), "{body}");
    }
}

#[test]
fn t_06_an_app_names_its_own_errors() {
    let errors = Params::from([
        ("190".to_owned(), "invalid_grant".to_owned()),
        ("AUTH_9".to_owned(), "invalid_client".to_owned()),
    ]);
    let rules = Rules { error: "errcode", errors: &errors, ..Rules::default() };
    let failed = |body: Value| class(&read_with(&rules, 200, &body).unwrap_err());
    assert_eq!(failed(json!({"errcode": 190})), "grant");
    assert_eq!(failed(json!({"errcode": "AUTH_9"})), "client");
    assert_eq!(failed(json!({"errcode": 191})), "refused");
    assert_eq!(failed(json!({"error": "invalid_grant"})), "grant");
    assert!(read_with(&rules, 200, &json!({"errcode": 0, "access_token": "a"})).is_ok());
}

#[test]
fn t_06_retry_after_in_both_forms_and_bounded() {
    let asked = |text: &str| {
        let response = Response { retry_after: Some(text), ..response(429, "") };
        match read(&Rules::default(), &response, NOW_MS).unwrap_err() {
            Failure::Transient { retry_after_s, status: 429, .. } => retry_after_s,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked("120"), Some(120));
    assert_eq!(asked(" 0.2 "), Some(1));
    assert_eq!(asked("-5"), Some(0));
    assert_eq!(asked("1000000000"), Some(RETRY_AFTER_S_MAX));
    assert_eq!(asked("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60));
    assert_eq!(asked("Tue, 14 Nov 2022 22:14:20 GMT"), asked("Mon, 14 Nov 2022 22:14:20 GMT"));
    assert_eq!(asked("Mon, 14 Nov 2022 22:14:20 GMT"), Some(0));
    assert_eq!(asked("later"), None);
    assert_eq!(asked("inf"), None);
}

#[test]
fn v_05_no_error_and_no_debug_holds_a_token() {
    let body = json!({"error": "invalid_grant",
        "error_description": "Token 1//0gabcdefghijklmnop123456 is expired\u{0}\r\n<b>",
        "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA"});
    let failure = read_with(&Rules::default(), 400, &body).unwrap_err();
    let shown = format!("{failure} {failure:?}");
    assert!(shown.contains("Token [redacted] is expired <b>"), "{shown}");
    assert!(!shown.contains("0gabc") && !shown.contains("tGzv3"), "{shown}");
    let body = json!({"access_token": "s3cr3t", "refresh_token": "s3cr3t", "id_token": "s3cr3t"});
    let tokens = read_with(&Rules::default(), 200, &body).unwrap();
    assert!(!format!("{tokens:?}").contains("s3cr3t"));
}

#[test]
fn t_06_a_body_too_large_is_named() {
    let body = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(BODY_BYTES_MAX));
    let error = read_plain(200, &body).unwrap_err();
    assert_eq!(error, Failure::Malformed(Malformed::TooLarge));
    assert_eq!(error.to_string(), "not a token answer: more than 1048576 bytes");
}

#[test]
fn deep_json_is_refused_and_not_followed() {
    assert_eq!(failed(200, &"[".repeat(100_000)), "transient");
    assert_eq!(failed(200, &r#"{"a":"#.repeat(100_000)), "transient");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let names = "error|access_token|code|ok|scope|[a-z.]{0,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..3).prop_map(|it| json!(it)),
        ]
    })
}

proptest! {
    #[test]
    fn reading_any_bytes_never_panics(status: u16, body: Vec<u8>, retry in "\\PC{0,30}") {
        let it = Response { status, retry_after: Some(&retry), body: &body };
        let _ = read(&Rules::default(), &it, NOW_MS);
    }

    #[test]
    fn t_05_reading_any_members_never_panics_and_keeps_its_bounds(
        values in prop::collection::vec(any_json(), 6), status in 200_u16..600, now_ms: i64,
        unit in 0..4,
    ) {
        let names = ["access_token", "refresh_token", "expires_in", "scope", "error", "ok"];
        let body: serde_json::Map<String, Value> =
            names.iter().map(|it| (*it).to_owned()).zip(values).collect();
        let expires_unit = match unit {
            0 => ExpiresUnit::Seconds,
            1 => ExpiresUnit::Milliseconds,
            2 => ExpiresUnit::EpochSeconds,
            _ => ExpiresUnit::EpochMilliseconds,
        };
        let rules = Rules { expires_unit, ..Rules::default() };
        let body = Value::Object(body).to_string();
        if let Ok(it) = read(&rules, &response(status, &body), now_ms) {
            prop_assert!((200..300).contains(&status));
            prop_assert!(!it.access_token.is_empty());
            let end_ms = now_ms.saturating_add(TEN_YEARS_MS);
            prop_assert!(it.expires_at_ms.is_none_or(|it| (now_ms..=end_ms).contains(&it)));
        }
    }

    #[test]
    fn tokens_come_back_as_sent(access in "[!-~]{1,60}", refresh in "[!-~]{1,60}") {
        let pairs = [("access_token", &*access), ("refresh_token", &*refresh)];
        let form = crate::encode::form_pairs(pairs);
        let json = json!({"access_token": &access, "refresh_token": &refresh}).to_string();
        for body in [form.as_str(), &json] {
            let it = read_plain(200, body).unwrap();
            prop_assert_eq!(it.access_token.expose(), &access);
            let returned = it.refresh_token.unwrap();
            prop_assert_eq!(returned.expose(), &refresh);
        }
    }
}

#[test]
fn a_date_is_understood_whatever_the_unit() {
    for expires_unit in [
        ExpiresUnit::Seconds,
        ExpiresUnit::Milliseconds,
        ExpiresUnit::EpochSeconds,
        ExpiresUnit::EpochMilliseconds,
    ] {
        let rules = Rules { expires_in: "expires_at", expires_unit, ..Rules::default() };
        for text in ["2023-11-14T23:13:20Z", "2023-11-15T01:13:20+02:00"] {
            let it = read_with(&rules, 200, &json!({"access_token": "t", "expires_at": text}));
            assert_eq!(it.unwrap().expires_at_ms, Some(NOW_MS + 3_600_000), "{expires_unit:?}");
        }
    }
}
