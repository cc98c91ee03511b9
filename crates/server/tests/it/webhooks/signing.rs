//! What proves to a product that news is ours.

use serde_json::json;
use standardwebhooks::Webhook;

use super::kinds;
use crate::receiver::{Post, Receiver};
use crate::world::worlds;

const DAY_MS: i64 = 24 * 3_600_000;

/// Whether a verifier that we did not write takes it.
fn taken(post: &Post, secret: &str) -> bool {
    Webhook::new(secret).unwrap().verify(&post.body, &post.headers).is_ok()
}

#[tokio::test]
async fn h_01_other_peoples_verifiers_take_what_we_sign() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let made = world.endpoint(&receiver.url).await;
        world.news().await;
        world.deliver().await;
        let mut kinds = kinds(&receiver);
        kinds.sort();
        assert_eq!(kinds, ["CONNECTION_SUCCESS", "account.deleted"]);
        for post in receiver.posts() {
            assert!(taken(&post, &made.secret), "{post:?}");
            assert!(!taken(&Post { body: b"{}".to_vec(), ..post.clone() }, &made.secret));
            assert!(!post.id().contains('.') && post.id().starts_with("msg_"));
            assert_eq!(post.header("content-type"), "application/json");
            assert_eq!(post.header("x-pd-project-id"), world.project.id.as_str());
            assert_eq!(post.header("x-pd-environment"), "development");
            assert_eq!(post.header("x-pd-external-user-id"), "ada");
            let at = post.header("webhook-timestamp");
            assert!(post.header("x-pd-signature").starts_with(&format!("t={at},v1=")));
        }
    }
}

#[tokio::test]
async fn h_01_news_of_accounts_is_wrapped_as_standard_webhooks_has_it() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.endpoint_with(json!({ "url": receiver.url, "topics": ["account.deleted"] })).await;
        let id = world.news().await;
        world.deliver().await;
        let [post] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
        let body = post.json();
        let names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["data", "timestamp", "type"]);
        assert_eq!(
            (&body["type"], &body["data"]["account"]["id"]),
            (&json!("account.deleted"), &json!(id))
        );
        assert!(!body["data"]["account"].as_object().unwrap().contains_key("credentials"));
    }
}

#[tokio::test]
async fn h_02_a_former_secret_signs_for_a_day_more() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let made = world.endpoint(&receiver.url).await;
        let path = world.path(&format!("/webhooks/{}/rotate", made.id));
        let rotated = world.post(&path, json!({})).await.json();
        let fresh = rotated["secret"].as_str().unwrap();
        assert_ne!(fresh, made.secret);
        let test = world.path(&format!("/webhooks/{}/test", made.id));
        assert_eq!(world.post(&test, json!({})).await.json()["delivered"], true);
        let post = receiver.next().await;
        assert!(taken(&post, &made.secret) && taken(&post, fresh), "{post:?}");
        assert_eq!(post.header("webhook-signature").split(' ').count(), 2);
        assert_eq!(post.header("x-pd-signature").matches("v1=").count(), 2);
        world.app.clock.shift(DAY_MS);
        world.post(&test, json!({})).await;
        let post = receiver.next().await;
        assert_eq!(post.header("webhook-signature").split(' ').count(), 1);
        grantkeep::webhooks::tidy(&world.app).await.unwrap();
        let left = "select count(*) from webhook_endpoints where former_secret is not null";
        assert_eq!(world.count(left).await, 0);
    }
}

#[tokio::test]
async fn h_04_every_try_has_the_same_id_and_the_same_bytes() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.endpoint_with(json!({ "url": receiver.url, "topics": ["account.deleted"] })).await;
        receiver.script(&[crate::receiver::Say::Status(500)]);
        world.news().await;
        world.deliver().await;
        world.later(10_000);
        world.deliver().await;
        let [first, second] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
        assert_eq!((first.id(), &first.body), (second.id(), &second.body));
        assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
        // Nothing of it is kept once it has arrived.
        let left = "select count(*) from webhook_deliveries where sealed is not null";
        assert_eq!(world.count(left).await, 0);
    }
}
