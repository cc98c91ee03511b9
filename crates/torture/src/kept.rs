//! What a dead server left in its journal: which answers of providers reached the disk.
//!
//! Only the outside of an entry is read: whose it is, and from when.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

/// The server's clock and the providers' may differ by so much.
const CLOCKS_MS: u64 = 3;

/// The answers on disk, by account.
#[derive(Default)]
pub struct Kept {
    /// When the newest was received.
    newest_ms: HashMap<String, u64>,
    /// Those with an answer that the server had not brought to its end.
    open: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Kept { operation: String, account: String, received_at_ms: u64 },
    Done(String),
}

impl Kept {
    /// Reads the journals in a data folder.
    pub fn read(data: &Path) -> Self {
        let mut kept = Self::default();
        for file in std::fs::read_dir(data.join("journal")).into_iter().flatten().flatten() {
            // A file may be cut off in the middle of a character.
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            kept.take_in(&String::from_utf8_lossy(&bytes));
        }
        kept
    }

    fn take_in(&mut self, text: &str) {
        let mut open = HashMap::new();
        for line in text.lines().filter_map(|it| serde_json::from_str(it).ok()) {
            match line {
                Line::Kept { operation, account, received_at_ms } => {
                    let newest_ms = self.newest_ms.entry(account.clone()).or_default();
                    *newest_ms = received_at_ms.max(*newest_ms);
                    open.insert(operation, account);
                }
                Line::Done(operation) => drop(open.remove(&operation)),
            }
        }
        self.open.extend(open.into_values());
    }

    /// Whether the answer that the account's provider gave at this time is there.
    pub fn has(&self, account: &str, granted_ms: u64) -> bool {
        self.newest_ms.get(account).is_some_and(|it| it + CLOCKS_MS >= granted_ms)
    }

    pub fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether an answer is there that only the journal may have.
    pub fn is_open(&self, account: &str) -> bool {
        self.open.contains(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_up_to_one_that_is_cut_off() {
        let mut kept = Kept::default();
        kept.take_in(
            "{\"kept\":{\"operation\":\"op_1\",\"account\":\"a\",\"received_at_ms\":50,\"x\":1}}\n\
             {\"kept\":{\"operation\":\"op_2\",\"account\":\"b\",\"received_at_ms\":60}}\n\
             {\"done\":\"op_1\"}\n{\"kept\":{\"operation\":\"op_3\",\"acc",
        );
        assert!(kept.has("a", 50) && !kept.has("a", 54) && kept.has("b", 60));
        assert!(!kept.has("c", 0));
        assert!(!kept.is_open("a") && kept.is_open("b"));
    }
}
