//! What follows from a refresh that failed. One table; nothing is ever deleted.

use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, RotationClass};
use grantkeep_oauth::answer::Failure;
use serde_json::json;

use super::exchange::Failed;
use super::refresh::{DOUBTED, Why, later, note, reauth};
use super::store::{self, refreshing as rows};
use super::{Account, Health, forecast, news};
use crate::app::App;
use crate::apps::{self, asking};
use crate::db::Tx;
use crate::error::{self, Error, Kind, Result};
use crate::failpoint;
use crate::webhooks::{self, News, Topic};

/// First and longest wait after a failure; each further failure doubles it.
const BACKOFF_MS: i64 = 5_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;
/// After an answer that was lost, the next try comes at once, spread over this: where the old
/// refresh token is honoured for a while, that while is running.
const AFTER_LOSS_MS: i64 = 1_000;
/// After a provider refused the OAuth client, its other accounts wait this long: it is the operator
/// who must act.
const CLIENT_PAUSE_MS: i64 = 600_000;
/// A grant whose access token lives is not given up at the first refusal; it is asked for once more
/// after this long.
const DOUBT_MS: i64 = 20_000;
/// A refusal within this time after an exchange with an unknown end is put down to that.
const LOSS_MS: i64 = 24 * 3_600_000;

/// Why there are no new tokens.
pub(super) enum Trouble {
    Failure(Failure),
    /// Nothing came back. `sent`: the provider may have acted all the same.
    NoAnswer {
        sent: bool,
    },
    /// Ours to mend, in the app's file or the OAuth client. The text is for people.
    Settings(String),
    Unreadable(Error),
    NoRefreshToken,
    /// The store is away: it says nothing of the account.
    Store(Error),
}

impl Trouble {
    pub fn settings(text: &str) -> Self {
        Self::Settings(text.to_owned())
    }

    /// Whether the provider may have used the refresh token up, and given another one that nobody
    /// has.
    fn leaves_unknown(&self) -> bool {
        match self {
            Self::NoAnswer { sent } => *sent,
            Self::Failure(Failure::Transient { status, .. }) => {
                matches!(status, 0..400 | 408 | 500..)
            }
            Self::Failure(Failure::Malformed(_)) => true,
            _ => false,
        }
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

/// Stores what a failure before the exchange means.
pub(super) async fn fail(
    app: &Arc<App>,
    account: Account,
    trouble: Trouble,
    why: Why,
) -> Result<()> {
    fail_keeping(app, account, trouble.into(), why).await
}

/// Stores what the failure means, and an answer that could not be read, if the account still is as
/// it was when the exchange began.
pub(super) async fn fail_keeping(
    app: &Arc<App>,
    account: Account,
    Failed { trouble, kept }: Failed,
    why: Why,
) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let mut next = account;
    next.attempts += 1;
    next.updated_at_ms = now_ms;
    let lost = matches!(trouble, Trouble::NoAnswer { sent: true }) && next.attempts == 1;
    if trouble.leaves_unknown() {
        next.refreshing.unknown_at_ms = Some(now_ms);
    }
    let found = apps::find(app, &next.tenant.project, &next.app_slug).await.ok();
    let Verdict { outcome, health, wait_ms, answer } =
        judge(&next, found.as_deref(), trouble, now_ms);
    let wait_ms = if lost {
        1 + super::schedule::place(&next) % AFTER_LOSS_MS
    } else {
        wait_ms.max(backoff_ms(next.attempts))
    };
    next.next_refresh_at_ms = match health {
        Health::Dead { .. } => None,
        _ => Some(now_ms + wait_ms),
    };
    next.health = health;
    failpoint::reached("refresh.judged");
    if !store_failure(app, &mut next, outcome, kept.as_ref()).await? {
        note(app, &next, "superseded", why);
        return match store::find(&app.db, &next.tenant, &next.id).await? {
            Some(_) => Ok(()),
            None => Err(error::NOT_FOUND.into()),
        };
    }
    failpoint::reached("refresh.failed");
    if let Some(kept) = &kept {
        app.journal.done(&kept.operation);
    }
    note(app, &next, outcome, why);
    Err(match answer.kind().status {
        409 => reauth(&next),
        500 => answer,
        _ => later(&next, wait_ms),
    })
}

/// Writes it, with the news of it. `false`: another has refreshed or reconnected since, so the
/// failure was about credentials that are gone.
async fn store_failure(
    app: &App,
    next: &mut Account,
    outcome: &'static str,
    kept: Option<&rows::Candidate>,
) -> Result<bool> {
    let topic = topic(next, app.clock.now_ms());
    let project = &next.tenant.project;
    let operators = match &next.oauth_app {
        Some(id) if outcome == "client_broken" => !apps::is_own(app, project, id).await?,
        _ => false,
    };
    next.refreshing.told |= topic.is_some();
    let mut tx = app.db.begin().await?;
    if !rows::set_health(&mut tx, next).await? {
        return Ok(false);
    }
    if let Some(kept) = kept {
        rows::keep_candidate(&mut tx, next, kept).await?;
    }
    if let Some(topic) = topic {
        tell(app, &mut tx, next, topic).await?;
    }
    // A user's own client is of one account, and his to mend.
    if operators {
        alert(app, &mut tx, next).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Which news a failure is. A provider that is away for a moment is none, as long as the token at
/// hand can be used.
fn topic(account: &Account, now_ms: i64) -> Option<Topic> {
    let passing = ["provider_unavailable", DOUBTED, "recovering"];
    let usable = account.expires_at_ms.is_some_and(|end_ms| end_ms > now_ms);
    match &account.health {
        Health::Dead { .. } => Some(Topic::AccountDead),
        _ if account.refreshing.told => None,
        Health::Error { reason, .. } if passing.contains(&reason.as_str()) && usable => None,
        Health::Error { .. } => Some(Topic::AccountRefreshFailed),
        Health::Healthy => None,
    }
}

/// Tells the product, if `tx` commits.
pub(super) async fn tell(app: &App, tx: &mut Tx, account: &Account, topic: Topic) -> Result<()> {
    let found = apps::known(app, &account.tenant.project, &account.app_slug).await;
    let body = json!({
        "account": news::view(app, account).await?,
        "forecast": found.and_then(|it| forecast::of(&it, account)),
    });
    let news = News {
        tenant: &account.tenant,
        topic,
        account: Some(&account.id),
        body,
        webhook_uri: None,
    };
    webhooks::announce(app, tx, news).await
}

/// The table of failures.
fn judge(account: &Account, found: Option<&CatalogApp>, trouble: Trouble, now_ms: i64) -> Verdict {
    let ill = |reason: &'static str, text: String, kind: Kind, wait_ms| Verdict {
        outcome: reason,
        health: Health::Error { reason: reason.to_owned(), text },
        wait_ms,
        answer: kind.into(),
    };
    let away = |wait_ms| {
        let text = "The app's server cannot answer now.".into();
        ill("provider_unavailable", text, error::PROVIDER_UNAVAILABLE, wait_ms)
    };
    match trouble {
        Trouble::Failure(Failure::Grant(said)) => {
            gone(account, found, said.to_string().trim_end_matches('.'), now_ms)
        }
        Trouble::NoRefreshToken => {
            dead("no_refresh_token", "The app gave no way to renew the access token.".into())
        }
        Trouble::Failure(Failure::Client(said)) => {
            let text = format!("The app refuses the OAuth client: {said}.");
            ill("client_broken", text, error::PROVIDER_UNAVAILABLE, CLIENT_PAUSE_MS)
        }
        Trouble::Failure(Failure::Transient { retry_after_s, .. }) => {
            away(i64::try_from(retry_after_s.unwrap_or(0)).unwrap_or(0) * 1_000)
        }
        Trouble::NoAnswer { .. } => away(0),
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
        // The store's failures are told to whoever asks, and come no further.
        Trouble::Unreadable(answer) | Trouble::Store(answer) => Verdict {
            answer,
            ..ill("unreadable", "What is stored cannot be read.".into(), error::DECRYPT_FAILED, 0)
        },
    }
}

fn dead(reason: &'static str, text: String) -> Verdict {
    Verdict {
        outcome: reason,
        health: Health::Dead { reason: reason.to_owned(), text },
        wait_ms: 0,
        answer: error::REAUTH_REQUIRED.into(),
    }
}

/// The provider says that the grant is gone. It was asked with everything that we have.
fn gone(account: &Account, found: Option<&CatalogApp>, said: &str, now_ms: i64) -> Verdict {
    let lives = account.expires_at_ms.is_some_and(|end_ms| end_ms > now_ms + 2 * DOUBT_MS);
    if lives && account.attempts == 1 {
        let text = format!("The app refused the grant ({said}); it is asked once more.");
        let health = Health::Error { reason: DOUBTED.to_owned(), text };
        let answer = error::PROVIDER_UNAVAILABLE.into();
        return Verdict { outcome: DOUBTED, health, wait_ms: DOUBT_MS, answer };
    }
    let class = found.and_then(CatalogApp::oauth2).map(|it| it.rotation.class);
    let rotates =
        class.is_none_or(|it| it > RotationClass::P1) && !found.is_some_and(asking::asks_again);
    let lost = account.refreshing.unknown_at_ms.is_some_and(|at_ms| now_ms - at_ms < LOSS_MS);
    if lost && rotates {
        return dead(
            "rotation_lost",
            format!(
                "The app gave a new refresh token in an answer that never reached the store, and \
                 does not accept the old one: {said}."
            ),
        );
    }
    match found.and_then(|it| forecast::ended(it, account, now_ms)) {
        Some(reason) => dead(reason, format!("{}: {said}.", forecast::text(reason))),
        None => dead(
            "revoked_by_user",
            format!(
                "The app no longer accepts this grant; most likely its user took the access back: \
                 {said}."
            ),
        ),
    }
}

/// One alert for the operator; the client's other accounts wait, and none of them is given up.
async fn alert(app: &App, tx: &mut Tx, account: &Account) -> Result<()> {
    let Some(client) = &account.oauth_app else { return Ok(()) };
    let project = &account.tenant.project;
    let until_ms = app.clock.now_ms() + CLIENT_PAUSE_MS;
    let waiting = rows::put_off(tx, project, client, until_ms).await?;
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
