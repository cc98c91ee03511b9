//! Where a token is refreshed. Nowhere else.
//!
//! A refresh token that is sent twice is taken for a stolen one by providers that rotate it (RFC
//! 9700 section 4.14.2), and one that was used and whose successor was not stored is lost. So: one
//! refresh at a time for an account, by a flight in this process and a lease in the row across
//! processes; and what the provider gave is stored before anything else is done with it.

use std::sync::Arc;
use std::time::Duration;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_oauth::answer::{Failure, Tokens};
use grantkeep_vault::{OwnerKey, Secret, token};
use serde_json::json;
use tokio::time::Instant;

use super::seal::{self, Contents};
use super::store::{self, Lease};
use super::{Account, Health, revoke, schedule};
use crate::app::App;
use crate::apps;
use crate::apps::protocol::{self, ClientKeys, Values};
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::error::{self, Error, Kind, Result};

/// Another process may take over after this long. Longer than [`EXCHANGE`] and what storing takes.
const LEASE_MS: i64 = 60_000;
/// How long the provider may take.
const EXCHANGE: Duration = Duration::from_secs(40);
/// How long a caller waits for a refresh by another process.
const WAIT: Duration = Duration::from_secs(45);
/// First and longest wait between two looks at a row that another process refreshes; each doubles
/// it.
const LOOK: Duration = Duration::from_millis(25);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// Waits between the tries to store what the provider gave.
const STORE_WAITS_MS: [u64; 6] = [0, 50, 200, 1_000, 3_000, 6_000];
/// First and longest wait after a failure; each further failure doubles it.
const BACKOFF_MS: i64 = 5_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;
/// After a provider refused the OAuth client, its other accounts wait this long: it is the operator
/// who must act.
const CLIENT_PAUSE_MS: i64 = 600_000;

/// Refreshes the account, unless its credentials are newer by now than those of `seen`.
///
/// Any number of callers and processes may call this at once. It goes on when the caller gives up.
///
/// # Errors
/// [`error::REAUTH_REQUIRED`] once the provider said that the grant is gone; later calls fail
/// without asking again. [`error::PROVIDER_UNAVAILABLE`], with `Retry-After`, when it may answer
/// later; [`error::PROVIDER_BAD_ANSWER`] when it answered with something else; [`error::NOT_FOUND`]
/// when the account was deleted meanwhile.
pub async fn refresh(app: &Arc<App>, seen: &Account) -> Result<()> {
    let key = (seen.id.clone(), seen.version);
    let work = {
        let (app, seen) = (Arc::clone(app), seen.clone());
        async move { fly(&app, &seen).await }
    };
    let done = Box::pin(app.refreshes.join(key, work)).await;
    done.unwrap_or_else(|| Err(error::INTERNAL.logging("a refresh ended without a result")))
}

async fn fly(app: &Arc<App>, seen: &Account) -> Result<()> {
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
        if let Some(wait_ms) = resting_ms(&account, now_ms) {
            return Err(later(&account, wait_ms));
        }
        let owner = token::base62("", 22);
        let lease = Lease { owner: owner.expose(), now_ms, until_ms: now_ms + LEASE_MS };
        if store::take_lease(&app.db, &account, lease).await? {
            let done = renew(app, account.clone()).await;
            // Where the row was written, the lease is over already.
            store::drop_lease(&app.db, &account, owner.expose()).await?;
            return done;
        }
        if Instant::now() >= deadline {
            return Err(later(&account, 1_000));
        }
        tokio::time::sleep(look).await;
        look = (look * 2).min(LOOK_MAX);
    }
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
fn later(account: &Account, wait_ms: i64) -> Error {
    let kind = match account.health.reason() {
        Some("refused" | "bad_answer") => error::PROVIDER_BAD_ANSWER,
        _ => error::PROVIDER_UNAVAILABLE,
    };
    retry(kind, wait_ms)
}

fn retry(kind: Kind, wait_ms: i64) -> Error {
    Error::from(kind).retry_after(u64::try_from(wait_ms.max(0)).unwrap_or(0).div_ceil(1_000).max(1))
}

/// What is needed to ask and to store.
struct Opened<'a> {
    found: &'a CatalogApp,
    key: Arc<OwnerKey>,
    contents: Contents,
    client: ClientKeys,
}

/// Asks the provider and stores what it says. The caller has the lease.
async fn renew(app: &Arc<App>, account: Account) -> Result<()> {
    let begun = Instant::now();
    let opened = match open(app, &account).await {
        Ok(opened) => opened,
        // A token that does not end may well be good: what asked for another one must judge.
        Err(Trouble::NoRefreshToken) if account.expires_at_ms.is_none() => {
            return Err(reauth(&account));
        }
        Err(trouble) => return fail(app, account, trouble).await,
    };
    let asked = ask(app, &opened).await;
    metrics::histogram!("grantkeep_refresh_seconds").record(begun.elapsed().as_secs_f64());
    match asked {
        Ok(tokens) => keep(app, account, opened, tokens).await,
        Err(trouble) => fail(app, account, trouble).await,
    }
}

async fn open<'a>(app: &'a App, account: &Account) -> Result<Opened<'a>, Trouble> {
    let found = apps::find(app, &account.app_slug)
        .map_err(|_| Trouble::settings("The app is not in the catalogue any more."))?;
    let key = seal::user_key(app, account).await.map_err(Trouble::Unreadable)?;
    let contents = seal::open_with(&key, account).map_err(Trouble::Unreadable)?;
    if contents.credentials.refresh_token.is_none() {
        return Err(Trouble::NoRefreshToken);
    }
    let client = match &account.oauth_app {
        Some(id) => apps::find_oauth_app(app, &account.tenant.project, id.as_str()).await,
        None => Err(error::OAUTH_CLIENT_MISSING.into()),
    };
    let client = match client {
        Ok(client) => ClientKeys::open(app, &client).await.map_err(Trouble::Unreadable)?,
        Err(_) => return Err(Trouble::settings("The OAuth client that made the grant is gone.")),
    };
    Ok(Opened { found, key, contents, client })
}

async fn ask(app: &App, opened: &Opened<'_>) -> Result<Tokens, Trouble> {
    let Opened { found, contents, client, .. } = opened;
    let credentials = &contents.credentials;
    let (Some(oauth2), Some(refresh_token)) = (found.oauth2(), &credentials.refresh_token) else {
        return Err(Trouble::NoRefreshToken);
    };
    let mut values = Values::of(found, &credentials.fields);
    values.access_token = credentials.access_token.as_ref();
    values.client_id = Some(&client.id);
    let request = protocol::refresh_request(app, &values, client, refresh_token)
        .map_err(|error| Trouble::settings(&error.to_string()))?;
    let answered = protocol::send(app, request, EXCHANGE).await.map_err(|error| {
        tracing::info!(app = found.slug, detail = error.detail(), "no answer to a refresh");
        Trouble::Failure(Failure::Transient { status: 0, error: None, retry_after_s: None })
    })?;
    protocol::read_tokens(oauth2, &answered.response(), app.clock.now_ms())
        .map_err(Trouble::Failure)
}

/// Stores new tokens. Nothing that happens after the provider gave them may lose them: the old
/// refresh token is perhaps worth nothing by now.
async fn keep(app: &Arc<App>, account: Account, opened: Opened<'_>, tokens: Tokens) -> Result<()> {
    let Opened { found, key, mut contents, .. } = opened;
    let now_ms = app.clock.now_ms();
    let mut next = account;
    renewed(&mut contents, found, &tokens);
    if let Some(scopes) = tokens.scopes.filter(|it| !it.is_empty()) {
        let known = next.scopes.iter().chain(&next.missing_scopes);
        let missing = known.filter(|it| !scopes.contains(it)).cloned().collect();
        (next.scopes, next.missing_scopes) = (scopes, missing);
    }
    next.version += 1;
    next.expires_at_ms = tokens.expires_at_ms;
    next.last_refreshed_at_ms = Some(now_ms);
    next.updated_at_ms = now_ms;
    next.health = Health::Healthy;
    next.attempts = 0;
    next.next_refresh_at_ms = schedule::next_refresh(&app.config, &next, true, now_ms);
    next.sealed = seal::seal(&key, &next, &contents)?;
    let mut last = Error::from(error::STORE_UNAVAILABLE);
    for wait_ms in STORE_WAITS_MS {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        match store_once(app, &next, &contents).await {
            Ok(Stored::Kept) => {
                note(app, &next, "ok");
                return Ok(());
            }
            Ok(Stored::Superseded) => {
                note(app, &next, "superseded");
                return Ok(());
            }
            Ok(Stored::Gone) => {
                note(app, &next, "deleted");
                return Err(error::NOT_FOUND.into());
            }
            Err(error) => {
                tracing::error!(%error, account = %next.id, "refreshed tokens are not stored yet");
                last = error;
            }
        }
    }
    note(app, &next, "lost");
    Err(last)
}

/// Where new tokens went.
enum Stored {
    Kept,
    /// The account was connected anew meanwhile: that grant counts.
    Superseded,
    /// The account was deleted meanwhile. Its row does not come back; the new tokens are revoked
    /// like the old.
    Gone,
}

async fn store_once(app: &App, next: &Account, contents: &Contents) -> Result<Stored> {
    let mut tx = app.db.begin().await?;
    if store::replace(&mut tx, next).await? {
        tx.commit().await?;
        return Ok(Stored::Kept);
    }
    if store::hold(&mut tx, &next.tenant, &next.user, &next.id).await?.is_some() {
        return Ok(Stored::Superseded);
    }
    revoke::leave_newer(app, &mut tx, next, contents).await?;
    tx.commit().await?;
    Ok(Stored::Gone)
}

/// Puts the new tokens in the place of the old (RFC 6749 section 6: no new refresh token means that
/// the old one stays).
fn renewed(contents: &mut Contents, found: &CatalogApp, tokens: &Tokens) {
    let credentials = &mut contents.credentials;
    credentials.access_token = Some(Secret::new(tokens.access_token.expose()));
    if let Some(new) = &tokens.refresh_token {
        let old = credentials.refresh_token.replace(Secret::new(new.expose()));
        let rotated = old.filter(|old| !keys_equal(old.expose(), new.expose()));
        contents.former_refresh_token = rotated.or(contents.former_refresh_token.take());
    }
    credentials.fields.extend(protocol::learned_from_tokens(found, tokens));
}

fn keys_equal(one: &str, other: &str) -> bool {
    token::equal(one.as_bytes(), other.as_bytes())
}

/// Why there are no new tokens.
enum Trouble {
    Failure(Failure),
    /// Ours to mend, in the app's file or the OAuth client. The text is for people.
    Settings(String),
    Unreadable(Error),
    NoRefreshToken,
}

impl Trouble {
    fn settings(text: &str) -> Self {
        Self::Settings(text.to_owned())
    }
}

/// What follows from a failure.
struct Verdict {
    outcome: &'static str,
    health: Health,
    /// At least this long before it is tried again.
    wait_ms: i64,
    answer: Error,
}

/// Stores what the failure means, if the account still holds the credentials that failed. Nothing
/// is ever deleted.
async fn fail(app: &Arc<App>, account: Account, trouble: Trouble) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let mut next = account;
    next.attempts += 1;
    next.updated_at_ms = now_ms;
    let Verdict { outcome, health, wait_ms, answer } = judge(&next, trouble);
    let wait_ms = wait_ms.max(backoff_ms(next.attempts));
    next.next_refresh_at_ms = match health {
        Health::Dead { .. } => None,
        _ => Some(now_ms + wait_ms),
    };
    next.health = health;
    // Another may have refreshed or reconnected since: then the failure was about credentials that
    // are gone.
    if !store::set_health(&app.db, &next).await? {
        note(app, &next, "superseded");
        return match store::find(&app.db, &next.tenant, &next.id).await? {
            Some(_) => Ok(()),
            None => Err(error::NOT_FOUND.into()),
        };
    }
    note(app, &next, outcome);
    if outcome == "client_refused" {
        alert(app, &next, now_ms + CLIENT_PAUSE_MS).await?;
    }
    Err(match answer.kind().status {
        409 => reauth(&next),
        500 => answer,
        _ => retry(answer.kind(), wait_ms),
    })
}

/// The table of failures.
fn judge(account: &Account, trouble: Trouble) -> Verdict {
    let ill = |reason: &'static str, text: String, kind: Kind, wait_ms| Verdict {
        outcome: reason,
        health: Health::Error { reason: reason.to_owned(), text },
        wait_ms,
        answer: kind.into(),
    };
    let dead = |reason: &'static str, text: String| Verdict {
        outcome: reason,
        health: Health::Dead { reason: reason.to_owned(), text },
        wait_ms: 0,
        answer: error::REAUTH_REQUIRED.into(),
    };
    match trouble {
        Trouble::Failure(Failure::Grant(said)) => {
            dead("grant_gone", format!("The app no longer accepts this grant: {said}."))
        }
        Trouble::NoRefreshToken => {
            dead("no_refresh_token", "The app gave no way to renew the access token.".into())
        }
        Trouble::Failure(Failure::Client(said)) => {
            let text = format!("The app refuses the OAuth client: {said}.");
            ill("client_refused", text, error::PROVIDER_UNAVAILABLE, CLIENT_PAUSE_MS)
        }
        Trouble::Failure(Failure::Transient { retry_after_s, .. }) => {
            let asked_ms = i64::try_from(retry_after_s.unwrap_or(0)).unwrap_or(0) * 1_000;
            let text = "The app's server cannot answer now.".into();
            ill("provider_unavailable", text, error::PROVIDER_UNAVAILABLE, asked_ms)
        }
        Trouble::Failure(Failure::Refused(said)) => {
            let text = format!("The app refused to renew the access token: {said}.");
            ill("refused", text, error::PROVIDER_BAD_ANSWER, 0)
        }
        Trouble::Failure(Failure::Malformed(what)) => {
            let text = format!("The app's server gave an answer that cannot be used: {what}.");
            ill("bad_answer", text, error::PROVIDER_BAD_ANSWER, 0)
        }
        Trouble::Settings(text) => {
            tracing::error!(account = %account.id, text, "a refresh cannot be asked for");
            ill("misconfigured", text, error::PROVIDER_UNAVAILABLE, CLIENT_PAUSE_MS)
        }
        Trouble::Unreadable(answer) => Verdict {
            answer,
            ..ill("unreadable", "What is stored cannot be read.".into(), error::DECRYPT_FAILED, 0)
        },
    }
}

/// One alert for the operator; the client's other accounts wait, and none of them is given up.
async fn alert(app: &App, account: &Account, until_ms: i64) -> Result<()> {
    let Some(client) = &account.oauth_app else { return Ok(()) };
    let project = &account.tenant.project;
    let waiting = store::put_off(&app.db, project, client, until_ms).await?;
    metrics::counter!("grantkeep_oauth_client_refused_total").increment(1);
    tracing::error!(
        %client, %project, waiting, app = account.app_slug,
        "the provider refuses this OAuth client: check its id and secret"
    );
    Ok(())
}

/// The wait after so many failures in a row.
fn backoff_ms(attempts: i64) -> i64 {
    (BACKOFF_MS << (attempts.clamp(1, 16) - 1)).min(BACKOFF_MS_MAX)
}

fn note(app: &App, account: &Account, outcome: &'static str) {
    let event = Event::new("account.refresh", &Actor::System, &Origin::default())
        .tenant(&account.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id)
        .outcome(outcome)
        .detail(json!({ "app": account.app_slug, "version": account.version }));
    app.audit.note(event);
    metrics::counter!(
        "grantkeep_refreshes_total", "app" => account.app_slug.clone(), "outcome" => outcome
    )
    .increment(1);
}
