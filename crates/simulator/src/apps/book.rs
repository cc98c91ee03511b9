//! What happened to one app: the calls it got, the switches that were set.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::room::Room;

/// Calls kept of one app; older ones are forgotten.
const CALLS_MAX: usize = 1000;

/// A call that an app got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCall {
    pub at_ms: u64,
    pub method: String,
    /// Below the app's own path, as it was sent.
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The token or key, wherever the app takes it from. Everything here is pretend.
    pub credential: Option<String>,
    /// JSON as it is, a form as an object of texts, anything else as a text.
    pub body: Value,
    pub status: u16,
}

/// Answers that an app gives instead of serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFault {
    pub status: u16,
    #[serde(default)]
    pub retry_after_s: Option<u64>,
    /// How many calls meet it.
    pub times: u32,
    /// Only calls whose path contains this text. Empty: all.
    #[serde(default)]
    pub path: String,
}

/// The room, and the books about it.
pub(super) struct Book {
    pub room: Room,
    pub calls: VecDeque<AppCall>,
    pub revoked: BTreeSet<String>,
    pub all_revoked: bool,
    pub faults: Vec<AppFault>,
}

impl Book {
    pub(super) fn new(seed: &str) -> Self {
        Self {
            room: Room::new(seed),
            calls: VecDeque::new(),
            revoked: BTreeSet::new(),
            all_revoked: false,
            faults: Vec::new(),
        }
    }

    /// Takes the first fault that this path meets.
    pub(super) fn fault(&mut self, path: &str) -> Option<AppFault> {
        let met = self.faults.iter_mut().find(|it| it.times > 0 && path.contains(&it.path))?;
        met.times -= 1;
        let met = met.clone();
        self.faults.retain(|it| it.times > 0);
        Some(met)
    }

    pub(super) fn keep(&mut self, call: AppCall) {
        if self.calls.len() == CALLS_MAX {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }
}
