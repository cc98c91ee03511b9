//! What is promised. Below a floor the benchmark fails; a goal is only marked.

/// One promise, and what came of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Judged {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// What must be, and what should be. Larger is better unless `most`.
    pub floor: f64,
    pub goal: f64,
    pub most: bool,
}

impl Judged {
    pub fn holds(&self) -> bool {
        self.reaches(self.floor)
    }

    pub fn is_met(&self) -> bool {
        self.reaches(self.goal)
    }

    /// A value that could not be measured reaches nothing.
    fn reaches(&self, mark: f64) -> bool {
        if self.most { self.value <= mark } else { self.value >= mark }
    }
}

/// Share of a bare server's vends, in percent, at 16 connections on SQLite.
pub const VEND_PERCENT: (f64, f64) = (35.0, 50.0);
/// Of nginx, in percent, at 16 connections.
pub const PROXY_PERCENT: (f64, f64) = (35.0, 60.0);
/// Of vends at 16 connections on SQLite, in milliseconds.
pub const VEND_P99_MS: f64 = 5.0;
/// That the proxy adds to the median at one connection, in milliseconds.
pub const PROXY_ADDED_MS: f64 = 0.3;
/// How much slower the large store may be than the small one.
pub const FLATNESS: f64 = 1.3;
/// Calls of a provider for callers of one expired account at once.
pub const REFRESH_CALLS: f64 = 1.0;
/// That a run adds to the median of the same function in a resident process, in milliseconds.
pub const RUN_ADDED_MS: f64 = 5.0;
/// At 16 connections.
pub const RUNS_PER_SECOND: f64 = 300.0;
/// The first run of a user.
pub const FIRST_RUN_MS: f64 = 250.0;
/// Until the code of the last of 1,000 timers has begun that are due in the same second.
pub const TIMERS_S: f64 = 10.0;
pub const IDLE_MIB: f64 = 40.0;
pub const START_MS: f64 = 100.0;
/// Thirty times what a self-hosted broker of the same kind did on a machine of two cores, tuned:
/// 356 vends and 326 calls through its proxy per second at 16 connections.
pub const VENDS_PER_SECOND: f64 = 30.0 * 356.0;
pub const PROXIED_PER_SECOND: f64 = 30.0 * 326.0;

pub fn at_least(what: &str, value: f64, unit: &'static str, marks: (f64, f64)) -> Judged {
    Judged { what: what.to_owned(), value, unit, floor: marks.0, goal: marks.1, most: false }
}

pub fn at_most(what: &str, value: f64, unit: &'static str, mark: f64) -> Judged {
    Judged { what: what.to_owned(), value, unit, floor: mark, goal: mark, most: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_does_not_hold() {
        assert!(!at_least("a", f64::NAN, "%", (35.0, 50.0)).holds());
        assert!(!at_most("a", f64::NAN, "ms", 5.0).holds());
    }

    #[test]
    fn between_floor_and_goal_it_holds_and_is_not_met() {
        let it = at_least("a", 40.0, "%", (35.0, 50.0));
        assert!(it.holds() && !it.is_met());
        assert!(at_most("a", 5.0, "ms", 5.0).is_met());
    }
}
