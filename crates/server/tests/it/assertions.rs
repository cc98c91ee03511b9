//! API clients that prove themselves with a key (RFC 7523): at the token endpoint, by the binary.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use grantkeep::projects::{self, add_client_key, create_client_with_key, read_public_key};
use grantkeep::scope::Scopes;
use grantkeep_oauth::Secret;
use grantkeep_oauth::assertion::CLIENT_ASSERTION_TYPE;
use grantkeep_oauth::jws::Signing;
use grantkeep_oauth::key::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Reply, World, read, worlds};

fn public(key: &SigningKey) -> String {
    Value::Object(key.public_jwk().unwrap()).to_string()
}

fn fresh_key() -> SigningKey {
    SigningKey::generate().unwrap().0
}

fn rsa_key() -> SigningKey {
    let der = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    SigningKey::read(&Secret::new(&pem)).unwrap()
}

/// A client of the world's project that has this key and no secret.
async fn client(world: &World, key: &SigningKey, scopes: &str) -> String {
    let scopes = Scopes::parse(scopes).unwrap();
    let public = read_public_key(&public(key), None).unwrap();
    let project = Some(&world.project.id);
    let made = create_client_with_key(&world.app, project, "signer", &scopes, &public).await;
    made.unwrap().id.to_string()
}

fn claims(world: &World, client: &str) -> Value {
    let now_s = world.app.clock.now_ms() / 1_000;
    let jti = grantkeep_vault::token::hex("", 16);
    json!({ "iss": client, "sub": client, "aud": world.url, "iat": now_s, "exp": now_s + 60,
        "jti": jti.expose() })
}

fn signed(key: &SigningKey, claims: &Value) -> String {
    let claims = claims.as_object().unwrap();
    let jwt = Signing::with(key).jwt(Some("client-authentication+jwt"), claims).unwrap();
    jwt.expose().to_owned()
}

fn request(client: &str, assertion: &str) -> Value {
    json!({ "grant_type": "client_credentials", "client_id": client,
        "client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": assertion })
}

async fn ask(world: &World, body: &Value) -> Reply {
    world.call(Method::POST, "/v1/oauth/token", None, Some(body.clone())).await
}

#[track_caller]
fn refused(reply: &Reply, code: &str) -> String {
    let body = reply.json();
    let status = if code == "invalid_client" { 401 } else { 400 };
    assert_eq!((reply.status.as_u16(), body["error"].as_str()), (status, Some(code)), "{body}");
    body["error_description"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn b_14_a_signed_assertion_opens_what_a_secret_would() {
    for world in worlds().await {
        for key in [fresh_key(), rsa_key()] {
            let id = client(&world, &key, "connect:users:read connect:accounts:read").await;
            let answer = ask(&world, &request(&id, &signed(&key, &claims(&world, &id)))).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let token = answer.json();
            assert_eq!(
                (&token["token_type"], &token["expires_in"]),
                (&json!("Bearer"), &json!(3600))
            );
            let bearer = token["access_token"].as_str();
            let list = world.call(Method::GET, &world.path("/users"), bearer, None).await;
            assert_eq!(list.status, 200, "{list:?}");
        }
        let key = fresh_key();
        let id = client(&world, &key, "*").await;
        // As a form, without the client's id, for the token endpoint, and less than it has.
        let mut claims = claims(&world, &id);
        claims["aud"] = json!([format!("{}/v1/oauth/token", world.url)]);
        let jwt = signed(&key, &claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION_TYPE),
            ("client_assertion", jwt.as_str()),
            ("scope", "connect:users:read"),
        ];
        let url = format!("{}/v1/oauth/token", world.url);
        let answer = read(world.http.post(url).form(&form)).await;
        assert_eq!(answer.json()["scope"], "connect:users:read", "{answer:?}");
        let mut more = request(&id, &signed(&key, &self::claims(&world, &id)));
        more["scope"] = json!("credentials:read");
        refused(&ask(&world, &more).await, "invalid_scope");
    }
}

/// Another process on the same store knows what was used at this one.
#[tokio::test]
async fn b_14_an_assertion_is_taken_once_on_every_node() {
    for world in worlds().await {
        let key = fresh_key();
        let id = client(&world, &key, "*").await;
        let body = request(&id, &signed(&key, &claims(&world, &id)));
        let other = World::beside(&world).await;
        let asked = (0..8).map(|nth| ask(if nth % 2 == 0 { &world } else { &other }, &body));
        let answers = futures::future::join_all(asked).await;
        let taken = answers.iter().filter(|it| it.status == 200).count();
        assert_eq!(taken, 1, "{answers:?}");
        for again in [&world, &other] {
            let said = refused(&ask(again, &body).await, "invalid_client");
            assert!(said.contains("used before"), "{said}");
        }
        let sql = "select count(*) from used_assertions";
        assert_eq!(world.count(sql).await, 1);
        // While it could be taken, it is remembered; then it is refused for its age.
        world.app.clock.shift(119_000);
        projects::forget_ended(&world.app).await.unwrap();
        assert_eq!(world.count(sql).await, 1);
        world.app.clock.shift(120_000);
        projects::forget_ended(&world.app).await.unwrap();
        assert_eq!(world.count(sql).await, 0);
        let said = refused(&ask(&world, &body).await, "invalid_client");
        assert!(said.contains("expired"), "{said}");
    }
}

#[tokio::test]
async fn b_14_who_does_not_hold_the_key_is_told_nothing_more() {
    for world in worlds().await {
        let (key, stranger) = (fresh_key(), fresh_key());
        let id = client(&world, &key, "*").await;
        let unknown = grantkeep::ids::ClientId::mint().to_string();
        let revoked = client(&world, &key, "*").await;
        let parsed = grantkeep::ids::ClientId::parse(&revoked).unwrap();
        projects::revoke_client(&world.app, &parsed).await.unwrap();
        let by_secret = Scopes::parse("*").unwrap();
        let made = projects::create_client(&world.app, None, "x", &by_secret).await.unwrap();
        let keyless = made.client.id.to_string();
        let mut told = Vec::new();
        for (client, key) in
            [(&id, &stranger), (&unknown, &key), (&revoked, &key), (&keyless, &key)]
        {
            let body = request(client, &signed(key, &claims(&world, client)));
            told.push(refused(&ask(&world, &body).await, "invalid_client"));
        }
        for junk in ["x", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."] {
            told.push(refused(&ask(&world, &request(&id, junk)).await, "invalid_client"));
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        // Whoever holds it is told what to mend, and another client's id is not his.
        let mut late = claims(&world, &id);
        late["exp"] = json!(world.app.clock.now_ms() / 1_000 - 600);
        let said =
            refused(&ask(&world, &request(&id, &signed(&key, &late))).await, "invalid_client");
        assert!(said.contains("expired"), "{said}");
        let mut foreign = claims(&world, &id);
        foreign["aud"] = json!("https://other.example");
        let said =
            refused(&ask(&world, &request(&id, &signed(&key, &foreign))).await, "invalid_client");
        assert!(said.contains("aud"), "{said}");
    }
}

#[tokio::test]
async fn b_14_one_way_of_authentication_and_the_right_words() {
    let world = World::sqlite(&[]).await;
    let key = fresh_key();
    let id = client(&world, &key, "*").await;
    let good = || request(&id, &signed(&key, &claims(&world, &id)));
    let mut both = good();
    both["client_secret"] = json!("x");
    refused(&ask(&world, &both).await, "invalid_request");
    for kind in [json!(null), json!("urn:ietf:params:oauth:client-assertion-type:saml2-bearer")] {
        let mut other = good();
        other["client_assertion_type"] = kind;
        refused(&ask(&world, &other).await, "invalid_request");
    }
    let basic = world.http.post(format!("{}/v1/oauth/token", world.url));
    let basic = read(basic.basic_auth(&id, Some("x")).json(&good())).await;
    refused(&basic, "invalid_request");
    let secret =
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": "" });
    refused(&ask(&world, &secret).await, "invalid_request");
    // The secret that it does not have is no empty one.
    let secret =
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": "x" });
    refused(&ask(&world, &secret).await, "invalid_client");
}

#[tokio::test]
async fn b_14_keys_take_each_others_place() {
    for world in worlds().await {
        let (old, new) = (fresh_key(), fresh_key());
        let id = client(&world, &old, "*").await;
        let client = grantkeep::ids::ClientId::parse(&id).unwrap();
        let added = read_public_key(&public(&new), Some("new-2026")).unwrap();
        add_client_key(&world.app, &client, &added).await.unwrap();
        assert!(add_client_key(&world.app, &client, &added).await.is_err(), "of that name");
        let ask_with = async |key: &SigningKey| {
            ask(&world, &request(&id, &signed(key, &claims(&world, &id)))).await
        };
        refused(&ask_with(&old).await, "invalid_client");
        let old_kid = old.thumbprint().unwrap();
        let (old, new) = (old.with_kid(old_kid.as_str()), new.with_kid("new-2026"));
        assert_eq!(ask_with(&old).await.status, 200);
        assert_eq!(ask_with(&new).await.status, 200);
        projects::remove_client_key(&world.app, &client, &old_kid).await.unwrap();
        assert!(projects::remove_client_key(&world.app, &client, &old_kid).await.is_err());
        refused(&ask_with(&old).await, "invalid_client");
        assert_eq!(ask_with(&new).await.status, 200);
        let listed = projects::list_clients(&world.app).await.unwrap();
        let listed = listed.into_iter().find(|it| it.id == client).unwrap();
        assert!(!listed.has_secret);
        let keys: Vec<_> = listed.keys.iter().map(|it| (it.id.as_str(), it.algorithm)).collect();
        assert_eq!(keys, [("new-2026", "ES256")]);
    }
}

#[test]
fn b_14_the_binary_takes_public_keys_and_no_private_ones() {
    use std::process::Command;
    let dir = tempfile::tempdir().unwrap();
    let (key, private) = SigningKey::generate().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let (public, private) = (file("pub.json", &public(&key)), file("key.pem", private.expose()));
    let program = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        let command = command.current_dir(dir.path()).env("GRANTKEEP_DATA_DIR", dir.path());
        let command = command.env("GRANTKEEP_ROOT_KEY", crate::world::ROOT_KEY);
        command.arg("--json").args(args).output().unwrap()
    };
    assert!(program(&["migrate"]).status.success());
    let run = |args: &[&str]| program(&[&["client"], args].concat());
    let json = |output: &std::process::Output| -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let public = public.to_str().unwrap();
    let made = json(&run(&["create", "signer", "--public-key", public, "--key-id", "k1"]));
    assert_eq!(made["keys"][0]["id"], "k1");
    assert!(made.get("client_secret").is_none());
    let id = made["client_id"].as_str().unwrap();
    json(&run(&["add-key", id, "--public-key", public, "--key-id", "k2"]));
    json(&run(&["remove-key", id, "k1"]));
    let list = json(&run(&["list"]));
    assert_eq!((&list[0]["has_secret"], &list[0]["keys"][0]["id"]), (&json!(false), &json!("k2")));
    assert!(!list.to_string().contains("\"x\":"), "the key itself is not shown: {list}");
    for (args, status, said) in [
        (vec!["add-key", id, "--public-key", private.to_str().unwrap()], 2, "private key"),
        (vec!["add-key", id], 2, "--public-key"),
        (vec!["remove-key", id, "k1"], 4, "no key k1"),
        (vec!["create", "x", "--key-id", "k"], 2, "--public-key"),
    ] {
        let output = run(&args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {told}");
        assert!(told.contains(said), "{args:?}: {told}");
    }
}
