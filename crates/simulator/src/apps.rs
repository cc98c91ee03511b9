//! Pretend APIs of real apps, under `/apps/<slug>`: what actions and triggers run against.
//!
//! Each keeps a little content in memory, judges the credential as the real app does, pages its
//! lists, and answers errors in the app's own words. Every call is kept, to be looked at.

mod airtable;
mod book;
mod calendar;
mod control;
mod echo;
mod github;
mod gmail;
mod google;
mod hubspot;
mod linear;
mod notion;
mod room;
mod sheets;
mod slack;
mod stripe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::clock::Clock;
use crate::exchange::{Answer, Call};
use book::Book;
use room::{Asked, Room};

pub use book::{AppCall, AppFault};
pub(crate) use control::router as control;

/// Where all of them live.
pub(crate) const ROOT: &str = "/apps";
/// A shorter credential is taken for a mistake.
const CREDENTIAL_BYTES_MIN: usize = 8;
/// How the stand-ins begin that sandboxed code holds in the place of secrets. Worthless here.
const BLIND_PREFIX: &str = "gkblind_";

/// Hosts of the real apps, and the path here that answers for each.
const ROUTES: [(&str, &str); 13] = [
    ("api.airtable.com", "/apps/airtable_oauth"),
    ("api.github.com", "/apps/github"),
    ("api.hubapi.com", "/apps/hubspot"),
    ("api.linear.app", "/apps/linear"),
    ("api.notion.com", "/apps/notion"),
    ("api.stripe.com", "/apps/stripe"),
    ("echo.example.com", "/apps/http"),
    ("files.slack.com", "/apps/slack"),
    ("gmail.googleapis.com", "/apps/googleapis"),
    ("sheets.googleapis.com", "/apps/google_sheets"),
    ("slack.com", "/apps/slack"),
    ("www.googleapis.com", "/apps/googleapis"),
    ("www.slack.com", "/apps/slack"),
];

const APPS: [App; 11] = [
    airtable::APP,
    calendar::APP,
    echo::APP,
    github::APP,
    gmail::APP,
    hubspot::APP,
    linear::APP,
    notion::APP,
    sheets::APP,
    slack::APP,
    stripe::APP,
];

/// What sets one app apart.
struct App {
    slug: &'static str,
    /// Its content at the start: an object of lists, as JSON.
    seed: &'static str,
    /// Finds the credential where this app wants it.
    credential: fn(&Call) -> Option<String>,
    /// Whether a credential looks like one of this app's.
    plausible: fn(&str) -> bool,
    /// Paths (below the app's) that need no credential.
    open: fn(&Asked) -> bool,
    answer: fn(&mut Room, &Asked) -> Answer,
    refuse: fn(Refusal) -> Answer,
}

/// Why a call is not served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NoCredential,
    BadCredential,
    Revoked,
    TooMany,
    Broken(StatusCode),
}

/// One app and what happened to it.
pub(crate) struct PretendApp {
    app: &'static App,
    clock: Arc<Clock>,
    book: Mutex<Book>,
}

impl PretendApp {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn slug(&self) -> &'static str {
        self.app.slug
    }

    pub(crate) fn calls(&self) -> Vec<AppCall> {
        self.book().calls.iter().cloned().collect()
    }

    pub(crate) fn forget_calls(&self) {
        self.book().calls.clear();
    }

    /// Ends one token or key, or (without one) all of them; `false` makes them good again.
    pub(crate) fn revoke(&self, credential: Option<&str>, revoked: bool) {
        let mut book = self.book();
        match credential {
            None => book.all_revoked = revoked,
            Some(it) if revoked => _ = book.revoked.insert(it.to_owned()),
            Some(it) => _ = book.revoked.remove(it),
        }
    }

    pub(crate) fn fault(&self, fault: AppFault) {
        self.book().faults.push(fault);
    }

    /// The most that a page of any list holds, whatever the caller asks for.
    pub(crate) fn set_page_max(&self, items: usize) {
        self.book().room.page_max = items.max(1);
    }

    pub(crate) fn reset(&self) {
        *self.book() = Book::new(self.app.seed);
    }

    fn answer(&self, call: &Call, path: &str) -> Answer {
        let asked = Asked::new(call, path);
        let now_ms = self.clock.now_ms();
        let mut book = self.book();
        book.room.now_ms = now_ms;
        let credential = (self.app.credential)(call);
        let answer = match self.refusal(&mut book, &asked, credential.as_deref()) {
            Some(answer) => answer,
            None => (self.app.answer)(&mut book.room, &asked),
        };
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        book.keep(AppCall {
            at_ms: now_ms,
            method: call.method.to_string(),
            path: path.to_owned(),
            query: call.query.clone(),
            headers: call.headers.iter().map(header).collect(),
            credential,
            body: asked.sent,
            status: answer.status.as_u16(),
        });
        answer
    }

    fn refusal(&self, book: &mut Book, asked: &Asked, sent: Option<&str>) -> Option<Answer> {
        if let Some(fault) = book.fault(&asked.raw_path) {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let why = match status {
                StatusCode::TOO_MANY_REQUESTS => Refusal::TooMany,
                StatusCode::UNAUTHORIZED => Refusal::Revoked,
                other => Refusal::Broken(other),
            };
            let answer = (self.app.refuse)(why);
            return Some(match fault.retry_after_s {
                Some(seconds) => answer.with("retry-after", &seconds.to_string()),
                None => answer,
            });
        }
        if (self.app.open)(asked) {
            return None;
        }
        let why = match sent {
            None => Refusal::NoCredential,
            Some(it) if book.all_revoked || book.revoked.contains(it) => Refusal::Revoked,
            Some(it) if it.len() < CREDENTIAL_BYTES_MIN => Refusal::BadCredential,
            Some(it) if it.contains(BLIND_PREFIX) => Refusal::BadCredential,
            Some(it) if !(self.app.plausible)(it) => Refusal::BadCredential,
            Some(_) => return None,
        };
        Some((self.app.refuse)(why))
    }
}

/// All of them.
pub(crate) struct Apps(BTreeMap<&'static str, PretendApp>);

impl Apps {
    pub(crate) fn new(clock: &Arc<Clock>) -> Self {
        let open = |app: &'static App| PretendApp {
            app,
            clock: Arc::clone(clock),
            book: Mutex::new(Book::new(app.seed)),
        };
        Self(APPS.iter().map(|app| (app.slug, open(app))).collect())
    }

    pub(crate) fn get(&self, slug: &str) -> Option<&PretendApp> {
        self.0.get(slug)
    }

    pub(crate) fn slugs(&self) -> Vec<&'static str> {
        self.0.values().map(PretendApp::slug).collect()
    }

    /// Serves a call to `/apps/<slug>/...`.
    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let below = call.path.strip_prefix(ROOT).unwrap_or("").trim_start_matches('/');
        let (slug, path) = below.split_once('/').unwrap_or((below, ""));
        let slug = if slug == "googleapis" { google_app(path) } else { slug };
        self.get(slug).map_or_else(Answer::not_found, |it| it.answer(call, &format!("/{path}")))
    }
}

/// Google serves several apps on one host.
fn google_app(path: &str) -> &'static str {
    match path.trim_start_matches("upload/").split('/').next() {
        Some("calendar") => "google_calendar",
        Some("drive") => "google_sheets",
        Some("gmail") => "gmail",
        _ => "",
    }
}

/// Pairs of a real host and the path here that answers for it.
pub fn app_routes() -> &'static [(&'static str, &'static str)] {
    &ROUTES
}

fn bearer(call: &Call) -> Option<String> {
    call.authorization("bearer").map(str::to_owned)
}

fn any_credential(_: &str) -> bool {
    true
}

fn nothing_open(_: &Asked) -> bool {
    false
}
