//! Publishing and finding.

use grantkeep::projects::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rows::key;
use crate::world::{Reply, World, worlds};

/// A component's text, with what differs between tests.
pub fn action(key: &str, version: &str, rest: &str) -> String {
    format!(
        "export default {{\n  key: {key:?}, name: \"Of a test\", version: {version:?},\n  \
         type: \"action\",\n  {rest}\n}};\n"
    )
}

impl World {
    pub async fn publish(&self, text: &str) -> Reply {
        self.publish_with(text, json!({})).await
    }

    pub async fn publish_with(&self, text: &str, more: Value) -> Reply {
        let mut body = json!({ "files": [{ "path": "a.mjs", "text": text }] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post(&self.path("/components"), body).await
    }

    /// Publishes, and runs for ada.
    pub async fn published(&self, text: &str) -> String {
        let reply = self.publish(text).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["data"]["key"].as_str().unwrap().to_owned()
    }

    pub async fn run_action(&self, key: &str, props: Value) -> Reply {
        let body = json!({ "id": key, "external_user_id": "ada", "configured_props": props });
        self.post(&self.path("/actions/run"), body).await
    }
}

#[tokio::test]
async fn what_was_published_is_found_by_its_key_in_its_project_alone() {
    for world in worlds().await {
        let props = "props: { text: { type: \"string\", label: \"Text\" } }, async run() {}";
        for version in ["0.0.1", "0.0.10", "0.0.9"] {
            let reply = world.publish(&action("acme/say", version, props)).await;
            assert_eq!(reply.status, 201, "{reply:?}");
            let expected = json!({ "key": "~/acme/say", "name": "Of a test", "version": version,
                "description": Value::Null, "component_type": "action", "stash": Value::Null,
                "annotations": Value::Null, "configurable_props":
                [{ "name": "text", "type": "string", "label": "Text" }] });
            assert_eq!(reply.json()["data"], expected);
        }
        // The highest is meant, whatever came last; a key may hold slashes, escaped or not.
        for path in ["/actions/~/acme/say", "/components/~%2Facme%2Fsay"] {
            let found = world.get(&world.path(path)).await.json();
            assert_eq!(found["data"]["version"], "0.0.10", "{found}");
        }
        let old = world.get(&world.path("/actions/~/acme/say?version=0.0.9")).await.json();
        assert_eq!(old["data"]["version"], "0.0.9");
        for path in ["/triggers/~/acme/say", "/actions/~/acme/say?version=9.9.9", "/actions/~/x"] {
            assert_eq!(world.get(&world.path(path)).await.status, 404, "{path}");
        }
        let other = world.another_project(Settings::default()).await;
        let path = format!("/v1/connect/{}/actions/~/acme/say", other.id);
        assert_eq!(world.call(Method::GET, &path, Some(&other.key), None).await.status, 404);
        let connect = world.connect_token("ada").await;
        let path = world.path("/actions/~/acme/say");
        assert_eq!(world.call(Method::GET, &path, Some(&connect), None).await.status, 200);
        // Browsers publish nothing and delete nothing.
        let path = world.path("/components/~/acme/say");
        let reply = world.call(Method::DELETE, &path, Some(&connect), None).await;
        assert_eq!(reply.code(), "wrong_token_type");
        assert_eq!(world.delete(&path).await.status, 204);
        assert_eq!(world.get(&path).await.status, 404);
        assert_eq!(world.delete(&path).await.status, 404);
    }
}

#[tokio::test]
async fn a_version_never_changes() {
    for world in worlds().await {
        let text = action("say", "1.0.0", "async run() { return 1; }");
        assert_eq!(world.publish(&text).await.json()["fresh"], true);
        assert_eq!(world.publish(&text).await.json()["fresh"], false);
        let other = action("say", "1.0.0", "async run() { return 2; }");
        let reply = world.publish(&other).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "version_taken".to_owned()));
        assert!(reply.text.contains("Raise `version`"), "{}", reply.text);
        // More rights are other content too.
        let reply = world.publish_with(&text, json!({ "permissions": ["raw-tokens"] })).await;
        assert_eq!(reply.code(), "version_taken");
        // Nor by a detour: what names the version finds the same under it, or nothing.
        assert_eq!(world.delete(&world.path("/components/~/say")).await.status, 204);
        assert_eq!(world.publish(&other).await.code(), "version_taken");
        assert_eq!(world.publish(&text).await.json()["fresh"], true);
    }
}

#[tokio::test]
async fn what_cannot_be_a_component_is_refused_with_its_place() {
    for world in worlds().await {
        let reply = world.publish("export default {\n  key: \"x\",\n  name: = 3,\n};\n").await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "component_broken".to_owned()));
        let details = &reply.json()["details"];
        assert_eq!(details["position"]["file"], "a.mjs", "{reply:?}");
        assert_eq!(details["position"]["line"], 3, "{reply:?}");
        assert!(reply.text.contains("a.mjs:3:"), "{reply:?}");
        let thrown = world.publish("throw new TypeError('no luck');").await;
        assert!(thrown.text.contains("TypeError: no luck"), "{thrown:?}");
        for (text, part) in [
            (action("", "1.0.0", "run() {}"), "key"),
            (action("a b", "1.0.0", "run() {}"), "key"),
            (action("a", "1.0", "run() {}"), "version"),
            (action("a", "1.0.0", "description: \"x\""), "run"),
            ("export default 3;".to_owned(), "component"),
        ] {
            let reply = world.publish(&text).await;
            assert_eq!(reply.code(), "component_broken", "{text}: {reply:?}");
            assert!(reply.text.contains(part), "{text}: {reply:?}");
        }
        for path in ["../a.mjs", "/a.mjs", "node_modules/a.mjs", "a\\b.mjs", ""] {
            let files = json!([{ "path": path, "text": "" }]);
            let reply = world.post(&world.path("/components"), json!({ "files": files })).await;
            assert_eq!(reply.code(), "invalid_field", "{path}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn lists_are_narrowed_and_walked_both_ways() {
    for world in worlds().await {
        for nth in 0..5 {
            let app = "props: { raw: { type: \"app\", app: \"sim_rotating\" } }, async run() {}";
            let rest = if nth == 3 { app } else { "async run() {}" };
            world.published(&action(&format!("say-{nth}"), "0.0.1", rest)).await;
        }
        let keys = async |query: &str| {
            let list = world.get(&world.path(&format!("/actions?{query}"))).await.json();
            let keys = list["data"].as_array().unwrap().iter().map(|it| it["key"].clone());
            (keys.collect::<Vec<_>>(), list["page_info"].clone())
        };
        let (first, info) = keys("registry=private&limit=2").await;
        assert_eq!(first, ["~/say-0", "~/say-1"]);
        assert_eq!((&info["count"], &info["total_count"]), (&json!(2), &json!(5)));
        let after = info["end_cursor"].as_str().unwrap();
        let (second, info) = keys(&format!("registry=private&limit=2&after={after}")).await;
        assert_eq!(second, ["~/say-2", "~/say-3"]);
        let before = info["start_cursor"].as_str().unwrap();
        let (back, _) = keys(&format!("registry=private&limit=2&before={before}")).await;
        assert_eq!(back, first);
        let (found, _) = keys("registry=private&app=sim_rotating").await;
        assert_eq!(found, ["~/say-3"]);
        let (found, _) = keys("registry=private&q=SAY-4").await;
        assert_eq!(found, ["~/say-4"]);
        assert_eq!(keys("registry=public&q=say-4").await.0, Vec::<Value>::new());
        let odd = world.get(&world.path("/actions?registry=everything")).await;
        assert_eq!(odd.code(), "invalid_parameter");
        let native = world.get(&world.path("/triggers?q=new-requests&registry=public")).await;
        assert_eq!(native.json()["data"][0]["key"], "http-new-requests");
        let schedule = world.get(&world.path("/triggers/schedule-custom-interval")).await.json();
        assert_eq!(schedule["data"]["configurable_props"][0]["type"], "$.interface.timer");
    }
}

#[tokio::test]
async fn only_who_may_see_credentials_lets_code_see_them() {
    for world in worlds().await {
        let blind = key(&world, "connect:*").await;
        let text = action("shows", "0.0.1", "run() {}");
        let files = json!([{ "path": "shows.mjs", "text": text }]);
        let body = json!({ "files": files, "permissions": ["raw-tokens"] });
        let path = world.path("/components");
        let reply = world.call(Method::POST, &path, Some(&blind), Some(body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (403, "scope_missing".to_owned()));
        let project = format!("/v1/connect/projects/{}", world.project.id);
        let change = Some(json!({ "blind_tokens": false }));
        let reply = world.call(Method::PATCH, &project, Some(&blind), change.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (403, "scope_missing".to_owned()));
        let seeing = key(&world, "connect:* credentials:read").await;
        let reply = world.call(Method::PATCH, &project, Some(&seeing), change).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}
