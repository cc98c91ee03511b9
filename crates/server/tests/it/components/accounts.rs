//! Whose account a run gets: the one that its field names, if it may.

use grantkeep::projects::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use super::publishing::action;
use crate::proxy::lab::labs;
use crate::receiver::Receiver;
use crate::world::worlds;

const WANTS: &str = "props: { raw: { type: \"app\", app: \"raw\" } }, run() { return 1; }";

#[tokio::test]
async fn j_04_an_account_is_the_users_own_and_of_the_fields_app() {
    for lab in labs().await {
        let world = &lab.world;
        let key = world.published(&action("want", "0.0.1", WANTS)).await;
        let of_grace = lab.another("grace").await;
        let other = action(
            "other",
            "0.0.1",
            "props: { slack: { type: \"app\", app: \"sim_rotating\" } }, run() {}",
        );
        let other = world.published(&other).await;
        for (props, status, code) in [
            (json!({ "raw": { "authProvisionId": of_grace } }), 404, "not_found"),
            (json!({ "raw": { "authProvisionId": "apn_doesNotExist" } }), 404, "not_found"),
            (json!({ "raw": lab.account }), 400, "invalid_field"),
            (json!({ "raw": null }), 400, "account_needed"),
            (json!({}), 400, "account_needed"),
        ] {
            let reply = world.run_action(&key, props.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (status, code.into()), "{props}");
        }
        let props = json!({ "slack": { "authProvisionId": lab.account } });
        let reply = world.run_action(&other, props).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".to_owned()));
        assert!(reply.text.contains("wants an account of sim_rotating"), "{reply:?}");
        // A connect token is its own user's.
        let grace = world.connect_token("grace").await;
        let body = json!({ "id": key, "external_user_id": "ada", "configured_props": {} });
        let path = world.path("/actions/run");
        let reply = world.call(Method::POST, &path, Some(&grace), Some(body)).await;
        assert_eq!(reply.status, 404);
        let body = json!({ "id": key,
            "configured_props": { "raw": { "authProvisionId": of_grace } } });
        let reply = world.call(Method::POST, &path, Some(&grace), Some(body)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["ret"]), (200, &json!(1)), "{reply:?}");
    }
}

#[tokio::test]
async fn an_account_that_is_missing_or_dead_is_an_error_with_a_link() {
    for world in worlds().await {
        let links = Settings { allow_unverified_links: true, ..Settings::default() };
        let change = grantkeep::projects::Change { settings: Some(links), ..Default::default() };
        grantkeep::projects::update(&world.app, &world.project.id, change).await.unwrap();
        let account = world.expired("rotating", "ada").await;
        let text = action(
            "want",
            "0.0.1",
            "props: { it: { type: \"app\", app: \"sim_rotating\" } }, run() { return 1; }",
        );
        let key = world.published(&text).await;
        let link = async |reply: &crate::world::Reply| {
            let link = reply.json()["details"]["connect_link_url"].clone();
            let link = link.as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned();
            assert!(link.contains("app=sim_rotating"), "{link}");
            let page = world.http.get(&link).send().await.unwrap();
            assert_eq!(page.status(), 200, "{link}");
            link
        };
        let missing = world.run_action(&key, json!({})).await;
        assert_eq!((missing.status.as_u16(), missing.code()), (400, "account_needed".to_owned()));
        assert!(!link(&missing).await.contains("accountId"));
        world.provider.revoke_user_grants("rotating", "ada");
        let props = json!({ "it": { "authProvisionId": account.id } });
        let dead = world.run_action(&key, props).await;
        assert_eq!((dead.status.as_u16(), dead.code()), (409, "reauth_required".to_owned()));
        assert!(link(&dead).await.contains(account.id.as_str()));
        assert_eq!(dead.json()["details"]["account_id"], account.id.as_str());
        // A browser is on a page that connects; it gets no further token.
        let connect = world.connect_token("ada").await;
        let body = json!({ "id": key, "configured_props": {} });
        let run = world.path("/actions/run");
        let reply = world.call(Method::POST, &run, Some(&connect), Some(body)).await;
        assert_eq!(reply.json()["details"]["connect_link_url"], Value::Null);
    }
}

/// Of all the runs that miss it, one is news.
#[tokio::test]
async fn a_product_is_told_once_that_an_account_is_needed() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.endpoint(&receiver.url).await;
        let rest = "props: { it: { type: \"app\", app: \"sim_rotating\" } }, run() { return 1; }";
        let key = world.published(&action("want", "0.0.1", rest)).await;
        for _ in 0..3 {
            assert_eq!(world.run_action(&key, json!({})).await.code(), "account_needed");
        }
        world.deliver().await;
        let needed = || {
            let all = receiver.posts().into_iter().map(|it| it.json());
            all.filter(|it| it["type"] == "account.needed").collect::<Vec<_>>()
        };
        let [news] = &needed()[..] else { panic!("{:?}", needed()) };
        let data = &news["data"];
        assert_eq!((&data["app"], &data["component"]), (&json!("sim_rotating"), &json!(key)));
        assert_eq!((&data["external_user_id"], &data["account_id"]), (&json!("ada"), &Value::Null));
        // Another user's is other news, and so is one that broke.
        let body = json!({ "id": key, "external_user_id": "grace", "configured_props": {} });
        let reply = world.post(&world.path("/actions/run"), body).await;
        assert_eq!(reply.code(), "account_needed");
        let account = world.expired("rotating", "linus").await;
        world.provider.revoke_user_grants("rotating", "linus");
        let props = json!({ "it": { "authProvisionId": account.id } });
        let body = json!({ "id": key, "external_user_id": "linus", "configured_props": props });
        let reply = world.post(&world.path("/actions/run"), body).await;
        assert_eq!(reply.code(), "reauth_required");
        world.deliver().await;
        let users: Vec<_> =
            needed().iter().map(|it| it["data"]["external_user_id"].clone()).collect();
        assert_eq!(users, ["ada", "grace", "linus"]);
        assert_eq!(needed()[2]["data"]["account_id"], account.id.as_str());
    }
}
