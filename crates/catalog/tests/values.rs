//! What a user may type, above all where it ends up in a host.

use grantkeep_catalog::{Catalog, Field, HostForm, HostRule};

fn rule(form: HostForm, under: &[&str]) -> HostRule {
    HostRule { form, under: under.iter().map(ToString::to_string).collect() }
}

fn field(app: &str, name: &str) -> Field {
    let found = Catalog::builtin().get(app).and_then(|it| it.field(name).cloned());
    found.unwrap_or_else(|| panic!("{app} has no field {name}"))
}

#[test]
fn p_02_a_label_is_one_label() {
    let label = rule(HostForm::Label, &[]);
    for good in ["acme", "a", "acme-2", "ACME", &"a".repeat(63)] {
        assert!(label.check(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        " ",
        "a.b",
        "evil.com#",
        "evil.com/",
        "a.b@evil",
        "evil.com\\.zendesk.com",
        "-a",
        "a-",
        "a_b",
        "a b",
        "a%2e",
        "ä",
        "a\n",
        "a:1",
        "a?b",
        &"a".repeat(64),
    ] {
        assert!(label.check(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn p_02_a_name_ends_where_it_must() {
    let name = rule(HostForm::Name, &[".zendesk.com"]);
    for good in ["acme.zendesk.com", "a.b.zendesk.com", "Acme.Zendesk.com"] {
        assert!(name.check(good).is_ok(), "{good}");
    }
    for bad in [
        "evilzendesk.com",
        "zendesk.com.evil.com",
        "evil.com\\.zendesk.com",
        "a@b.zendesk.com",
        "evil.com#.zendesk.com",
        "evil.com/.zendesk.com",
        "evil.com?.zendesk.com",
        ".zendesk.com",
        "a..zendesk.com",
        "acme.zendesk.com.",
        "acme.zendesk.com:8443",
        "acme.zendesk.com/x",
    ] {
        assert!(name.check(bad).is_err(), "{bad}");
    }
}

#[test]
fn p_02_any_name_is_still_a_name() {
    let name = rule(HostForm::Name, &[]);
    for bad in ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.0x1", "[::1]", "a.0x7f"] {
        assert!(name.check(bad).is_err(), "{bad}");
    }
    // Found by fuzzing: parsers read `0X` as `0x`, and this as 127.0.0.1.
    for bad in ["0x7f.0X1", "127.0X1", "a.0X7f"] {
        assert!(name.check(bad).is_err(), "{bad}");
        assert!(rule(HostForm::Url, &[]).check(&format!("https://{bad}")).is_err(), "{bad}");
    }
    assert!(name.check("shop.example.com").is_ok());
}

#[test]
fn p_02_an_origin_is_https_and_a_host() {
    let url = rule(HostForm::Url, &[".salesforce.com"]);
    for good in ["https://na1.salesforce.com", "https://acme.my.salesforce.com/"] {
        assert!(url.check(good).is_ok(), "{good}");
    }
    for bad in [
        "http://na1.salesforce.com",
        "na1.salesforce.com",
        "https://na1.salesforce.com/x",
        "https://na1.salesforce.com//",
        "https://u@na1.salesforce.com",
        "https://na1.salesforce.com:444",
        "https://evil.com/.salesforce.com",
        "https://",
        "https://evil.com?.salesforce.com",
        "HTTPS://na1.salesforce.com",
        "javascript:alert(1)",
    ] {
        assert!(url.check(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_refusal_speaks_to_the_user_and_keeps_the_secret() {
    let key = field("stripe", "api_key");
    let error = key.check("hunter2").unwrap_err().to_string();
    assert!(error.starts_with("Secret or restricted key does not look right."), "{error}");
    assert!(!error.contains("hunter2"));
    assert!(key.check("sk_live_abc123").is_ok());
    assert!(key.check("sk_live_abc123\nx").is_err(), "the pattern holds the whole value");
    assert_eq!(key.check(" ").unwrap_err().to_string(), "Secret or restricted key is missing.");
}

#[test]
fn optional_select_and_default() {
    let region = field("mailgun", "region");
    assert!(region.check("").is_ok() && region.check("api.eu").is_ok());
    assert!(region.check("evil.com#").is_err());
    assert!(field("zendesk", "subdomain").check("").is_err());
    assert!(field("openai", "organization_id").check("").is_ok());
    assert!(field("openai", "organization_id").check("org-Ab1").is_ok());
    assert!(field("openai", "organization_id").check("nonsense").is_err());
    let long = "a".repeat(grantkeep_catalog::fields::VALUE_CHARS_MAX + 1);
    assert!(field("openai", "api_key").check(&long).is_err());
}
