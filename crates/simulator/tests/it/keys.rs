use grantkeep_simulator::{KEY_HEADER, KEYS, PASSWORD};

use crate::world::{World, json};

async fn verify(world: &World, key: &str) -> u16 {
    let request = world.http.get(world.url("/keys/api/verify")).header(KEY_HEADER, key);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn listed_and_open_keys_work_and_others_do_not() {
    let world = World::new().await;
    for (key, _) in KEYS {
        assert_eq!(verify(&world, key).await, 200);
    }
    assert_eq!(verify(&world, "sim_live_anything").await, 200);
    for wrong in ["", "sim_live_", "sim_key_ada ", "sim_key_nobody"] {
        let expected = if wrong == "sim_key_ada " { 200 } else { 401 }; // HTTP trims a header
        assert_eq!(verify(&world, wrong).await, expected, "{wrong:?}");
    }
    let answer = world.get(&world.url("/keys/api/verify")).await;
    assert_eq!(answer.headers()["www-authenticate"], "ApiKey realm=\"Harbor Mail\"");
    assert_eq!(world.simulator.counters("keys").verify, 9);
}

#[tokio::test]
async fn a_key_in_the_query_works_and_the_echo_masks_it() {
    let world = World::new().await;
    let answer = world.get(&world.url("/keys/api/echo?api_key=sim_key_grace&q=1")).await;
    let body = answer.text().await.unwrap();
    assert!(body.contains("\"user\":\"grace\"") && !body.contains("sim_key_grace"));
}

#[tokio::test]
async fn a_revoked_persons_key_and_password_stop_working() {
    let world = World::new().await;
    world.simulator.revoke_user_grants("keys", "ada");
    assert_eq!(verify(&world, "sim_key_ada").await, 401);
    assert_eq!(verify(&world, "sim_live_anything").await, 401);
    assert_eq!(verify(&world, "sim_key_grace").await, 200);
}

#[tokio::test]
async fn user_and_password_open_an_existing_workspace() {
    let world = World::new().await;
    let call = async |path: &str, user: &str, password: &str| {
        let request = world.http.get(world.url(path)).basic_auth(user, Some(password));
        request.send().await.unwrap()
    };
    let me = call("/basic/w/acme/api/verify", "grace", PASSWORD).await;
    assert_eq!(json(me).await["workspace"], "acme");
    assert_eq!(call("/basic/w/nowhere/api/verify", "grace", PASSWORD).await.status(), 404);
    let wrong = call("/basic/w/acme/api/verify", "grace", "guess").await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(call("/basic/w/acme/api/verify", "nobody", PASSWORD).await.status(), 401);
}
