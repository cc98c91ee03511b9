//! Names that lead somewhere else at the second look: on each way out, nothing inside is connected
//! to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use grantkeep::app::{App, Parts};
use grantkeep::config::Config;
use grantkeep::egress::{Egress, Resolve};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::name_server::NameServer;
use crate::world::{Reply, World};

/// Tries on each way out.
const TRIES: usize = 250;
/// One of those that a tenant's URL may name, and the one at which apps are called.
const PORTS: [u16; 2] = [8443, 443];
const URL: &str = "https://turning.example:8443/x";

/// An app whose server is behind the name.
const RAW: &str = r##"
slug = "raw"
name = "Raw"
description = "A server of tests."
homepage = "https://raw.example"
categories = ["Productivity"]
popularity = 1
color = "#000000"
purpose = "be called"
auth = "keys"

[[fields]]
name = "api_key"
label = "API key"
kind = "password"

[proxy]
base_url = "https://turning.example"
[proxy.headers]
authorization = "Bearer ${api_key}"

[evidence]
confirmed = 1
checked_on = "2026-11-23"
"##;

/// Takes connections at an address, closes them, and counts.
struct Door {
    ip: Ipv4Addr,
    entered: Arc<AtomicUsize>,
}

impl Door {
    /// At an address of loopback that no other test is likely to have. Where only root listens at
    /// 443, nobody does.
    async fn open() -> Self {
        loop {
            let [a, b] = [0; 2].map(|_| rand());
            let ip = Ipv4Addr::new(127, 1 + a % 254, b, 1);
            let Ok(first) = TcpListener::bind(SocketAddr::from((ip, PORTS[0]))).await else {
                continue;
            };
            let second = TcpListener::bind(SocketAddr::from((ip, PORTS[1]))).await.ok();
            let entered = Arc::new(AtomicUsize::new(0));
            for listener in [Some(first), second].into_iter().flatten() {
                let counter = Arc::clone(&entered);
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        counter.fetch_add(1, Ordering::SeqCst);
                        drop(stream);
                    }
                });
            }
            return Self { ip, entered };
        }
    }

    fn entered(&self) -> usize {
        self.entered.load(Ordering::SeqCst)
    }
}

fn rand() -> u8 {
    let text = grantkeep_vault::token::hex("", 1);
    u8::from_str_radix(text.expose(), 16).unwrap()
}

/// The same installation, on another port, with another way to look names up.
async fn served(world: &World, allowed: Ipv4Addr, resolve: Resolve) -> String {
    let app = &world.app;
    let strict = Config::from_pairs(&[("egress_allow", &allowed.to_string())]).unwrap();
    let app = App::new(Parts {
        config: app.config.clone(),
        db: app.db.clone(),
        clock: app.clock.clone(),
        keys: app.keys.clone(),
        cursors: app.cursors.clone(),
        egress: Egress::with_resolver(&strict, resolve).unwrap(),
        catalog: app.catalog.clone(),
        audit: app.audit.clone(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = grantkeep::router::router(&app);
    let bound = grantkeep::serve::on(listener, &app.config).await.unwrap();
    tokio::spawn(bound.run(router, std::future::pending()));
    url
}

/// A world with an account of the app behind the name, and an endpoint there.
async fn world(postgres: bool, catalog: &TempDir) -> (World, [(Method, String); 3]) {
    std::fs::write(catalog.path().join("raw.toml"), RAW).unwrap();
    let settings = [("catalog_dir", catalog.path().to_str().unwrap())];
    let world =
        if postgres { World::postgres(&settings).await } else { World::sqlite(&settings).await };
    let token = world.connect_token("ada").await;
    let body = json!({ "app_slug": "raw", "cfmap_json": json!({ "api_key": "k" }).to_string() });
    let made = world.call(Method::POST, &world.path("/accounts"), Some(&token), Some(body)).await;
    assert_eq!(made.status, 200, "{made:?}");
    let account = made.json()["id"].as_str().unwrap().to_owned();
    let made = world.post(&world.path("/webhooks"), json!({ "url": URL })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let webhook = made.json()["id"].as_str().unwrap().to_owned();
    let proxy = format!("/proxy/L3g?account_id={account}&external_user_id=ada");
    let ways = [
        (Method::GET, world.path(&proxy)),
        (Method::POST, world.path(&format!("/webhooks/{webhook}/test"))),
        (Method::POST, world.path("/custom_apps/discover")),
    ];
    (world, ways)
}

/// The name server says an address that may be called at one look, and an inner one at the next,
/// with a life of 0. Half of the tries reach the first; none reaches the second.
#[tokio::test]
async fn e_05_a_name_that_turns_inside_is_never_connected_to_on_any_way_out() {
    for postgres in [false, true] {
        let catalog = TempDir::new().unwrap();
        let (mut world, ways) = world(postgres, &catalog).await;
        // It stands for a public address: the operator allows it, and nothing else.
        let (public, inner) = (Door::open().await, Door::open().await);
        let (first, second) = (public.ip, inner.ip);
        let names = NameServer::start(move |nth| vec![if nth % 2 == 0 { first } else { second }]);
        let names = names.await;
        world.url = served(&world, public.ip, names.resolver()).await;
        for (method, path) in &ways {
            let (asked, entered) = (names.asked(), public.entered());
            for _ in 0..TRIES {
                let body = (*method == Method::POST).then(|| json!({ "url": URL }));
                let reply = tried(&world, method, path, body).await;
                assert!(!reply.text.contains("127."), "{reply:?}");
            }
            assert_eq!(inner.entered(), 0, "{path} leads inside");
            let looks = names.asked() - asked;
            assert!(looks >= TRIES, "{path}: {looks} looks");
            let reached = public.entered() - entered;
            if *method == Method::GET && TcpListener::bind("127.0.0.1:443").await.is_err() {
                continue;
            }
            assert!(reached >= TRIES / 3, "{path}: {reached} of {looks} looks were followed");
        }
        // Both at once spoil each other.
        let both = NameServer::start(move |_| vec![first, second]).await;
        world.url = served(&world, public.ip, both.resolver()).await;
        let entered = public.entered();
        for (method, path) in &ways {
            let body = (*method == Method::POST).then(|| json!({ "url": URL }));
            tried(&world, method, path, body).await;
        }
        assert!(both.asked() >= ways.len());
        assert_eq!((public.entered(), inner.entered()), (entered, 0));
    }
}

async fn tried(
    world: &World,
    method: &Method,
    path: &str,
    body: Option<serde_json::Value>,
) -> Reply {
    world.call(method.clone(), path, Some(&world.project.key), body).await
}
