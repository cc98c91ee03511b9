use std::time::{Duration, Instant};

use grantkeep_simulator::{Endpoint, Fault, Rotation, Times};

use crate::world::{World, json, query, refresh_form};

async fn world_with(fault: Fault) -> (World, String) {
    let world = World::new().await;
    let token = world.connect("rotating").await.refresh;
    world.simulator.fault("rotating", Endpoint::Token, fault, Times::Next(1));
    (world, token)
}

fn granted(world: &World) -> u64 {
    world.simulator.counters("rotating").refresh_ok
}

#[tokio::test]
async fn a_status_comes_instead_and_only_as_often_as_asked() {
    let fault = Fault::Status { status: 429, retry_after_s: Some(7) };
    let (world, token) = world_with(fault.clone()).await;
    world.simulator.fault("rotating", Endpoint::TokenRefresh, fault, Times::Next(2));
    for _ in 0..2 {
        let answer = world.refresh("rotating", &token).await;
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "7");
    }
    assert_eq!(granted(&world), 0);
    assert_eq!(world.refresh("rotating", &token).await.status(), 200);
    assert_eq!(world.simulator.counters("rotating").token_refresh, 3);
}

#[tokio::test]
async fn always_lasts_until_cleared_and_reaches_its_endpoint_only() {
    let world = World::new().await;
    let tokens = world.connect("rotating").await;
    let fault = Fault::Status { status: 500, retry_after_s: None };
    world.simulator.fault("rotating", Endpoint::Api, fault, Times::Always);
    for _ in 0..3 {
        assert_eq!(world.call("rotating", &tokens.access).await, 500);
    }
    assert_eq!(world.refresh("rotating", &tokens.refresh).await.status(), 200);
    let other = world.connect("static").await;
    assert_eq!(world.call("static", &other.access).await, 200);
    world.simulator.clear_faults("rotating");
    assert_eq!(world.call("rotating", &tokens.access).await, 200);
}

#[tokio::test]
async fn a_lost_answer_was_still_served() {
    let (world, token) = world_with(Fault::LostAnswer).await;
    assert!(world.try_token("rotating", &refresh_form(&token)).await.is_err());
    assert_eq!(granted(&world), 1);
    assert_eq!(world.refresh("rotating", &token).await.status(), 400);
    assert_eq!(world.simulator.counters("rotating").illegal_reuse, 1);
}

#[tokio::test]
async fn a_lost_request_was_not_served() {
    let (world, token) = world_with(Fault::LostRequest).await;
    assert!(world.try_token("rotating", &refresh_form(&token)).await.is_err());
    assert_eq!(granted(&world), 0);
    assert_eq!(world.refresh("rotating", &token).await.status(), 200);
}

#[tokio::test]
async fn a_late_answer_is_served_even_to_a_caller_who_left() {
    let (world, token) = world_with(Fault::DelayAnswer { ms: 60_000 }).await;
    let form = refresh_form(&token);
    let request = world.try_token("rotating", &form);
    assert!(tokio::time::timeout(Duration::from_millis(300), request).await.is_err());
    assert_eq!(granted(&world), 1);
}

#[tokio::test]
async fn a_delay_comes_before_the_work() {
    let (world, token) = world_with(Fault::Delay { ms: 60_000 }).await;
    let form = refresh_form(&token);
    let request = world.try_token("rotating", &form);
    assert!(tokio::time::timeout(Duration::from_millis(300), request).await.is_err());
    assert_eq!(granted(&world), 0);
}

#[tokio::test]
async fn a_status_after_the_work_hides_that_it_was_done() {
    let (world, token) = world_with(Fault::StatusAfter { status: 502 }).await;
    assert_eq!(world.refresh("rotating", &token).await.status(), 502);
    assert_eq!(granted(&world), 1);
}

#[tokio::test]
async fn spoilt_answers_are_what_they_say() {
    let (world, token) = world_with(Fault::InvalidJson).await;
    world.simulator.set_rotation("rotating", Rotation::P1);
    let answer = world.refresh("rotating", &token).await;
    assert_eq!((answer.status().as_u16(), is_json(&answer)), (200, true));
    assert!(answer.json::<serde_json::Value>().await.is_err());

    let spoil = |fault| world.simulator.fault("rotating", Endpoint::Token, fault, Times::Next(1));
    spoil(Fault::Html);
    let answer = world.refresh("rotating", &token).await;
    assert_eq!((answer.status().as_u16(), is_json(&answer)), (200, false));

    spoil(Fault::MissingExpiresIn);
    let answer = json(world.refresh("rotating", &token).await).await;
    assert!(answer.get("expires_in").is_none() && answer["access_token"].is_string());

    spoil(Fault::HugeBody { bytes: 3_000_000 });
    let body = world.refresh("rotating", &token).await.bytes().await.unwrap();
    assert_eq!(body.len(), 3_000_000 + "{\"access_token\":\"".len());

    spoil(Fault::InvalidGrant);
    let answer = json(world.refresh("rotating", &token).await).await;
    assert_eq!(answer["error"], "invalid_grant");

    spoil(Fault::Redirect { to: "http://127.0.0.1:9/elsewhere".to_owned() });
    let answer = world.refresh("rotating", &token).await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "http://127.0.0.1:9/elsewhere");

    assert_eq!(granted(&world), 4);
    assert_eq!(world.refresh("rotating", &token).await.status(), 200);
}

fn is_json(answer: &reqwest::Response) -> bool {
    answer.headers()["content-type"] == "application/json"
}

#[tokio::test]
async fn a_slow_drip_brings_the_right_answer_byte_by_byte() {
    let (world, token) = world_with(Fault::SlowDrip { ms: 2 }).await;
    let begun = Instant::now();
    let answer = json(world.refresh("rotating", &token).await).await;
    assert!(answer["access_token"].is_string());
    assert!(begun.elapsed() > Duration::from_millis(150), "some 150 bytes, 2 ms each");
}

#[tokio::test]
async fn a_reduced_scope_stays_reduced() {
    let world = World::new().await;
    let address = world.authorize_url("rotating", &[("scope", "profile chat.read")]);
    let code = query(&world.simulator.approve(&address, "ada").unwrap(), "code");
    world.simulator.fault("rotating", Endpoint::TokenCode, Fault::ScopeReduced, Times::Next(1));
    let answer = json(world.exchange("rotating", &code).await).await;
    assert_eq!(answer["scope"], "profile");
    assert_eq!(world.simulator.ledger("rotating")[0].scopes, ["profile"]);
}

#[tokio::test]
async fn the_issuer_can_be_wrong_or_missing() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for fault in [Fault::WrongIss, Fault::NoIss] {
        world.simulator.fault("rotating", Endpoint::Consent, fault, Times::Next(1));
        let address = world.authorize_url("rotating", &[]);
        seen.push(query(&world.simulator.approve(&address, "ada").unwrap(), "iss"));
    }
    assert_eq!(seen, ["https://somebody-else.example", ""]);
}

#[tokio::test]
async fn pages_can_cut_off_their_opener() {
    let world = World::new().await;
    let page = world.get(&world.authorize_url("rotating", &[])).await;
    assert!(!page.headers().contains_key("cross-origin-opener-policy"));
    world.simulator.fault("rotating", Endpoint::Pages, Fault::CoopSameOrigin, Times::Always);
    let page = world.get(&world.authorize_url("rotating", &[])).await;
    assert_eq!(page.headers()["cross-origin-opener-policy"], "same-origin");
}

#[tokio::test]
async fn a_person_can_take_the_grant_away_and_access_can_end_early() {
    let world = World::new().await;
    let tokens = world.connect("rotating").await;
    assert_eq!(world.simulator.expire_access_tokens("rotating"), 1);
    assert_eq!(world.call("rotating", &tokens.access).await, 401);
    let second = world.rotate("rotating", &tokens.refresh).await;
    assert_eq!(world.simulator.revoke_user_grants("rotating", "grace"), 0);
    assert_eq!(world.simulator.revoke_user_grants("rotating", "ada"), 1);
    assert_eq!(world.refresh("rotating", &second).await.status(), 400);
    assert_eq!(world.simulator.counters("rotating").illegal_reuse, 0);
}

#[tokio::test]
async fn a_stopped_simulator_is_gone() {
    let world = World::new().await;
    let url = world.url("/_control");
    assert_eq!(world.get(&url).await.status(), 200);
    world.simulator.stop().await;
    assert!(world.http.get(&url).send().await.is_err());
}
