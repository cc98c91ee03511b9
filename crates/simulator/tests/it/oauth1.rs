//! The client's side of RFC 5849, written apart from the code under test.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantkeep_simulator::{client_id, client_secret};
use reqwest::{Method, Response};

use crate::world::{CALLBACK, World, json, query};

#[derive(Default, Clone)]
struct Credentials {
    token: String,
    secret: String,
}

struct Signer {
    credentials: Credentials,
    extra: Vec<(&'static str, String)>,
    timestamp: String,
    nonce: String,
    client_secret: String,
}

fn encode(text: &str) -> String {
    let plain = |it: &u8| it.is_ascii_alphanumeric() || b"-._~".contains(it);
    text.bytes()
        .map(|it| if plain(&it) { char::from(it).to_string() } else { format!("%{it:02X}") })
        .collect()
}

impl Signer {
    #[allow(clippy::disallowed_methods)] // a test has no clock of its own
    fn new(credentials: &Credentials, nonce: &str) -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self {
            credentials: credentials.clone(),
            extra: Vec::new(),
            timestamp: seconds.to_string(),
            nonce: nonce.to_owned(),
            client_secret: client_secret("oauth1"),
        }
    }

    fn header(&self, method: &str, address: &str, query: &[(&str, &str)]) -> String {
        let mut oauth = vec![
            ("oauth_consumer_key", client_id("oauth1")),
            ("oauth_nonce", self.nonce.clone()),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", self.timestamp.clone()),
            ("oauth_version", "1.0".to_owned()),
        ];
        if !self.credentials.token.is_empty() {
            oauth.push(("oauth_token", self.credentials.token.clone()));
        }
        oauth.extend(self.extra.iter().cloned());
        let mut all: Vec<String> =
            oauth.iter().map(|(name, it)| format!("{}={}", encode(name), encode(it))).collect();
        all.extend(query.iter().map(|(name, it)| format!("{}={}", encode(name), encode(it))));
        all.sort();
        let base = format!("{method}&{}&{}", encode(address), encode(&all.join("&")));
        let key = format!("{}&{}", encode(&self.client_secret), encode(&self.credentials.secret));
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
        oauth.push(("oauth_signature", STANDARD.encode(hmac::sign(&key, base.as_bytes()))));
        let written: Vec<_> =
            oauth.iter().map(|(name, it)| format!("{name}=\"{}\"", encode(it))).collect();
        format!("OAuth realm=\"x\", {}", written.join(", "))
    }

    async fn send(&self, world: &World, method: Method, path: &str) -> Response {
        let address = world.url(path);
        let header = self.header(method.as_str(), &address, &[]);
        world.http.request(method, address).header("authorization", header).send().await.unwrap()
    }
}

async fn credentials(answer: Response) -> Credentials {
    assert_eq!(answer.status(), 200);
    let body = answer.text().await.unwrap();
    let mut found: HashMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    Credentials {
        token: found.remove("oauth_token").unwrap(),
        secret: found.remove("oauth_token_secret").unwrap(),
    }
}

async fn request_token(world: &World, nonce: &str) -> Credentials {
    let mut signer = Signer::new(&Credentials::default(), nonce);
    signer.extra = vec![("oauth_callback", CALLBACK.to_owned())];
    credentials(signer.send(world, Method::POST, "/oauth1/request_token").await).await
}

async fn connect(world: &World) -> Credentials {
    let temporary = request_token(world, "n1").await;
    let address = world.url(&format!("/oauth1/authorize?oauth_token={}", temporary.token));
    let back = world.simulator.approve(&address, "linus").unwrap();
    assert_eq!(query(&back, "oauth_token"), temporary.token);
    let mut signer = Signer::new(&temporary, "n2");
    signer.extra = vec![("oauth_verifier", query(&back, "oauth_verifier"))];
    credentials(signer.send(world, Method::POST, "/oauth1/access_token").await).await
}

#[tokio::test]
async fn the_three_steps_give_a_token_that_signs() {
    let world = World::new().await;
    let mine = connect(&world).await;
    let me = Signer::new(&mine, "n3").send(&world, Method::GET, "/oauth1/api/me").await;
    assert_eq!(json(me).await["login"], "linus");
    assert_eq!(world.simulator.counters("oauth1").bad_signature, 0);

    // The query is under the signature, sorted and encoded.
    let address = world.url("/oauth1/api/echo");
    let pairs = [("b", "2 &="), ("a", "ä/1"), ("b", "1")];
    let header = Signer::new(&mine, "n4").header("GET", &address, &pairs);
    let request = world.http.get(&address).query(&pairs).header("authorization", header);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_wrong_signature_time_or_nonce_is_refused() {
    let world = World::new().await;
    let mine = connect(&world).await;
    let mut bad_secret = Signer::new(&mine, "a");
    bad_secret.client_secret = "wrong".to_owned();
    let mut old = Signer::new(&mine, "b");
    old.timestamp = "1700000000".to_owned();
    let mut bad_token = Signer::new(&mine, "c");
    bad_token.credentials.secret = "wrong".to_owned();
    for signer in [bad_secret, old, bad_token] {
        let answer = signer.send(&world, Method::GET, "/oauth1/api/me").await;
        assert_eq!(answer.status(), 401);
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("OAuth "));
    }
    let signer = Signer::new(&mine, "d");
    assert_eq!(signer.send(&world, Method::GET, "/oauth1/api/me").await.status(), 200);
    assert_eq!(signer.send(&world, Method::GET, "/oauth1/api/me").await.status(), 401);

    let address = world.url("/oauth1/api/echo");
    let header = Signer::new(&mine, "e").header("GET", &address, &[("a", "1")]);
    let changed = world.http.get(format!("{address}?a=2")).header("authorization", header);
    assert_eq!(changed.send().await.unwrap().status(), 401);
    assert_eq!(world.simulator.counters("oauth1").bad_signature, 5);
}

#[tokio::test]
async fn temporary_credentials_need_a_registered_callback_and_the_verifier_once() {
    let world = World::new().await;
    let mut signer = Signer::new(&Credentials::default(), "n0");
    signer.extra = vec![("oauth_callback", "https://evil.example/".to_owned())];
    let answer = signer.send(&world, Method::POST, "/oauth1/request_token").await;
    assert_eq!(answer.status(), 400);

    let temporary = request_token(&world, "n1").await;
    let address = world.url(&format!("/oauth1/authorize?oauth_token={}", temporary.token));
    let back = world.simulator.approve(&address, "ada").unwrap();
    let exchange = async |nonce: &str, verifier: String| {
        let mut signer = Signer::new(&temporary, nonce);
        signer.extra = vec![("oauth_verifier", verifier)];
        signer.send(&world, Method::POST, "/oauth1/access_token").await.status()
    };
    let verifier = query(&back, "oauth_verifier");
    assert_eq!(exchange("n2", verifier.clone()).await, 200);
    assert_eq!(exchange("n3", verifier).await, 401);

    let refused = request_token(&world, "n4").await;
    let address = world.url(&format!("/oauth1/authorize?oauth_token={}", refused.token));
    let back = world.simulator.deny(&address, "ada").unwrap();
    assert_eq!(query(&back, "denied"), refused.token);
    assert!(world.simulator.approve(&address, "ada").is_err());
}
