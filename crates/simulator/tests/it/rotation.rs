//! Each class of rotation by its rule, and the two counters that prove a client careful.

use std::time::Duration;

use grantkeep_simulator::{Endpoint, Fault, Rotation, Times};

use crate::world::{World, json};

const MINUTE: Duration = Duration::from_mins(1);

async fn world(class: Rotation) -> World {
    let world = World::new().await;
    world.simulator.set_rotation("rotating", class);
    world
}

async fn is_refused(world: &World, token: &str) -> bool {
    let answer = world.refresh("rotating", token).await;
    answer.status() == 400 && json(answer).await["error"] == "invalid_grant"
}

fn illegal(world: &World) -> u64 {
    world.simulator.counters("rotating").illegal_reuse
}

#[tokio::test]
async fn p0_gives_no_new_refresh_token() {
    let world = world(Rotation::P0).await;
    let first = world.connect("rotating").await;
    let answer = json(world.refresh("rotating", &first.refresh).await).await;
    assert!(answer.get("refresh_token").is_none());
    assert_eq!(world.call("rotating", answer["access_token"].as_str().unwrap()).await, 200);
    assert!(!is_refused(&world, &first.refresh).await);
    assert_eq!(world.simulator.ledger("rotating")[0].refresh_issued, 1);
}

#[tokio::test]
async fn p1_keeps_every_old_token_alive() {
    let world = world(Rotation::P1).await;
    let first = world.connect("rotating").await.refresh;
    let second = world.rotate("rotating", &first).await;
    assert_ne!(first, second);
    world.rotate("rotating", &second).await;
    world.simulator.advance(600 * MINUTE);
    assert!(!is_refused(&world, &first).await);
    assert_eq!(illegal(&world), 0);
}

#[tokio::test]
async fn p2_keeps_the_old_token_until_the_new_pair_is_used() {
    let world = world(Rotation::P2).await;
    let first = world.connect("rotating").await.refresh;
    let second = world.rotate("rotating", &first).await;
    world.simulator.advance(600 * MINUTE);
    assert!(!is_refused(&world, &first).await);
    world.rotate("rotating", &second).await;
    assert!(is_refused(&world, &first).await);
    assert_eq!(illegal(&world), 1);
}

#[tokio::test]
async fn p2_takes_a_call_with_the_new_access_token_for_use() {
    let world = world(Rotation::P2).await;
    let first = world.connect("rotating").await.refresh;
    let answer = json(world.refresh("rotating", &first).await).await;
    assert_eq!(world.call("rotating", answer["access_token"].as_str().unwrap()).await, 200);
    assert!(is_refused(&world, &first).await);
}

#[tokio::test]
async fn p3_p4_and_p5_keep_the_old_token_for_their_time() {
    for (class, grace) in
        [(Rotation::P3, 30 * MINUTE), (Rotation::P4, 10 * MINUTE), (Rotation::P5, MINUTE)]
    {
        let world = world(class).await;
        let first = world.connect("rotating").await.refresh;
        let second = world.rotate("rotating", &first).await;
        world.simulator.advance(grace.saturating_sub(Duration::from_secs(5)));
        assert!(!is_refused(&world, &first).await, "{class:?}");
        world.simulator.advance(Duration::from_secs(6));
        assert!(is_refused(&world, &first).await, "{class:?}");
        assert_eq!(illegal(&world), 1);
        assert!(!is_refused(&world, &second).await, "{class:?}: the new one lives on");
    }
}

#[tokio::test]
async fn the_grace_provider_keeps_it_for_thirty_seconds() {
    let world = World::new().await;
    let first = world.connect("grace").await.refresh;
    world.rotate("grace", &first).await;
    world.simulator.advance(Duration::from_secs(25));
    assert_eq!(world.refresh("grace", &first).await.status(), 200);
    world.simulator.advance(Duration::from_secs(6));
    assert_eq!(world.refresh("grace", &first).await.status(), 400);
}

#[tokio::test]
async fn p6_refuses_a_used_token_and_no_more() {
    let world = world(Rotation::P6).await;
    let tokens = world.connect("rotating").await;
    let second = world.rotate("rotating", &tokens.refresh).await;
    assert!(is_refused(&world, &tokens.refresh).await);
    assert_eq!(illegal(&world), 1);
    assert_eq!(world.call("rotating", &tokens.access).await, 200);
    assert!(!is_refused(&world, &second).await);
}

#[tokio::test]
async fn p7_takes_a_used_token_for_theft_and_ends_the_grant() {
    let world = world(Rotation::P7).await;
    let tokens = world.connect("rotating").await;
    let second = world.rotate("rotating", &tokens.refresh).await;
    assert!(is_refused(&world, &tokens.refresh).await);
    assert_eq!(world.call("rotating", &tokens.access).await, 401);
    assert!(is_refused(&world, &second).await);
    let grant = &world.simulator.ledger("rotating")[0];
    assert!(grant.revoked);
    assert_eq!((grant.refresh_issued, grant.refresh_consumed, grant.refresh_alive), (2, 1, 0));
}

#[tokio::test]
async fn a_refresh_token_belongs_to_its_client() {
    let world = World::new().await;
    let tokens = world.connect("rotating").await;
    world.simulator.register_client("rotating", "second", "second-secret", "https://x.example/");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.refresh),
        ("client_id", "second"),
        ("client_secret", "second-secret"),
    ];
    let answer = world.http.post(world.url("/rotating/token")).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(world.refresh("rotating", &tokens.refresh).await.status(), 200);
}

#[tokio::test]
async fn two_refreshes_of_one_grant_at_once_are_counted_as_overlap() {
    let world = world(Rotation::P1).await;
    let (mine, other) = (world.connect("rotating").await, world.connect("rotating").await);
    let slow = Fault::Delay { ms: 150 };
    world.simulator.fault("rotating", Endpoint::TokenRefresh, slow, Times::Always);

    let refresh = |token| world.refresh("rotating", token);
    tokio::join!(refresh(&mine.refresh), refresh(&other.refresh));
    assert_eq!(world.simulator.counters("rotating").overlap, 0);
    tokio::join!(refresh(&mine.refresh), refresh(&mine.refresh));
    let counters = world.simulator.counters("rotating");
    assert_eq!((counters.overlap, counters.token_refresh, counters.refresh_ok), (1, 4, 4));
    refresh(&mine.refresh).await;
    assert_eq!(world.simulator.counters("rotating").overlap, 1);
}

#[tokio::test]
async fn the_ledger_tells_which_tokens_are_alive() {
    let world = World::new().await;
    let first = world.connect("rotating").await.refresh;
    let second = world.rotate("rotating", &first).await;
    let grant = &world.simulator.ledger("rotating")[0];
    let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, second.as_bytes());
    assert_eq!(grant.refresh_alive, 1);
    let alive = &grant.refresh_alive_sha256[0];
    let alive: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&alive[at..at + 2], 16).unwrap()).collect();
    assert_eq!(alive, expected.as_ref());
    assert_eq!((grant.user.as_str(), grant.access_alive), ("ada", 2));
    world.simulator.advance(60 * MINUTE);
    assert_eq!(world.simulator.ledger("rotating")[0].access_alive, 0);
}
