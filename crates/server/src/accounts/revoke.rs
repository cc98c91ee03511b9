//! Telling a provider that a grant is over, once its account is deleted.
//!
//! The grant waits in `revocations`, sealed under the project's key, so that neither a crash nor
//! the erasure of the user's own key leaves it alive at the provider.

use std::sync::Arc;
use std::time::Duration;

use grantkeep_catalog::{App as CatalogApp, Revocation as Habit};
use grantkeep_oauth::answer::{Failure, Tokens};
use grantkeep_vault::{Place, Secret, SecretBytes};
use serde_json::json;

use super::seal::{self, Contents};
use super::store::revocations::{self as rows, Attempt, Revocation};
use super::{Account, Credentials};
use crate::app::App;
use crate::apps::protocol::{self, ClientKeys, Values};
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::db::Tx;
use crate::egress::Failure as NoAnswer;
use crate::error::{Error, Result};
use crate::ids::{AccountId, JobId};
use crate::keys::unreadable;
use crate::outbox::{self, Done, Job};
use crate::tenant::Tenant;
use crate::{apps, error};

/// How long whoever deletes an account waits for the provider.
const WAIT: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(25);
/// The attempt made at once is over by then, and the job takes over.
pub(super) const HEAD_START_MS: i64 = 35_000;
/// After this long without a provider's answer it is given up.
const GIVE_UP_MS: i64 = 24 * 3_600_000;
/// First and longest wait between two attempts; each doubles it.
const BACKOFF_MS: i64 = 5_000;
const BACKOFF_MS_MAX: i64 = 3_600_000;

/// What became of a deleted account's grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The provider does not accept it any more.
    Revoked,
    /// The app has no way to revoke from here; the user can do it in his settings there.
    Unsupported,
    /// The provider refused. While [`View::retrying`], it is tried again.
    Failed,
    /// The provider has not answered yet.
    Pending,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Pending => "pending",
        }
    }

    fn parse(text: &str) -> Self {
        let all = [Self::Revoked, Self::Unsupported, Self::Failed];
        all.into_iter().find(|it| it.as_str() == text).unwrap_or(Self::Pending)
    }
}

/// What became of a deleted account's grant, as callers see it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = RevocationView)]
pub struct View {
    pub account_id: AccountId,
    /// Your own id of the user.
    pub external_id: String,
    pub app: String,
    pub revocation: Outcome,
    /// Why it failed, in the provider's words or ours.
    pub detail: Option<String>,
    /// Whether it is still tried.
    pub retrying: bool,
}

/// What became of the grant of an account that was deleted. Erasing the user leaves this.
///
/// # Errors
/// [`error::NOT_FOUND`]: no such account was deleted, or its grant was to be kept.
pub async fn revocation(app: &App, tenant: &Tenant, id: &str) -> Result<View> {
    let id = AccountId::parse(id).ok_or(error::NOT_FOUND)?;
    let it = rows::find(&app.db, tenant, &id).await?.ok_or(error::NOT_FOUND)?;
    Ok(View {
        account_id: it.account,
        external_id: it.external_id,
        app: it.app_slug,
        revocation: Outcome::parse(&it.outcome),
        detail: it.detail,
        retrying: it.sealed.is_some(),
    })
}

/// Leaves the grant of `account` to be revoked, by a job that begins `after_ms` from now. No job:
/// it is over already.
pub(super) async fn leave(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    grant: Option<Contents>,
    after_ms: i64,
) -> Result<(Outcome, Option<JobId>)> {
    let now_ms = app.clock.now_ms();
    let found = apps::known(app, &account.tenant.project, &account.app_slug).await;
    let habit = found.as_deref().and_then(habit);
    let (outcome, detail, sealed) = match (&grant, habit) {
        (None, _) => (Outcome::Failed, Some("The stored grant could not be read."), None),
        (Some(grant), Some(habit)) if has_token(habit, &grant.credentials) => {
            (Outcome::Pending, None, Some(seal_for_project(app, tx, account, grant).await?))
        }
        (Some(_), _) => (Outcome::Unsupported, None, None),
    };
    let row = Revocation {
        account: account.id.clone(),
        tenant: account.tenant.clone(),
        external_id: account.external_id.clone(),
        app_slug: account.app_slug.clone(),
        oauth_app: account.oauth_app.clone(),
        outcome: outcome.as_str().to_owned(),
        detail: detail.map(str::to_owned),
        sealed,
        created_at_ms: now_ms,
    };
    rows::insert(tx, &row).await?;
    let job = match outcome {
        Outcome::Pending => {
            Some(outbox::enqueue(tx, &job_of(account), now_ms, now_ms + after_ms).await?)
        }
        _ => None,
    };
    Ok((outcome, job))
}

/// Has a grant revoked that a refresh brought after its account was deleted. `false`: the account
/// is not a deleted one whose grant is to be revoked.
pub(super) async fn leave_newer(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    grant: &Contents,
) -> Result<bool> {
    let now_ms = app.clock.now_ms();
    let sealed = seal_for_project(app, tx, account, grant).await?;
    if !rows::replace(tx, &account.tenant, &account.id, &sealed, now_ms).await? {
        return Ok(false);
    }
    outbox::enqueue(tx, &job_of(account), now_ms, now_ms).await?;
    Ok(true)
}

/// The same after a crash, when what else the account held is in the waiting revocation only.
pub(super) async fn leave_late(
    app: &App,
    tx: &mut Tx,
    (tenant, id): (&Tenant, &AccountId),
    tokens: Tokens,
) -> Result<()> {
    let Some(it) = rows::find(&app.db, tenant, id).await? else { return Ok(()) };
    let key = app.keys.project(&app.db, &tenant.project).await?;
    // Where the former tokens were revoked meanwhile, these are not: the app gave them later.
    let mut grant = match &it.sealed {
        Some(sealed) => {
            let opened = key.open(&place(tenant, id), sealed).map_err(unreadable)?;
            seal::unpack(opened.expose())?
        }
        None => Contents::default(),
    };
    let ours = |it: grantkeep_oauth::Secret| Secret::new(it.expose());
    grant.credentials.access_token = Some(ours(tokens.access_token));
    if let Some(new) = tokens.refresh_token {
        grant.credentials.refresh_token = Some(ours(new));
    }
    let now_ms = app.clock.now_ms();
    let sealed = key.seal(&place(tenant, id), &seal::pack(&grant)?);
    if rows::replace(tx, tenant, id, &sealed, now_ms).await? {
        outbox::enqueue(tx, &job((tenant, id), &it.app_slug), now_ms, now_ms).await?;
    }
    Ok(())
}

fn job((tenant, account): (&Tenant, &AccountId), app_slug: &str) -> Job {
    Job::RevokeGrant {
        project: tenant.project.clone(),
        environment: tenant.environment,
        account: account.clone(),
        toward: outbox::group(app_slug),
    }
}

fn job_of(account: &Account) -> Job {
    job((&account.tenant, &account.id), &account.app_slug)
}

async fn seal_for_project(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    grant: &Contents,
) -> Result<Vec<u8>> {
    let now_ms = app.clock.now_ms();
    let key = app.keys.project_for_sealing(tx, &account.tenant.project, now_ms).await?;
    Ok(key.seal(&place(&account.tenant, &account.id), &seal::pack(grant)?))
}

fn place<'a>(tenant: &'a Tenant, account: &'a AccountId) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "revocations",
        record: account.as_str(),
        column: "sealed",
        version: 0,
    }
}

fn habit(found: &CatalogApp) -> Option<&Habit> {
    found.oauth2()?.revocation.as_ref()
}

fn has_token(habit: &Habit, it: &Credentials) -> bool {
    protocol::revoked_token(habit, it.access_token.as_ref(), it.refresh_token.as_ref()).is_some()
}

/// Tries at once and waits for the outcome, but not long. `job` is ended, or put off to the next
/// attempt.
pub(super) async fn at_once(
    app: &Arc<App>,
    tenant: &Tenant,
    id: &AccountId,
    job: JobId,
) -> Outcome {
    let task = tokio::spawn({
        let (app, tenant, id) = (Arc::clone(app), tenant.clone(), id.clone());
        async move {
            match revoke_grant(&app, &tenant, &id, 1).await? {
                Done::Finished => outbox::finish(&app.db, &job).await?,
                Done::Later(at_ms) => outbox::put_off(&app.db, &job, at_ms, "").await?,
            }
            let row = rows::find(&app.db, &tenant, &id).await?;
            Ok::<_, Error>(row.map_or(Outcome::Pending, |it| Outcome::parse(&it.outcome)))
        }
    });
    match tokio::time::timeout(WAIT, task).await {
        Ok(Ok(Ok(outcome))) => outcome,
        Ok(Ok(Err(error))) => {
            tracing::error!(%error, account = %id, "a revocation could not be tried");
            Outcome::Pending
        }
        _ => Outcome::Pending,
    }
}

/// Tells the provider that a deleted account's grant is over. Called at least once for each grant;
/// a grant that is revoked already is no error to a provider.
pub(crate) async fn revoke_grant(
    app: &Arc<App>,
    tenant: &Tenant,
    id: &AccountId,
    attempts: i64,
) -> Result<Done> {
    let Some(it) = rows::find(&app.db, tenant, id).await? else { return Ok(Done::Finished) };
    let Some(sealed) = &it.sealed else { return Ok(Done::Finished) };
    let key = app.keys.project(&app.db, &tenant.project).await?;
    let verdict = match key.open(&place(tenant, id), sealed).map_err(unreadable) {
        Ok(bytes) => ask(app, &it, &bytes).await,
        Err(_) => Verdict::Refused("The stored grant could not be read.".into()),
    };
    let now_ms = app.clock.now_ms();
    let (outcome, detail, mut last) = match &verdict {
        Verdict::Done => (Outcome::Revoked, None, true),
        Verdict::Refused(why) => (Outcome::Failed, Some(why.as_str()), true),
        Verdict::Broken(why) => (Outcome::Failed, Some(why.as_str()), false),
        Verdict::Silent(why, _) => (Outcome::Pending, Some(why.as_str()), false),
    };
    let given_up = !last && now_ms - it.created_at_ms >= GIVE_UP_MS;
    last |= given_up;
    let outcome = if given_up { Outcome::Failed } else { outcome };
    let attempt = Attempt { outcome: outcome.as_str(), detail, last, now_ms };
    if !rows::note(&app.db, &it, attempt).await? {
        return Ok(Done::Later(now_ms));
    }
    if !last {
        let asked_ms = if let Verdict::Silent(_, Some(s)) = verdict { s * 1_000 } else { 0 };
        return Ok(Done::Later(now_ms + backoff_ms(attempts).max(asked_ms)));
    }
    note(app, &it, outcome, detail);
    Ok(Done::Finished)
}

/// What an attempt showed.
enum Verdict {
    Done,
    /// For good.
    Refused(String),
    /// Our registration is broken: the operator may mend it.
    Broken(String),
    /// No answer that says anything; perhaps with the seconds to wait.
    Silent(String, Option<i64>),
}

async fn ask(app: &Arc<App>, it: &Revocation, sealed: &SecretBytes) -> Verdict {
    let refused = |why: &str| Verdict::Refused(why.to_owned());
    let found = match apps::find(app, &it.tenant.project, &it.app_slug).await {
        Ok(found) => found,
        Err(error) if error.kind().status >= 500 => {
            return Verdict::Silent("The app's file cannot be read just now.".to_owned(), None);
        }
        Err(_) => return refused("The app is not in the catalogue any more."),
    };
    let (Some(oauth2), Some(habit)) = (found.oauth2(), habit(&found)) else {
        return refused("The app cannot be asked to revoke any more.");
    };
    let Ok(grant) = seal::unpack(sealed.expose()) else {
        return refused("The stored grant could not be read.");
    };
    let Credentials { access_token, refresh_token, fields, .. } = &grant.credentials;
    let token = protocol::revoked_token(habit, access_token.as_ref(), refresh_token.as_ref());
    let Some((token, kind)) = token else { return refused("The grant holds no token.") };
    let client = match client(app, it).await {
        Ok(client) => client,
        Err(error) => return Verdict::Broken(error.text().to_owned()),
    };
    let mut values = Values::of(&found, fields);
    values.access_token = access_token.as_ref();
    values.client_id = Some(&client.id);
    values.token = Some(token);
    let request = match protocol::revocation_request(app, &values, &client, kind) {
        Ok(request) => request,
        Err(error) => return Verdict::Broken(error.to_string()),
    };
    let answered = match protocol::send_by(client.egress(app), request, ATTEMPT).await {
        Ok(answered) => answered,
        Err(error) if error.failure() == NoAnswer::NotAllowed => {
            return Verdict::Broken(error.to_string());
        }
        Err(error) => return Verdict::Silent(error.to_string(), None),
    };
    let read = protocol::read_revocation(oauth2, &answered.response(), app.clock.now_ms());
    match read {
        Ok(()) => Verdict::Done,
        Err(Failure::Transient { retry_after_s, .. }) => Verdict::Silent(
            "The app's server cannot answer now.".into(),
            retry_after_s.and_then(|it| i64::try_from(it).ok()),
        ),
        Err(failure @ Failure::Client(_)) => Verdict::Broken(failure.to_string()),
        Err(failure) => Verdict::Refused(failure.to_string()),
    }
}

async fn client(app: &App, it: &Revocation) -> Result<ClientKeys> {
    let id = it.oauth_app.as_ref().ok_or(error::OAUTH_CLIENT_MISSING)?;
    let client = apps::oauth_app_of_grant(app, &it.tenant.project, id).await?;
    ClientKeys::open(app, &client).await
}

fn backoff_ms(attempts: i64) -> i64 {
    (BACKOFF_MS << (attempts.clamp(1, 16) - 1)).min(BACKOFF_MS_MAX)
}

fn note(app: &App, it: &Revocation, outcome: Outcome, detail: Option<&str>) {
    let event = Event::new("account.revoke", &Actor::System, &Origin::default())
        .tenant(&it.tenant)
        .target("account", it.account.as_str())
        .user(&it.external_id)
        .outcome(outcome.as_str())
        .detail(json!({ "app": it.app_slug, "why": detail }));
    app.audit.note(event);
    metrics::counter!("grantkeep_revocations_total", "outcome" => outcome.as_str()).increment(1);
}
