//! Where a token is refreshed. Nowhere else.
//!
//! A refresh token that is sent twice is taken for a stolen one by providers that rotate it (RFC
//! 9700 section 4.14.2), and one that was used and whose successor was not stored is lost. So: one
//! exchange at a time for an account, by a flight in this process and a lease in the row across
//! processes; the row says that a token leaves before it leaves; and what the provider gave is on
//! disk before it is read. What happens with the token is in `exchange.rs`, what a failure means in
//! `verdict.rs`, what is done after a crash in `recover.rs`.

use std::sync::Arc;
use std::time::Duration;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::OwnerKey;
use serde_json::json;
use tokio::time::Instant;

use super::exchange::exchange;
use super::seal::{self, Contents};
use super::store::{self, refreshing as rows};
use super::verdict::{self, Trouble};
use super::{Account, Health};
use crate::app::App;
use crate::apps::protocol::{self, ClientKeys, Values};
use crate::apps::{self, asking};
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::clock::Clock;
use crate::error::{self, Error, Kind, Result};
use crate::failpoint;

/// Another process may take over after this long, by the database's clock. Longer than
/// [`EXCHANGE`] by more than storing takes, so that two never ask at once.
const LEASE_MS: i64 = 40_000;
/// After this long the connection to the provider is given up.
pub(super) const EXCHANGE: Duration = Duration::from_secs(25);
/// The reason of an account whose grant was refused once.
pub(super) const DOUBTED: &str = "grant_doubted";
/// How long a caller waits for a refresh by another process.
const WAIT: Duration = Duration::from_secs(45);
/// First and longest wait between two looks at a row that another process refreshes; each doubles
/// it.
const LOOK: Duration = Duration::from_millis(25);
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Why an account is refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A caller needs a token that lasts longer than the one at hand.
    Needed,
    /// Its time has come.
    Ahead,
    /// Somebody asked for it, who does not want to wait until it is tried again by itself.
    Forced,
    /// The app answered 401 to the token at hand, though it should live.
    Refused,
    /// A process that began an exchange is gone.
    Recovery,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::Ahead => "ahead",
            Self::Forced => "forced",
            Self::Refused => "refused",
            Self::Recovery => "recovery",
        }
    }
}

/// Refreshes the account, unless its credentials are newer by now than those of `seen`.
///
/// Any number of callers and processes may call this at once. It goes on when the caller gives up.
///
/// # Errors
/// [`error::REAUTH_REQUIRED`] once the provider said that the grant is gone; later calls fail
/// without asking again. [`error::PROVIDER_UNAVAILABLE`], with `Retry-After`, when it may answer
/// later; [`error::PROVIDER_BAD_ANSWER`] when it answered with something else; [`error::NOT_FOUND`]
/// when the account was deleted meanwhile; [`error::STORE_UNAVAILABLE`] when what the provider gave
/// is not in the store yet (it is in the journal, and will be).
pub async fn refresh(app: &Arc<App>, seen: &Account, why: Why) -> Result<()> {
    let key = (seen.id.clone(), seen.version);
    let work = {
        let (app, seen) = (Arc::clone(app), seen.clone());
        async move { fly(&app, &seen, why).await }
    };
    let done = Box::pin(app.refreshes.join(key, work)).await;
    done.unwrap_or_else(|| Err(error::INTERNAL.logging("a refresh ended without a result")))
}

async fn fly(app: &Arc<App>, seen: &Account, why: Why) -> Result<()> {
    let deadline = Instant::now() + WAIT;
    let mut look = LOOK;
    loop {
        let account =
            store::find(&app.db, &seen.tenant, &seen.id).await?.ok_or(error::NOT_FOUND)?;
        if account.version != seen.version {
            return Ok(());
        }
        if let Health::Dead { .. } = account.health {
            return Err(reauth(&account));
        }
        let now_ms = app.clock.now_ms();
        // Who is in a hurry waits for one thing: a refused grant is asked for once more, later.
        let doubted = account.health.reason() == Some(DOUBTED);
        let waits = !account.refreshing.sent && (why != Why::Forced || doubted);
        if let Some(wait_ms) = resting_ms(&account, now_ms).filter(|_| waits) {
            return Err(later(&account, wait_ms));
        }
        match begin(app, &account, why).await? {
            Begun::Ended => return Ok(()),
            Begun::Busy => {}
        }
        if Instant::now() >= deadline {
            return Err(later(&account, 1_000));
        }
        tokio::time::sleep(look).await;
        look = (look * 2).min(LOOK_MAX);
    }
}

enum Begun {
    Ended,
    /// Another has the lease, or the row changed since it was read.
    Busy,
}

/// Asks the provider, if nobody else does.
async fn begin(app: &Arc<App>, account: &Account, why: Why) -> Result<Begun> {
    let opened = match open(app, account).await {
        Ok(opened) => opened,
        // Another process asks just now: what this one cannot read is not for it to judge, and the
        // other's lease not for it to end.
        Err(_) if account.refreshing.sent && rows::is_leased(&app.db, account).await? => {
            return Ok(Begun::Busy);
        }
        // Keys, and tokens without an end or with time left, are good as they are.
        Err(Trouble::NoRefreshToken) if why == Why::Forced && lives(account, &app.clock) => {
            return Err(error::NOTHING_TO_REFRESH.into());
        }
        // A token that does not end may well be good: what asked for another one must judge.
        Err(Trouble::NoRefreshToken) if account.expires_at_ms.is_none() => {
            return Err(reauth(account));
        }
        // Whoever asks is told. It may be his own settings that are wrong, and not the server's.
        Err(Trouble::Settings(text)) if why == Why::Forced => {
            return Err(error::PROVIDER_UNAVAILABLE.saying(text));
        }
        // Nothing speaks against the account.
        Err(Trouble::Store(error)) => return Err(error),
        Err(trouble) => {
            return verdict::fail(app, account.clone(), trouble, why).await.map(|()| Begun::Ended);
        }
    };
    if let Some(wait_ms) = app.breakers.wait_ms(&opened.host, app.clock.now_ms()) {
        rows::rest(&app.db, account, app.clock.now_ms() + wait_ms).await?;
        return Err(retry(error::PROVIDER_UNAVAILABLE, wait_ms));
    }
    // Without a place for the answer, none is asked for.
    app.journal.ready().map_err(|error| error::STORE_UNAVAILABLE.logging(error).retry_after(1))?;
    failpoint::reached("refresh.begun");
    // Before the database's clock is read: the socket is closed before the lease can end.
    let deadline = Instant::now() + EXCHANGE;
    let now_ms = app.db.now_ms().await?;
    let intent = rows::Intent {
        owner: app.journal.instance(),
        now_ms,
        until_ms: now_ms + LEASE_MS,
        app_now_ms: app.clock.now_ms(),
    };
    let Some(fence) = rows::intend(&app.db, account, intent).await? else {
        return Ok(Begun::Busy);
    };
    failpoint::reached("refresh.intended");
    let mut account = account.clone();
    account.refreshing.fence = fence;
    if std::mem::take(&mut account.refreshing.sent) {
        account.refreshing.unknown_at_ms = Some(intent.app_now_ms);
    }
    let begun = Instant::now();
    let done = exchange(app, account, opened, (deadline, why)).await;
    metrics::histogram!("grantkeep_refresh_seconds").record(begun.elapsed().as_secs_f64());
    failpoint::reached("refresh.ended");
    done.map(|()| Begun::Ended)
}

fn lives(account: &Account, clock: &Clock) -> bool {
    account.expires_at_ms.is_none_or(|end_ms| end_ms > clock.now_ms())
}

/// The answer for an account whose grant is gone.
pub(super) fn reauth(account: &Account) -> Error {
    let details = json!({ "account_id": account.id, "reason": account.health.reason() });
    Error::from(error::REAUTH_REQUIRED).with(details)
}

/// How long the account still rests after a failure.
fn resting_ms(account: &Account, now_ms: i64) -> Option<i64> {
    let until_ms = account.next_refresh_at_ms.filter(|_| account.attempts > 0)?;
    (until_ms > now_ms).then(|| until_ms - now_ms)
}

/// The answer while an account rests after a failure.
pub(super) fn later(account: &Account, wait_ms: i64) -> Error {
    let waiting = match account.health.reason() {
        Some("refused" | "bad_answer") => retry(error::PROVIDER_BAD_ANSWER, wait_ms),
        _ => retry(error::PROVIDER_UNAVAILABLE, wait_ms),
    };
    match account.health.reason() {
        Some(DOUBTED) => waiting.saying(
            "The app refused the grant. It is asked once more before the account is given up.",
        ),
        _ => waiting,
    }
}

pub(super) fn retry(kind: Kind, wait_ms: i64) -> Error {
    Error::from(kind).retry_after(u64::try_from(wait_ms.max(0)).unwrap_or(0).div_ceil(1_000).max(1))
}

/// What is needed to ask and to store.
pub(super) struct Opened {
    pub found: Arc<CatalogApp>,
    pub key: Arc<OwnerKey>,
    pub contents: Contents,
    pub client: ClientKeys,
    /// Of the token endpoint.
    pub host: String,
}

impl Opened {
    /// What the app's file may refer to in a refresh.
    pub fn values(&self) -> Values<'_> {
        let credentials = &self.contents.credentials;
        let mut values = Values::of(&self.found, &credentials.fields);
        values.access_token = credentials.access_token.as_ref();
        values.client_id = Some(&self.client.id);
        values
    }
}

pub(super) async fn open(app: &App, account: &Account) -> Result<Opened, Trouble> {
    let found = apps::find(app, &account.tenant.project, &account.app_slug)
        .await
        .map_err(|error| lost(error, "The app is not in the catalogue any more."))?;
    let key = seal::user_key(app, account).await.map_err(unread)?;
    let contents = seal::open_with(&key, account).map_err(unread)?;
    if !asking::renewable(&found, contents.credentials.refresh_token.is_some()) {
        return Err(Trouble::NoRefreshToken);
    }
    let client = client_of(app, account, (&found, &contents)).await?;
    let mut opened = Opened { found, key, contents, client, host: String::new() };
    let url = protocol::refresh_url(app, &opened.values())
        .map_err(|error| Trouble::Settings(error.to_string()))?;
    url.host_str().unwrap_or_default().clone_into(&mut opened.host);
    Ok(opened)
}

/// The client that made the grant: the project's, or the user's own.
async fn client_of(
    app: &App,
    account: &Account,
    (found, contents): (&CatalogApp, &Contents),
) -> Result<ClientKeys, Trouble> {
    let Some(id) = &account.oauth_app else {
        if found.needs_client() {
            return Err(Trouble::settings("The OAuth client that made the grant is gone."));
        }
        return Ok(ClientKeys::of_fields(&contents.credentials.fields));
    };
    match apps::oauth_app_for_user(app, &account.tenant.project, id.as_str(), &account.user).await {
        Ok(client) => ClientKeys::open(app, &client).await.map_err(unread),
        Err(error) => Err(lost(error, "The OAuth client that made the grant is gone.")),
    }
}

/// What could not be opened is damaged, or the store is away.
fn unread(error: Error) -> Trouble {
    let damaged = error.kind().code == error::DECRYPT_FAILED.code;
    if damaged { Trouble::Unreadable(error) } else { Trouble::Store(error) }
}

/// What could not be found is gone, or the store is away.
fn lost(error: Error, text: &'static str) -> Trouble {
    if error.kind().status >= 500 { Trouble::Store(error) } else { Trouble::settings(text) }
}

/// Writes down how a refresh went: for the audit log, the account's history and metrics.
pub(super) fn note(app: &App, account: &Account, outcome: &'static str, why: Why) {
    let detail = json!({
        "app": account.app_slug,
        "version": account.version,
        "why": why.as_str(),
        "next_at_ms": account.next_refresh_at_ms,
    });
    let event = Event::new("account.refresh", &Actor::System, &Origin::default())
        .tenant(&account.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id)
        .outcome(outcome)
        .detail(detail);
    app.audit.note(event);
    metrics::counter!(
        "grantkeep_refreshes_total", "app" => account.app_slug.clone(), "outcome" => outcome
    )
    .increment(1);
}
