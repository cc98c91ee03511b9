//! Every shipped action, as a product has it run: in a real worker, with placeholders, on an
//! account of a user, against the stand-in of its app.

use std::collections::{BTreeMap, BTreeSet};

use grantkeep::components::{What, index};
use grantkeep_simulator::AppCall;
use percent_encoding::percent_decode_str;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pretend::{Pretend, credential, pretends};
use crate::tidy::sources::root;
use crate::world::{Reply, read};

/// What a run must come to, by action.
const TABLE: &str = "crates/server/tests/it/components/actions.json";

/// One action. Members are named by JSON pointers, the value itself by an empty one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    /// The app that is called, where the key does not begin with it.
    at: Option<String>,
    /// Without the account, which is added.
    props: Value,
    /// A file that the run finds in its stash.
    file: Option<String>,
    /// Method, path and status of every call that the app gets.
    calls: Vec<String>,
    /// Those of them that carry no credential.
    #[serde(default)]
    bare: BTreeSet<usize>,
    /// What the last call's body holds.
    #[serde(default)]
    sent: BTreeMap<String, Value>,
    /// What is returned; null: nothing of that name.
    ret: BTreeMap<String, Value>,
    /// How the summary begins.
    summary: String,
}

fn table() -> Vec<Row> {
    serde_json::from_slice(&std::fs::read(root().join(TABLE)).unwrap()).unwrap()
}

impl Row {
    fn app(&self) -> &str {
        self.at.as_deref().unwrap_or_else(|| self.key.split('-').next().unwrap())
    }
}

impl Pretend {
    async fn run_row(&self, row: &Row) -> (Reply, Vec<AppCall>) {
        self.provider.reset_app(row.app());
        let mut props = self.with_accounts(&row.key, row.props.clone());
        let mut body = json!({ "id": row.key, "external_user_id": "ada" });
        let known = index().into_iter().find(|it| it.component.key.as_ref() == Some(&row.key));
        if known.unwrap().component.additional_props {
            body["dynamic_props_id"] = self.dynamic_props(&row.key, &props).await;
            if let Some(slug) = row.props["appSlug"].as_str() {
                props["account"] = self.account(slug);
            }
        }
        body["configured_props"] = props;
        if let Some(name) = &row.file {
            body["stash_id"] = self.stash(name).await;
        }
        self.calls(row.app());
        let reply = self.run(body).await;
        (reply, self.calls(row.app()))
    }

    async fn stash(&self, name: &str) -> Value {
        let world = &self.world;
        let path = world.path(&format!("/file_stash?external_user_id=ada&name={name}"));
        let request = world.http.post(format!("{}{path}", world.url)).body("a report");
        let request = request.bearer_auth(&world.project.key);
        let reply = read(request.header("x-pd-environment", "development")).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["stash_id"].clone()
    }
}

/// What differs from the table.
fn wrong(row: &Row, reply: &Reply, calls: &[AppCall]) -> Vec<String> {
    if reply.status != StatusCode::OK {
        return vec![format!("{}: {reply:?}", row.key)];
    }
    let said = reply.json();
    let mut all = Vec::new();
    let mut same = |what: &str, found: &Value, wanted: &Value| {
        if found != wanted {
            all.push(format!("{}: {what} is {found}, not {wanted}", row.key));
        }
    };
    same("os", &said["os"], &json!([]));
    for (at, wanted) in &row.ret {
        same(&format!("ret{at}"), said["ret"].pointer(at).unwrap_or(&Value::Null), wanted);
    }
    let summary = said["exports"]["$summary"].as_str().unwrap_or_default();
    if !summary.starts_with(&row.summary) {
        same("the summary", &json!(summary), &json!(row.summary));
    }
    let shown = |it: &AppCall| {
        let path = percent_decode_str(&it.path).decode_utf8_lossy();
        format!("{} {path} {}", it.method, it.status)
    };
    same("calls", &calls.iter().map(shown).collect(), &json!(row.calls));
    let last = calls.last().map_or(Value::Null, |it| it.body.clone());
    for (at, wanted) in &row.sent {
        same(&format!("sent{at}"), last.pointer(at).unwrap_or(&Value::Null), wanted);
    }
    for (nth, call) in calls.iter().enumerate() {
        let wanted = (!row.bare.contains(&nth)).then(|| credential(row.app()));
        same("a credential", &json!(call.credential), &json!(wanted));
    }
    all
}

#[tokio::test]
async fn every_shipped_action_does_its_work_on_a_users_account() {
    for lab in pretends().await {
        let mut all = Vec::new();
        for row in table() {
            let (reply, calls) = lab.run_row(&row).await;
            all.extend(wrong(&row, &reply, &calls));
            // What came back and what is kept holds neither the credential nor a placeholder.
            for secret in [credential(row.app()).as_str(), "gkblind_"] {
                assert!(!reply.text.contains(secret), "{}: {reply:?}", row.key);
            }
        }
        assert!(all.is_empty(), "{}", all.join("\n"));
        let sql = "select count(*) from audit_events where action = 'action.run'";
        assert_eq!(lab.world.count(sql).await, i64::try_from(table().len()).unwrap());
    }
}

#[test]
fn every_shipped_action_is_in_the_table() {
    let listed: Vec<String> = table().into_iter().map(|it| it.key).collect();
    let shipped = index().into_iter().filter(|it| it.component.what == What::Action);
    let shipped: Vec<String> = shipped.filter_map(|it| it.component.key).collect();
    assert_eq!(listed, shipped);
    assert!(shipped.len() >= 30, "{}", shipped.len());
}

/// The shipped request sends what it holds to a host that is not the app's.
#[tokio::test]
async fn j_04_a_shipped_action_holds_a_placeholder_where_the_credential_would_be() {
    for lab in pretends().await {
        let mut props = json!({ "appSlug": "github", "method": "POST",
            "url": "https://echo.example.com/take", "body": { "it": "{{oauth_access_token}}" } });
        let id = lab.dynamic_props("http-request", &props).await;
        props["account"] = lab.account("github");
        let body = json!({ "id": "http-request", "external_user_id": "ada",
            "configured_props": props, "dynamic_props_id": id });
        let reply = lab.run(body).await;
        assert_eq!(reply.json()["ret"]["status"], 200, "{reply:?}");
        let [call] = &lab.calls("http")[..] else { panic!("{reply:?}") };
        let held = call.body["it"].as_str().unwrap();
        assert!(held.starts_with("gkblind_") && held.len() == 40, "{held}");
        assert_eq!(call.credential.as_deref(), Some(held));
        assert!(!reply.text.contains(held), "and it is taken out of what is said: {reply:?}");
    }
}
