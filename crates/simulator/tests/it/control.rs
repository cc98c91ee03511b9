use grantkeep_simulator::{Counters, GrantView, Rotation};
use serde_json::{Value, json};

use crate::world::{World, json as body};

async fn post(world: &World, path: &str, sent: Value) -> u16 {
    let request = world.http.post(world.url(&format!("/_control{path}"))).json(&sent);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_switch_is_there_as_json() {
    let world = World::new().await;
    let registration = json!({ "client_id": "new", "client_secret": "s",
        "redirect_uri": "http://127.0.0.1:9/new" });
    assert_eq!(post(&world, "/rotating/clients", registration).await, 204);
    let address = world.authorize_url(
        "rotating",
        &[("client_id", "new"), ("redirect_uri", "http://127.0.0.1:9/new")],
    );
    assert!(world.simulator.approve(&address, "ada").is_ok());

    let tokens = world.connect("rotating").await;
    assert_eq!(post(&world, "/rotating/rotation", json!({ "class": Rotation::P6 })).await, 204);
    let fault = json!({ "endpoint": "token_refresh", "fault": "status", "status": 503,
        "retry_after_s": 1, "times": { "next": 2 } });
    assert_eq!(post(&world, "/rotating/faults", fault).await, 204);
    let always = json!({ "endpoint": "api", "fault": "slow_drip", "ms": 1, "times": "always" });
    assert_eq!(post(&world, "/rotating/faults", always).await, 204);
    assert_eq!(post(&world, "/rotating/faults", json!({ "fault": "nonsense" })).await, 422);
    assert_eq!(world.refresh("rotating", &tokens.refresh).await.status(), 503);
    let faults = world.url("/_control/rotating/faults");
    let set = body(world.get(&faults).await).await;
    assert_eq!(set["faults"][0]["times"], json!({ "next": 1 }));
    assert_eq!(set["faults"].as_array().unwrap().len(), 2);
    world.http.delete(&faults).send().await.unwrap();

    assert_eq!(world.call("rotating", &tokens.access).await, 200);
    assert_eq!(post(&world, "/rotating/expire_access_tokens", json!({})).await, 200);
    assert_eq!(world.call("rotating", &tokens.access).await, 401);
    assert_eq!(world.refresh("rotating", &tokens.refresh).await.status(), 200);
    assert_eq!(world.refresh("rotating", &tokens.refresh).await.status(), 400);

    let counters = world.get(&world.url("/_control/rotating/counters")).await;
    let counters: Counters = counters.json().await.unwrap();
    assert_eq!(counters, world.simulator.counters("rotating"));
    assert_eq!(counters.illegal_reuse, 1);
    let mut ledger = body(world.get(&world.url("/_control/rotating/ledger")).await).await;
    let grants: Vec<GrantView> = serde_json::from_value(ledger["grants"].take()).unwrap();
    assert_eq!(grants, world.simulator.ledger("rotating"));

    assert_eq!(post(&world, "/rotating/revoke_user", json!({ "user": "ada" })).await, 200);
    assert!(world.simulator.ledger("rotating")[0].revoked);
    assert_eq!(post(&world, "/rotating/reset", json!({})).await, 204);
    assert_eq!(world.simulator.counters("rotating"), Counters::default());
    assert!(world.simulator.ledger("rotating").is_empty());
}

#[tokio::test]
async fn time_moves_for_everyone_and_unknown_providers_are_404() {
    let world = World::new().await;
    let tokens = world.connect("short").await;
    assert_eq!(post(&world, "/advance", json!({ "ms": 6000 })).await, 204);
    assert_eq!(world.call("short", &tokens.access).await, 401);
    assert_eq!(post(&world, "/nobody/reset", json!({})).await, 404);
    let overview = body(world.get(&world.url("/_control")).await).await;
    assert_eq!(overview["providers"].as_array().unwrap().len(), 10);
    assert_eq!(overview["password"], "pretend");
}
