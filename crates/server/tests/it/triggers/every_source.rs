//! Every shipped source, as a product deploys it: what was there before, what happens while it
//! runs, and what its endpoint gets of it.

use std::collections::BTreeMap;

use grantkeep::components::{What, index};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MINUTE_MS, posts_of};
use crate::pretend::{Pretend, credential, pretends};
use crate::receiver::Receiver;
use crate::tidy::sources::root;

/// What each must come to.
const TABLE: &str = "crates/server/tests/it/triggers/sources.json";
/// As often as shipped sources look, unless they are told otherwise.
const LOOK_MS: i64 = 15 * MINUTE_MS;

/// One source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    /// Without the account, which is added.
    props: Value,
    /// Summaries of what it finds when it is deployed, the oldest first.
    past: Vec<String>,
    /// What happens in the app then: method, address, body.
    happens: Vec<(String, String, Value)>,
    /// Summaries of what it makes of that.
    fresh: Vec<String>,
    /// What the last of these events holds, by JSON pointers.
    event: BTreeMap<String, Value>,
}

fn table() -> Vec<Row> {
    serde_json::from_slice(&std::fs::read(root().join(TABLE)).unwrap()).unwrap()
}

impl Pretend {
    /// Summaries of all events, the oldest first.
    async fn summaries(&self, id: &str) -> Vec<String> {
        let events = self.world.events(id).await.into_iter().rev();
        events.map(|it| it["sum"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn prove(&self, row: &Row) {
        let (world, key) = (&self.world, &row.key);
        let app = key.split('-').next().unwrap();
        let receiver = Receiver::start().await;
        self.provider.reset_app(app);
        let props = self.with_accounts(key, row.props.clone());
        let made = world.deploy(key, props, json!({ "webhook_url": receiver.url })).await;
        let id = made["id"].as_str().unwrap();
        assert_eq!(self.summaries(id).await, row.past, "{key}: before");
        // Nothing happened: the next look finds nothing new.
        world.fire_after(LOOK_MS).await;
        assert_eq!(self.summaries(id).await, row.past, "{key}: nothing happened");
        let calls = self.calls(app);
        assert!(calls.len() >= 2, "{key}: it looked when it was deployed, and once more");
        for (method, address, body) in &row.happens {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            self.happen(app, method, address, body).await;
        }
        world.fire_after(LOOK_MS).await;
        let all = [row.past.clone(), row.fresh.clone()].concat();
        let told = self.summaries(id).await;
        let stands = world.of_trigger(Method::GET, id, "", Value::Null).await;
        assert_eq!(told, all, "{key}: after; {stands:?}");
        let calls = [calls, self.calls(app)].concat();
        for call in &calls {
            assert_eq!(call.credential, Some(credential(app)), "{key}: {call:?}");
        }
        world.fire_after(LOOK_MS).await;
        assert_eq!(self.summaries(id).await, all, "{key}: told once");
        let emitted = world.emitted(id).await;
        for (at, wanted) in &row.event {
            let last = emitted.last().unwrap();
            assert_eq!(last.pointer(at), Some(wanted), "{key}: {last}");
        }
        world.deliver().await;
        let posts = posts_of(&receiver, id);
        let mut left = emitted;
        for post in &posts {
            let at = left.iter().position(|it| *it == post.json());
            left.remove(at.unwrap_or_else(|| panic!("{key} posted {}", post.json())));
        }
        assert!(left.is_empty(), "{key} did not post {left:?}");
        let secret = credential(app);
        for table in ["trigger_events", "webhook_deliveries"] {
            assert!(!world.dump(table).await.contains(&secret), "{key} in {table}");
        }
        let gone = world.of_trigger(Method::DELETE, id, "", Value::Null).await;
        assert_eq!(gone.status, 204, "{key}: {gone:?}");
    }
}

#[tokio::test]
async fn every_shipped_source_tells_what_is_new_once_and_to_the_products_endpoint() {
    for lab in pretends().await {
        for row in table() {
            lab.prove(&row).await;
        }
    }
}

#[test]
fn every_shipped_source_is_in_the_table() {
    let listed: Vec<String> = table().into_iter().map(|it| it.key).collect();
    let shipped = index().into_iter().filter(|it| it.component.what == What::Source);
    let shipped: Vec<String> = shipped.filter_map(|it| it.component.key).collect();
    assert_eq!(listed, shipped);
    assert!(shipped.len() >= 10, "{}", shipped.len());
}
