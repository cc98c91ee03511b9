//! How many requests may be made in a window of time: of a project, for a user, and as customers
//! set it themselves.
//!
//! Each process counts by itself, in memory. A window is a fixed piece of time (the minute, the
//! five minutes on the clock), so at its border twice as many can come in a short time; in return
//! every answer can say exactly how many are left, and until when. Counting takes a shared lock and
//! one atomic exchange: requests of one project do not wait for each other.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use crate::config::Config;
use crate::error::{self, Error};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

const MINUTE_S: u32 = 60;
const FIVE_MINUTES_S: u32 = 300;
/// Parts into which the counters fall, so that a new one keeps few others waiting.
const SHARDS: usize = 64;
/// Counters in one part. Those whose window is over make place for others; while none is over, what
/// is new shares one counter. All together take less than 16 MiB.
const SHARD_COUNTERS_MAX: usize = 4_096;
/// The counter that it shares. Hashes are secret, so nobody meets it on purpose.
const EVERYBODY_ELSE: u64 = 0;

/// So many in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub most: u32,
    pub window_s: u32,
}

/// How far a window is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    /// When the window ends. Seconds since 1970.
    reset_s: i64,
}

/// Too many came in this window.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    standing: Standing,
    wait_s: u64,
    /// Whether this is the first one of its window: worth a line in the log.
    first: bool,
}

/// A limit that the operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Connect tokens made for one user.
    ConnectTokens,
    /// Accounts read and deleted.
    Accounts,
    /// Components, actions and triggers read.
    ComponentsGet,
    /// Actions run, triggers deployed, and their props asked for.
    ComponentsPost,
    /// Calls through the proxy.
    Proxy,
}

impl Limit {
    pub const ALL: [Self; 5] = [
        Self::ConnectTokens,
        Self::Accounts,
        Self::ComponentsGet,
        Self::ComponentsPost,
        Self::Proxy,
    ];

    /// The limit of a route, by its path in the router. Without one there is none; that of
    /// [`Limit::ConnectTokens`] is held where the user is known.
    pub fn of(method: &Method, route: &str) -> Option<Self> {
        let within = route.strip_prefix("/v1/connect/")?;
        let within = within.strip_prefix("{project}/").unwrap_or(within);
        let mut parts = within.split('/');
        let noun = parts.next()?;
        let reads = method == Method::GET || method == Method::HEAD;
        let accounts = match noun {
            "accounts" | "users" => parts.next().is_some() || noun == "accounts",
            "apps" => parts.nth(1) == Some("accounts"),
            _ => false,
        };
        match noun {
            "proxy" => Some(Self::Proxy),
            "components" | "actions" | "triggers" if reads => Some(Self::ComponentsGet),
            "components" | "actions" | "triggers" if method == Method::POST => {
                Some(Self::ComponentsPost)
            }
            _ if accounts && (reads || method == Method::DELETE) => Some(Self::Accounts),
            _ => None,
        }
    }

    /// How many the operator permits. `None`: as many as come.
    pub fn quota(self, config: &Config) -> Option<Quota> {
        let (most, window_s) = match self {
            Self::ConnectTokens => (config.connect_tokens_per_user_per_minute_max, MINUTE_S),
            Self::Accounts => (config.accounts_per_project_per_5_minutes_max, FIVE_MINUTES_S),
            Self::ComponentsGet => {
                (config.components_get_per_project_per_5_minutes_max, FIVE_MINUTES_S)
            }
            Self::ComponentsPost => {
                (config.components_post_per_project_per_5_minutes_max, FIVE_MINUTES_S)
            }
            Self::Proxy => (config.proxy_per_project_per_5_minutes_max, FIVE_MINUTES_S),
        };
        (config.rate_limits && most > 0).then_some(Quota { most, window_s })
    }

    /// The setting that moves it.
    pub fn setting(self) -> &'static str {
        match self {
            Self::ConnectTokens => "connect_tokens_per_user_per_minute_max",
            Self::Accounts => "accounts_per_project_per_5_minutes_max",
            Self::ComponentsGet => "components_get_per_project_per_5_minutes_max",
            Self::ComponentsPost => "components_post_per_project_per_5_minutes_max",
            Self::Proxy => "proxy_per_project_per_5_minutes_max",
        }
    }
}

/// The counters of this process.
pub struct Limits {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    counters: HashMap<u64, Counter>,
    /// When it was last looked for counters that are over: at most once a second.
    swept_s: i64,
}

/// The number of a window, and how many came in it, in one word: both change at once.
struct Counter {
    state: AtomicU64,
    window_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()), hasher: RandomState::new() }
    }
}

impl Limits {
    /// Counts one more of `what`.
    ///
    /// # Errors
    /// [`Refused`] once the window has as many as it takes; then nothing is counted.
    pub fn take(&self, what: impl Hash, quota: Quota, now_s: i64) -> Result<Standing, Refused> {
        let key = self.hasher.hash_one(what);
        // Below 64, so it fits.
        let shard = &self.shards[usize::try_from(key >> 58).unwrap_or_default()];
        {
            let known = shard.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(counter) = known.counters.get(&key) {
                return counter.count(quota, now_s);
            }
        }
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let key = if shard.has_room(now_s) { key } else { EVERYBODY_ELSE };
        let fresh = || Counter { state: AtomicU64::new(0), window_s: quota.window_s };
        shard.counters.entry(key).or_insert_with(fresh).count(quota, now_s)
    }
}

impl Shard {
    fn has_room(&mut self, now_s: i64) -> bool {
        if self.counters.len() >= SHARD_COUNTERS_MAX && self.swept_s != now_s {
            self.swept_s = now_s;
            self.counters.retain(|_, it| !it.is_over(now_s));
        }
        self.counters.len() < SHARD_COUNTERS_MAX
    }
}

impl Counter {
    fn count(&self, quota: Quota, now_s: i64) -> Result<Standing, Refused> {
        let window = window(now_s, quota.window_s);
        let used = |state: u64| {
            let (at, used) = halves(state);
            if at == window { used } else { 0 }
        };
        let word = |used: u32| (u64::from(window) << 32) | u64::from(used);
        // One more than there may be stands for: somebody was refused, and it was said.
        let next = |state| Some(used(state)).filter(|it| *it <= quota.most).map(|it| word(it + 1));
        let was = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let reset_s = (i64::from(window) + 1) * i64::from(quota.window_s);
        let standing = |remaining| Standing { limit: quota.most, remaining, reset_s };
        let was = used(was.unwrap_or_else(|it| it));
        if was < quota.most {
            return Ok(standing(quota.most - was - 1));
        }
        Err(Refused {
            standing: standing(0),
            wait_s: (reset_s - now_s).max(1).cast_unsigned(),
            first: was == quota.most,
        })
    }

    fn is_over(&self, now_s: i64) -> bool {
        let (at, _) = halves(self.state.load(Ordering::Relaxed));
        at != window(now_s, self.window_s)
    }
}

/// The number of a window, and how many came in it.
#[expect(clippy::cast_possible_truncation, reason = "each half is taken by itself")]
fn halves(state: u64) -> (u32, u32) {
    ((state >> 32) as u32, state as u32)
}

/// The number of a window since 1970. With windows of a second it is enough until 2106.
fn window(now_s: i64, window_s: u32) -> u32 {
    u32::try_from(now_s.max(0) / i64::from(window_s.max(1))).unwrap_or(u32::MAX)
}

impl Standing {
    /// The one of which less is left.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        if other.remaining < self.remaining { other } else { self }
    }

    /// Tells the caller, unless the answer speaks of another limit already: that of an app, whose
    /// answer passes through.
    pub fn tell(self, headers: &mut HeaderMap) {
        if [LIMIT, REMAINING, RESET].iter().any(|it| headers.contains_key(it)) {
            return;
        }
        headers.extend(self.headers());
    }

    fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        [
            (LIMIT, self.limit.into()),
            (REMAINING, self.remaining.into()),
            (RESET, self.reset_s.into()),
        ]
    }
}

impl Refused {
    /// The answer to a limit that the operator set for `whom`. The first of a window is logged: it
    /// is he who can mend it.
    pub fn by_operator(self, limit: Limit, whom: &str) -> Error {
        let setting = limit.setting();
        if self.first {
            tracing::warn!(setting, whom, limit = self.standing.limit, "a rate limit is reached");
        }
        self.error(setting)
    }

    /// The answer to a limit that a customer set.
    pub fn by_customer(self) -> Error {
        self.error("customer")
    }

    fn error(self, limit: &'static str) -> Error {
        metrics::counter!("grantkeep_throttled_total", "limit" => limit).increment(1);
        let error = Error::from(error::RATE_LIMITED).retry_after(self.wait_s);
        let told = self.standing.headers().into_iter();
        told.fold(error.with(json!({ "limit": limit })), |it, (name, value)| it.header(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { most: 3, window_s: 60 };

    fn left(limits: &Limits, what: &str, now_s: i64) -> Option<u32> {
        limits.take(what, QUOTA, now_s).ok().map(|it| it.remaining)
    }

    #[test]
    fn a_08_a_window_takes_so_many_and_the_next_as_many_again() {
        let limits = Limits::default();
        let taken: Vec<_> = (0..5).map(|_| left(&limits, "a", 125)).collect();
        assert_eq!(taken, [Some(2), Some(1), Some(0), None, None]);
        assert_eq!(left(&limits, "b", 125), Some(2), "each has its own");
        let refused = limits.take("a", QUOTA, 179).unwrap_err();
        assert_eq!((refused.standing.reset_s, refused.wait_s, refused.first), (180, 1, false));
        assert_eq!(left(&limits, "a", 180), Some(2));
        assert_eq!(
            left(&limits, "a", 179),
            Some(2),
            "a clock that is turned back locks nobody out"
        );
    }

    #[test]
    fn a_08_the_first_refusal_of_a_window_is_known() {
        let limits = Limits::default();
        for _ in 0..3 {
            limits.take("a", QUOTA, 0).unwrap();
        }
        let first: Vec<_> = (0..3).map(|_| limits.take("a", QUOTA, 0).unwrap_err().first).collect();
        assert_eq!(first, [true, false, false]);
    }

    #[test]
    fn a_08_no_request_is_counted_twice_or_missed_by_many_at_once() {
        let (limits, quota) = (Limits::default(), Quota { most: 1_000, window_s: 60 });
        let taken: usize = std::thread::scope(|scope| {
            let one = || (0..500).filter(|_| limits.take("a", quota, 0).is_ok()).count();
            let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(taken, 1_000);
    }

    #[test]
    fn a_08_counters_are_bounded_and_those_that_are_over_make_place() {
        let limits = Limits::default();
        let most = SHARDS * SHARD_COUNTERS_MAX;
        let kept = |limits: &Limits| -> usize {
            limits.shards.iter().map(|it| it.read().unwrap().counters.len()).sum()
        };
        for it in 0..most * 2 {
            let _ = limits.take(it, QUOTA, 0);
        }
        assert!(kept(&limits) <= most + SHARDS, "{}", kept(&limits));
        assert!(limits.take("late", QUOTA, 0).is_err(), "what is new shares what is used up");
        assert!(limits.take("later", QUOTA, 60).is_ok());
        for it in 0..SHARDS * 100 {
            let _ = limits.take(most * 2 + it, QUOTA, 60);
        }
        assert!(kept(&limits) < most / 2, "{}", kept(&limits));
    }

    #[test]
    fn routes_have_the_limit_that_is_published_for_them() {
        use Limit::{Accounts, ComponentsGet, ComponentsPost, Proxy};
        let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
        for (method, route, expected) in [
            (&get, "{project}/accounts", Some(Accounts)),
            (&get, "accounts/{account}", Some(Accounts)),
            (&delete, "{project}/accounts/{account}", Some(Accounts)),
            (&delete, "{project}/apps/{app}/accounts", Some(Accounts)),
            (&get, "{project}/users/{*rest}", Some(Accounts)),
            (&get, "{project}/users", None),
            (&post, "{project}/accounts", None),
            (&get, "apps", None),
            (&get, "apps/{app}", None),
            (&get, "{project}/components/{*key}", Some(ComponentsGet)),
            (&get, "{project}/triggers", Some(ComponentsGet)),
            (&get, "{project}/deployed-triggers", None),
            (&post, "{project}/actions/run", Some(ComponentsPost)),
            (&post, "{project}/tokens", None),
            (&get, "{project}/proxy", Some(Proxy)),
            (&delete, "proxy/{*target}", Some(Proxy)),
        ] {
            let route = format!("/v1/connect/{route}");
            assert_eq!(Limit::of(method, &route), expected, "{method} {route}");
        }
        assert_eq!(Limit::of(&get, "/healthz"), None);
    }
}
