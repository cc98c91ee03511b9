//! Requests to an app with OAuth 1.0a that the caller sends himself, signed by us.

use grantkeep::audit;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::connect::browser::Browser;
use crate::world::{World, read, worlds};

/// An account of the provider with OAuth 1.0a.
pub async fn connected(world: &World) -> String {
    world.oauth_app("oauth1").await;
    let token = world.connect_token("ada").await;
    let browser = Browser::new(world);
    let page = browser.page(&token, "sim_oauth1").await;
    let started = page.start().await;
    let back = browser.consent(&started).await;
    assert_eq!(browser.visit(&back).await.status, 200);
    page.status(&started.flow).await["account_id"].as_str().unwrap().to_owned()
}

struct Credentials {
    address: String,
    token: String,
}

async fn credentials(world: &World, account: &str) -> Credentials {
    let path = world.path(&format!("/accounts/{account}?include_credentials=true"));
    let reply = world.get(&path).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let told = reply.json()["credentials"].clone();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    assert!(!reply.text.contains("secret"), "{}", reply.text);
    Credentials { address: text("oauth_signer_uri"), token: text("oauth_access_token") }
}

fn asked(world: &World, by: &Credentials, request: &Value) -> RequestBuilder {
    let wish = json!({ "requestData": request, "token": { "key": by.token, "secret": "unused" } });
    world.http.post(&by.address).json(&wish)
}

#[tokio::test]
async fn f_19_who_is_handed_the_credentials_has_requests_signed() {
    for world in worlds().await {
        let account = connected(&world).await;
        let by = credentials(&world, &account).await;
        let base = format!("{}/oauth1/api/echo", world.provider.base_url());
        let form = [("note", "a b&c=d\u{e9}"), ("z", "")];
        let object = json!({ "note": form[0].1, "z": "" });
        let encoded =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        for (method, query, data) in [
            (Method::GET, "?b=2&a=%20x%2F&a=1", Value::Null),
            (Method::POST, "", object),
            (Method::POST, "?q=1", Value::from(encoded)),
            (Method::POST, "", Value::from("{\"k\": 1}")),
            (Method::DELETE, "", Value::Null),
        ] {
            let url = format!("{base}{query}");
            let wish = json!({ "method": method.as_str(), "url": url, "data": data });
            let signed = read(asked(&world, &by, &wish)).await;
            assert_eq!(signed.status, 200, "{signed:?}");
            assert!(signed.text.starts_with("OAuth "), "{}", signed.text);
            let request = world.http.request(method, &url).header("authorization", &signed.text);
            let request = match &data {
                Value::Null => request,
                Value::String(text) if text.starts_with('{') => {
                    request.header("content-type", "application/json").body(text.clone())
                }
                _ => request.form(&form),
            };
            let reply = read(request).await;
            assert_eq!((reply.status.as_u16(), &reply.json()["user"]), (200, &json!("ada")));
        }
        assert_eq!(world.provider.counters("oauth1").bad_signature, 0);
        world.app.audit.settle().await;
        let counts = audit::counts(&world.app.db, &world.project.id).await.unwrap();
        assert_eq!(counts["account.sign"], 5);
    }
}

#[tokio::test]
async fn f_19_nothing_is_signed_for_elsewhere_or_for_others() {
    for world in worlds().await {
        let account = connected(&world).await;
        let by = credentials(&world, &account).await;
        let url = format!("{}/oauth1/api/echo", world.provider.base_url());
        let foreign = read(asked(&world, &by, &json!({ "url": "https://evil.example/x" }))).await;
        assert_eq!((foreign.status.as_u16(), foreign.code()), (403, "host_not_allowed".into()));
        let mut altered = by.token.clone();
        altered.replace_range(altered.len() - 1.., if by.token.ends_with('A') { "B" } else { "A" });
        let real = credentials(&world, &account).await.token;
        for token in ["", "gk_signer_", &altered, &real.replace("development", "production")] {
            let by = Credentials { address: by.address.clone(), token: token.to_owned() };
            let reply = read(asked(&world, &by, &json!({ "url": url }))).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (401, "invalid_token".into()));
        }
        world.later(3_600_001);
        let over = read(asked(&world, &by, &json!({ "url": url }))).await;
        assert_eq!((over.status.as_u16(), over.code()), (401, "invalid_token".into()));
        let by = credentials(&world, &account).await;
        let path = world.path(&format!("/accounts/{account}"));
        world.call(Method::DELETE, &path, Some(&world.project.key), None).await;
        let gone = read(asked(&world, &by, &json!({ "url": url }))).await;
        assert_eq!((gone.status.as_u16(), gone.code()), (401, "invalid_token".into()));
    }
}
