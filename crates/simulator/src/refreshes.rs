//! What became of each refresh: which token was sent, whether that was allowed, what it gave, and
//! whether the answer left the house.
//!
//! Every refresh with a token that was ever issued here is listed, dead or alive. Tokens are shown
//! by their SHA-256 only.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// One refresh of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshView {
    /// Which of the provider's refreshes this is, counted by arrival from 1.
    pub number: u64,
    pub arrived_ms: u64,
    pub sent_sha256: String,
    /// Another refresh of the same grant was still being served.
    pub overlaps: bool,
    pub verdict: Verdict,
    /// When the whole, right answer was handed to the connection. What became of it there is not
    /// known here.
    pub answered_ms: Option<u64>,
}

/// What the provider did with a refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing: a fault came in between, or the caller left before.
    Unseen,
    Granted {
        at_ms: u64,
        /// The token had been exchanged before: within the class's rule, but it was sent twice.
        again: bool,
        access_sha256: String,
        /// None: the one that was sent stays.
        refresh_sha256: Option<String>,
    },
    /// `illegal`: the token had been exchanged before, and the class forbids to send it again.
    Refused { illegal: bool },
}

/// Names one refresh.
#[derive(Debug, Clone)]
pub(crate) struct RefreshId {
    grant: String,
    at: usize,
}

/// The refreshes of one provider, by grant and in order of arrival.
#[derive(Default)]
pub(crate) struct Refreshes(HashMap<String, Vec<RefreshView>>);

impl Refreshes {
    pub(crate) fn arrive(&mut self, grant: &str, refresh: RefreshView) -> RefreshId {
        let list = self.0.entry(grant.to_owned()).or_default();
        list.push(refresh);
        RefreshId { grant: grant.to_owned(), at: list.len() - 1 }
    }

    pub(crate) fn judge(&mut self, id: &RefreshId, verdict: Verdict) {
        if let Some(refresh) = self.find(id) {
            refresh.verdict = verdict;
        }
    }

    pub(crate) fn answer(&mut self, id: &RefreshId, now_ms: u64) {
        if let Some(refresh) = self.find(id) {
            refresh.answered_ms = Some(now_ms);
        }
    }

    /// Those of a grant, from the `first` on (counted from 0).
    pub(crate) fn of(&self, grant: &str, first: usize) -> Vec<RefreshView> {
        self.0.get(grant).map(|it| it.iter().skip(first).cloned().collect()).unwrap_or_default()
    }

    fn find(&mut self, id: &RefreshId) -> Option<&mut RefreshView> {
        self.0.get_mut(&id.grant)?.get_mut(id.at)
    }
}
