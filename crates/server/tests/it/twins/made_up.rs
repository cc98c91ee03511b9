//! Ways in that no app of the catalogue has yet: app files that are made up, each with a twin.

use std::sync::Arc;

use grantkeep::apps::{self, Edit};
use grantkeep::projects::{Change, Settings, update};
use grantkeep_catalog::{App, Catalog, Options};
use grantkeep_simulator::Twin;
use grantkeep_vault::Secret;
use serde_json::json;

use super::front::Front;
use super::scenario::Scenario;
use crate::connect::browser::Browser;
use crate::world::{World, read};

/// The file of one app, after what all have in common.
struct MadeUp {
    slug: &'static str,
    oauth2: &'static str,
}

/// Each with what is special about it.
const APPS: [MadeUp; 9] = [
    MadeUp { slug: "made_up_device", oauth2: DEVICE },
    MadeUp { slug: "made_up_token_exchange", oauth2: TOKEN_EXCHANGE },
    MadeUp { slug: "made_up_pushed", oauth2: "par_url = \"https://as.example/par\"" },
    MadeUp {
        slug: "made_up_signed_request",
        oauth2: "request_object = true\nissuer = \"https://as.example\"\niss_required = true",
    },
    MadeUp { slug: "made_up_pushed_and_signed", oauth2: PUSHED_AND_SIGNED },
    MadeUp { slug: "made_up_bound_token", oauth2: "dpop = true" },
    MadeUp { slug: "made_up_key_of_client", oauth2: "client_auth = \"private_key_jwt\"" },
    MadeUp { slug: "made_up_secret_signs", oauth2: "client_auth = \"client_secret_jwt\"" },
    MadeUp {
        slug: "made_up_resource",
        oauth2: "resource = [\"https://api.example/v1\", \"https://other.example\"]",
    },
];

const DEVICE: &str = r#"flow = "device_code"
device_authorization_url = "https://as.example/device_authorization""#;

const PUSHED_AND_SIGNED: &str = r#"par_url = "https://as.example/par"
request_object = true
dpop = true
client_auth = "private_key_jwt"
client_assertion_audience = "https://as.example"
issuer = "https://as.example""#;

const TOKEN_EXCHANGE: &str = r#"flow = "token_exchange"
client_auth = "basic""#;

const TOKEN_EXCHANGE_TABLES: &str = r#"
[oauth2.token_exchange]
subject_token = "${subject}"
subject_token_type = "urn:ietf:params:oauth:token-type:jwt"
requested_token_type = "urn:ietf:params:oauth:token-type:access_token"
audience = ["https://api.example", "https://other.example"]
"#;

impl MadeUp {
    fn file(&self) -> String {
        let slug = self.slug;
        let redirects = !self.oauth2.contains("flow = ");
        let page = "authorization_url = \"https://as.example/authorize\"";
        let (fields, tables) = match self.slug {
            "made_up_token_exchange" => (
                "[[fields]]\nname = \"subject\"\nlabel = \"Token\"\nkind = \"password\"\n",
                TOKEN_EXCHANGE_TABLES,
            ),
            _ => ("", ""),
        };
        format!(
            r#"slug = "{slug}"
name = "Made up"
description = "A way in that is made up."
homepage = "https://made-up.example"
categories = ["Productivity"]
popularity = 1
purpose = "be put to the test"
auth = "oauth2"

{fields}
[oauth2]
{page}
token_url = "https://as.example/token"
{own}

[oauth2.scopes]
default = ["read", "write"]

[oauth2.rotation]
class = "P6"
reuse = "deny"
source = "made up"
checked_on = "2026-11-26"

[oauth2.revocation]
url = "https://as.example/revoke"
{tables}
[verify]
url = "https://api.example/v1/me"

[identity]
from = "verify"
name = ["name"]
subject = ["id"]

[proxy]
base_url = "https://api.example/v1"

[proxy.headers]
authorization = "Bearer ${{oauth_access_token}}"

[evidence]
confirmed = 1
checked_on = "2026-11-26"
notes = []
"#,
            page = if redirects { page } else { "" },
            own = self.oauth2,
        )
    }
}

fn files() -> Vec<String> {
    APPS.iter().map(MadeUp::file).collect()
}

fn app(slug: &str, file: &str) -> Arc<App> {
    let path = format!("{slug}.toml");
    let options = Options { allow_loopback: true };
    Catalog::from_files([(path.as_str(), file)], options).unwrap().get(slug).unwrap()
}

/// One after the other: the device flow turns the clock.
async fn go_through(world: &World) {
    for twin in &world.twins {
        let app = app(twin.slug(), twin.file());
        println!("{}: {}", world.engine, app.slug);
        Scenario { world, app: &app, twin }.run().await;
        assert_eq!(twin.refusals(), Vec::<String>::new(), "{}", app.slug);
        let bound = app.oauth2().is_some_and(|it| it.dpop);
        assert_eq!(twin.calls().nonces > 0, bound, "asked for its nonce: {}", app.slug);
    }
}

#[tokio::test]
async fn every_way_that_no_app_has_yet_works_at_a_twin() {
    go_through(&World::sqlite_of_twins(&files()).await).await;
    go_through(&World::postgres_of_twins(&files()).await).await;
}

#[tokio::test]
async fn device_codes_end_when_the_person_says_no_or_nothing() {
    let files = [APPS[0].file()];
    for world in [World::sqlite_of_twins(&files).await, World::postgres_of_twins(&files).await] {
        let twin = &world.twins[0];
        let app = app(twin.slug(), twin.file());
        Scenario { world: &world, app: &app, twin }.enter_client().await;
        for (allow, wait_ms, code) in
            [(Some(false), 5_000, "access_denied"), (None, 601_000, "flow_expired")]
        {
            let token = world.connect_token("ada").await;
            let browser = Browser::new(&world);
            let page = browser.page(&token, &app.slug).await;
            let started = page.start_with(json!({})).await;
            let window = browser.leave(&started).await;
            if let Some(allow) = allow {
                twin.decide_device("WDJB-MJHT", allow).unwrap();
            }
            world.later(wait_ms);
            browser.visit(&window).await;
            let status = page.status(&started.flow).await;
            assert_eq!(
                (&status["state"], &status["code"]),
                (&json!("failed"), &json!(code)),
                "{}",
                world.engine
            );
        }
    }
}

#[tokio::test]
async fn a_link_that_is_to_be_confirmed_offers_no_device_code() {
    let files = [APPS[0].file()];
    for world in [World::sqlite_of_twins(&files).await, World::postgres_of_twins(&files).await] {
        let twin = &world.twins[0];
        let app = app(twin.slug(), twin.file());
        Scenario { world: &world, app: &app, twin }.enter_client().await;
        let unverified = Settings { allow_unverified_links: true, ..Settings::default() };
        let verify_url = Some("https://product.example/verify".to_owned());
        let verified = Settings { verify_url, ..Settings::default() };
        for (settings, offered) in [(unverified, 1), (verified, 0)] {
            let change = Change { settings: Some(settings), ..Change::default() };
            update(&world.app, &world.project.id, change).await.unwrap();
            let token = world.connect_token("ada").await;
            let browser = Browser::new(&world);
            let link = format!("/_static/connect.html?token={token}&connectLink=true");
            let reply = read(browser.get(&link).header("sec-fetch-dest", "document")).await;
            let shown = browser.shown(reply).apps("q=made").await;
            assert_eq!(shown["apps"].as_array().unwrap().len(), offered, "{shown}");
        }
    }
}

/// The way of RFC 8705: the client's certificate at the token endpoint, and, since tokens are bound
/// to it, at the API.
#[tokio::test]
async fn d_06_a_clients_certificate_is_shown_where_its_tokens_are_used() {
    let made = MadeUp {
        slug: "made_up_certificate",
        oauth2: "client_auth = \"tls\"\nmtls_token_url = \"https://mtls.as.example/token\"",
    };
    let file = made.file();
    for postgres in [false, true] {
        let front = Front::open().await;
        let dir = tempfile::tempdir().unwrap();
        let (slug, led) = Twin::mirrored(&file, &front.url).unwrap();
        std::fs::write(dir.path().join(format!("{slug}.toml")), &led).unwrap();
        let trusted = dir.path().join("ca.pem");
        std::fs::write(&trusted, &front.certificate).unwrap();
        let settings = [
            ("catalog_dir", dir.path().to_str().unwrap()),
            ("egress_ca_file", trusted.to_str().unwrap()),
        ];
        let world = if postgres {
            World::postgres(&settings).await
        } else {
            World::sqlite(&settings).await
        };
        front.lead_to(world.provider.base_url());
        let twin = world.provider.add_twin(&file).unwrap();
        let app = app(&slug, &led);
        let edit = Edit {
            client_id: Some(twin.client().id),
            private_key: Some(Secret::new(front.client_key.as_str())),
            client_certificate: Some(Some(front.client_certificate.clone())),
            ..Edit::default()
        };
        let client = apps::create_oauth_app(&world.app, &world.project.id, &slug, edit).await;
        twin.register(&client.unwrap().redirect_uri(&world.app));
        twin.register_certificate(&front.client_print);
        let scenario = Scenario { world: &world, app: &app, twin: &twin };
        scenario.live(true).await;
        assert_eq!(twin.refusals(), Vec::<String>::new(), "{}", world.engine);
        assert!(twin.calls().verify > 0 && twin.calls().api > 0, "{:?}", twin.calls());
        assert!(front.shown() > 0, "no certificate was shown");
    }
}
