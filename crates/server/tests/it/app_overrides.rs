//! Values that an operator sets for an app, so that users are not asked for them.

use grantkeep::projects::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::connect::browser::Browser;
use crate::custom_apps::PARCELS;
use crate::world::{World, worlds};

impl World {
    async fn app_override(&self, body: Value) -> String {
        let made = self.post(&self.path("/app_overrides"), body).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().unwrap().to_owned()
    }

    async fn validated(&self, token: &str, query: &str) -> Value {
        let path = format!("/v1/connect/tokens/{token}/validate?{query}");
        self.call(Method::GET, &path, None, None).await.json()
    }
}

#[tokio::test]
async fn an_override_is_made_read_changed_and_deleted() {
    for world in worlds().await {
        world.custom_app(PARCELS).await;
        let client = world.oauth_app("tenant").await;
        let list = world.path("/app_overrides");
        let body = json!({ "app": "parcels", "name": "Europe", "cfmap": { "region": "eu" } });
        let id = world.app_override(body).await;
        assert!(id.starts_with("ao_"), "{id}");
        let one = format!("{list}/{id}");
        let read = world.get(&one).await.json();
        assert_eq!(read["app"]["name_slug"], "parcels");
        assert_eq!(read["cfmap"], json!({ "region": "eu" }));
        assert_eq!(read["owner_id"], world.project.id.as_str());
        assert_eq!(read["oauth_app_id"], Value::Null);
        let signed_in = json!({ "app": "sim_tenant", "name": "Acme's desk",
            "oauth_app_id": client.id, "cfmap": { "workspace": "acme" } });
        let desk = world.app_override(signed_in).await;
        let all = world.get(&list).await.json();
        assert_eq!(all["page_info"]["total_count"], 2);
        assert_eq!(all["data"][0]["id"], desk.as_str(), "newest first");
        let of_app = world.get(&format!("{list}?app=parcels")).await.json();
        assert_eq!(of_app["data"].as_array().unwrap().len(), 1);
        let body = json!({ "name": "Depot 1", "cfmap": { "depot": " North-1 " } });
        let put = world.put(&one, body).await.json();
        assert_eq!(put["name"], "Depot 1");
        assert_eq!(
            put["cfmap"],
            json!({ "depot": "north-1" }),
            "all values anew, as forms have them"
        );
        // While the client is named, it stays.
        let client_path = world.path(&format!("/oauth_apps/{}", client.id));
        assert_eq!(world.delete(&client_path).await.status, 400);
        let detached = world.put(&format!("{list}/{desk}"), json!({ "oauth_app_id": null })).await;
        assert_eq!(detached.json()["oauth_app_id"], Value::Null);
        assert_eq!(detached.json()["cfmap"], json!({ "workspace": "acme" }), "left as it is");
        assert_eq!(world.delete(&client_path).await.status, 204);
        assert_eq!(world.delete(&one).await.status, 204);
        assert_eq!(world.get(&one).await.status, 404);
        assert_eq!(world.delete(&one).await.status, 404);
        let log = world.dump("audit_events").await;
        for action in ["app_override.create", "app_override.update", "app_override.delete"] {
            assert!(log.contains(action), "{action}");
        }
    }
}

#[tokio::test]
async fn secrets_unknown_fields_and_bad_values_are_refused_by_name() {
    for world in worlds().await {
        world.custom_app(PARCELS).await;
        let other = world.oauth_app("rotating").await;
        let list = world.path("/app_overrides");
        let base = json!({ "app": "parcels", "name": "One" });
        for (name, value, field) in [
            ("cfmap", json!({ "api_key": "sk-canary" }), "api_key"),
            ("cfmap", json!({ "nothing": "x" }), "nothing"),
            ("cfmap", json!({ "region": "mars" }), "region"),
            ("cfmap", json!({ "region": "" }), "region"),
            ("cfmap", json!({ "region": ["eu"] }), "region"),
            ("cfmap", json!({ "depot": "evil.example/" }), "depot"),
            ("name", json!("  "), "name"),
            ("name", json!("x".repeat(121)), "name"),
            ("oauth_app_id", json!("oa_nothere"), "oauth_app_id"),
            ("oauth_app_id", json!(other.id), "oauth_app_id"),
        ] {
            let mut body = base.clone();
            body[name] = value;
            let reply = world.post(&list, body).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".into()));
            assert_eq!(reply.json()["details"]["field"], field, "{reply:?}");
            assert!(!reply.text.contains("canary"));
        }
        let id = world.app_override(base.clone()).await;
        let again = world.post(&list, base).await;
        assert_eq!(again.json()["details"]["field"], "name", "a name is taken once");
        world.app_override(json!({ "app": "parcels", "name": "Two" })).await;
        let put = world.put(&format!("{list}/{id}"), json!({ "name": "Two" })).await;
        assert_eq!(put.json()["details"]["field"], "name");
        let unknown = world.post(&list, json!({ "app": "nothing", "name": "x" })).await;
        assert_eq!(unknown.code(), "app_not_found");
    }
}

#[tokio::test]
async fn only_the_rest_is_asked_and_the_account_outlives_its_override() {
    for world in worlds().await {
        world.custom_app(PARCELS).await;
        let body = json!({ "app": "parcels", "name": "Europe", "cfmap": { "region": "eu" } });
        let id = world.app_override(body).await;
        let token = world.connect_token("ada").await;
        let said = world.validated(&token, &format!("app_override_id={id}")).await;
        assert_eq!(said["success"], true, "{said}");
        assert_eq!(said["app"]["name_slug"], "parcels", "the override names the app");
        assert_eq!(said["app_override_id"], id.as_str());
        assert_eq!(said["app_override_field_names"], json!(["region"]));
        let browser = Browser::new(&world);
        let reply = browser.frame(&token, "parcels", &format!("&appOverrideId={id}")).await;
        let page = browser.shown(reply);
        assert!(!page.reply.text.contains(r#"name="f-region""#), "{}", page.reply.text);
        assert!(page.reply.text.contains(r#"name="f-api_key""#));
        // What is set is not for the browser to say.
        let typed = json!({ "fields": { "api_key": "k", "region": "us" } });
        let made = page.call("account", typed).await;
        assert_eq!(made.status, 200, "{made:?}");
        let account = made.json()["account_id"].as_str().unwrap().to_owned();
        let path = world.path(&format!("/accounts/{account}?include_credentials=true"));
        let gone = world.delete(&world.path(&format!("/app_overrides/{id}"))).await;
        assert_eq!(gone.status, 204);
        let vended = world.get(&path).await.json();
        assert_eq!(vended["credentials"], json!({ "api_key": "k", "region": "eu" }));
        assert_eq!(vended["healthy"], true);
    }
}

#[tokio::test]
async fn an_override_fills_what_is_needed_to_sign_in_and_chooses_the_client() {
    for world in worlds().await {
        let chosen = world.oauth_app("tenant").await;
        // The newest would be taken otherwise.
        world.later(1);
        let newest = json!({ "app": "sim_tenant", "client_id": "another", "client_secret": "s" });
        assert_eq!(world.post(&world.path("/oauth_apps"), newest).await.status, 201);
        let body = json!({ "app": "sim_tenant", "name": "Acme's desk", "oauth_app_id": chosen.id,
            "cfmap": { "workspace": "acme" } });
        let id = world.app_override(body).await;
        let token = world.connect_token("ada").await;
        let said = world.validated(&token, &format!("app_override_id={id}")).await;
        assert_eq!(said["oauth_app_id"], chosen.id.as_str(), "{said}");
        let browser = Browser::new(&world);
        let reply = browser.frame(&token, "sim_tenant", &format!("&appOverrideId={id}")).await;
        let page = browser.shown(reply);
        assert!(!page.reply.text.contains(r#"name="workspace""#));
        let started = page.start().await;
        let back = browser.consent(&started).await;
        assert_eq!(browser.visit(&back).await.status, 200);
        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");
        // Without it, the workspace is asked for.
        let token = world.connect_token("grace").await;
        let page = browser.page(&token, "sim_tenant").await;
        let reply = page.call("start", json!({ "fields": {} })).await;
        assert_eq!(reply.json()["details"]["field"], "workspace");
    }
}

#[tokio::test]
async fn a_deleted_override_ends_the_pages_that_were_opened_with_it() {
    let world = World::sqlite(&[]).await;
    world.custom_app(PARCELS).await;
    let body = json!({ "app": "parcels", "name": "Europe", "cfmap": { "region": "eu" } });
    let id = world.app_override(body).await;
    let token = world.connect_token("ada").await;
    let browser = Browser::new(&world);
    let reply = browser.frame(&token, "parcels", &format!("&appOverrideId={id}")).await;
    let page = browser.shown(reply);
    world.delete(&world.path(&format!("/app_overrides/{id}"))).await;
    let made = page.call("account", json!({ "fields": { "api_key": "k" } })).await;
    assert_eq!(made.status, 404, "{made:?}");
    let again = browser.frame(&token, "parcels", &format!("&appOverrideId={id}")).await;
    assert_eq!(again.status, 404);
    // Not used up: the page without it works.
    let page = browser.page(&token, "parcels").await;
    let typed = json!({ "fields": { "api_key": "k", "region": "us" } });
    assert_eq!(page.call("account", typed).await.status, 200);
}

#[tokio::test]
async fn a_form_by_the_api_is_filled_by_an_override_without_a_client() {
    for world in worlds().await {
        world.custom_app(PARCELS).await;
        let client = world.oauth_app("tenant").await;
        let body = json!({ "app": "parcels", "name": "Europe", "cfmap": { "region": "eu" } });
        let id = world.app_override(body).await;
        let body = json!({ "app": "sim_tenant", "name": "Desk", "oauth_app_id": client.id });
        let signed_in = world.app_override(body).await;
        let token = world.connect_token("ada").await;
        let send = async |app: &str, id: &str| {
            let body = json!({ "app_slug": app, "cfmap_json": "{\"api_key\":\"k\"}",
                "connect_token": token, "app_override_id": id });
            world.call(Method::POST, "/v1/connect/accounts", Some(&token), Some(body)).await
        };
        for (app, id, status) in [
            ("sim_keys", id.as_str(), 400),
            ("sim_tenant", &signed_in, 400),
            ("parcels", "ao_nothere", 404),
            ("parcels", "x", 404),
        ] {
            assert_eq!(send(app, id).await.status, status, "{app} {id}");
        }
        let made = send("parcels", &id).await;
        assert_eq!(made.status, 200, "{made:?}");
        let account = made.json()["id"].as_str().unwrap().to_owned();
        let path = world.path(&format!("/accounts/{account}?include_credentials=true"));
        let read = world.get(&path).await.json();
        assert_eq!(read["credentials"], json!({ "api_key": "k", "region": "eu" }));
    }
}

#[tokio::test]
async fn another_projects_override_is_not_there() {
    for world in worlds().await {
        world.custom_app(PARCELS).await;
        let other = world.another_project(Settings::default()).await;
        let definition = json!({ "definition": PARCELS });
        let apps = format!("/v1/connect/{}/custom_apps", other.id);
        world.call(Method::POST, &apps, Some(&other.key), Some(definition)).await;
        let theirs = format!("/v1/connect/{}/app_overrides", other.id);
        let body = json!({ "app": "parcels", "name": "Theirs", "cfmap": { "region": "us" } });
        let made = world.call(Method::POST, &theirs, Some(&other.key), Some(body)).await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let ours = world.path(&format!("/app_overrides/{id}"));
        assert_eq!(world.get(&ours).await.status, 404);
        assert_eq!(world.put(&ours, json!({ "name": "Ours" })).await.status, 404);
        assert_eq!(world.delete(&ours).await.status, 404);
        let token = world.connect_token("ada").await;
        let said = world.validated(&token, &format!("app_override_id={id}")).await;
        assert_eq!(said["success"], false, "{said}");
        let page = Browser::new(&world);
        let reply = page.frame(&token, "parcels", &format!("&appOverrideId={id}")).await;
        assert_eq!(reply.status, 404);
        let body = json!({ "app_slug": "parcels", "cfmap_json": "{\"api_key\":\"k\"}",
            "app_override_id": id });
        let path = "/v1/connect/accounts";
        assert_eq!(world.call(Method::POST, path, Some(&token), Some(body)).await.status, 404);
        // The name is free in every project.
        world.app_override(json!({ "app": "parcels", "name": "Theirs" })).await;
    }
}

/// By the command line, on a store of its own.
#[test]
fn an_operator_sets_values_by_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        command.args(arguments).arg("--json").current_dir(folder.path()).env_clear();
        command.env("GRANTKEEP_ROOT_KEY", crate::world::ROOT_KEY).output().unwrap()
    };
    let told = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    told(&["migrate"]);
    let project = told(&["project", "create", "Acme"])["id"].as_str().unwrap().to_owned();
    let of = ["--project", project.as_str()];
    let create = ["project", "override", "create", "Our Zendesk", "--app", "zendesk"];
    let made = told(&[&create[..], &of, &["--field", "subdomain=acme"]].concat());
    assert_eq!(made["fields"], json!({ "subdomain": "acme" }));
    let id = made["id"].as_str().unwrap();
    let update = ["project", "override", "update", id, "--field", "subdomain=globex"];
    assert_eq!(told(&[&update[..], &of].concat())["fields"]["subdomain"], "globex");
    let list = [&["project", "override", "list"][..], &of].concat();
    assert_eq!(told(&list)[0]["name"], "Our Zendesk");
    let again = run(&[&create[..], &of, &["--field", "nothing=1"]].concat());
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stderr));
    told(&[&["project", "override", "delete", id][..], &of].concat());
    assert_eq!(told(&list), json!([]));
}
