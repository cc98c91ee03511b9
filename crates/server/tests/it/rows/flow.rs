//! Of rows 27 to 49 those that the tests of the flow itself (`connect/`) do not hold.

use reqwest::Method;
use serde_json::{Value, json};

use super::{refused, stored};
use crate::connect::browser::Browser;
use crate::world::worlds;

#[tokio::test]
async fn row_43_a_form_posted_to_the_callback_is_not_taken() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let back = browser.consent(&page.start().await).await;
        let (path, query) = back.split_once('?').unwrap();
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let form = browser.http.request(method.clone(), path).body(query.to_owned());
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            let reply = crate::world::read(form).await;
            refused(&world, &reply, (405, "method_not_allowed"), method.as_str());
        }
        assert_eq!(world.provider.counters("rotating").token_code, 0);
        assert_eq!(browser.visit(&back).await.status, 200, "the state is still good");
    }
}

#[tokio::test]
async fn row_48_forms_of_key_apps_that_lead_elsewhere() {
    for world in worlds().await {
        let token = world.connect_token("u").await;
        let before = stored(&world).await;
        let send = async |app: &str, fields: &Value| {
            let form = json!({ "app_slug": app, "cfmap_json": fields.to_string() });
            world.call(Method::POST, &world.path("/accounts"), Some(&token), Some(form)).await
        };
        let (label, long) = ("a".repeat(64), "x".repeat(20_000));
        for domain in [
            "evil.com/",
            "a.b@evil",
            "a@evil",
            "127.0.0.1",
            "2130706433.",
            "x.zendesk.com.evil.com",
            "xn--pple-43d",
            "\u{430}cme",
            "acme\nx",
            "acme\u{0}",
            "acme/..",
            "acme?x",
            "acme#x",
            "acme:443",
            "acme%2e",
            "acme\\x",
            "-acme",
            "acme-",
            "acme_x",
            "a cme",
            "",
            &label,
            &long,
        ] {
            let fields = json!({ "domain": domain, "api_key": "k" });
            let reply = send("freshdesk", &fields).await;
            refused(&world, &reply, (400, "invalid_field"), domain);
            assert_eq!(reply.json()["details"]["field"], "domain", "{domain}");
        }
        for (app, fields, field) in [
            ("freshdesk", json!({ "domain": "acme", "api_key": "a\nb" }), "api_key"),
            ("freshdesk", json!({ "domain": "acme", "api_key": long }), "api_key"),
            ("freshdesk", json!({ "domain": "acme", "api_key": ["k"] }), "api_key"),
            ("freshdesk", json!({ "domain": "acme", "api_key": "k", "host": "evil.com" }), "host"),
            ("openai", json!({ "api_key": "k", "organization_id": "acme" }), "organization_id"),
        ] {
            let reply = send(app, &fields).await;
            refused(&world, &reply, (400, "invalid_field"), field);
            assert_eq!(reply.json()["details"]["field"], field, "{fields}");
        }
        let twice = json!({ "app_slug": "freshdesk",
            "cfmap_json": r#"{"domain":"acme","domain":"evil","api_key":"k"}"# });
        let reply =
            world.call(Method::POST, &world.path("/accounts"), Some(&token), Some(twice)).await;
        refused(&world, &reply, (400, "invalid_field"), "twice");
        let huge = json!({ "domain": "acme", "api_key": "x".repeat(1 << 20) });
        let reply = send("freshdesk", &huge).await;
        refused(&world, &reply, (413, "body_too_large"), "1 MiB");
        assert_eq!(stored(&world).await, before);
    }
}
