use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantkeep_simulator::{client_id, client_secret};

use crate::world::{CALLBACK, World, exchange_form, json, location, query, refresh_form};

#[tokio::test]
async fn a_code_becomes_tokens_that_open_the_api() {
    let world = World::new().await;
    let back = world.simulator.approve(&world.authorize_url("rotating", &[]), "grace").unwrap();
    assert!(back.starts_with(&format!("{CALLBACK}?")));
    assert_eq!(query(&back, "state"), "state-1");
    assert_eq!(query(&back, "iss"), world.url("/rotating"));

    let answer = world.exchange("rotating", &query(&back, "code")).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let answer = json(answer).await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["scope"], "profile");

    let access = answer["access_token"].as_str().unwrap();
    let me = world.http.get(world.url("/rotating/api/me")).bearer_auth(access).send().await;
    assert_eq!(json(me.unwrap()).await["email"], "grace@example.test");
}

#[tokio::test]
async fn pkce_is_refused_when_missing_plain_or_malformed() {
    let world = World::new().await;
    let changes: [&[(&str, &str)]; 4] = [
        &[("code_challenge", "")],
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge", "too-short")],
    ];
    for change in changes {
        let answer = world.get(&world.authorize_url("static", change)).await;
        assert_eq!(answer.status(), 303);
        let back = location(&answer);
        assert!(back.starts_with(CALLBACK));
        assert_eq!(query(&back, "error"), "invalid_request", "{change:?}");
        assert_eq!(query(&back, "state"), "state-1");
    }
}

#[tokio::test]
async fn a_wrong_or_missing_verifier_burns_the_code() {
    let world = World::new().await;
    for verifier in ["", "short", "wrong-but-long-enough-wrong-but-long-enough"] {
        let code = world.code("static");
        let mut form = exchange_form(&code);
        form[3].1 = verifier;
        let answer = world.token("static", &form).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(json(answer).await["error"], "invalid_grant");
        assert_eq!(world.exchange("static", &code).await.status(), 400);
    }
    assert_eq!(world.simulator.counters("static").code_replays, 0);
    assert!(world.simulator.ledger("static").is_empty());
}

#[tokio::test]
async fn an_unregistered_redirect_uri_gets_a_page_and_no_redirect() {
    let world = World::new().await;
    for uri in ["http://127.0.0.1:9/callback/", "http://127.0.0.1:9/", "https://evil.example/"] {
        let answer = world.get(&world.authorize_url("rotating", &[("redirect_uri", uri)])).await;
        assert_eq!(answer.status(), 400);
        assert!(!answer.headers().contains_key("location"));
    }
    let answer = world.get(&world.authorize_url("rotating", &[("client_id", "nobody")])).await;
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn the_exchange_wants_the_same_redirect_uri_and_client() {
    let world = World::new().await;
    let code = world.code("rotating");
    let mut form = exchange_form(&code);
    form[2].1 = "http://127.0.0.1:9/other";
    assert_eq!(world.token("rotating", &form).await.status(), 400);

    let code = world.code("rotating");
    world.simulator.register_client("rotating", "second", "second-secret", CALLBACK);
    let mut form = exchange_form(&code).to_vec();
    form.extend([("client_id", "second"), ("client_secret", "second-secret")]);
    let url = world.url("/rotating/token");
    let answer = world.http.post(url).form(&form).send().await.unwrap();
    assert_eq!(json(answer).await["error"], "invalid_grant");
}

#[tokio::test]
async fn a_replayed_code_ends_what_it_gave() {
    let world = World::new().await;
    let code = world.code("rotating");
    let answer = json(world.exchange("rotating", &code).await).await;
    let access = answer["access_token"].as_str().unwrap();
    assert_eq!(world.call("rotating", access).await, 200);

    let replay = world.exchange("rotating", &code).await;
    assert_eq!(json(replay).await["error"], "invalid_grant");
    assert_eq!(world.call("rotating", access).await, 401);
    let refresh = answer["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh("rotating", refresh).await.status(), 400);
    assert_eq!(world.simulator.counters("rotating").code_replays, 1);
}

#[tokio::test]
async fn a_code_lives_sixty_seconds() {
    let world = World::new().await;
    let (early, late) = (world.code("static"), world.code("static"));
    world.simulator.advance(Duration::from_secs(50));
    assert_eq!(world.exchange("static", &early).await.status(), 200);
    world.simulator.advance(Duration::from_secs(11));
    assert_eq!(world.exchange("static", &late).await.status(), 400);
}

#[tokio::test]
async fn the_client_must_prove_who_it_is_in_the_providers_way() {
    let world = World::new().await;
    let (id, secret) = (client_id("static"), client_secret("static"));
    let post = |secret: String| {
        let code = world.code("static");
        let mut form: Vec<(String, String)> = vec![("client_id".into(), id.clone())];
        form.push(("client_secret".into(), secret));
        form.extend(exchange_form(&code).map(|(name, value)| (name.into(), value.into())));
        world.http.post(world.url("/static/token")).form(&form).send()
    };
    assert_eq!(post("wrong".into()).await.unwrap().status(), 401);
    assert_eq!(post(String::new()).await.unwrap().status(), 401);
    assert_eq!(post(secret.clone()).await.unwrap().status(), 200);

    let code = world.code("static");
    let request = world.http.post(world.url("/static/token")).form(&exchange_form(&code));
    assert_eq!(request.basic_auth(&id, Some(&secret)).send().await.unwrap().status(), 200);

    world.simulator.register_client("static", "public", "", CALLBACK);
    let address = world.authorize_url("static", &[("client_id", "public")]);
    let code = query(&world.simulator.approve(&address, "ada").unwrap(), "code");
    let mut form = exchange_form(&code).to_vec();
    form.push(("client_id", "public"));
    let answer = world.http.post(world.url("/static/token")).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn short_tokens_end_after_five_seconds_and_refresh() {
    let world = World::new().await;
    let tokens = world.connect("short").await;
    assert_eq!(world.call("short", &tokens.access).await, 200);
    world.simulator.advance(Duration::from_secs(5));
    let url = world.url("/short/api/me");
    let answer = world.http.get(url).bearer_auth(&tokens.access).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("invalid_token"));

    let answer = json(world.refresh("short", &tokens.refresh).await).await;
    assert_eq!(answer["expires_in"], 5);
    assert_eq!(world.call("short", answer["access_token"].as_str().unwrap()).await, 200);
    assert_eq!(world.simulator.counters("short").api_401, 1);
}

#[tokio::test]
async fn the_quirky_provider_nests_and_says_no_with_status_200() {
    let world = World::new().await;
    let scopes = "shop:identity,orders:read";
    let address = world.authorize_url("quirky", &[("scope", scopes)]);
    let code = query(&world.simulator.approve(&address, "ada").unwrap(), "code");
    let (id, secret) = (client_id("quirky"), client_secret("quirky"));
    let ask = |form: Vec<(&'static str, String)>| {
        let request = world.http.post(world.url("/quirky/token")).form(&form);
        request.basic_auth(&id, Some(&secret)).send()
    };
    let form = exchange_form(&code).map(|(name, value)| (name, value.to_owned())).to_vec();
    let answer = json(ask(form).await.unwrap()).await;
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["authed_user"]["expires_in"], "3600");
    assert_eq!(answer["authed_user"]["scope"], scopes);

    let refresh = answer["authed_user"]["refresh_token"].as_str().unwrap().to_owned();
    let form = refresh_form(&refresh).map(|(name, value)| (name, value.to_owned())).to_vec();
    assert_eq!(json(ask(form.clone()).await.unwrap()).await["ok"], true);
    let again = ask(form).await.unwrap();
    assert_eq!(again.status(), 200);
    let again = json(again).await;
    assert_eq!((&again["ok"], &again["error"]), (&false.into(), &"invalid_grant".into()));

    // A secret in the body is not this provider's way.
    let answer = json(world.exchange("quirky", &world.code("quirky")).await).await;
    assert_eq!(answer["error"], "invalid_client");
}

#[tokio::test]
async fn the_encoded_provider_answers_in_a_form() {
    let world = World::new().await;
    let answer = world.exchange("encoded", &world.code("encoded")).await;
    let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(media_type.starts_with("application/x-www-form-urlencoded"));
    let body = answer.text().await.unwrap();
    let found: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(names, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!(world.call("encoded", &found[0].1).await, 200);
}

#[tokio::test]
async fn a_token_of_one_workspace_does_not_open_another() {
    let world = World::new().await;
    assert_eq!(world.get(&world.authorize_url("tenant", &[])).await.status(), 404);
    let address = world.authorize_url("tenant", &[]).replace("/tenant/", "/tenant/w/acme/");
    let code = query(&world.simulator.approve(&address, "ada").unwrap(), "code");
    let (id, secret) = (client_id("tenant"), client_secret("tenant"));
    let request = world.http.post(world.url("/tenant/w/acme/token")).form(&exchange_form(&code));
    let answer = json(request.basic_auth(id, Some(secret)).send().await.unwrap()).await;
    let access = answer["access_token"].as_str().unwrap();
    assert_eq!(world.call("tenant/w/acme", access).await, 200);
    assert_eq!(world.call("tenant/w/globex", access).await, 401);
    assert_eq!(world.call("tenant/w/nowhere", access).await, 404);
    assert_eq!(world.simulator.ledger("tenant")[0].workspace.as_deref(), Some("acme"));
}

#[tokio::test]
async fn scopes_are_asked_for_known_and_enforced() {
    let world = World::new().await;
    let unknown = world.get(&world.authorize_url("rotating", &[("scope", "everything")])).await;
    assert_eq!(query(&location(&unknown), "error"), "invalid_scope");

    let address = world.authorize_url("rotating", &[("scope", "profile chat.read")]);
    let code = query(&world.simulator.approve(&address, "ada").unwrap(), "code");
    let answer = json(world.exchange("rotating", &code).await).await;
    let access = answer["access_token"].as_str().unwrap();
    let items = world.url("/rotating/api/items");
    let read = world.http.get(&items).bearer_auth(access).send().await.unwrap();
    assert_eq!(json(read).await["items"].as_array().unwrap().len(), 3);
    let write = world.http.post(&items).bearer_auth(access).body("{}").send().await.unwrap();
    assert_eq!(write.status(), 403);
    let challenge = write.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_scope") && challenge.contains("chat.write"));
}

#[tokio::test]
async fn revocation_ends_the_grant_and_only_for_its_own_client() {
    let world = World::new().await;
    let tokens = world.connect("rotating").await;
    let revoke = |id: String, secret: String, token: &str| {
        let form = [("token", token.to_owned())];
        let request = world.http.post(world.url("/rotating/revoke")).form(&form);
        request.basic_auth(id, Some(secret)).send()
    };
    let (id, secret) = (client_id("rotating"), client_secret("rotating"));
    world.simulator.register_client("rotating", "second", "second-secret", CALLBACK);
    let foreign = revoke("second".into(), "second-secret".into(), &tokens.refresh).await;
    assert_eq!(foreign.unwrap().status(), 200);
    assert_eq!(world.call("rotating", &tokens.access).await, 200);
    let wrong = revoke(id.clone(), "wrong".into(), &tokens.refresh).await.unwrap();
    assert_eq!(wrong.status(), 401);

    assert_eq!(revoke(id, secret, &tokens.refresh).await.unwrap().status(), 200);
    assert_eq!(world.call("rotating", &tokens.access).await, 401);
    assert!(world.simulator.ledger("rotating")[0].revoked);
    assert_eq!(world.simulator.counters("rotating").revoke, 3);

    let none = world.http.post(world.url("/grace/revoke")).send().await.unwrap();
    assert_eq!(none.status(), 404);
}

#[tokio::test]
async fn metadata_stands_at_both_well_known_places() {
    let world = World::new().await;
    let places = [
        "/rotating/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/rotating",
    ];
    for place in places {
        let found = json(world.get(&world.url(place)).await).await;
        assert_eq!(found["issuer"], world.url("/rotating"));
        assert_eq!(found["authorization_response_iss_parameter_supported"], true);
        assert_eq!(found["code_challenge_methods_supported"][0], "S256");
        assert_eq!(found["revocation_endpoint"], world.url("/rotating/revoke"));
    }
    let other = world.get(&world.url("/grace/.well-known/oauth-authorization-server")).await;
    assert!(json(other).await.get("revocation_endpoint").is_none());
}

#[tokio::test]
async fn the_echo_shows_the_request_and_masks_the_token() {
    let world = World::new().await;
    let tokens = world.connect("static").await;
    let url = world.url("/static/api/echo/deep/er?a=1&a=2");
    let request = world.http.put(url).bearer_auth(&tokens.access).header("x-extra", "yes");
    let answer = request.body("hello").send().await.unwrap().text().await.unwrap();
    assert!(!answer.contains(&tokens.access));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["method"], "PUT");
    assert_eq!(answer["path"], "/static/api/echo/deep/er");
    assert_eq!(answer["query"], serde_json::json!([["a", "1"], ["a", "2"]]));
    assert_eq!(answer["headers"]["authorization"][0], "Bearer ***");
    assert_eq!(answer["headers"]["x-extra"][0], "yes");
    assert_eq!(answer["body"], "hello");
}

#[tokio::test]
async fn basic_credentials_of_a_client_are_decoded_as_a_form_word() {
    let world = World::new().await;
    world.simulator.register_client("static", "id:with colon", "s+e%c", CALLBACK);
    let address = world.authorize_url("static", &[("client_id", "id:with colon")]);
    let code = query(&world.simulator.approve(&address, "ada").unwrap(), "code");
    let header = format!("Basic {}", STANDARD.encode("id%3Awith+colon:s%2Be%25c"));
    let request = world.http.post(world.url("/static/token")).form(&exchange_form(&code));
    let answer = request.header("authorization", header).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}
