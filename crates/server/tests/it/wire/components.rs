//! Actions, triggers and what is deployed of them, asked for what is not there.

use reqwest::Method;
use serde_json::{Value, json};

use super::models::{COMPONENT, DEPLOYED, Shape};
use super::replay::known;
use super::requests::{PYTHON, SCRIPT, SIGN_IN};
use super::script::{By, Case, case, play};
use crate::tidy::none;
use crate::world::{World, worlds};

use By::{Browser, Server};
use Shape::{Error, Page};

const MISSING: (u16, Shape) = (404, Error("not_found"));
const WISH: &str = r#"{"id":"~/none","external_user_id":"ada",
    "configured_props":{"slack":{"authProvisionId":"apn_1"}},"prop_name":"channel",
    "dynamic_props_id":"dyp_1","stash_id":"NEW","webhook_url":"https://w.example/",
    "emit_on_deploy":false,"async_handle":"abcdefghijkl"}"#;

const COMPONENTS: &[Case] = &[
    case(
        "components.list",
        Server,
        "GET /v1/connect/{project}/components?limit=1&q=x&app=slack&component_type=action",
        (200, Page(COMPONENT)),
    ),
    case(
        "actions.list",
        Server,
        "GET /v1/connect/{project}/actions?app=slack",
        (200, Page(COMPONENT)),
    ),
    case(
        "triggers.list",
        Server,
        "GET /v1/connect/{project}/triggers?app=slack&registry=all",
        (200, Page(COMPONENT)),
    ),
    case(
        "components.list (another registry)",
        Server,
        "GET /v1/connect/{project}/components?registry=mine",
        (400, Error("invalid_parameter")),
    ),
    case(
        "actions.retrieve",
        Server,
        "GET /v1/connect/{project}/actions/slack-send-message?version=1.0.0",
        MISSING,
    ),
    case("actions.retrieve (own)", Server, "GET /v1/connect/{project}/actions/~%2Fx", MISSING),
    case(
        "triggers.retrieve (own, all escaped)",
        Server,
        "GET /v1/connect/{project}/triggers/%7E%2Fx",
        MISSING,
    ),
    case(
        "components.configureProp",
        Server,
        "POST /v1/connect/{project}/components/configure",
        MISSING,
    )
    .body(WISH),
    case("actions.configureProp", Server, "POST /v1/connect/{project}/actions/configure", MISSING)
        .body(WISH),
    case(
        "triggers.configureProp",
        Server,
        "POST /v1/connect/{project}/triggers/configure",
        MISSING,
    )
    .body(WISH),
    case("components.reloadProps", Server, "POST /v1/connect/{project}/components/props", MISSING)
        .body(WISH),
    case("actions.reloadProps", Server, "POST /v1/connect/{project}/actions/props", MISSING)
        .body(WISH),
    case("triggers.reloadProps", Server, "POST /v1/connect/{project}/triggers/props", MISSING)
        .body(WISH),
    case("actions.run", Server, "POST /v1/connect/{project}/actions/run", MISSING).body(WISH),
    case("triggers.deploy", Server, "POST /v1/connect/{project}/triggers/deploy", MISSING)
        .body(WISH),
    case(
        "triggers.deploy (1.x)",
        Server,
        "POST /v1/connect/{project}/components/triggers/deploy",
        MISSING,
    )
    .body(WISH)
    .with(&[("x-pd-sdk-version", "1.8.0")]),
];

const DEPLOYED_TRIGGERS: &[Case] = &[
    case(
        "deployedTriggers.list",
        Server,
        "GET /v1/connect/{project}/deployed-triggers?external_user_id=ada&emitter_type=source",
        (200, Page(DEPLOYED)),
    ),
    case(
        "deployedTriggers.list (nobody's)",
        Server,
        "GET /v1/connect/{project}/deployed-triggers",
        (400, Error("invalid_external_user_id")),
    ),
    case(
        "deployedTriggers.retrieve",
        Server,
        "GET /v1/connect/{project}/deployed-triggers/dc_1?external_user_id=ada",
        MISSING,
    ),
    case(
        "deployedTriggers.update",
        Server,
        "PUT /v1/connect/{project}/deployed-triggers/dc_1?external_user_id=ada",
        MISSING,
    )
    .body(r#"{"active":false}"#),
    case(
        "deployedTriggers.delete",
        Server,
        "DELETE /v1/connect/{project}/deployed-triggers/dc_1?external_user_id=ada\
         &ignore_hook_errors=true",
        MISSING,
    ),
    case(
        "deployedTriggers.listEvents",
        Server,
        "GET /v1/connect/{project}/deployed-triggers/dc_1/events?external_user_id=ada&n=3",
        MISSING,
    ),
    case(
        "deployedTriggers.updateWebhooks",
        Server,
        "PUT /v1/connect/{project}/deployed-triggers/dc_1/webhooks?external_user_id=ada",
        MISSING,
    )
    .body(r#"{"webhook_urls":["https://w.example/"]}"#),
    case(
        "deployedTriggers.listWebhooks",
        Server,
        "GET /v1/connect/{project}/deployed-triggers/dc_1/webhooks?external_user_id=ada",
        MISSING,
    ),
    case(
        "deployedTriggers.updateWorkflows",
        Server,
        "PUT /v1/connect/{project}/deployed-triggers/dc_1/pipelines?external_user_id=ada",
        MISSING,
    )
    .body(r#"{"workflow_ids":["p_1"]}"#),
    case(
        "deployedTriggers.listWorkflows",
        Server,
        "GET /v1/connect/{project}/deployed-triggers/dc_1/pipelines?external_user_id=ada",
        MISSING,
    ),
    case(
        "deployedTriggers.retrieveWebhook",
        Server,
        "GET /v1/connect/{project}/deployed-triggers/dc_1/webhooks/wh_1?external_user_id=ada",
        MISSING,
    ),
    case(
        "deployedTriggers.regenerateWebhookSigningKey",
        Server,
        "POST /v1/connect/{project}/deployed-triggers/dc_1/webhooks/wh_1/regenerate_signing_key\
         ?external_user_id=ada",
        MISSING,
    ),
    case(
        "deployedTriggers.resetWebhookDeliveryState",
        Server,
        "POST /v1/connect/{project}/deployed-triggers/dc_1/webhooks/wh_1/reset_delivery_state\
         ?external_user_id=ada",
        MISSING,
    ),
];

const BROWSER: &[Case] = &[
    case(
        "browser components.list",
        Browser,
        "GET /v1/connect/components?app=slack",
        (200, Page(COMPONENT)),
    ),
    case("browser actions.list", Browser, "GET /v1/connect//actions", (200, Page(COMPONENT))),
    case("browser triggers.retrieve", Browser, "GET /v1/connect/triggers/~%2Fx", MISSING),
    case(
        "browser components.configureProp",
        Browser,
        "POST /v1/connect/components/configure",
        MISSING,
    )
    .body(WISH),
    case("browser actions.run", Browser, "POST /v1/connect/actions/run", MISSING).body(WISH),
    case("browser triggers.deploy", Browser, "POST /v1/connect/triggers/deploy", MISSING)
        .body(WISH),
    case(
        "browser deployedTriggers.list",
        Browser,
        "GET /v1/connect/deployed-triggers",
        (200, Page(DEPLOYED)),
    ),
    case(
        "browser deployedTriggers.list (somebody else's)",
        Browser,
        "GET /v1/connect/deployed-triggers?external_user_id=grace",
        MISSING,
    ),
    case(
        "browser deployedTriggers.retrieveWebhook",
        Browser,
        "GET /v1/connect/{project}/deployed-triggers/dc_1/webhooks/wh_1?external_user_id=ada",
        (401, Error("wrong_token_type")),
    ),
];

/// Nothing is escaped in these.
const RAW: &[Case] = &[
    case("actions.retrieve (own)", Server, "GET /v1/connect/{project}/actions/~/a", MISSING),
    case("triggers.retrieve (own)", Server, "GET /v1/connect/{project}/triggers/~/a/b", MISSING),
];

#[tokio::test]
async fn components_that_are_not_there_are_missed_and_not_deployed() {
    for world in worlds().await {
        let mut known = known(&world).await;
        let mut found = play(&world, &mut known, SIGN_IN, SCRIPT).await;
        known.set("browser_token", world.connect_token("ada").await);
        for cases in [COMPONENTS, DEPLOYED_TRIGGERS, BROWSER] {
            found.extend(play(&world, &mut known, cases, SCRIPT).await);
        }
        found.extend(play(&world, &mut known, RAW, PYTHON).await);
        none(&found, world.engine);
        assert_eq!(world.dump("triggers").await, "");
    }
}

#[tokio::test]
async fn components_want_the_scopes_of_their_kind() {
    for world in worlds().await {
        for (scopes, open) in [
            ("connect:actions:*", ["components", "actions"].as_slice()),
            ("connect:triggers:*", &["components", "triggers"]),
            ("connect:deployed_triggers:read", &["deployed-triggers"]),
            ("connect:*", &["components", "actions", "triggers", "deployed-triggers"]),
            ("connect:accounts:read", &[]),
        ] {
            let key = key(&world, scopes).await;
            for kind in ["components", "actions", "triggers", "deployed-triggers"] {
                let path = world.path(&format!("/{kind}?external_user_id=ada"));
                let reply = world.call(Method::GET, &path, Some(&key), None).await;
                let expected = if open.contains(&kind) { 200 } else { 403 };
                assert_eq!(reply.status, expected, "{kind} with {scopes}: {}", reply.text);
            }
        }
        let reading = key(&world, "connect:deployed_triggers:read").await;
        let path = world.path("/deployed-triggers/dc_1?external_user_id=ada");
        let reply = world.call(Method::DELETE, &path, Some(&reading), None).await;
        assert_eq!(reply.code(), "scope_missing");
        // An older path has accounts and nothing else.
        let none = world.call(Method::GET, "/v1/connect/ada/actions", Some(&reading), None).await;
        assert_ne!(none.status, 200, "{none:?}");
    }
}

async fn key(world: &World, scopes: &str) -> String {
    let scopes = grantkeep::scope::Scopes::parse(scopes).unwrap();
    let made = grantkeep::projects::create_key(&world.app, &world.project.id, "x", &scopes).await;
    made.unwrap().1.expose().to_owned()
}

#[tokio::test]
async fn lists_of_components_know_limits_and_cursors() {
    let world = World::sqlite(&[]).await;
    for kind in ["components", "actions", "triggers"] {
        let list = world.get(&world.path(&format!("/{kind}?limit=5&registry=private"))).await;
        let list = list.json();
        let info = json!({ "count": 0, "total_count": 0, "start_cursor": Value::Null,
            "end_cursor": Value::Null });
        assert_eq!((&list["data"], &list["page_info"]), (&json!([]), &info));
        for (query, code) in [
            ("limit=0", "invalid_limit"),
            ("after=AAAA", "invalid_cursor"),
            ("component_type=source", "invalid_parameter"),
        ] {
            let reply = world.get(&world.path(&format!("/{kind}?{query}"))).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, code.into()), "{kind} {query}");
        }
    }
}
