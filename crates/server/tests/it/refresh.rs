//! Refreshing: once for all who ask, never losing what the provider gave, never giving an account
//! up without the provider's word.

use std::sync::Arc;

use futures::future::join_all;
use grantkeep::accounts;
use grantkeep::apps::{self, Edit};
use grantkeep::boot;
use grantkeep_simulator::{Endpoint, Fault, Times};
use grantkeep_vault::Secret;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::grants::TWO_HOURS_MS;
use crate::world::{World, worlds, worlds_with};

fn token_of(body: &Value) -> String {
    body["credentials"]["oauth_access_token"].as_str().unwrap_or_default().to_owned()
}

/// The account as a list shows it, without touching its credentials.
async fn shown(world: &World, account: &accounts::Account) -> Value {
    world.get(&world.path(&format!("/accounts/{}", account.id))).await.json()
}

#[tokio::test]
async fn eight_callers_at_once_send_the_refresh_token_once() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let answers = join_all((0..8).map(|_| world.vend(&account))).await;
        assert!(answers.iter().all(|it| it.status == 200), "{answers:?}");
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.illegal_reuse), (1, 0), "{}", world.engine);
        let tokens: std::collections::BTreeSet<_> =
            answers.iter().map(|it| token_of(&it.json())).collect();
        assert_eq!(tokens.len(), 1);
    }
}

#[tokio::test]
async fn t_09_two_processes_at_once_send_the_refresh_token_once() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let clock = world.app.clock.clone();
        let other = boot::open(world.app.config.clone(), clock).await.unwrap();
        let tenant = world.tenant();
        let usable = (0..8).map(|nth| {
            let app = if nth % 2 == 0 { &world.app } else { &other };
            accounts::usable(app, &tenant, &account.id, None)
        });
        let versions: Vec<_> = join_all(usable).await.into_iter().map(Result::unwrap).collect();
        assert!(versions.iter().all(|it| it.account.version == 2));
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.overlap, counters.illegal_reuse), (1, 0, 0));
    }
}

#[tokio::test]
async fn t_04_a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    for world in worlds().await {
        let account = world.expired("static", "ada").await;
        for round in 1..=3 {
            assert_eq!(world.vend(&account).await.status, 200);
            assert_eq!(world.provider.counters("static").refresh_ok, round);
            world.later(TWO_HOURS_MS);
        }
    }
}

#[tokio::test]
async fn t_04_a_new_refresh_token_takes_the_place_of_the_old() {
    for world in worlds().await {
        for provider in ["rotating", "grace", "short", "quirky", "encoded", "tenant"] {
            let account = world.expired(provider, "ada").await;
            for round in 1..=3 {
                let reply = world.vend(&account).await;
                assert_eq!(reply.status, 200, "{provider} {reply:?}");
                assert_eq!(world.provider.counters(provider).refresh_ok, round, "{provider}");
                world.later(TWO_HOURS_MS);
            }
            assert_eq!(world.provider.counters(provider).illegal_reuse, 0, "{provider}");
        }
    }
}

#[tokio::test]
async fn t_05_an_answer_that_does_not_say_how_long_is_taken() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let fault = Fault::MissingExpiresIn;
        world.provider.fault("rotating", Endpoint::TokenRefresh, fault, Times::Next(1));
        let body = world.vend(&account).await.json();
        assert_eq!(body["healthy"], true, "{body}");
        assert_eq!(world.provider.counters("rotating").refresh_ok, 1);
    }
}

#[tokio::test]
async fn t_06_a_provider_that_cannot_answer_is_asked_again_later() {
    let faults = [
        Fault::Status { status: 500, retry_after_s: None },
        Fault::Status { status: 429, retry_after_s: Some(120) },
        Fault::Html,
        Fault::InvalidJson,
        Fault::LostRequest,
    ];
    for fault in faults {
        for world in worlds().await {
            // What is processed and not received is another matter: the token must not rotate here.
            let account = world.expired("static", "ada").await;
            world.provider.fault("static", Endpoint::TokenRefresh, fault.clone(), Times::Next(1));
            let reply = world.vend(&account).await;
            assert_eq!(reply.status, 503, "{fault:?} {reply:?}");
            assert_eq!(reply.code(), "provider_unavailable");
            let wait: i64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
            let asked = match fault {
                Fault::Status { retry_after_s: Some(seconds), .. } => seconds,
                _ => 5,
            };
            assert!((1..=i64::from(asked)).contains(&wait), "{wait}");
            let seen = shown(&world, &account).await;
            assert_eq!((&seen["healthy"], &seen["dead"]), (&false.into(), &false.into()));
            assert_eq!(seen["status_reason"], "provider_unavailable");
            // While it rests, nobody is asked. After a lost answer it hardly rests.
            if fault != Fault::LostRequest {
                assert_eq!(world.vend(&account).await.status, 503);
                assert_eq!(world.provider.counters("static").token_refresh, 1);
            }
            world.later((wait + 1) * 1_000);
            let body = world.vend(&account).await.json();
            assert_eq!((&body["healthy"], &body["error"]), (&true.into(), &Value::Null), "{body}");
        }
    }
}

#[tokio::test]
async fn t_06_a_refused_oauth_client_kills_no_account_and_is_asked_once() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let mut made = Vec::new();
        for user in ["ada", "grace"] {
            made.push(world.connected_with(&client, user, user, None).await.unwrap());
        }
        let wrong = Edit { client_secret: Some(Secret::new("wrong")), ..Edit::default() };
        let id = client.id.as_str();
        let project = &world.project.id;
        apps::update_oauth_app(&world.app, project, id, wrong).await.unwrap();
        world.later(TWO_HOURS_MS);
        let reply = world.vend(&made[0]).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "provider_unavailable"));
        let seen = shown(&world, &made[0]).await;
        assert_eq!(seen["dead"], false);
        assert_eq!(seen["status_reason"], "client_broken");
        // The other account of this client is left in peace by the scheduler.
        let stop = CancellationToken::new();
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 0);
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        let right = Edit {
            client_secret: Some(Secret::new(grantkeep_simulator::client_secret("rotating"))),
            ..Edit::default()
        };
        apps::update_oauth_app(&world.app, project, id, right).await.unwrap();
        world.later(TWO_HOURS_MS);
        for account in &made {
            assert_eq!(world.vend(account).await.status, 200);
        }
    }
}

#[tokio::test]
async fn t_07_a_grant_that_is_gone_makes_the_account_dead_and_deletes_nothing() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        world.provider.revoke_user_grants("rotating", "ada");
        for _ in 0..3 {
            let reply = world.vend(&account).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "reauth_required"));
            assert_eq!(reply.json()["details"]["reason"], "revoked_by_user");
        }
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        let seen = shown(&world, &account).await;
        assert_eq!((&seen["dead"], &seen["healthy"]), (&true.into(), &false.into()));
        assert_eq!(world.count("select count(*) from accounts where length(sealed) > 97").await, 1);
    }
}

#[tokio::test]
async fn t_07_invalid_grant_about_credentials_that_were_replaced_meanwhile_means_nothing() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let account = world.connected_with(&client, "ada", "ada", None).await.unwrap();
        world.later(TWO_HOURS_MS);
        let gone = Fault::InvalidGrant;
        world.provider.fault("rotating", Endpoint::TokenRefresh, gone, Times::Next(1));
        let slow = Fault::DelayAnswer { ms: 1_500 };
        world.provider.fault("rotating", Endpoint::TokenRefresh, slow, Times::Next(1));
        let asked = async {
            while world.provider.counters("rotating").token_refresh == 0 {
                tokio::task::yield_now().await;
            }
            world.connected_with(&client, "ada", "ada", Some(&account.id)).await.unwrap()
        };
        let (reply, reconnected) = tokio::join!(world.vend(&account), asked);
        assert_eq!(reconnected.id, account.id);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(shown(&world, &account).await["healthy"], true);
    }
}

#[tokio::test]
async fn t_08_a_caller_who_leaves_does_not_lose_the_new_token() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let slow = Fault::DelayAnswer { ms: 200 };
        world.provider.fault("rotating", Endpoint::TokenRefresh, slow, Times::Next(1));
        {
            let mut vend = Box::pin(world.vend(&account));
            while world.provider.counters("rotating").refresh_ok == 0 {
                assert!(futures::poll!(&mut vend).is_pending());
                tokio::task::yield_now().await;
            }
        }
        let reply = world.vend(&account).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
    }
}

#[tokio::test]
async fn t_12_a_token_about_to_end_is_refreshed_first_and_a_refresh_token_is_never_shown() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let first = world.vend(&account).await;
        world.later(3_600_000 - 90_000);
        assert_eq!(token_of(&world.vend(&account).await.json()), token_of(&first.json()));
        world.later(60_000);
        let second = world.vend(&account).await;
        assert_ne!(token_of(&second.json()), token_of(&first.json()));
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        let list = world.get(&world.path("/accounts?include_credentials=true")).await;
        assert_eq!(token_of(&list.json()["data"][0]), token_of(&second.json()));
        let tenant = world.tenant();
        for reply in [first, second, list] {
            assert!(!reply.text.contains("refresh_token"), "{}", reply.text);
        }
        let asked = accounts::usable(&world.app, &tenant, &account.id, Some(1_000_000));
        asked.await.unwrap();
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        world.later(3_600_000 - 500_000);
        let asked = accounts::usable(&world.app, &tenant, &account.id, Some(1_000_000));
        asked.await.unwrap();
        assert_eq!(world.provider.counters("rotating").token_refresh, 2);
    }
}

#[tokio::test]
async fn a_token_that_still_lives_is_given_while_the_provider_is_down() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        world.later(3_600_000 - 30_000);
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("rotating", Endpoint::TokenRefresh, down, Times::Always);
        assert_eq!(world.vend(&account).await.status, 200);
        world.later(60_000);
        assert_eq!(world.vend(&account).await.status, 503);
    }
}

#[tokio::test]
async fn the_scheduler_refreshes_ahead_and_each_account_once() {
    for world in worlds_with(&[("refresh_per_provider_max", "2")]).await {
        let client = world.oauth_app("rotating").await;
        for user in ["ada", "grace", "linus"] {
            world.connected_with(&client, user, user, None).await.unwrap();
        }
        let stop = CancellationToken::new();
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 0);
        world.later(3_600_000 - 700_000);
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 3);
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 0);
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.illegal_reuse), (3, 0));
        stop.cancel();
        world.later(3_600_000);
        assert_eq!(accounts::due(&world.app, &stop).await.unwrap(), 0);
        accounts::run(Arc::clone(&world.app), stop).await;
    }
}
