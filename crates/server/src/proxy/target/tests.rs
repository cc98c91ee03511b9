use proptest::prelude::*;

use super::*;

fn proxy(base: &str, hosts: &[&str]) -> Proxy {
    let hosts: Vec<String> = hosts.iter().map(|it| format!("\"{it}\"")).collect();
    toml::from_str(&format!("base_url = \"{base}\"\nhosts = [{}]", hosts.join(","))).unwrap()
}

/// What comes of a target at an app whose base is `https://api.x.com/v1`, with one more host.
fn judged(target: &str) -> Result<String, &'static str> {
    let proxy = proxy("https://api.x.com/v1", &["files.x.com", "*.cdn.x.com"]);
    let resolved = Aim::read(target).and_then(|aim| {
        aim.screen(&proxy)?;
        aim.resolve(&proxy, "https://api.x.com/v1")
    });
    resolved.map(|it| it.to_string()).map_err(|it| it.kind().code)
}

#[test]
fn a_path_is_below_the_base_and_a_url_is_itself() {
    for (target, url) in [
        ("/me", "https://api.x.com/v1/me"),
        ("me?a=1&b=%20x", "https://api.x.com/v1/me?a=1&b=%20x"),
        ("?q", "https://api.x.com/v1?q"),
        ("/a%2Fb", "https://api.x.com/v1/a%2Fb"),
        ("https://api.x.com/v2/me", "https://api.x.com/v2/me"),
        ("https://files.x.com", "https://files.x.com/"),
        ("https://a.b.cdn.x.com/f", "https://a.b.cdn.x.com/f"),
        ("/users/a:b", "https://api.x.com/v1/users/a:b"),
    ] {
        assert_eq!(judged(target).as_deref(), Ok(url), "{target}");
    }
}

#[test]
fn p_01_row_64_other_hosts_are_refused() {
    for target in [
        "https://evil.com/",
        "https://x.com/",
        "https://evilapi.x.com/",
        "https://api.x.com.evil.com/",
        "https://cdn.x.com/",
        "https://evilcdn.x.com/",
        "https://api.x.com:8443/",
        "https://api.x.com:80/",
        "https://a.cdn.x.com:444/",
    ] {
        assert_eq!(judged(target), Err("host_not_allowed"), "{target}");
    }
}

#[test]
fn row_65_what_is_no_target() {
    for target in ["", "   ", "https://", "https://[::1", "/a\0b", "/a\u{7f}", "/a#b"] {
        assert_eq!(judged(target), Err("invalid_target"), "{target:?}");
    }
    assert_eq!(judged(&format!("/{}", "a".repeat(9_000))), Err("invalid_target"));
    for text in ["%%%", "a", "aGk*", "/w=="] {
        assert!(decode(text).is_err(), "{text}");
    }
}

#[test]
fn row_66_other_schemes_are_refused() {
    for target in [
        "http://api.x.com/",
        "file:///etc/passwd",
        "gopher://api.x.com/",
        "ws://api.x.com/",
        "javascript:alert(1)",
        "ftp:api.x.com",
    ] {
        assert_eq!(judged(target), Err("scheme_not_allowed"), "{target}");
    }
}

#[test]
fn p_14_row_67_the_host_is_judged_as_it_is_parsed() {
    for target in [
        "https://api.x.com@evil.com/",
        "https://api.x.com:pw@evil.com/",
        "https://evil.com\\@api.x.com/",
        "https://api.x.com%2eevil.com/",
        "https://api.x.com\t.evil.com/",
        "https:evil.com",
        "https:\\\\evil.com/",
        "https:///evil.com/",
        "https://evil。com/",
    ] {
        assert_eq!(judged(target), Err("host_not_allowed"), "{target:?}");
    }
    for target in [
        "https://api.x.com./v1/me",
        "https://API.X.COM:443/v1/me",
        "https://api。x。com/v1/me",
        "https://ａｐｉ.x.com/v1/me",
        "https://ap\ti.x.com/v1/me",
        " https://api.x.com/v1/me\n",
        "https:api.x.com/v1/me",
        "https://api.x.com\\v1\\me",
        "https://%61pi.x.com/v1/me",
    ] {
        assert_eq!(judged(target).as_deref(), Ok("https://api.x.com/v1/me"), "{target:?}");
    }
    for target in
        ["https://api.x.com#@evil.com", "https://user@api.x.com/", "https://u:p@api.x.com"]
    {
        assert_eq!(judged(target), Err("invalid_target"), "{target}");
    }
    // The backslash is a slash, so what follows is a path of the app.
    assert_eq!(
        judged("https://api.x.com\\.evil.com").as_deref(),
        Ok("https://api.x.com/.evil.com")
    );
}

#[test]
fn row_68_addresses_are_refused_in_every_spelling() {
    for host in [
        "2130706433",
        "0x7f.1",
        "017700000001",
        "127.1",
        "0",
        "[::]",
        "[::1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "①②⑦.0.0.1",
        "localhost",
        "localhost.",
        "a.localhost",
        "169.254.169.254",
        "1.1.1.1",
    ] {
        assert_eq!(judged(&format!("https://{host}/")), Err("address_not_allowed"), "{host}");
    }
    assert_eq!(judged("https://127.0.0.1.nip.io/"), Err("host_not_allowed"));
}

#[test]
fn p_14_row_69_a_path_never_leaves_the_host() {
    for target in ["//evil.com/x", "/\\evil.com", "\\\\evil.com", "\\/evil.com", "\t//evil.com"] {
        assert_eq!(judged(target), Err("host_not_allowed"), "{target:?}");
    }
    for target in [
        "..//evil.com",
        "/..//evil.com",
        "/../../..",
        "@evil.com/",
        "/@evil.com",
        ".evil.com",
        "/%2e%2e/%2e%2e//evil.com",
        "/..;/x",
        ":80/x",
        "\\..\\evil.com",
        "?@evil.com",
    ] {
        if let Ok(url) = judged(target) {
            assert!(url.starts_with("https://api.x.com/"), "{target}: {url}");
        }
    }
}

#[test]
fn p_02_a_host_of_the_accounts_own_is_judged_by_its_shape_before_it_is_known() {
    let proxy = proxy("https://${subdomain}.x.com/api", &[]);
    let screened = |target: &str| {
        Aim::read(target).and_then(|it| it.screen(&proxy)).map_err(|it| it.kind().code)
    };
    assert_eq!(screened("https://acme.x.com/api"), Ok(()));
    assert_eq!(screened("https://evil.com/"), Err("host_not_allowed"));
    assert_eq!(screened("https://acme.x.com.evil.com/"), Err("host_not_allowed"));
    assert_eq!(screened("https://127.0.0.1/"), Err("address_not_allowed"));
    let of = |target: &str| {
        let url = Aim::read(target).and_then(|it| it.resolve(&proxy, "https://acme.x.com/api"));
        url.map(|it| it.to_string()).map_err(|it| it.kind().code)
    };
    assert_eq!(of("/me").as_deref(), Ok("https://acme.x.com/api/me"));
    assert_eq!(of("https://acme.x.com/x").as_deref(), Ok("https://acme.x.com/x"));
    assert_eq!(of("https://other.x.com/x"), Err("host_not_allowed"));
}

#[test]
fn both_alphabets_with_padding_and_without() {
    let text = "https://slack.com/api/?????>>>>";
    for coded in [
        "aHR0cHM6Ly9zbGFjay5jb20vYXBpLz8/Pz8/Pj4+Pg==",
        "aHR0cHM6Ly9zbGFjay5jb20vYXBpLz8_Pz8_Pj4-Pg==",
        "aHR0cHM6Ly9zbGFjay5jb20vYXBpLz8_Pz8_Pj4-Pg",
    ] {
        assert_eq!(decode(coded).unwrap(), text);
    }
}

proptest! {
    /// Whatever is written, what is called is the app's.
    #[test]
    fn p_14_no_target_leads_elsewhere(
        target in prop::collection::vec(
            prop::sample::select(vec![
                "https:", "http:", "/", "\\", "//", "@", ":", "#", "?", "..", ".", "%2e", "%2f",
                "%5c", "\t", "\n", " ", "api.x.com", "files.x.com", "evil.com", "127.0.0.1",
                "[::1]",
                "。", "443", "a", "%40", "%00", ";", "&", "xn--", "é", "\u{202e}",
            ]),
            0..8,
        ),
    ) {
        if let Ok(url) = judged(&target.concat()) {
            let parsed = url::Url::parse(&url).unwrap();
            prop_assert_eq!(parsed.scheme(), "https");
            let host = parsed.host_str().unwrap();
            prop_assert!(["api.x.com", "files.x.com"].contains(&host), "{}", url);
            prop_assert!(parsed.username().is_empty() && parsed.port().is_none(), "{}", url);
            // What the client will connect to is read by another parser.
            let uri: axum::http::Uri = url.parse().unwrap();
            prop_assert_eq!(uri.host(), Some(host));
        }
    }
}
