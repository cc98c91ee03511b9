//! Ways in that no app of the catalogue has yet: app files that are made up, each with a twin.

use std::sync::Arc;

use grantkeep_catalog::{App, Catalog, Options};
use serde_json::json;

use super::scenario::Scenario;
use crate::connect::browser::Browser;
use crate::world::World;

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
