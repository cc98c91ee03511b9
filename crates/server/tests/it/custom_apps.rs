//! Apps that a project describes for itself, over HTTP and on the command line.

use grantkeep::projects::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::connect::browser;
use crate::world::{Reply, World, worlds};

/// A keys app that no catalogue has.
pub const PARCELS: &str = r#"
slug = "parcels"
name = "Parcels Direct"
description = "Parcels, tracked."
homepage = "https://parcels.example"
categories = ["E-commerce"]
popularity = 100
purpose = "see your parcels"
auth = "keys"

[[fields]]
name = "region"
label = "Region"
kind = "select"
options = [{ value = "eu", label = "Europe" }, { value = "us", label = "America" }]

[[fields]]
name = "depot"
label = "Depot"
optional = true
host = { form = "label" }

[[fields]]
name = "api_key"
label = "API key"
kind = "password"
help = "In Parcels, open Settings."

[proxy]
base_url = "https://api.parcels.example"

[proxy.headers]
authorization = "Bearer ${api_key}"

[evidence]
confirmed = 1
checked_on = "2026-11-26"
notes = []
"#;

impl World {
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PUT, path, Some(&self.project.key), Some(body)).await
    }

    /// Adds an app of the project's own.
    pub async fn custom_app(&self, definition: &str) -> Value {
        let body = json!({ "definition": definition });
        let made = self.post(&self.path("/custom_apps"), body).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()
    }

    /// The simulator's file of a provider, under another slug.
    fn sim_file(&self, provider: &str, slug: &str) -> String {
        let files = self.provider.catalog_files();
        let (_, text) = files.iter().find(|(it, _)| *it == format!("sim_{provider}")).unwrap();
        text.replace(&format!("sim_{provider}\""), &format!("{slug}\""))
    }
}

#[tokio::test]
async fn an_own_app_is_added_found_listed_replaced_and_deleted() {
    for world in worlds().await {
        let list = world.path("/custom_apps");
        let made = world.custom_app(PARCELS).await;
        assert_eq!((&made["slug"], &made["version"]), (&json!("parcels"), &json!(1)));
        assert_eq!(made["app"]["name"], "Parcels Direct");
        let warned: Vec<_> = made["problems"].as_array().unwrap().iter().collect();
        assert!(warned.iter().all(|it| it["severity"] == "warning"), "{made}");
        assert!(warned.iter().any(|it| it["place"] == "definition: verify"), "{made}");
        let id = made["app"]["id"].as_str().unwrap();
        for name in ["parcels", id] {
            let found = world.get(&format!("/v1/connect/apps/{name}")).await;
            assert_eq!(found.json()["data"], made["app"], "{name}");
        }
        let all = world.get(&list).await.json();
        assert_eq!(all["page_info"]["total_count"], 1);
        assert!(all["data"][0].get("definition").is_none(), "lists are short");
        let one = world.path("/custom_apps/parcels");
        assert_eq!(world.get(&one).await.json()["definition"], PARCELS);
        let better = PARCELS.replace("Parcels Direct", "Parcels Express");
        let body = json!({ "definition": better, "version": 1 });
        let put = world.put(&one, body.clone()).await;
        assert_eq!((put.status.as_u16(), &put.json()["version"]), (200, &json!(2)));
        let again = world.put(&one, body).await;
        assert_eq!((again.status.as_u16(), again.code()), (409, "changed_meanwhile".into()));
        let found = world.get("/v1/connect/apps/parcels").await.json();
        assert_eq!(found["data"]["name"], "Parcels Express", "at once, in the same process");
        assert_eq!(world.delete(&one).await.status, 204);
        assert_eq!(world.get(&one).await.code(), "app_not_found");
        assert_eq!(world.get("/v1/connect/apps/parcels").await.code(), "app_not_found");
        let log = world.dump("audit_events").await;
        for action in ["custom_app.create", "custom_app.update", "custom_app.delete"] {
            assert!(log.contains(action), "{action}");
        }
    }
}

#[tokio::test]
async fn own_apps_are_searched_sorted_and_filtered_with_the_catalogues() {
    let world = World::sqlite(&[]).await;
    world.custom_app(PARCELS).await;
    let first = async |path: &str| {
        let page = world.get(path).await.json();
        page["data"][0]["name_slug"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(first("/v1/connect/apps?q=parcels%20dir").await, "parcels");
    let total = async |key: &str| {
        let path = "/v1/connect/apps?limit=1";
        world.call(Method::GET, path, Some(key), None).await.json()["page_info"]["total_count"]
            .as_i64()
            .unwrap()
    };
    let other = world.another_project(Settings::default()).await;
    assert_eq!(total(&world.project.key).await, total(&other.key).await + 1);
    let path = "/v1/connect/apps?sort_key=name_slug&limit=100&q=parcel";
    assert!(world.get(path).await.text.contains("\"parcels\""));
    let categories = world.get("/v1/connect/app_categories").await.json();
    let id = |name: &str| {
        let found = categories.as_array().unwrap().iter().find(|it| it["name"] == name);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let within = async |category: &str| {
        let path = format!("/v1/connect/apps?q=parcels&category_ids={}", id(category));
        world.get(&path).await.text.contains("\"parcels\"")
    };
    assert!(within("E-commerce").await);
    assert!(!within("HR").await);
    let token = world.connect_token("ada").await;
    let by_page = world.call(Method::GET, "/v1/connect/apps/parcels", Some(&token), None).await;
    assert_eq!(by_page.status, 200, "a connect token belongs to the project");
}

#[tokio::test]
async fn another_projects_own_app_is_not_there() {
    for world in worlds().await {
        world.custom_app(PARCELS).await;
        let other = world.another_project(Settings::default()).await;
        let ask = async |method: Method, path: &str, body: Option<Value>| {
            world.call(method, path, Some(&other.key), body).await
        };
        assert_eq!(ask(Method::GET, "/v1/connect/apps/parcels", None).await.status, 404);
        let found = ask(Method::GET, "/v1/connect/apps?q=parcels", None).await;
        assert!(!found.text.contains("\"parcels\""), "{found:?}");
        let theirs = format!("/v1/connect/{}/custom_apps", other.id);
        let one = format!("{theirs}/parcels");
        assert_eq!(ask(Method::GET, &one, None).await.status, 404);
        assert_eq!(ask(Method::DELETE, &one, None).await.status, 404);
        let body = json!({ "definition": PARCELS });
        assert_eq!(ask(Method::PUT, &one, Some(body.clone())).await.status, 404);
        // Each project has names of its own.
        assert_eq!(ask(Method::POST, &theirs, Some(body)).await.status, 201);
        assert_eq!(ask(Method::DELETE, &one, None).await.status, 204);
        assert_eq!(world.get(&world.path("/custom_apps/parcels")).await.status, 200);
        let ours = world.path("/custom_apps/parcels");
        assert_eq!(ask(Method::GET, &ours, None).await.status, 404);
    }
}

#[tokio::test]
async fn a_definition_is_refused_with_all_of_its_problems() {
    let world = World::sqlite(&[]).await;
    let list = world.path("/custom_apps");
    let broken = PARCELS
        .replace("popularity = 100", "popularity = 101")
        .replace("\"E-commerce\"", "\"Parcels\"");
    let reply = world.post(&list, json!({ "definition": broken })).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_definition".into()));
    let problems = reply.json()["details"]["problems"].clone();
    let errors: Vec<_> =
        problems.as_array().unwrap().iter().filter(|it| it["severity"] == "error").collect();
    assert_eq!(errors.len(), 2, "{problems}");
    for it in errors {
        for part in ["place", "wrong", "fix"] {
            assert!(!it[part].as_str().unwrap().is_empty(), "{it}");
        }
    }
    let no_toml = world.post(&list, json!({ "definition": "slug = \"a\nb" })).await;
    let place = no_toml.json()["details"]["problems"][0]["place"].clone();
    assert_eq!(place, "definition:2", "{no_toml:?}");
    for (definition, code) in [
        (PARCELS.replace("slug = \"parcels\"", "slug = \"github\""), "slug_taken"),
        (format!("{PARCELS}#{}", "x".repeat(64 * 1024)), "body_too_large"),
        (PARCELS.replace("https://api.parcels", "http://api.parcels"), "invalid_definition"),
        (PARCELS.replace("https://api.parcels", "https://u:p@api.parcels"), "invalid_definition"),
        (String::new(), "invalid_definition"),
    ] {
        let reply = world.post(&list, json!({ "definition": definition })).await;
        assert_eq!(reply.code(), code, "{reply:?}");
    }
    world.custom_app(PARCELS).await;
    assert_eq!(world.post(&list, json!({ "definition": PARCELS })).await.code(), "slug_taken");
    let renamed = PARCELS.replace("slug = \"parcels\"", "slug = \"crates\"");
    let one = world.path("/custom_apps/parcels");
    let put = world.put(&one, json!({ "definition": renamed })).await;
    assert_eq!(put.code(), "invalid_definition", "a slug does not change");
}

#[tokio::test]
async fn a_project_has_a_hundred_apps_of_its_own_and_no_more() {
    let world = World::sqlite(&[]).await;
    for nth in 0..100 {
        world.custom_app(&PARCELS.replace("\"parcels\"", &format!("\"parcels_{nth}\""))).await;
    }
    let one_more = world.post(&world.path("/custom_apps"), json!({ "definition": PARCELS })).await;
    assert_eq!(one_more.code(), "too_many");
}

#[tokio::test]
async fn an_own_app_is_connected_like_any_other() {
    for world in worlds().await {
        world.custom_app(&world.sim_file("rotating", "own_chat")).await;
        let edit = grantkeep::apps::Edit {
            client_id: Some(grantkeep_simulator::client_id("rotating")),
            client_secret: Some(grantkeep_vault::Secret::new(grantkeep_simulator::client_secret(
                "rotating",
            ))),
            ..Default::default()
        };
        let project = &world.project.id;
        let client = grantkeep::apps::create_oauth_app(&world.app, project, "own_chat", edit).await;
        let client = client.unwrap();
        world.provider.add_redirect_uri("rotating", &client.redirect_uri(&world.app));
        let account = browser::connect(&world, "ada", "own_chat").await;
        let read = world.get(&world.path(&format!("/accounts/{account}"))).await.json();
        assert_eq!(read["app"]["name_slug"], "own_chat");
        world.later(crate::grants::TWO_HOURS_MS);
        let path = format!("/accounts/{account}?include_credentials=true");
        let vended = world.get(&world.path(&path)).await;
        assert_eq!(vended.status, 200, "refreshed by the project's own app: {vended:?}");
        let gone = world.delete(&world.path("/custom_apps/own_chat")).await;
        assert_eq!((gone.status.as_u16(), gone.code()), (409, "in_use".into()));
        assert_eq!(gone.json()["details"]["accounts"], 1);
    }
}

/// D-01: what was registered at one place is not carried to another unless an operator says so.
#[tokio::test]
async fn d_01_a_live_registration_moves_only_when_that_is_confirmed() {
    for world in worlds().await {
        let text = world.sim_file("rotating", "own_chat");
        world.custom_app(&text).await;
        let one = world.path("/custom_apps/own_chat");
        let moved = text.replace("/rotating/token", "/rotating/elsewhere");
        assert_ne!(moved, text);
        // Nobody has entered anything yet, so nothing can go astray.
        let free = world.put(&one, json!({ "definition": moved })).await;
        assert_eq!(free.status, 200, "{free:?}");
        world.put(&one, json!({ "definition": text })).await;
        let client = json!({ "app": "own_chat", "client_id": "c", "client_secret": "s" });
        assert_eq!(world.post(&world.path("/oauth_apps"), client).await.status, 201);
        let silent = world.put(&one, json!({ "definition": moved })).await;
        assert_eq!((silent.status.as_u16(), silent.code()), (409, "endpoints_changed".into()));
        let said = silent.json()["details"]["moved"].clone();
        assert!(
            said.as_array().unwrap().iter().any(|it| it["key"] == "oauth2.token_url"),
            "{said}"
        );
        let looks = text.replace("name = \"", "name = \"Our ");
        let harmless = world.put(&one, json!({ "definition": looks })).await;
        assert_eq!(harmless.status, 200, "nothing moves: {harmless:?}");
        let body = json!({ "definition": moved, "confirm_endpoint_change": true });
        let loud = world.put(&one, body).await;
        assert_eq!(loud.status, 200, "{loud:?}");
        let log = world.dump("audit_events").await;
        assert!(log.contains("/rotating/elsewhere"), "the addresses are in the audit log");
    }
}

#[tokio::test]
async fn an_app_of_a_later_catalogue_takes_no_own_apps_place() {
    let world = World::sqlite(&[]).await;
    world.custom_app(PARCELS).await;
    // As if this server had been started with a catalogue that has grown.
    let sql = "update custom_apps set slug = 'github'";
    let definition = PARCELS.replace("slug = \"parcels\"", "slug = \"github\"");
    grantkeep::on!(world.app.db.write(), conn =>
        sqlx::query(sql).execute(conn).await.unwrap().rows_affected());
    let sql = "update custom_apps set definition = $1, version = 2";
    grantkeep::on!(world.app.db.write(), conn =>
        sqlx::query(sql).bind(&definition).execute(conn).await.unwrap().rows_affected());
    let other = world.another_project(Settings::default()).await;
    let name = async |key: &str| {
        let path = "/v1/connect/apps/github";
        world.call(Method::GET, path, Some(key), None).await.json()["data"]["name"].clone()
    };
    assert_eq!(name(&other.key).await, "GitHub");
    assert_eq!(name(&world.project.key).await, "Parcels Direct");
    let listed = world.get("/v1/connect/apps?q=github&limit=100").await.json();
    let slugs = listed["data"].as_array().unwrap().iter();
    assert_eq!(slugs.filter(|it| it["name_slug"] == "github").count(), 1, "shown once");
}
