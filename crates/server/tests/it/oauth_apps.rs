//! How a project's OAuth clients prove themselves, and where their redirect URIs are.

use grantkeep::apps::{self, Edit};
use grantkeep::projects::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::connect::browser::{Browser, parameter};
use crate::world::{World, read, worlds, worlds_with};

const CALLBACKS: &str = "https://login.acme.example";
/// An app whose clients prove themselves with a key.
const SIGNED: &str = r#"
slug = "signed"
name = "Signed"
description = "An app whose clients sign."
homepage = "https://signed.example"
categories = []
popularity = 0
purpose = "use your account"
auth = "oauth2"

[oauth2]
authorization_url = "https://signed.example/authorize"
token_url = "https://signed.example/token"
client_auth = "private_key_jwt"

[evidence]
confirmed = 1
checked_on = "2026-11-26"
"#;

impl World {
    /// A client as it is entered by the API.
    async fn client(&self, body: Value) -> Value {
        let made = self.post(&self.path("/oauth_apps"), body).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()
    }
}

#[tokio::test]
async fn a_made_key_is_shown_by_its_public_half_alone() {
    for world in worlds().await {
        world.custom_app(SIGNED).await;
        let body = json!({ "app": "signed", "client_id": "c", "generate_key": true });
        let made = world.client(body).await;
        let key = &made["public_jwk"];
        assert_eq!(
            (&key["kty"], &key["crv"], &key["use"]),
            (&json!("EC"), &json!("P-256"), &json!("sig"))
        );
        assert!(key.get("d").is_none(), "{key}");
        assert_eq!(key["kid"], made["key_id"]);
        let uri = made["jwks_uri"].as_str().unwrap();
        let served = read(world.http.get(uri)).await;
        assert_eq!(served.json(), json!({ "keys": [key] }));
        assert_eq!(served.headers["content-type"], "application/json");
        let id = made["id"].as_str().unwrap();
        let project = &world.project.id;
        let kept = apps::find_oauth_app(&world.app, project, id).await.unwrap();
        let signing = apps::oauth_app_key(&world.app, &kept).await.unwrap().unwrap();
        assert_eq!(&Value::Object(signing.published_jwk().unwrap()), key);
        assert!(!world.dump("oauth_apps").await.contains("PRIVATE KEY"), "sealed");
        // What says nothing of the key leaves it, under the row's new version.
        let one = world.path(&format!("/oauth_apps/{id}"));
        let named = world.put(&one, json!({ "name": "Ours", "client_secret": "s" })).await.json();
        assert_eq!(&named["public_jwk"], key);
        let kept = apps::find_oauth_app(&world.app, project, id).await.unwrap();
        assert!(apps::oauth_app_key(&world.app, &kept).await.unwrap().is_some());
        let renamed = world.put(&one, json!({ "key_id": "ours-1" })).await.json();
        assert_eq!(
            (&renamed["key_id"], &renamed["public_jwk"]["x"]),
            (&json!("ours-1"), &key["x"])
        );
        let another = world.put(&one, json!({ "generate_key": true })).await.json();
        assert_ne!(another["public_jwk"]["x"], key["x"]);
        assert_ne!(another["key_id"], "ours-1", "a name belongs to one key");
    }
}

#[tokio::test]
async fn what_has_no_key_publishes_none() {
    let world = World::sqlite(&[]).await;
    let made = world.client(json!({ "app": "github", "client_id": "c" })).await;
    for name in ["public_jwk", "jwks_uri", "key_id", "client_certificate"] {
        assert_eq!(made[name], Value::Null, "{name}");
    }
    let id = made["id"].as_str().unwrap();
    for id in [id, "oa_nothere", "x"] {
        let path = format!("/connect/oauth/{id}/jwks.json");
        assert_eq!(world.call(Method::GET, &path, None, None).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn keys_and_certificates_that_cannot_work_are_refused_and_not_repeated() {
    for world in worlds().await {
        world.custom_app(SIGNED).await;
        let list = world.path("/oauth_apps");
        let pair = rcgen::generate_simple_self_signed(["client.acme.example".to_owned()]).unwrap();
        let (key, certificate) = (pair.signing_key.serialize_pem(), pair.cert.pem());
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let canary = "canary".repeat(20);
        for (more, field) in [
            (json!({ "private_key": canary }), "private_key"),
            (json!({ "private_key": certificate }), "private_key"),
            (json!({ "private_key": "{\"kty\":\"EC\",\"crv\":\"P-256\"}" }), "private_key"),
            (json!({ "private_key": key, "generate_key": true }), "private_key"),
            (json!({ "private_key": key, "key_id": "a b" }), "key_id"),
            (json!({ "key_id": "a" }), "key_id"),
            (json!({ "client_certificate": certificate }), "client_certificate"),
            (
                json!({ "private_key": other, "client_certificate": certificate }),
                "client_certificate",
            ),
            (json!({ "private_key": key, "client_certificate": canary }), "client_certificate"),
        ] {
            let mut body = json!({ "app": "signed", "client_id": "c" });
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            let reply = world.post(&list, body).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".into()));
            assert_eq!(reply.json()["details"]["field"], field, "{reply:?}");
            assert!(!reply.text.contains("canary"), "{reply:?}");
        }
        let body = json!({ "app": "signed", "client_id": "c", "private_key": key,
            "client_certificate": certificate });
        let made = world.client(body).await;
        assert_eq!(made["client_certificate"], certificate.as_str());
        let one = format!("{list}/{}", made["id"].as_str().unwrap());
        let alone = world.put(&one, json!({ "private_key": other })).await;
        assert_eq!(alone.json()["details"]["field"], "client_certificate", "both, or neither");
        let without = json!({ "private_key": other, "client_certificate": null });
        let without = world.put(&one, without).await.json();
        assert_eq!(without["client_certificate"], Value::Null, "{without}");
        let shown = world.get(&one).await;
        assert!(!shown.text.contains("PRIVATE"), "{shown:?}");
    }
}

/// Another name for the same server does not make a registration free for a second project.
#[tokio::test]
async fn b_04_a_registration_is_known_by_its_server_and_not_by_the_apps_name() {
    for world in worlds().await {
        world.custom_app(SIGNED).await;
        world.client(json!({ "app": "signed", "client_id": "shared" })).await;
        let other = world.another_project(Settings::default()).await;
        let ask = async |path: &str, body: Value| {
            let path = format!("/v1/connect/{}{path}", other.id);
            world.call(Method::POST, &path, Some(&other.key), Some(body)).await
        };
        let text = SIGNED
            .replace("\"signed\"", "\"another_name\"")
            .replace("https://signed.example/token", "https://SIGNED.example/token?v=2");
        let added = ask("/custom_apps", json!({ "definition": text })).await;
        assert_eq!(added.status, 201, "{added:?}");
        let body = json!({ "app": "another_name", "client_id": "shared" });
        assert_eq!(ask("/oauth_apps", body).await.code(), "invalid_field");
        let body = json!({ "app": "another_name", "client_id": "its own" });
        assert_eq!(ask("/oauth_apps", body).await.status, 201);
    }
}

#[tokio::test]
async fn a_projects_redirect_uris_may_be_at_an_origin_that_the_operator_permits() {
    for world in worlds_with(&[("callback_origins", CALLBACKS)]).await {
        let project = format!("/v1/connect/projects/{}", world.project.id);
        let patch = async |body: Value| {
            world.call(Method::PATCH, &project, Some(&world.project.key), Some(body)).await
        };
        for foreign in ["https://evil.example", "https://login.acme.example/", "x"] {
            let reply = patch(json!({ "callback_origin": foreign })).await;
            assert_eq!(reply.json()["details"]["field"], "callback_origin", "{foreign}");
        }
        let set = patch(json!({ "callback_origin": CALLBACKS })).await;
        assert_eq!(set.json()["callback_origin"], CALLBACKS, "{set:?}");
        let client = world.oauth_app("rotating").await;
        let uri = client.redirect_uri(&world.app);
        assert_eq!(uri, format!("{CALLBACKS}/connect/oauth/{}/callback", client.id));
        let one = world.get(&world.path(&format!("/oauth_apps/{}", client.id))).await;
        assert_eq!(one.json()["redirect_uri"], uri);

        let token = world.connect_token("ada").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        assert!(back.starts_with(&uri), "{back}");
        // The browser comes to the other origin, without the cookie, and is sent on to ours.
        let (_, rest) = back.split_once(CALLBACKS).unwrap();
        let there = read(browser.get(rest).header("host", "login.acme.example")).await;
        assert_eq!(there.status, 303, "{there:?}");
        let on = there.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(on, format!("{}{rest}", world.url));
        assert!(parameter(&on, "code").is_some());
        assert_eq!(browser.visit(&on).await.status, 200);
        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");

        patch(json!({ "callback_origin": null })).await;
        let one = world.get(&world.path(&format!("/oauth_apps/{}", client.id))).await;
        let own = format!("{}/connect/oauth/{}/callback", world.url, client.id);
        assert_eq!(one.json()["redirect_uri"], own);
    }
}

#[tokio::test]
async fn on_a_further_origin_there_is_the_callback_alone() {
    let world = World::sqlite(&[("callback_origins", CALLBACKS)]).await;
    let ask = async |method: Method, path: &str, host: &str| {
        let request = world.http.request(method, format!("{}{path}", world.url));
        read(request.header("host", host)).await
    };
    let callback = "/connect/oauth/oa_1/callback?state=s&code=c";
    for host in ["login.acme.example", "LOGIN.acme.example:443"] {
        assert_eq!(ask(Method::GET, callback, host).await.status, 303, "{host}");
        for path in [
            "/",
            "/healthz",
            "/docs",
            "/openapi.json",
            "/v1/connect/apps",
            "/_static/connect.html?token=x",
            "/connect/start/fl_1",
            "/connect/oauth/oa_1/jwks.json",
            "/connect/oauth/oa_1/x/callback",
            "/connect/oauth/../callback",
        ] {
            assert_eq!(ask(Method::GET, path, host).await.status, 404, "{host} {path}");
        }
        for method in [Method::POST, Method::HEAD, Method::OPTIONS] {
            assert_eq!(ask(method.clone(), callback, host).await.status, 405, "{method}");
        }
    }
    // Another port is another origin, and any other host is our own.
    for host in ["login.acme.example:8443", "login.acme.example.evil.example"] {
        assert_eq!(ask(Method::GET, "/healthz", host).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_refused_client_is_told_apart_from_a_refused_person() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let wrong = Edit {
            client_secret: Some(grantkeep_vault::Secret::new("not the secret")),
            ..Edit::default()
        };
        let id = client.id.as_str();
        apps::update_oauth_app(&world.app, &world.project.id, id, wrong).await.unwrap();
        let token = world.connect_token("ada").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        assert_eq!(browser.visit(&back).await.status, 502);
        let status = page.status(&started.flow).await;
        assert_eq!(status["code"], "oauth_client_refused", "{status}");
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let no = world.provider.deny(&browser.leave(&started).await, "ada").unwrap();
        browser.visit(&no).await;
        assert_eq!(page.status(&started.flow).await["code"], "access_denied");
    }
}
