//! The list of apps, where the page was opened without one.

use std::collections::BTreeSet;

use grantkeep::apps::{Edit, create_oauth_app};
use grantkeep::ids::ProjectId;
use grantkeep::projects::Settings;
use serde_json::{Value, json};

use super::browser::{Browser, Page, code_on};
use crate::world::{PRODUCT_ORIGIN, World, read, worlds};

/// The whole list, part by part.
async fn listed(page: &Page<'_>, query: &str) -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    let mut from = Some(0);
    let mut total = 0;
    while let Some(at) = from {
        let part = page.apps(&format!("q={query}&from={at}")).await;
        let apps = part["apps"].as_array().unwrap();
        assert!(apps.len() <= 24, "{}", apps.len());
        for it in apps {
            let new = it["slug"].as_str().unwrap().to_owned();
            assert!(slugs.insert(new), "{} comes twice", it["slug"]);
        }
        total = part["total"].as_u64().unwrap();
        from = part["next"].as_u64();
    }
    assert_eq!(u64::try_from(slugs.len()).unwrap(), total, "no app twice, and none left out");
    slugs
}

async fn list_page<'b>(browser: &'b Browser<'_>, token: &str) -> Page<'b> {
    let page = browser.page(token, "").await;
    assert_eq!(page.boot["kind"], "list", "{}", page.reply.text);
    page
}

fn file(slug: &str) -> String {
    format!(
        r#"slug = "{slug}"
name = "Ours"
description = "Our own."
homepage = "https://ours.example"
categories = ["Storage"]
popularity = 1
purpose = "see what is ours"
auth = "keys"
[[fields]]
name = "key"
label = "Key"
kind = "password"
[proxy]
base_url = "https://api.ours.example"
[proxy.headers]
authorization = "Bearer ${{key}}"
[evidence]
confirmed = 1
checked_on = "2026-11-22"
"#
    )
}

async fn own_app(world: &World, project: &ProjectId, slug: &str) {
    let sql = "insert into custom_apps (project_id, slug, definition, version, created_at_ms, \
               updated_at_ms) values ($1, $2, $3, 1, 0, 0)";
    grantkeep::on!(world.app.db.write(), conn => sqlx::query(sql)
        .bind(project).bind(slug).bind(file(slug)).execute(conn).await.unwrap()
        .rows_affected());
}

#[tokio::test]
async fn a_page_without_an_app_lists_what_can_be_connected() {
    for world in worlds().await {
        // Before anything asks for the project's apps, which are remembered for a second.
        own_app(&world, &world.project.id, "ours").await;
        world.oauth_app("rotating").await;
        let other = world.another_project(Settings::default()).await;
        own_app(&world, &other.id, "theirs").await;
        let empty = Edit { client_id: Some(String::new()), ..Edit::default() };
        create_oauth_app(&world.app, &world.project.id, "sim_static", empty).await.unwrap();
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = list_page(&browser, &token).await;
        let csp = page.reply.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.ends_with(&format!("frame-ancestors {PRODUCT_ORIGIN}")), "{csp}");
        assert!(!csp.contains("unsafe"), "{csp}");
        assert!(page.reply.text.matches("class=\"app\"").count() >= 24);
        assert!(page.reply.text.len() < 20_000, "{} bytes", page.reply.text.len());

        let all = listed(&page, "").await;
        assert!(all.len() > 100, "{}", all.len());
        for (slug, there) in [
            ("sim_rotating", true),
            ("sim_keys", true),
            ("ours", true),
            ("theirs", false),
            ("twilio", true),
            // Without an OAuth client, or with one that is not complete.
            ("sim_grace", false),
            ("sim_static", false),
        ] {
            assert_eq!(all.contains(slug), there, "{slug}");
        }
        assert_eq!(listed(&page, "LUMEN-chat").await, ["sim_rotating".to_owned()].into());
        assert!(listed(&page, "ours").await.contains("ours"));
        assert!(listed(&page, "zzqq%25").await.is_empty());
        let first = page.apps("q=harbor&from=0").await;
        let entry = json!({ "slug": "sim_keys", "name": "Harbor Mail",
            "category": "Communication", "logo": "/_static/apps/sim_keys.svg" });
        assert_eq!(first, json!({ "apps": [entry], "total": 1, "next": Value::Null }));
        assert_eq!(page.apps("q=harbor&from=99999999").await["apps"], json!([]));
    }
}

#[tokio::test]
async fn an_app_is_chosen_and_connected_in_the_same_session() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let list = list_page(&browser, &token).await;
        let early = list.call("start", json!({ "fields": {} })).await;
        assert_eq!((early.status.as_u16(), early.code().as_str()), (400, "invalid_request"));
        let early = list.call("account", json!({ "fields": {} })).await;
        assert_eq!((early.status.as_u16(), early.code().as_str()), (400, "invalid_request"));

        let page = list.choose("sim_keys").await;
        assert_eq!(
            (&page.boot["kind"], &page.boot["session"]),
            (&json!("keys"), &list.boot["session"])
        );
        assert!(page.reply.text.contains("All apps"));
        let back = list.form(&[("do", "list"), ("q", "lumen")]).await;
        assert!(back.text.contains("value=\"sim_rotating\""), "{}", back.text);
        assert!(!back.text.contains("value=\"sim_keys\""), "the search is kept");
        let none = list.call("account", json!({ "fields": { "api_key": "x" } })).await;
        assert_eq!(none.code(), "invalid_request", "there is no app any more");

        let page = list.choose("sim_rotating").await;
        let started = page.start().await;
        // What was begun for one app is over when another is chosen.
        list.choose("sim_keys").await;
        assert_eq!(page.status(&started.flow).await["code"], "cancelled");
        assert_eq!(browser.submit(&started).await.status, 403);
        let page = list.choose("sim_rotating").await;
        let started = page.start().await;
        browser.visit(&browser.consent(&started).await).await;
        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");
        let path = world.path(&format!("/accounts/{}", status["account_id"].as_str().unwrap()));
        let account = world.get(&path).await.json();
        assert_eq!(
            (&account["app"]["name_slug"], &account["binding"]),
            (&json!("sim_rotating"), &json!("embedded"))
        );
        let late = list.form(&[("app", "sim_keys")]).await;
        assert_eq!((late.status.as_u16(), code_on(&late).as_str()), (410, "connect_token_used"));
        world.app.audit.settle().await;
        assert!(world.dump("audit_events").await.contains("connect.picked"));
    }
}

/// As the script does it: no form, so nothing in the history that would be sent again.
#[tokio::test]
async fn an_app_is_chosen_by_the_pages_own_address() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let list = list_page(&browser, &token).await;
        let reply = browser.frame(&token, "sim_rotating", "&q=lumen").await;
        let page = browser.shown(reply);
        assert!(page.reply.text.contains("All apps"), "{}", page.reply.text);
        assert!(page.reply.text.contains("name=\"q\" value=\"lumen\""), "{}", page.reply.text);
        assert_eq!(list.call("start", json!({ "fields": {} })).await.code(), "page_ended");
        let back = browser.shown(browser.frame(&token, "", "&q=lumen").await).reply.text;
        assert!(back.contains("value=\"sim_rotating\""), "{back}");
        assert!(!back.contains("value=\"sim_keys\""), "the search is kept");
        let any = browser.shown(browser.frame(&token, "sim_keys", "&q=").await).reply.text;
        assert!(any.contains("All apps"));
        world.app.audit.settle().await;
        let steps: Vec<String> = grantkeep::on!(world.app.db.read(), conn => sqlx::query_scalar(
            "select action from audit_events where action like 'connect.%' order by action")
            .fetch_all(conn).await.unwrap());
        assert_eq!(steps, ["connect.opened", "connect.picked", "connect.picked"]);
        // A token for one app leaves no choice, whatever stands in the address.
        let fixed = world.connect_token_with("u", json!({ "app_id": "sim_keys" })).await;
        let page = browser.shown(browser.frame(&fixed, "", "&q=x").await).reply.text;
        assert!(!page.contains("All apps"));
    }
}

#[tokio::test]
async fn a_token_may_list_the_apps_that_it_connects() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        world.oauth_app("grace").await;
        let app_id = world.app.catalog.get("sim_keys").unwrap().id.clone();
        let more = json!({ "allowed_apps": ["sim_rotating", app_id, "sim_rotating"] });
        let token = world.connect_token_with("u", more.clone()).await;
        let browser = Browser::new(&world);
        let list = list_page(&browser, &token).await;
        let both = ["sim_keys".to_owned(), "sim_rotating".to_owned()];
        assert_eq!(listed(&list, "").await, both.into());
        let refused = list.form(&[("app", "sim_grace")]).await;
        assert_eq!((refused.status.as_u16(), code_on(&refused).as_str()), (403, "app_not_allowed"));
        assert!(refused.text.contains("Tidepool Files"), "{}", refused.text);
        let csp = refused.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.ends_with(&format!("frame-ancestors {PRODUCT_ORIGIN}")), "{csp}");
        let named = browser.frame(&token, "sim_grace", "").await;
        assert_eq!((named.status.as_u16(), code_on(&named).as_str()), (403, "app_not_allowed"));
        let body = json!({ "app_slug": "sim_basic", "cfmap_json": "{}", "connect_token": token,
            "external_user_id": "u" });
        let made =
            world.call(reqwest::Method::POST, "/v1/connect/accounts", Some(&token), Some(body));
        assert_eq!(made.await.code(), "app_not_allowed");

        for (apps, more) in [
            (json!([]), json!({})),
            (json!(["nope"]), json!({})),
            (json!(["../../etc"]), json!({})),
            (json!(vec!["sim_keys"; 101]), json!({})),
            (json!(["sim_keys"]), json!({ "app_id": "sim_grace" })),
        ] {
            let mut body = json!({ "external_user_id": "u", "allowed_apps": apps });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let reply = world.post(&world.path("/tokens"), body).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            assert_eq!(reply.json()["details"]["field"], "allowed_apps");
        }
    }
}

#[tokio::test]
async fn row_34_the_pages_forms_are_taken_from_the_page_alone() {
    for world in worlds().await {
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let list = list_page(&browser, &token).await;
        for site in ["cross-site", "same-site", "none"] {
            let reply = list.form_from(site, &[("app", "sim_keys")]).await;
            assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (403, "ticket_invalid"));
        }
        let other = list_page(&browser, &token).await;
        let ended = list.form(&[("app", "sim_keys")]).await;
        assert_eq!((ended.status.as_u16(), code_on(&ended).as_str()), (410, "page_ended"));
        assert_eq!(other.choose("sim_keys").await.boot["kind"], "keys");
        let forged = Page::with_session(&browser, "cps_wrong");
        assert_eq!(code_on(&forged.form(&[("app", "sim_keys")]).await), "page_ended");

        let named = browser.page(&token, "sim_keys").await;
        assert!(!named.reply.text.contains("All apps"));
        let fixed = world.connect_token_with("u", json!({ "app_id": "sim_keys" })).await;
        let page = browser.page(&fixed, "").await;
        assert_eq!(page.boot["kind"], "keys", "the token names the app");
        for form in [("app", "sim_basic"), ("do", "list")] {
            assert_eq!(code_on(&page.form(&[form]).await), "invalid_request");
        }
    }
}

#[tokio::test]
async fn who_can_help_is_said_where_an_app_cannot_be_connected() {
    let world = World::sqlite(&[]).await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    for (app, code, words) in [
        ("sim_grace", "oauth_client_missing", "Tidepool Files is not set up yet"),
        ("no_such_app", "app_not_found", "There is no such app"),
    ] {
        let reply = browser.frame(&token, app, "").await;
        assert_eq!(code_on(&reply), code);
        assert!(reply.text.contains(words), "{}", reply.text);
        assert!(reply.text.contains("href=\"mailto:help@acme.example?subject="), "{}", reply.text);
    }
}

#[tokio::test]
async fn nobody_chooses_without_end() {
    let world = World::sqlite(&[]).await;
    let browser = Browser::new(&world);
    let token = world.connect_token("u").await;
    let list = list_page(&browser, &token).await;
    for _ in 0..100 {
        assert_eq!(list.form(&[("app", "sim_keys")]).await.status, 200);
    }
    let reply = list.form(&[("app", "sim_keys")]).await;
    assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (429, "rate_limited"));
}

#[tokio::test]
async fn a_frame_whose_page_is_gone_says_so() {
    for world in worlds().await {
        let http = Browser::new(&world).http;
        let send = |dest: &'static str| {
            let post = http.post(format!("{}/connect/page", world.url));
            let post = post.form(&[("session", "cps_made-up"), ("app", "sim_keys")]);
            let post = post.header("sec-fetch-site", "same-origin").header("origin", "null");
            read(post.header("sec-fetch-dest", dest))
        };
        let framed = send("iframe").await;
        assert!(framed.text.contains("This page was opened again elsewhere"), "{}", framed.text);
        assert!(!framed.headers.contains_key("x-frame-options"), "the frame would be blank");
        let csp = framed.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.ends_with("frame-ancestors *"), "{csp}");
        let on_top = send("document").await;
        assert_eq!(on_top.headers["x-frame-options"], "DENY");
    }
}
