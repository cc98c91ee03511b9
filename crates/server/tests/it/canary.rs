//! L-01: every secret that passes through is a canary; none may be found where it does not belong.

use std::io::Write;
use std::sync::{Arc, Mutex};

use grantkeep::accounts;
use grantkeep::ids::AccountId;
use grantkeep::tenant::{Environment, Tenant};
use grantkeep_simulator::{Endpoint, Fault, Times};
use serde_json::json;

use crate::connect::browser::{Browser, parameter};
use crate::receiver::{Receiver, Say};
use crate::world::{World, worlds};

/// All that was logged, at every level.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Ours in full; of the libraries, what an operator would turn on to look for a fault.
    pub fn start() -> Self {
        let log = Self::default();
        let to = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("debug,grantkeep=trace,sqlx=debug,hyper=debug,h2=off")
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// May hold a secret of the product, so it is in no log. In the store it stands as it was given.
const QUERY: &str = "key=canary_of_the_query";

type Secrets = Vec<(&'static str, String)>;

/// Goes through connect, refresh, failure, keys and revocation, and gives the secrets it met.
async fn live(world: &World) -> Secrets {
    let mut secrets = vec![
        ("access token", world.project.token.clone()),
        ("API key", world.project.key.clone()),
        ("OAuth client secret", grantkeep_simulator::client_secret("rotating")),
    ];
    world.oauth_app("rotating").await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(&receiver.url).await;
    let uri = format!("{}?{QUERY}", receiver.url);
    let token = world.connect_token_with("ada", json!({ "webhook_uri": uri })).await;
    let browser = Browser::new(world);
    let page = browser.page(&token, "sim_rotating").await;
    let started = page.start().await;
    let away = browser.leave(&started).await;
    let back = world.provider.approve(&away, "ada").unwrap();
    assert_eq!(browser.visit(&back).await.status, 200);
    let id = page.status(&started.flow).await["account_id"].as_str().unwrap().to_owned();
    secrets.extend([
        ("signing secret", endpoint.secret),
        ("connect token", token),
        ("page session", page.boot["session"].as_str().unwrap().to_owned()),
        ("ticket", started.ticket.clone()),
        ("state", parameter(&away, "state").unwrap()),
        ("code", parameter(&back, "code").unwrap()),
    ]);
    grant_secrets(world, &id, &mut secrets).await;
    world.provider.fault("rotating", Endpoint::TokenRefresh, Fault::InvalidJson, Times::Next(1));
    world.app.clock.shift(3 * 3_600_000);
    let path = world.path(&format!("/accounts/{id}?include_credentials=true"));
    let _ = world.get(&path).await;
    let keys = world.connect_token("grace").await;
    let page = browser.page(&keys, "sim_keys").await;
    let typed = "sim_live_canary_of_the_key";
    let reply = page.call("account", json!({ "fields": { "api_key": typed } })).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    secrets.extend([("typed key", typed.to_owned()), ("second connect token", keys)]);
    let gone = world.delete(&world.path(&format!("/accounts/{id}"))).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    world.run_jobs().await;
    receiver.script(&[Say::Status(500), Say::HangUp]);
    world.deliver().await;
    assert!(receiver.posts().iter().any(|it| it.path.ends_with(QUERY)), "the news did not leave");
    secrets
}

async fn grant_secrets(world: &World, id: &str, secrets: &mut Secrets) {
    let tenant =
        Tenant { project: world.project.id.clone(), environment: Environment::Development };
    let id = AccountId::parse(id).unwrap();
    let usable = accounts::usable(&world.app, &tenant, &id, None).await.unwrap();
    let held = usable.credentials;
    secrets.push(("provider access token", held.access_token.unwrap().expose().to_owned()));
    secrets.push(("provider refresh token", held.refresh_token.unwrap().expose().to_owned()));
}

/// Every row of every table, as text.
async fn stored(world: &World) -> String {
    let mut all = String::new();
    for table in [
        "access_tokens",
        "accounts",
        "api_clients",
        "api_keys",
        "audit_events",
        "connect_flows",
        "connect_sessions",
        "connect_tokens",
        "external_users",
        "jobs",
        "oauth_apps",
        "oauth_registrations",
        "owner_keys",
        "projects",
        "revocations",
        "root_keys",
        "webhook_deliveries",
        "webhook_endpoints",
    ] {
        all.push_str(&world.dump(table).await);
    }
    all
}

#[tokio::test]
async fn l_01_no_secret_is_logged_or_stored_in_the_clear() {
    let log = Log::start();
    for world in worlds().await {
        let secrets = live(&world).await;
        let (logged, kept) = (log.text(), stored(&world).await);
        assert!(logged.len() > 10_000 && kept.contains("sim_rotating"), "nothing was looked at");
        assert!(!logged.contains(QUERY), "the query of an address stands in the log");
        for (name, secret) in secrets {
            assert!(secret.len() >= 10, "{name} is too short to be looked for");
            for (place, text) in [("the log", &logged), ("the store", &kept)] {
                let found = text.find(&secret);
                let around = found.map(|at| &text[at.saturating_sub(120)..at]);
                assert_eq!(around, None, "{name} stands in {place} ({})", world.engine);
            }
        }
    }
}
