use proptest::prelude::*;

use super::*;

fn url(template: &str, value: &str) -> Result<String, TemplateError> {
    fill_url(template, &|name| (name == "v").then_some(value), false).map(|it| it.to_string())
}

fn text(template: &str) -> Result<String, TemplateError> {
    let lookup = |name: &str| match name {
        "user" => Some("us:er"),
        "key" => Some("k${user}"),
        "empty" => Some(""),
        _ => None,
    };
    fill_text(template, &lookup).map(|it| it.expose().to_owned())
}

#[test]
fn texts_are_filled_once() {
    assert_eq!(text("Bearer ${key}!").unwrap(), "Bearer k${user}!");
    assert_eq!(text("Basic ${base64(${user}:${empty})}").unwrap(), "Basic dXM6ZXI6");
    assert_eq!(text("Basic ${base64(api:${user})}").unwrap(), "Basic YXBpOnVzOmVy");
    assert_eq!(text("$5 {x} $").unwrap(), "$5 {x} $");
    assert_eq!(text("").unwrap(), "");
}

#[test]
fn unknown_and_broken_names_are_errors() {
    assert_eq!(text("${nobody}"), Err(TemplateError::Unknown("nobody".to_owned())));
    assert_eq!(text("${base64(${nobody})}"), Err(TemplateError::Unknown("nobody".to_owned())));
    assert_eq!(text("${user"), Err(TemplateError::Open));
    assert_eq!(text("${}"), Err(TemplateError::Name(String::new())));
    assert_eq!(text("${User}"), Err(TemplateError::Name("User".to_owned())));
    assert_eq!(text("${hex(user)}"), Err(TemplateError::Name("hex(user)".to_owned())));
}

#[test]
fn p_02_a_value_in_the_host_is_labels_only() {
    let template = "https://${v}.zendesk.example/api";
    for (value, host) in [
        ("acme", "acme.zendesk.example"),
        ("Acme-2", "acme-2.zendesk.example"),
        ("eu.acme", "eu.acme.zendesk.example"),
        ("xn--bcher-kva", "xn--bcher-kva.zendesk.example"),
    ] {
        assert_eq!(url(template, value).unwrap(), format!("https://{host}/api"));
    }
    let long = "a".repeat(64);
    for value in [
        "",
        " ",
        "evil.com/",
        "evil.com#",
        "evil.com?",
        "evil.com\\",
        "a.b@evil",
        "evil.com:443",
        "evil.com%2f",
        "evil.com%23",
        "a..b",
        ".a",
        "-a",
        "a-",
        "a_b",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "[::1]",
        "evil.com\u{ff0f}",
        "\u{2460}",
        "b\u{fc}cher",
        "a\u{3002}b",
        "${v}",
        &long,
    ] {
        let error = url(template, value).unwrap_err();
        assert_eq!(error, TemplateError::Host("v".to_owned()), "{value:?}");
    }
}

#[test]
fn p_02_a_whole_host_is_a_public_name() {
    let template = "https://${v}/rest/${v}";
    assert_eq!(
        url(template, "shop.example.com").unwrap(),
        "https://shop.example.com/rest/shop.example.com"
    );
    for value in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "a.0x7f",
        "1.2.3.4.5",
        "10.0.0.1.",
        "evil.com:80",
        "user@evil.com",
        "https://evil.com",
    ] {
        assert!(url(template, value).is_err(), "{value:?}");
    }
}

#[test]
fn p_02_a_whole_origin_is_https_and_a_name() {
    let template = "${v}/services/data";
    let good = "https://acme.my.crm.example/services/data";
    assert_eq!(url(template, "https://acme.my.crm.example").unwrap(), good);
    assert_eq!(url(template, "https://acme.my.crm.example/").unwrap(), good);
    for value in [
        "",
        "acme.my.crm.example",
        "http://acme.my.crm.example",
        "http://127.0.0.1",
        "https://127.0.0.1",
        "https://localhost",
        "https://a.example:8443",
        "https://a.example/path",
        "https://a.example?x",
        "https://a.example#x",
        "https://u:p@a.example",
        "https://a.example\\@evil.example",
        "https:a.example",
        "https://[::1]",
        "https://a.example//",
        "javascript:alert(1)",
    ] {
        let error = url(template, value).unwrap_err();
        assert_eq!(error, TemplateError::Host("v".to_owned()), "{value:?}");
    }
    assert_eq!(url("${v}.evil/x", "https://a.example"), Err(TemplateError::Misplaced));
}

#[test]
fn f_14_plain_http_is_for_loopback_in_development() {
    let fill = |template, value: &'static str, allow| {
        fill_url(template, &|_| Some(value), allow).map(|it| it.to_string())
    };
    let url = "http://127.0.0.1:8000";
    assert_eq!(fill("${v}/x", url, true).unwrap(), "http://127.0.0.1:8000/x");
    assert!(fill("${v}/x", url, false).is_err());
    assert!(fill("${v}/x", "http://evil.example:8000", true).is_err());
    assert_eq!(fill("http://localhost:8000/${v}", "a", true).unwrap(), "http://localhost:8000/a");
    assert!(fill("http://localhost:8000/${v}", "a", false).is_err());
    assert!(fill("http://${v}:8000/", "localhost", true).is_err());
}

#[test]
fn a_value_in_path_and_query_is_encoded() {
    let template = "https://a.example/x/${v}?q=${v}";
    let expected = "https://a.example/x/a%2Fb%3Fc%23d%20%26%C3%A9?q=a%2Fb%3Fc%23d%20%26%C3%A9";
    assert_eq!(url(template, "a/b?c#d &é").unwrap(), expected);
    assert_eq!(url("https://a.example?q=${v}", "@evil").unwrap(), "https://a.example?q=%40evil");
}

#[test]
fn p_02_a_value_cannot_climb_in_the_path() {
    for value in [".", ".."] {
        let error = url("https://a.example/x/${v}/y", value).unwrap_err();
        assert_eq!(error, TemplateError::Path("v".to_owned()), "{value}");
        assert!(url("https://a.example/x/.${v}/y", ".").is_err());
        assert!(url("https://a.example/x?y=/${v}/", value).is_ok());
    }
    assert!(url("https://a.example/x/${v}/y", "%2e%2e").unwrap().contains("%252e%252e"));
    // Found by fuzzing: dots inside `base64(...)` were taken for those of the template's own path.
    assert!(url("https://a.example/${base64(a/./b)}/${v}/y", ".").is_err());
    assert_eq!(url("https://a.example/x/../${v}", "a").unwrap(), "https://a.example/x/../a");
}

#[test]
fn values_cannot_stand_for_scheme_user_or_port() {
    for template in
        ["${v}://a.example/", "https://${v}@a.example/", "https://a.example:${v}/", "ht${v}://a.b/"]
    {
        assert!(url(template, "https").is_err(), "{template}");
    }
}

proptest! {
    #[test]
    fn p_02_no_value_leads_to_another_host(value in any::<String>()) {
        if let Ok(it) = url("https://${v}.zendesk.example/${v}?${v}", &value) {
            let parsed = Url::parse(&it).unwrap();
            let host = parsed.host_str().unwrap();
            prop_assert!(host.ends_with(".zendesk.example"), "{}", host);
            prop_assert_eq!(parsed.port(), None);
            prop_assert_eq!(parsed.username(), "");
        }
        if let Ok(it) = url("https://api.example/${v}/x?y=${v}", &value) {
            let parsed = Url::parse(&it).unwrap();
            prop_assert_eq!(parsed.host_str(), Some("api.example"));
            prop_assert!(parsed.path().ends_with("/x"));
            prop_assert_eq!(parsed.path_segments().unwrap().count(), 2);
            prop_assert_eq!(parsed.query_pairs().next().unwrap().1, value);
        }
    }

    /// Few characters, those that mean something in a URL, so that odd forms come often.
    #[test]
    fn p_02_no_odd_value_leads_to_another_host(value in "[a.:/@#?%\\\\0x127-]{1,12}") {
        if let Ok(it) = url("https://${v}.zendesk.example/", &value) {
            let host = Url::parse(&it).unwrap().host_str().unwrap().to_owned();
            prop_assert_eq!(host, format!("{}.zendesk.example", value.trim_end_matches('.')));
        }
    }

    #[test]
    fn filling_never_panics(template in "(https://)?(\\$\\{|base64\\(|\\)|\\}|v|/|[a-z$.]){0,12}") {
        let _ = url(&template, "a.b");
        let _ = fill_text(&template, &|_| Some("x"));
    }
}
