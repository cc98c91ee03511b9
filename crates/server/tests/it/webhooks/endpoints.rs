//! Endpoints over HTTP: the wire's one for each environment, and as many of one's own as wanted.

use reqwest::Method;
use serde_json::{Value, json};

use super::kinds;
use crate::receiver::{Receiver, Say};
use crate::world::{World, read, worlds};

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn call(world: &World, method: Method, rest: &str, body: Option<Value>) -> Value {
    let key = Some(world.project.key.as_str());
    let reply = world.call(method, &world.path(rest), key, body).await;
    assert!(reply.status.is_success(), "{rest}: {reply:?}");
    if reply.text.is_empty() { Value::Null } else { reply.json() }
}

#[tokio::test]
async fn the_wires_webhook_has_the_wires_fields() {
    for world in worlds().await {
        let unset = call(&world, Method::GET, "/webhook", None).await;
        assert_eq!(unset, json!({ "data": null }));
        let url = json!({ "url": "https://a.example/hook?x=1" });
        let first = call(&world, Method::PUT, "/webhook", Some(url)).await;
        let first = &first["data"];
        let rest = [
            "active",
            "created_at",
            "delivery_state",
            "id",
            "signing_key_set",
            "updated_at",
            "url",
        ];
        let mut with_key = vec!["signing_key"];
        with_key.extend(rest);
        with_key.sort_unstable();
        assert_eq!(names(first), with_key);
        assert!(first["id"].as_str().unwrap().starts_with("wh_"));
        assert!(first["created_at"].is_i64() && first["signing_key_set"] == true);
        let url = json!({ "url": "https://b.example/" });
        let second = call(&world, Method::PUT, "/webhook", Some(url)).await;
        let second = &second["data"];
        assert_eq!((names(second), &second["id"]), (rest.to_vec(), &first["id"]));
        let state = &second["delivery_state"];
        assert_eq!(
            (&state["state"], &state["consecutive_failures"], &state["sheds"]),
            (&json!("happy"), &json!(0), &json!(0))
        );
        let path = "/webhook/regenerate_signing_key";
        let renewed = call(&world, Method::POST, path, Some(json!({}))).await;
        assert_ne!(renewed["data"]["signing_key"], first["signing_key"]);
        let path = "/webhook/reset_delivery_state";
        let reset = call(&world, Method::POST, path, Some(json!({}))).await;
        assert_eq!(names(&reset["data"]), rest);
        call(&world, Method::DELETE, "/webhook", None).await;
        assert_eq!(call(&world, Method::GET, "/webhook", None).await, json!({ "data": null }));
        assert_eq!(world.delete(&world.path("/webhook")).await.status, 404);
    }
}

#[tokio::test]
async fn endpoints_are_made_changed_tested_and_taken_away() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let made = world.endpoint(&receiver.url).await;
        let at = format!("/webhooks/{}", made.id);
        assert!(made.secret.starts_with("whsec_"));
        let listed = call(&world, Method::GET, "/webhooks", None).await;
        assert_eq!(listed["data"][0]["id"], made.id);
        assert!(!listed.to_string().contains(&made.secret), "shown once");
        assert!(!world.dump("webhook_endpoints").await.contains(&made.secret));
        let probe = call(&world, Method::POST, &format!("{at}/test"), Some(json!({}))).await;
        assert_eq!(
            (&probe["delivered"], &probe["status"], &probe["answer"]),
            (&json!(true), &json!(200), &json!("ok"))
        );
        assert_eq!(kinds(&receiver), ["webhook.test"]);
        receiver.script(&[Say::Status(500), Say::HangUp]);
        for error in ["answered 500", "the address could not be reached"] {
            let probe = call(&world, Method::POST, &format!("{at}/test"), Some(json!({}))).await;
            assert_eq!((&probe["delivered"], &probe["error"]), (&json!(false), &json!(error)));
        }
        assert_eq!(world.condition(&made.id).await["consecutive_failures"], 0);
        let wish = json!({ "topics": ["account.dead", "account.deleted", "account.dead"] });
        let changed = call(&world, Method::PATCH, &at, Some(wish)).await;
        assert_eq!(changed["topics"], json!(["account.dead", "account.deleted"]));
        world.news().await;
        world.deliver().await;
        assert_eq!(kinds(&receiver).last().unwrap(), "account.deleted");
        assert_eq!(world.deliveries("").await.len(), 1, "only what is wanted is queued");
        let all = call(&world, Method::PATCH, &at, Some(json!({ "topics": null }))).await;
        assert_eq!(all["topics"], Value::Null);
        let bad = json!({ "url": receiver.url, "topics": ["account.born"] });
        assert_eq!(world.post(&world.path("/webhooks"), bad).await.code(), "invalid_field");
        call(&world, Method::DELETE, &at, None).await;
        assert_eq!(world.get(&world.path(&at)).await.status, 404);
        assert_eq!(world.deliveries("").await.len(), 0);
        world.app.audit.settle().await;
        let audit = world.dump("audit_events").await;
        for action in ["webhook.create", "webhook.update", "webhook.test", "webhook.delete"] {
            assert!(audit.contains(action), "{action}");
        }
    }
}

#[tokio::test]
async fn m_04_an_endpoint_of_another_tenant_is_not_there() {
    for world in worlds().await {
        let made = world.endpoint("https://a.example/").await;
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        for (method, rest) in [
            (Method::GET, ""),
            (Method::PATCH, ""),
            (Method::DELETE, ""),
            (Method::POST, "/rotate"),
            (Method::POST, "/test"),
            (Method::POST, "/reset"),
        ] {
            let body = (method != Method::GET && method != Method::DELETE).then(|| json!({}));
            let at = |id: &str| format!("/v1/connect/{}/webhooks/{id}{rest}", other.id);
            let theirs =
                world.call(method.clone(), &at(&made.id), Some(&other.token), body.clone()).await;
            let random =
                world.call(method.clone(), &at("wh_nothere"), Some(&other.token), body).await;
            assert_eq!((theirs.status.as_u16(), &theirs.text), (404, &random.text), "{method}");
        }
        // Nor in the other environment of its own project.
        let url = format!("{}{}", world.url, world.path(&format!("/webhooks/{}", made.id)));
        let request = world.http.get(url).bearer_auth(&world.project.key);
        assert_eq!(read(request.header("x-pd-environment", "production")).await.status, 404);
    }
}

#[tokio::test]
async fn news_stays_in_its_environment_and_project() {
    for world in worlds().await {
        let (here, there) = (Receiver::start().await, Receiver::start().await);
        world.endpoint(&here.url).await;
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        for (project, key, environment) in [
            (&world.project.id, &world.project.key, "production"),
            (&other.id, &other.key, "development"),
        ] {
            let url = format!("{}/v1/connect/{project}/webhooks", world.url);
            let request = world.http.post(url).bearer_auth(key);
            let request = request.header("x-pd-environment", environment);
            assert_eq!(read(request.json(&json!({ "url": there.url }))).await.status, 201);
        }
        world.news().await;
        world.deliver().await;
        assert_eq!((here.count(), there.count()), (2, 0));
    }
}

#[tokio::test]
async fn deliveries_are_listed_in_pages() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.endpoint(&receiver.url).await;
        world.many(5).await;
        let first = call(&world, Method::GET, "/webhooks/deliveries?limit=3", None).await;
        assert_eq!(
            (first["data"].as_array().unwrap().len(), &first["page_info"]["total_count"]),
            (3, &json!(5))
        );
        let cursor = first["page_info"]["end_cursor"].as_str().unwrap();
        let rest = format!("/webhooks/deliveries?limit=3&after={cursor}");
        let second = call(&world, Method::GET, &rest, None).await;
        assert_eq!(second["data"].as_array().unwrap().len(), 2);
        let bad = world.get(&world.path("/webhooks/deliveries?state=lost")).await;
        assert_eq!(bad.code(), "invalid_parameter");
    }
}

/// All by the binary, on a store of its own.
#[tokio::test]
async fn the_command_line_makes_tries_and_replays() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("grantkeep.toml");
    let text = format!(
        "data_dir = {:?}\nroot_key = \"{}\"\ndev = true\negress_allow_loopback = true\n",
        dir.path().join("data").to_str().unwrap(),
        crate::world::ROOT_KEY
    );
    crate::world::write_private(&file, &text);
    let run = async |args: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.arg("--json").arg("--config").arg(&file).args(args);
        let output = command.output().await.unwrap();
        let said = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), said, String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&["migrate"]).await.0, 0);
    let (code, project, complaint) = run(&["project", "create", "Acme"]).await;
    assert_eq!(code, 0, "{complaint}");
    let project = project["id"].as_str().unwrap();
    let place = ["--project", project, "--environment", "development"];
    let webhook = async |args: &[&str]| run(&[&["webhook"], args, &place[..]].concat()).await;
    let receiver = Receiver::start().await;
    let (code, made, complaint) =
        webhook(&["create", &receiver.url, "--topic", "account.dead"]).await;
    assert_eq!(code, 0, "{complaint}");
    assert_eq!(made["topics"], json!(["account.dead"]));
    let id = made["id"].as_str().unwrap();
    let (code, probe, _) = webhook(&["test", id]).await;
    assert_eq!((code, &probe["status"]), (0, &json!(200)));
    let verifier = standardwebhooks::Webhook::new(made["secret"].as_str().unwrap()).unwrap();
    let post = receiver.next().await;
    verifier.verify(&post.body, &post.headers).unwrap();
    receiver.script(&[Say::Status(500)]);
    let (code, probe, complaint) = webhook(&["test", id]).await;
    assert_eq!((code, &probe["delivered"]), (1, &json!(false)), "{complaint}");
    let (code, rotated, _) = webhook(&["rotate", id]).await;
    assert_eq!(code, 0);
    assert_ne!(rotated["secret"], made["secret"]);
    let (_, listed, _) = webhook(&["list"]).await;
    assert_eq!(listed["data"][0]["id"], id);
    let (_, none, _) = webhook(&["deliveries", "--state", "failed"]).await;
    assert_eq!(none, json!({ "data": [], "total_count": 0 }));
    let (_, replayed, _) = webhook(&["replay"]).await;
    assert_eq!(replayed["replayed"], 0);
    assert_eq!(webhook(&["create", "https://u@a.example/"]).await.0, 1);
    assert_eq!(webhook(&["create", "https://a.example/", "--topic", "x"]).await.0, 2);
    assert_eq!(webhook(&["delete", id]).await.0, 0);
    assert_eq!(webhook(&["delete", id]).await.0, 4);
}

/// What the whole noun is for.
#[tokio::test]
async fn a_product_learns_that_an_account_broke() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let topics = json!(["account.dead", "account.refresh_failed"]);
        world.endpoint_with(json!({ "url": receiver.url, "topics": topics })).await;
        let stop = tokio_util::sync::CancellationToken::new();
        let app = std::sync::Arc::clone(&world.app);
        let working = tokio::spawn(grantkeep::webhooks::run(app, stop.clone()));
        let account = world.expired("rotating", "ada").await;
        world.provider.revoke_user_grants("rotating", "ada");
        assert_eq!(world.vend(&account).await.status, 409);
        let patience = std::time::Duration::from_mins(1);
        let post = tokio::time::timeout(patience, receiver.next()).await.unwrap();
        let body = post.json();
        assert_eq!(body["type"], "account.dead", "{body}");
        let told = &body["data"]["account"];
        assert_eq!((&told["id"], &told["dead"]), (&json!(account.id), &json!(true)));
        assert_eq!(told["status_reason"], "revoked_by_user");
        assert_eq!(post.header("x-pd-external-user-id"), "ada");
        stop.cancel();
        working.await.unwrap();
    }
}
