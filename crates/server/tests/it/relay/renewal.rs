//! A token that ends during a run, and one whose grant is gone.

use axum::body::Body;
use grantkeep::accounts::Account;
use grantkeep::projects::Settings;
use hyper::Request;

use super::lab::{Got, Run, client, got, with_host};
use crate::world::{World, worlds};

async fn post(world: &World, run: &Run, kind: &str, body: String) -> Got {
    let host = world.provider.base_url().trim_start_matches("http://").to_owned();
    let (ip, port) = host.split_once(':').unwrap();
    let token = run.token("oauth_access_token");
    let request = Request::post("/rotating/api/echo")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", kind)
        .body(Body::from(body));
    let mut client = client(run.plain(ip, port.parse().unwrap())).await;
    got(client.send_request(with_host(request.unwrap(), &host)).await.unwrap()).await
}

async fn run_of(world: &World, account: &Account) -> Run {
    Run::of(world, &account.id, Settings::default()).await
}

#[tokio::test]
async fn p_11_a_token_that_ends_during_a_run_is_renewed_and_the_call_made_again() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let run = run_of(&world, &account).await;
        let first = post(&world, &run, "application/json", "{\"n\":1}".to_owned()).await;
        assert_eq!(first.status, 200, "{first:?}");
        world.provider.expire_access_tokens("rotating");
        let second = post(&world, &run, "application/json", "{\"n\":2}".to_owned()).await;
        assert!(second.status == 200 && second.text.contains(r#"{\"n\":2}"#), "{second:?}");
        let third = post(&world, &run, "application/json", "{\"n\":3}".to_owned()).await;
        assert_eq!(third.status, 200, "the same placeholder stands for the new token");
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.api_401, counters.api_calls), (1, 1, 4));
    }
}

#[tokio::test]
async fn p_11_a_body_that_was_not_kept_is_not_sent_again() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let run = run_of(&world, &account).await;
        world.provider.expire_access_tokens("rotating");
        let got = post(&world, &run, "application/octet-stream", "\0".to_owned()).await;
        assert_eq!((got.status, got.code()), (401, ""), "it is the app's own answer");
        assert_eq!(world.provider.counters("rotating").token_refresh, 0);
    }
}

#[tokio::test]
async fn a_revoked_grant_is_the_apps_own_401_to_code() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let run = run_of(&world, &account).await;
        world.provider.revoke_user_grants("rotating", "ada");
        let got = post(&world, &run, "application/json", "{}".to_owned()).await;
        assert_eq!((got.status, got.code()), (401, ""), "{got:?}");
    }
}
