//! Where events are posted to.

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOUR_MS, posts_of, signed};
use crate::receiver::{Receiver, Say};
use crate::world::{World, worlds};

async fn address(world: &World, more: Value) -> (String, String) {
    let made = world.deploy("http-new-requests", json!({}), more).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("endpoint_url"))
}

async fn set(world: &World, id: &str, urls: &[&str]) -> Vec<Value> {
    let body = json!({ "webhook_urls": urls });
    let reply = world.of_trigger(Method::PUT, id, "/webhooks", body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["webhook_urls"], json!(urls));
    reply.json()["webhooks"].as_array().unwrap().clone()
}

#[tokio::test]
async fn events_go_to_the_triggers_addresses_or_else_to_the_default() {
    for world in worlds().await {
        let (default, own) = (Receiver::start().await, Receiver::start().await);
        let reply = world
            .call(
                Method::PUT,
                &world.path("/webhook"),
                Some(&world.project.key),
                Some(json!({ "url": default.url })),
            )
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let key = reply.json()["data"]["signing_key"].as_str().unwrap().to_owned();
        // An endpoint for news gets none of it.
        let news = Receiver::start().await;
        world.endpoint(&news.url).await;
        let (id, url) = address(&world, json!({})).await;
        world.hit(&url, json!({ "n": 1 })).await;
        world.deliver().await;
        let [post] = &posts_of(&default, &id)[..] else { panic!("{:?}", default.posts()) };
        assert!(signed(post, &key));
        set(&world, &id, &[&own.url]).await;
        world.hit(&url, json!({ "n": 2 })).await;
        world.deliver().await;
        assert_eq!((posts_of(&default, &id).len(), posts_of(&own, &id).len()), (1, 1));
        assert_eq!(posts_of(&own, &id)[0].json()["body"], json!({ "n": 2 }));
        assert_eq!(news.count(), 0);
        set(&world, &id, &[]).await;
        world.hit(&url, json!({ "n": 3 })).await;
        world.deliver().await;
        assert_eq!((posts_of(&default, &id).len(), posts_of(&own, &id).len()), (2, 1));
    }
}

#[tokio::test]
async fn addresses_that_stay_keep_their_ids_and_keys() {
    for world in worlds().await {
        let (id, _) = address(&world, json!({})).await;
        let (a, b) = ("https://a.example/x", "https://b.example/");
        let first = set(&world, &id, &[a]).await;
        assert!(first[0]["signing_key"].as_str().unwrap().starts_with("whsec_"), "{first:?}");
        let second = set(&world, &id, &[b, a]).await;
        assert_eq!(
            (&second[1]["id"], &second[1]["signing_key"]),
            (&first[0]["id"], &first[0]["signing_key"])
        );
        let third = set(&world, &id, &[b]).await;
        assert_eq!(third[0]["id"], second[0]["id"]);
        let again = set(&world, &id, &[a, b]).await;
        assert_ne!(again[0]["id"], first[0]["id"], "a new one is another");
        let token = world.connect_token("ada").await;
        let path = world.path(&format!("/deployed-triggers/{id}/webhooks"));
        let seen = world.call(Method::GET, &path, Some(&token), None).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert!(!seen.text.contains("whsec_"), "browsers see no key: {seen:?}");
        for wrong in ["http://10.0.0.1/", "https://u:p@a.example/", "ftp://a.example/"] {
            let body = json!({ "webhook_urls": [wrong] });
            let reply = world.of_trigger(Method::PUT, &id, "/webhooks", body).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "url_not_allowed".into()));
            let named = reply.text.contains("Nothing is posted to `ftp://`");
            assert_eq!(named, wrong.starts_with("ftp"), "{reply:?}");
        }
        let text = "name: NAME\ntrigger: { call: {} }\n\
                    steps: [{ name: a, code: 'export default () => 1' }]\n";
        let mut ids = Vec::new();
        for name in ["one", "two"] {
            let made = world.workflow(&text.replace("NAME", name)).await;
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        let body = json!({ "workflow_ids": [ids[0], ids[1], ids[0]] });
        let kept = world.of_trigger(Method::PUT, &id, "/pipelines", body).await;
        assert_eq!(kept.json(), json!({ "workflow_ids": ids }));
        for wrong in ["../x", "p_leadsnowhere"] {
            let body = json!({ "workflow_ids": [wrong] });
            let wrong = world.of_trigger(Method::PUT, &id, "/pipelines", body).await;
            assert_eq!((wrong.status.as_u16(), wrong.code()), (400, "invalid_field".to_owned()));
        }
        let kept = world.of_trigger(Method::GET, &id, "/pipelines", Value::Null).await;
        assert_eq!(kept.json(), json!({ "workflow_ids": ids }));
    }
}

#[tokio::test]
async fn a_former_key_of_a_trigger_signs_for_a_day_beside_the_new_one() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let (id, url) = address(&world, json!({})).await;
        let made = set(&world, &id, &[&receiver.url]).await.remove(0);
        let (hook, old) = (made["id"].as_str().unwrap(), made["signing_key"].as_str().unwrap());
        let rest = format!("/webhooks/{hook}/regenerate_signing_key");
        let renewed = world.of_trigger(Method::POST, &id, &rest, Value::Null).await.json();
        let new = renewed["data"]["signing_key"].as_str().unwrap();
        assert_ne!(new, old);
        world.hit(&url, json!({})).await;
        world.deliver().await;
        let post = posts_of(&receiver, &id).remove(0);
        assert!(signed(&post, old) && signed(&post, new));
        let rest = format!("/webhooks/{hook}");
        let seen = world.of_trigger(Method::GET, &id, &rest, Value::Null).await;
        assert_eq!(seen.json()["data"]["signing_key"], new);
        world.app.clock.shift(25 * HOUR_MS);
        world.hit(&url, json!({})).await;
        world.deliver().await;
        let post = posts_of(&receiver, &id).remove(1);
        assert!(!signed(&post, old) && signed(&post, new));
        receiver.usually(Say::Status(410));
        world.hit(&url, json!({})).await;
        world.deliver().await;
        let rest = format!("/webhooks/{hook}");
        let off = world.of_trigger(Method::GET, &id, &rest, Value::Null).await.json();
        assert_eq!(off["data"]["delivery_state"]["state"], "deactivated", "{off}");
        let rest = format!("{rest}/reset_delivery_state");
        let on = world.of_trigger(Method::POST, &id, &rest, Value::Null).await.json();
        assert_eq!(on["data"]["delivery_state"]["state"], "happy", "{on}");
    }
}

#[tokio::test]
async fn row_92_another_tenants_trigger_is_not_found() {
    for world in worlds().await {
        let (id, _) = address(&world, json!({ "webhook_url": "https://a.example/" })).await;
        let reply = world.of_trigger(Method::GET, &id, "/webhooks", Value::Null).await;
        let hook = reply.json()["webhooks"][0]["id"].as_str().unwrap().to_owned();
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let rest = format!("webhooks/{hook}/regenerate_signing_key");
        for (project, key, id, user) in [
            (&other.id, &other.key, id.as_str(), "ada"),
            (&world.project.id, &world.project.key, id.as_str(), "grace"),
            (&world.project.id, &world.project.key, "hi_nobody", "ada"),
        ] {
            let path = format!(
                "/v1/connect/{project}/deployed-triggers/{id}/{rest}?external_user_id={user}"
            );
            let reply = world.call(Method::POST, &path, Some(key), None).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (404, "not_found".into()), "{path}");
        }
        let second = address(&world, json!({})).await.0;
        let rest = format!("/{rest}");
        let reply = world.of_trigger(Method::POST, &second, &rest, Value::Null).await;
        assert_eq!(reply.status, 404, "another trigger's");
    }
}

#[tokio::test]
async fn what_waits_for_a_trigger_goes_with_it_and_with_its_user() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        receiver.usually(Say::Status(500));
        for of_user in [false, true] {
            let (id, url) = address(&world, json!({})).await;
            set(&world, &id, &[&receiver.url]).await;
            world.hit(&url, json!({})).await;
            world.deliver().await;
            assert_ne!(world.dump("webhook_deliveries").await, "");
            let path = if of_user { "/users/ada" } else { &format!("/deployed-triggers/{id}") };
            let reply = world.delete(&world.path(&format!("{path}?external_user_id=ada"))).await;
            assert!(reply.status.is_success(), "{reply:?}");
            assert_eq!(world.dump("webhook_deliveries").await, "", "{path}");
        }
    }
}
