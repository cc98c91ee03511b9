//! The list of refreshes, by which a client is judged, and the providers that are a class each.

use grantkeep_simulator::{Endpoint, Fault, RefreshView, Rotation, Times, Verdict};

use crate::world::{Tokens, World, json, refresh_form};

fn seen(world: &World, provider: &str, tokens: &Tokens) -> Vec<RefreshView> {
    let grant = world.simulator.grant_of(provider, &tokens.access).unwrap();
    world.simulator.refreshes(provider, &grant, 0)
}

#[tokio::test]
async fn each_class_has_a_provider_and_keeps_its_rule_on_reuse() {
    let world = World::classes().await;
    let classes = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    assert_eq!(world.simulator.providers(), classes);
    assert_eq!(world.simulator.catalog_files().len(), classes.len());
    for class in classes {
        let first = world.connect(class).await;
        world.rotate(class, &first.refresh).await;
        let again = world.refresh(class, &first.refresh).await;
        assert_eq!(again.status() == 200, class < "p6", "{class}");
        let last = seen(&world, class, &first).pop().unwrap();
        match last.verdict {
            // A refresh token that stays was never exchanged.
            Verdict::Granted { again, refresh_sha256, .. } => {
                assert_eq!((again, refresh_sha256.is_some()), (class > "p0", class > "p0"));
            }
            other => assert_eq!(other, Verdict::Refused { illegal: true }, "{class}"),
        }
        assert_eq!(world.simulator.ledger(class)[0].revoked, class == "p7");
    }
}

#[tokio::test]
async fn a_refresh_is_listed_with_what_was_sent_what_came_of_it_and_whether_it_was_answered() {
    let world = World::classes().await;
    let tokens = world.connect("p6").await;
    let fault = |it| world.simulator.fault("p6", Endpoint::TokenRefresh, it, Times::Next(1));

    fault(Fault::Status { status: 500, retry_after_s: None });
    world.refresh("p6", &tokens.refresh).await;
    fault(Fault::LostAnswer);
    assert!(world.try_token("p6", &refresh_form(&tokens.refresh)).await.is_err());
    world.refresh("p6", &tokens.refresh).await;

    let list = seen(&world, "p6", &tokens);
    let numbers: Vec<_> = list.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(list.iter().all(|it| it.sent_sha256 == list[0].sent_sha256 && !it.overlaps));
    assert_eq!((&list[0].verdict, list[0].answered_ms), (&Verdict::Unseen, None));
    assert!(matches!(list[1].verdict, Verdict::Granted { again: false, .. }));
    assert_eq!(list[1].answered_ms, None);
    assert_eq!(list[2].verdict, Verdict::Refused { illegal: true });
    assert!(list[2].answered_ms >= Some(list[2].arrived_ms));
    let grant = world.simulator.grant_of("p6", &tokens.access).unwrap();
    assert_eq!(world.simulator.refreshes("p6", &grant, 2), list[2..]);
}

#[tokio::test]
async fn an_answer_may_say_less_than_the_truth_of_a_life() {
    let world = World::classes().await;
    let first = world.connect("p1").await;
    world.simulator.announce_life("p1", Some(0));
    let answer = json(world.refresh("p1", &first.refresh).await).await;
    assert_eq!(answer["expires_in"], 0);
    assert!(world.simulator.call_api("p1", answer["access_token"].as_str().unwrap()));
    world.simulator.announce_life("p1", None);
    let answer = json(world.refresh("p1", &first.refresh).await).await;
    assert_eq!(answer["expires_in"], 3600);
    assert!(!world.simulator.call_api("p1", "sat_unknown"));
}

#[tokio::test]
async fn a_call_made_here_counts_as_use_of_the_pair() {
    let world = World::classes().await;
    let first = world.connect("p2").await;
    let answer = json(world.refresh("p2", &first.refresh).await).await;
    assert!(world.simulator.call_api("p2", answer["access_token"].as_str().unwrap()));
    assert_eq!(world.refresh("p2", &first.refresh).await.status(), 400);
    world.simulator.set_rotation("p2", Rotation::P1);
    assert_eq!(world.refresh("p2", &first.refresh).await.status(), 200);
}

#[tokio::test]
async fn a_grant_given_without_the_pages_is_like_any_other() {
    let world = World::classes().await;
    let grant = world.simulator.grant("p6", "ada");
    assert_eq!(world.call("p6", &grant.access_token).await, 200);
    world.rotate("p6", &grant.refresh_token).await;
    assert_eq!(world.refresh("p6", &grant.refresh_token).await.status(), 400);
    assert_eq!(world.simulator.refreshes("p6", &grant.id, 0).len(), 2);
}
