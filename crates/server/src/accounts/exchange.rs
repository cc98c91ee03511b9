//! One exchange: a refresh token leaves, and what comes back is kept, whatever happens meanwhile.

use std::sync::Arc;
use std::time::Duration;

use grantkeep_catalog::{App as CatalogApp, Reuse};
use grantkeep_oauth::answer::{Failure, Response, Tokens};
use grantkeep_vault::{OwnerKey, Place, Secret, token};
use tokio::time::Instant;

use super::refresh::{self, Opened, Why};
use super::seal::{self, Contents};
use super::store::{self, refreshing as rows, refreshing::Candidate};
use super::verdict::{self, Trouble};
use super::{Account, Health, forecast, revoke, schedule};
use crate::app::App;
use crate::apps::bound::{self, NotAsked};
use crate::apps::{self, asking, protocol};
use crate::db::Tx;
use crate::error::{self, Result};
use crate::failpoint;
use crate::ids::{AccountId, OperationId};
use crate::journal::Entry;
use crate::keys::unreadable;
use crate::meters::Meter;
use crate::tenant::Tenant;
use crate::webhooks::Topic;

/// First and longest wait between the tries to store what the provider gave; each doubles it.
const STORE_WAIT: Duration = Duration::from_millis(50);
const STORE_WAIT_MAX: Duration = Duration::from_secs(10);
/// A caller is told after this long that storing takes longer. The lease lasts beyond it.
const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// From this status on an answer holds no tokens, and is not worth the disk's time.
const STATUS_WITHOUT_TOKENS: u16 = 400;

/// An answer of the provider, and the form of it that is kept.
pub(super) struct Answer {
    pub operation: OperationId,
    pub received_at_ms: i64,
    pub sealed: Vec<u8>,
    pub tokens: Tokens,
}

impl Answer {
    /// Reads what was kept of an answer.
    pub fn of(
        opened: (&OwnerKey, &CatalogApp),
        account: &Account,
        kept: Candidate,
    ) -> Result<Self, Trouble> {
        Self::read(opened, (&account.tenant, &account.id), kept)
    }

    /// The same where there is no row any more.
    pub fn read(
        (key, found): (&OwnerKey, &CatalogApp),
        of: (&Tenant, &AccountId),
        kept: Candidate,
    ) -> Result<Self, Trouble> {
        let Candidate { operation, version, received_at_ms, sealed } = kept;
        let raw = key
            .open(&place(of, version, &operation), &sealed)
            .map_err(|error| Trouble::Unreadable(unreadable(error)))?;
        let (status, body) = raw.expose().split_at_checked(2).unwrap_or_default();
        let status = status.try_into().map_or(0, u16::from_be_bytes);
        let response = Response { status, retry_after: None, body };
        let tokens = asking::read(found, &response, received_at_ms).map_err(Trouble::Failure)?;
        Ok(Self { operation, received_at_ms, sealed, tokens })
    }

    fn candidate(&self, version: i64) -> Candidate {
        Candidate {
            operation: self.operation.clone(),
            version,
            received_at_ms: self.received_at_ms,
            sealed: self.sealed.clone(),
        }
    }
}

fn place<'a>(
    (tenant, id): (&'a Tenant, &'a AccountId),
    version: i64,
    operation: &'a OperationId,
) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "exchanges",
        record: id.as_str(),
        column: operation.as_str(),
        version,
    }
}

/// Asks the provider and stores what it says. The caller has the lease, until after the deadline.
pub(super) async fn exchange(
    app: &Arc<App>,
    account: Account,
    opened: Opened,
    (deadline, why): (Instant, Why),
) -> Result<()> {
    let mut others = None;
    // After an exchange that ended nobody knows how, its answer may be here.
    if account.refreshing.unknown_at_ms.is_some() {
        let mut kept = candidates(app, &account, &opened).await?;
        if let Some(at) = kept.iter().position(|(version, _)| *version == account.version) {
            let (_, answer) = kept.swap_remove(at);
            return keep(app, account, opened, (answer, why)).await;
        }
        others = Some(kept);
    }
    let current = opened.contents.credentials.refresh_token.as_ref();
    let again = asking::asks_again(&opened.found);
    // What to ask with, one after the other; `None` is what the user entered.
    let mut tokens: Vec<Option<Secret>> =
        current.map(|it| Some(Secret::new(it.expose()))).into_iter().collect();
    if again {
        tokens.push(None);
    }
    let mut tried = 0;
    loop {
        let asked = ask(app, &account, &opened, (tokens[tried].as_ref(), deadline)).await;
        let trouble = match asked {
            Ok(answer) => return keep(app, account, opened, (answer, why)).await,
            Err(trouble) => trouble,
        };
        tried += 1;
        if !matches!(trouble.trouble, Trouble::Failure(Failure::Grant(_))) {
            return verdict::fail_keeping(app, account, trouble, why).await;
        }
        if tried == 1 {
            let kept = match others.take() {
                Some(kept) => kept,
                None => candidates(app, &account, &opened).await?,
            };
            tokens.extend(more_tokens(&opened, kept).into_iter().map(Some));
        }
        if tried == tokens.len() || Instant::now() >= deadline {
            return verdict::fail_keeping(app, account, trouble, why).await;
        }
    }
}

/// What else may still be good once the provider refused the token at hand: those that came beside
/// the row, the newest first; and the one before, where the provider minds nothing.
fn more_tokens(opened: &Opened, kept: Vec<(i64, Answer)>) -> Vec<Secret> {
    let mut tokens: Vec<Secret> = kept
        .into_iter()
        .filter_map(|(_, it)| it.tokens.refresh_token.map(|it| Secret::new(it.expose())))
        .collect();
    let harmless = opened.found.oauth2().is_some_and(|it| it.rotation.reuse == Reuse::Ok);
    if let Some(former) = opened.contents.former_refresh_token.as_ref().filter(|_| harmless) {
        tokens.push(Secret::new(former.expose()));
    }
    tokens
}

/// What was kept beside the row and can be read, with the version that it was asked for.
async fn candidates(app: &App, account: &Account, opened: &Opened) -> Result<Vec<(i64, Answer)>> {
    let kept = rows::candidates(&app.db, account).await?;
    let read = kept.into_iter().filter_map(|it| {
        let version = it.version;
        let answer = Answer::of((&opened.key, &opened.found), account, it);
        answer.ok().map(|answer| (version, answer))
    });
    Ok(read.collect())
}

/// A failed exchange, and an answer that may hold tokens all the same.
pub(super) struct Failed {
    pub trouble: Trouble,
    pub kept: Option<Candidate>,
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, kept: None }
    }
}

async fn ask(
    app: &App,
    account: &Account,
    opened: &Opened,
    (refresh_token, deadline): (Option<&Secret>, Instant),
) -> Result<Answer, Failed> {
    let values = opened.values();
    let build = || match refresh_token {
        Some(token) => protocol::refresh_request(app, &values, &opened.client, token),
        None => asking::request(app, &values, &opened.client),
    };
    let proof_key = opened.contents.credentials.dpop_key.as_ref();
    let most = deadline.saturating_duration_since(Instant::now());
    let answered = bound::send((app, &opened.client), &build, proof_key, most).await;
    let answered = answered.map_err(|error| unanswered(app, account, opened, error))?;
    failpoint::reached("refresh.answered");
    let kept = Candidate {
        operation: OperationId::mint(),
        version: account.version,
        received_at_ms: app.clock.now_ms(),
        sealed: Vec::new(),
    };
    if answered.status >= STATUS_WITHOUT_TOKENS {
        return Err(refused(app, opened, &answered.response(), kept.received_at_ms).into());
    }
    let material = asking::material(&opened.found, &answered);
    let raw = [&answered.status.to_be_bytes(), &*material].concat();
    let of = (&account.tenant, &account.id);
    let sealed = opened.key.seal(&place(of, account.version, &kept.operation), &raw);
    let kept = Candidate { sealed, ..kept };
    write_down(app, account, &kept).await;
    failpoint::reached("refresh.journaled");
    app.breakers.answered(&opened.host);
    let sealed =
        Candidate { sealed: kept.sealed.clone(), operation: kept.operation.clone(), ..kept };
    let answer = Answer::of((&opened.key, &opened.found), account, kept);
    failpoint::reached("refresh.read");
    answer.map_err(|trouble| {
        // What cannot be read today may be once the app's file is mended.
        let unreadable =
            matches!(trouble, Trouble::Failure(Failure::Malformed(_) | Failure::Transient { .. }));
        if !unreadable {
            app.journal.done(&sealed.operation);
        }
        Failed { trouble, kept: unreadable.then_some(sealed) }
    })
}

fn unanswered(app: &App, account: &Account, opened: &Opened, error: NotAsked) -> Trouble {
    let error = match error {
        NotAsked::Unaskable(why) => return Trouble::settings(&why.to_string()),
        NotAsked::NoAnswer(error) => error,
    };
    tracing::info!(app = account.app_slug, detail = error.detail(), "no answer to a refresh");
    app.breakers.failed(&opened.host, app.clock.now_ms());
    Trouble::NoAnswer { sent: error.maybe_sent() }
}

/// Judges an answer that says no by its status.
fn refused(app: &App, opened: &Opened, response: &Response<'_>, now_ms: i64) -> Trouble {
    let failure = match asking::read(&opened.found, response, now_ms) {
        Err(failure) => failure,
        Ok(_) => Failure::Transient { status: response.status, error: None, retry_after_s: None },
    };
    match &failure {
        Failure::Transient { .. } => app.breakers.failed(&opened.host, now_ms),
        _ => app.breakers.answered(&opened.host),
    }
    Trouble::Failure(failure)
}

/// Puts the answer on disk before anybody reads it. If the disk does not take it, storing it at
/// once is all that is left.
async fn write_down(app: &App, account: &Account, kept: &Candidate) {
    let entry = Entry {
        operation: kept.operation.clone(),
        project: account.tenant.project.clone(),
        environment: account.tenant.environment,
        user: account.user.clone(),
        account: account.id.clone(),
        app_slug: account.app_slug.clone(),
        version: account.version,
        fence: account.refreshing.fence,
        received_at_ms: kept.received_at_ms,
        sealed: kept.sealed.clone(),
    };
    if let Err(error) = app.journal.keep(entry).await {
        metrics::counter!("grantkeep_journal_failed_total").increment(1);
        tracing::error!(%error, account = %account.id, "the journal cannot be written");
    }
}

/// Stores new tokens. Nothing that happens after the provider gave them may lose them: the old
/// refresh token is perhaps worth nothing by now.
async fn keep(
    app: &Arc<App>,
    account: Account,
    opened: Opened,
    (answer, why): (Answer, Why),
) -> Result<()> {
    let brought = Brought::of(app, account, opened, (answer, why))?;
    let task = app.exchanges.spawn({
        let app = Arc::clone(app);
        async move { store_at_last(&app, brought).await }
    });
    match tokio::time::timeout(STORE_PATIENCE, task).await {
        Ok(Ok(Stored::Gone)) => Err(error::NOT_FOUND.into()),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(panic)) => Err(error::INTERNAL.logging(panic)),
        Err(_) => Err(refresh::retry(error::STORE_UNAVAILABLE, 5_000)),
    }
}

/// What an exchange brought, ready to be stored.
pub(super) struct Brought {
    /// The row as it will be.
    next: Account,
    contents: Contents,
    candidate: Candidate,
    was_told: bool,
    why: Why,
}

impl Brought {
    pub fn of(
        app: &App,
        account: Account,
        opened: Opened,
        (answer, why): (Answer, Why),
    ) -> Result<Self> {
        let Opened { found, key, mut contents, .. } = opened;
        let now_ms = app.clock.now_ms();
        let candidate = answer.candidate(account.version);
        let Answer { operation, tokens, .. } = answer;
        let was_told = account.refreshing.told;
        let mut next = account;
        renewed(&mut contents, &found, &tokens);
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
        next.refreshing.operation = Some(operation);
        next.next_refresh_at_ms =
            schedule::next_refresh(&app.config, &found, &next, (true, now_ms));
        next.refreshing.ends_at_ms = forecast::ending(&found, &next, true).map(|it| it.at_ms);
        next.sealed = seal::seal(&key, &next, &contents)?;
        failpoint::reached("refresh.sealed");
        Ok(Self { next, contents, candidate, was_told, why })
    }
}

/// Where new tokens went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Kept,
    /// The row has moved on; they lie beside it.
    Aside,
    /// The account was connected or refreshed anew meanwhile: what it holds counts.
    Superseded,
    /// The account was deleted meanwhile. Its row does not come back; the new tokens are revoked
    /// like the old.
    Gone,
}

/// Tries until the store has them. If the process ends before, the journal has them.
async fn store_at_last(app: &Arc<App>, it: Brought) -> Stored {
    let mut wait = STORE_WAIT;
    loop {
        match store_once(app, &it).await {
            Ok(stored) => {
                app.journal.done(&it.candidate.operation);
                let outcome = match stored {
                    Stored::Kept => "ok",
                    Stored::Aside => "aside",
                    Stored::Superseded => "superseded",
                    Stored::Gone => "deleted",
                };
                refresh::note(app, &it.next, outcome, it.why);
                app.meters.count(&it.next.tenant, Meter::Refreshes, app.clock.now_ms());
                return stored;
            }
            Err(error) => {
                tracing::error!(
                    %error, detail = error.log(), account = %it.next.id,
                    "refreshed tokens are not stored yet"
                );
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(STORE_WAIT_MAX);
    }
}

pub(super) async fn store_once(app: &App, it: &Brought) -> Result<Stored> {
    let next = &it.next;
    apps::ready(app, &next.tenant.project).await?;
    let mut tx = app.db.begin().await?;
    if rows::renew(&mut tx, next).await? {
        rows::forget_candidates(&mut tx, next).await?;
        if it.was_told {
            verdict::tell(app, &mut tx, next, Topic::AccountRecovered).await?;
        }
        failpoint::reached("refresh.written");
        tx.commit().await?;
        failpoint::reached("refresh.stored");
        return Ok(Stored::Kept);
    }
    let Some(row) = store::hold(&mut tx, &next.tenant, &next.user, &next.id).await? else {
        revoke::leave_newer(app, &mut tx, next, &it.contents).await?;
        tx.commit().await?;
        return Ok(Stored::Gone);
    };
    let stored = lay_aside(app, &mut tx, row, &it.candidate).await?;
    tx.commit().await?;
    Ok(stored)
}

/// Keeps an answer beside a row that has moved on, and has the row tried again if nothing newer is
/// in it. The row is held.
pub(super) async fn lay_aside(
    app: &App,
    tx: &mut Tx,
    row: Account,
    candidate: &Candidate,
) -> Result<Stored> {
    // It was stored, and its process did not learn so.
    if row.refreshing.operation.as_ref() == Some(&candidate.operation) {
        return Ok(Stored::Kept);
    }
    // Another grant counts; or the chain went on and was good, so that this end of it is a dead
    // one: to send it would look like theft.
    if row.refreshing.granted_version > candidate.version || row.version > candidate.version + 1 {
        return Ok(Stored::Superseded);
    }
    rows::keep_candidate(tx, &row, candidate).await?;
    if row.version == candidate.version {
        let mut row = row;
        row.health = Health::Error {
            reason: "recovering".to_owned(),
            text: "An answer of the app that came late is being taken over.".to_owned(),
        };
        rows::question(tx, &row, app.clock.now_ms()).await?;
    }
    Ok(Stored::Aside)
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
