//! What is counted, for each class on each engine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::stage::CLASSES;

/// Breaches that are kept in words; all are counted.
const BREACHES_MAX: usize = 50;

/// What happened to the accounts of one class.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Credentials asked for by our callers.
    pub asked: u64,
    /// Refreshes that the provider saw, and those it granted.
    pub refreshes: u64,
    pub granted: u64,
    /// Refreshes that met another of the same grant at the provider, or sent a token that had been
    /// exchanged already although nothing had gone wrong before.
    pub double: u64,
    /// Refused by the provider's rule because the token had been exchanged: with nothing that had
    /// gone wrong before, and while an exchange of unknown outcome was being mended.
    pub illegal: u64,
    pub illegal_in_recovery: u64,
    /// Accounts with a refresh under way when the server was killed or the provider failed.
    pub shaken: u64,
    /// Of these: the answer was in the journal, and perhaps nowhere else.
    pub in_journal: u64,
    /// Of these: the provider had done nothing; its answer was kept; the old token was sent again,
    /// within the rule; it came back by another way.
    pub untouched: u64,
    pub kept: u64,
    pub retried: u64,
    pub otherwise: u64,
    /// The answer was never on our disk, and the class forgives nothing.
    pub lost_explained: u64,
    pub lost: u64,
    /// Answers that callers should never get, and whatever else is wrong.
    pub wrong: u64,
    /// From the kill until the account gave a working token or was named dead.
    pub named_ms_max: u64,
    /// From the restart until an exchange of unknown outcome was taken up without being asked for.
    pub taken_up_ms_max: u64,
}

impl Tally {
    pub fn is_good(&self) -> bool {
        self.double == 0 && self.illegal == 0 && self.lost == 0 && self.wrong == 0
    }

    pub fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.refreshes += other.refreshes;
        self.granted += other.granted;
        self.double += other.double;
        self.illegal += other.illegal;
        self.illegal_in_recovery += other.illegal_in_recovery;
        self.shaken += other.shaken;
        self.in_journal += other.in_journal;
        self.untouched += other.untouched;
        self.kept += other.kept;
        self.retried += other.retried;
        self.otherwise += other.otherwise;
        self.lost_explained += other.lost_explained;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.named_ms_max = self.named_ms_max.max(other.named_ms_max);
        self.taken_up_ms_max = self.taken_up_ms_max.max(other.taken_up_ms_max);
    }
}

/// The tallies of one engine, what each kill met, and what is wrong in words.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Record {
    pub kills: u64,
    /// Kills by the place where the server died, or by the moment we chose.
    pub by_place: BTreeMap<String, u64>,
    /// Lives with a failpoint that was not come by.
    pub missed: BTreeMap<String, u64>,
    pub classes: BTreeMap<&'static str, Tally>,
    pub breaches: Vec<String>,
    pub breaches_total: u64,
}

impl Record {
    pub fn class(&mut self, class: usize) -> &mut Tally {
        self.classes.entry(CLASSES[class]).or_default()
    }

    pub fn killed(&mut self, place: &str) {
        self.kills += 1;
        *self.by_place.entry(place.to_owned()).or_default() += 1;
    }

    pub fn missed(&mut self, point: &str) {
        *self.missed.entry(point.to_owned()).or_default() += 1;
    }

    /// Keeps in words what is wrong; the caller counts it.
    pub fn breach(&mut self, text: String) {
        self.breaches_total += 1;
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(text);
        }
    }

    pub fn is_good(&self) -> bool {
        self.breaches_total == 0 && self.classes.values().all(Tally::is_good)
    }

    pub fn add(&mut self, other: Self) {
        self.kills += other.kills;
        for (place, count) in other.by_place {
            *self.by_place.entry(place).or_default() += count;
        }
        for (point, count) in other.missed {
            *self.missed.entry(point).or_default() += count;
        }
        for (class, tally) in &other.classes {
            self.classes.entry(class).or_default().add(tally);
        }
        self.breaches.extend(other.breaches);
        self.breaches.truncate(BREACHES_MAX);
        self.breaches_total += other.breaches_total;
    }
}

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
