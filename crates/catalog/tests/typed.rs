//! What people paste, and what is made of it.

use std::sync::Arc;

use grantkeep_catalog::{App, Catalog, Options};

fn app(slug: &str) -> Arc<App> {
    Catalog::builtin().get(slug).unwrap_or_else(|| panic!("no app {slug}"))
}

fn taken(slug: &str, field: &str, typed: &str) -> Result<String, String> {
    take(&app(slug), field, typed)
}

fn take(app: &App, field: &str, typed: &str) -> Result<String, String> {
    let field = app.field(field).unwrap_or_else(|| panic!("no field {field}"));
    app.take(field, typed).map_err(|why| why.to_string())
}

#[test]
fn p_02_a_pasted_address_is_cut_down_to_its_label() {
    for typed in [
        "acme",
        " ACME ",
        "acme.zendesk.com",
        "https://acme.zendesk.com",
        "HTTPS://Acme.Zendesk.com/agent/tickets?x=1#top",
        "http://acme.zendesk.com/",
    ] {
        assert_eq!(taken("zendesk", "subdomain", typed), Ok("acme".to_owned()), "{typed}");
    }
    for typed in [
        "evil.com/",
        "https://evil.com/.zendesk.com",
        "https://acme.zendesk.com@evil.com/",
        "https://acme.zendesk.com:8443/",
        "https://acme.zendesk.com.evil.com",
        "acme.zendesk.com\\@evil.com",
        "https://acme%2ezendesk.com",
        "https://a.b.zendesk.com",
        "https://xn--cme-7cd.zendesk.com",
        "https://\u{430}cme.zendesk.com",
        "https://.zendesk.com",
        "javascript:acme.zendesk.com",
    ] {
        let why = taken("zendesk", "subdomain", typed).unwrap_err();
        assert!(why.ends_with("Enter only what stands before .zendesk.com."), "{typed}: {why}");
    }
    assert_eq!(taken("zendesk", "subdomain", " "), Err("Subdomain is missing.".to_owned()));
}

#[test]
fn what_stands_around_a_label_is_read_from_the_apps_addresses() {
    let around = |slug: &str, field: &str| {
        let app = app(slug);
        app.around(app.field(field).unwrap()).map(|it| (it.before, it.after))
    };
    let pair = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    assert_eq!(around("zendesk", "subdomain"), pair("https://", ".zendesk.com"));
    assert_eq!(around("shopify", "shop_id"), pair("https://", ".myshopify.com"));
    assert_eq!(around("twilio", "account_sid"), None);
}

const FILE: &str = r#"
slug = "acme"
name = "Acme"
description = "Parcels, tracked."
homepage = "https://acme.example"
categories = ["Storage"]
popularity = 1
purpose = "see parcels"
auth = "keys"
[[fields]]
name = "site"
label = "Site"
host = { form = "name", under = [".acme.example"] }
[[fields]]
name = "origin"
label = "Address"
host = { form = "url" }
[[fields]]
name = "key"
label = "Key file"
kind = "json"
secret = true
[[fields]]
name = "tenant"
label = "Tenant"
host = { form = "label" }
[[fields]]
name = "other"
label = "Other"
host = { form = "label" }
[proxy]
base_url = "https://api-${tenant}.acme.example/${site}"
[proxy.headers]
authorization = "Bearer ${key}"
[evidence]
confirmed = 1
checked_on = "2026-11-22"
"#;

fn acme() -> Arc<App> {
    let catalog = Catalog::from_files([("acme.toml", FILE)], Options::default());
    catalog.ok().and_then(|it| it.get("acme")).unwrap_or_else(|| panic!("a file of this test"))
}

#[test]
fn hosts_and_addresses_may_be_pasted_whole() {
    let app = acme();
    let take = |field: &str, typed: &str| {
        app.take(app.field(field).unwrap(), typed).map_err(|why| why.to_string())
    };
    assert_eq!(take("site", "https://One.acme.example/x").unwrap(), "one.acme.example");
    assert!(take("site", "https://one.acme.example.evil.com").is_err());
    assert_eq!(take("origin", "Shop.example.com/").unwrap(), "https://shop.example.com");
    assert_eq!(take("origin", "http://shop.example.com/a").unwrap(), "https://shop.example.com");
    assert!(take("origin", "https://127.0.0.1/").is_err());
    assert_eq!(take("tenant", "https://api-one.acme.example/").unwrap(), "one");
    assert_eq!(take("tenant", "one.acme.example").unwrap(), "one");
    assert!(app.around(app.field("other").unwrap()).is_none());
}

#[test]
fn a_key_file_that_is_none_is_told_what_is_wrong() {
    let app = acme();
    let why = |typed: &str| app.take(app.field("key").unwrap(), typed).unwrap_err().to_string();
    assert!(why("[1]").contains("must begin with {"), "{}", why("[1]"));
    assert!(why("{\"a\": 1").contains("cut off at its end"));
    assert!(why("{\n\"a\": 1,\n'b': 2}").contains("line 3"));
    assert!(why("-----BEGIN PRIVATE KEY-----\nabc").contains("PEM key"));
    assert!(!why("{\"private_key\": hunter2}").contains("hunter2"));
    assert_eq!(app.take(app.field("key").unwrap(), " {\"a\": 1}\n").unwrap(), "{\"a\": 1}");
}
