//! The components that are compiled in, and the index that describes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::described::{Described, What};
use super::{Component, Files, Place, closure, files};
use crate::ids::ComponentId;

/// Path and text of every file.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/components.rs"));
const INDEX: &str = include_str!(concat!(env!("OUT_DIR"), "/index.json"));

/// One component of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Indexed {
    /// The file that is loaded first; what it imports comes with it.
    pub entry: String,
    pub component: Described,
}

impl Eq for Indexed {}

/// All of them, in the order of their paths.
pub type Index = Vec<Indexed>;

static SHIPPED: LazyLock<Shipped> = LazyLock::new(Shipped::read);

struct Shipped {
    texts: BTreeMap<&'static str, &'static str>,
    /// By key.
    all: BTreeMap<String, Component>,
}

impl Shipped {
    fn read() -> Self {
        let texts = FILES.iter().copied().collect();
        // The index is committed, and a test reads it: an empty one would fail there.
        let index: Index = serde_json::from_str(INDEX).unwrap_or_default();
        // They live as long as the program.
        let index: &'static [Indexed] = Box::leak(index.into_boxed_slice());
        let mut all: BTreeMap<_, _> = native().map(|it| (it.key.clone(), it)).collect();
        for it in index {
            let made = component(it.entry.clone(), it.component.clone(), Place::Shipped(it));
            all.insert(made.key.clone(), made);
        }
        Self { texts, all }
    }
}

fn component(entry: String, described: Described, place: Place) -> Component {
    let key = described.key.clone().unwrap_or_default();
    Component {
        id: ComponentId::named(&files::hash(key.as_bytes())[..14]),
        version: described.version.clone().unwrap_or_else(|| "0.0.1".to_owned()),
        key,
        described: Arc::new(described),
        entry,
        permissions: Vec::new(),
        aliases: Vec::new(),
        place,
        created_at_ms: 0,
    }
}

/// Triggers without code: the server itself makes their events.
fn native() -> impl Iterator<Item = Component> {
    let source = |key: &str, name: &str, description: &str, props| {
        let described = Described {
            key: Some(key.to_owned()),
            name: Some(name.to_owned()),
            version: Some("0.0.1".to_owned()),
            description: Some(description.to_owned()),
            what: What::Source,
            annotations: None,
            dedupe: None,
            stash: None,
            sample_emit: false,
            props,
            hooks: Vec::new(),
            run: true,
            additional_props: false,
        };
        component(String::new(), described, Place::Native)
    };
    let http = json!({ "name": "httpInterface", "type": "$.interface.http",
        "customResponse": false });
    let timer = json!({ "name": "cron", "type": "$.interface.timer", "label": "Schedule",
        "description": "An interval in seconds, or a cron expression with a time zone.",
        "default": { "intervalSeconds": 900 } });
    [
        source(
            "http-new-requests",
            "New HTTP requests",
            "Gives an address, and an event for each request that is sent to it.",
            vec![http],
        ),
        source(
            "schedule-custom-interval",
            "Schedule",
            "Makes an event at an interval, or at the times of a cron expression.",
            vec![timer],
        ),
    ]
    .into_iter()
}

/// All that are shipped, by key.
pub(super) fn all() -> impl Iterator<Item = &'static Component> {
    SHIPPED.all.values()
}

/// One by its key. There is one version of each.
pub(super) fn find(key: &str, version: Option<&str>) -> Option<Component> {
    let found = SHIPPED.all.get(key)?;
    version.is_none_or(|it| it == found.version).then(|| found.clone())
}

/// The files that a shipped component consists of.
pub(super) fn files_of(entry: &str) -> Files {
    let text = |path: &str| SHIPPED.texts.get(path).copied();
    let paths: BTreeSet<String> = closure(entry, text);
    let with = |path: String| {
        let content = text(&path).map(|it| Bytes::from_static(it.as_bytes()))?;
        Some((path, content))
    };
    paths.into_iter().filter_map(with).collect()
}

/// The index as it was compiled in.
pub fn index() -> Index {
    serde_json::from_str(INDEX).unwrap_or_default()
}
