//! Erasing a user: his accounts, his connect tokens, his row, and the key that sealed all of it.

use std::sync::Arc;

use grantkeep_vault::OwnerKey;
use serde::Serialize;
use serde_json::json;

use super::delete::{By, leave};
use super::store::{self, erasures};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::clock::iso;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::{ErasureId, UserId};
use crate::outbox::{self, Done, Job};
use crate::tenant::Tenant;
use crate::{apps, stash, tokens, users, webhooks};

/// Accounts of a user who is erased in one transaction. With more, it is a job.
pub const AT_ONCE_MAX: i64 = 500;
/// Accounts that the job deletes in one transaction.
const BATCH: i64 = 100;
/// Transactions in one run of the job, which holds up the jobs beside it.
const BATCHES: usize = 5;
/// When to look again for accounts that another process is deleting.
const LOOK_AGAIN_MS: i64 = 1_000;

/// The erasure of a user with very many accounts. It holds nothing of the person.
#[derive(Clone, Debug)]
pub struct Erasure {
    pub id: ErasureId,
    pub tenant: Tenant,
    pub user: UserId,
    pub revoke: bool,
    /// How many accounts there were when it began.
    pub accounts: i64,
    pub erased: i64,
    pub created_at_ms: i64,
    pub finished_at_ms: Option<i64>,
}

/// How far an erasure is.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ErasureView)]
pub struct View {
    id: ErasureId,
    /// `erasing` or `done`.
    status: &'static str,
    /// How many accounts there were when it began.
    accounts: i64,
    /// How many of them are gone.
    erased: i64,
    created_at: String,
    finished_at: Option<String>,
}

impl From<Erasure> for View {
    fn from(it: Erasure) -> Self {
        Self {
            id: it.id,
            status: if it.finished_at_ms.is_some() { "done" } else { "erasing" },
            accounts: it.accounts,
            erased: it.erased,
            created_at: iso(it.created_at_ms),
            finished_at: it.finished_at_ms.map(iso),
        }
    }
}

/// Erases a user. Up to [`AT_ONCE_MAX`] accounts go in one transaction. With more, he is gone for
/// every caller at once, and what is stored of him is erased by a job; `Some` tells which. Grants
/// are revoked in the background; they are sealed under the project's key for that.
///
/// # Errors
/// [`error::NOT_FOUND`], also for whoever comes second.
pub async fn delete_user(app: &Arc<App>, by: By<'_>, external_id: &str) -> Result<Option<Erasure>> {
    let user = users::find(&app.db, by.tenant, external_id).await?.ok_or(error::NOT_FOUND)?;
    let key = key_of(app, by.tenant, &user.id).await?;
    apps::ready(app, &by.tenant.project).await?;
    let mut tx = app.db.begin().await?;
    tokens::forget_user(&mut tx, by.tenant, &user.id).await?;
    stash::forget_user(&mut tx, by.tenant, &user.id).await?;
    let accounts = store::count_of_user(&mut tx, by.tenant, &user.id).await?;
    let erasure = (accounts > AT_ONCE_MAX).then(ErasureId::mint);
    let event = Event::new("user.delete", by.actor, by.origin)
        .tenant(by.tenant)
        .target("user", user.id.as_str())
        .user(external_id)
        .outcome(if erasure.is_some() { "begun" } else { "ok" })
        .detail(json!({ "accounts": accounts, "erasure": erasure }));
    app.audit.within(&mut tx, event).await?;
    match erasure {
        Some(id) => begin(app, tx, by, (id, &user.id, accounts)).await.map(Some),
        None => at_once(app, tx, by, (&user.id, key.as_deref())).await.map(|()| None),
    }
}

/// The key of a user's grants. `None`: he has none that can be read, since he never connected an
/// account, or the root key is another one.
///
/// # Errors
/// Of the store: without it nobody knows whether there are grants to revoke.
async fn key_of(app: &App, tenant: &Tenant, user: &UserId) -> Result<Option<Arc<OwnerKey>>> {
    match app.keys.user(&app.db, tenant, user).await {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind().code == error::DECRYPT_FAILED.code => Ok(None),
        Err(error) => Err(error),
    }
}

async fn at_once(
    app: &App,
    mut tx: Tx,
    by: By<'_>,
    (user, key): (&UserId, Option<&OwnerKey>),
) -> Result<()> {
    let accounts = store::take_all(&mut tx, by.tenant, user).await?;
    for account in &accounts {
        leave(app, &mut tx, by, (account, key, 0)).await?;
    }
    forget(app, tx, by.tenant, user).await
}

/// Deletes the user's row and his key, and commits. No account of his may be left.
async fn forget(app: &App, mut tx: Tx, tenant: &Tenant, user: &UserId) -> Result<()> {
    let endpoints = webhooks::of_user(&mut tx, tenant, user).await?;
    if !users::delete(&mut tx, tenant, user).await? {
        return Err(error::NOT_FOUND.into());
    }
    webhooks::forget_endpoints(&mut tx, tenant, &endpoints).await?;
    app.keys.shred_user(&mut tx, tenant, user).await?;
    tx.commit().await?;
    app.keys.forget_user(tenant, user).await;
    // What was deleted goes from the disk too; if that fails, it goes with the next of its kind.
    if let Err(error) = app.db.scrub().await {
        tracing::warn!(%error, "what was erased is still in the write-ahead log");
    }
    Ok(())
}

/// Hides the user with all that is his, and leaves the rest to the job.
async fn begin(
    app: &App,
    mut tx: Tx,
    by: By<'_>,
    (id, user, accounts): (ErasureId, &UserId, i64),
) -> Result<Erasure> {
    let now_ms = app.clock.now_ms();
    if !users::hide(&mut tx, by.tenant, user, now_ms).await? {
        return Err(error::NOT_FOUND.into());
    }
    let erasure = Erasure {
        id,
        tenant: by.tenant.clone(),
        user: user.clone(),
        revoke: by.revoke,
        accounts,
        erased: 0,
        created_at_ms: now_ms,
        finished_at_ms: None,
    };
    erasures::insert(&mut tx, &erasure).await?;
    let job = Job::EraseUser {
        project: by.tenant.project.clone(),
        environment: by.tenant.environment,
        erasure: erasure.id.clone(),
    };
    outbox::enqueue(&mut tx, &job, now_ms, now_ms).await?;
    tx.commit().await?;
    Ok(erasure)
}

/// # Errors
/// [`error::NOT_FOUND`].
pub async fn erasure(app: &App, tenant: &Tenant, id: &str) -> Result<Erasure> {
    let id = ErasureId::parse(id).ok_or(error::NOT_FOUND)?;
    erasures::find(&app.db, tenant, &id).await?.ok_or_else(|| error::NOT_FOUND.into())
}

/// Erases some more accounts, and after the last one the user. What one run has committed stays
/// done, whatever becomes of the process.
pub(crate) async fn go_on(app: &Arc<App>, tenant: &Tenant, id: &ErasureId) -> Result<Done> {
    let found = erasures::find(&app.db, tenant, id).await?;
    // With its project, the erasure itself is gone.
    let Some(erasure) = found.filter(|it| it.finished_at_ms.is_none()) else {
        return Ok(Done::Finished);
    };
    let key = key_of(app, tenant, &erasure.user).await?;
    let origin = Origin::default();
    let by = By { tenant, actor: &Actor::System, origin: &origin, revoke: erasure.revoke };
    for _ in 0..BATCHES {
        apps::ready(app, &tenant.project).await?;
        let mut tx = app.db.begin().await?;
        let accounts = store::take_some(&mut tx, tenant, &erasure.user, BATCH).await?;
        if accounts.is_empty() {
            return finish(app, tx, &erasure).await;
        }
        for account in &accounts {
            leave(app, &mut tx, by, (account, key.as_deref(), 0)).await?;
        }
        let more = i64::try_from(accounts.len()).unwrap_or(BATCH);
        erasures::count(&mut tx, &erasure, more).await?;
        tx.commit().await?;
    }
    Ok(Done::Later(app.clock.now_ms()))
}

async fn finish(app: &App, mut tx: Tx, erasure: &Erasure) -> Result<Done> {
    let now_ms = app.clock.now_ms();
    if !erasures::finish(&mut tx, erasure, now_ms).await? {
        return Ok(Done::Later(now_ms + LOOK_AGAIN_MS));
    }
    let event = Event::new("user.erased", &Actor::System, &Origin::default())
        .tenant(&erasure.tenant)
        .target("user", erasure.user.as_str())
        .detail(json!({ "accounts": erasure.accounts, "erasure": erasure.id }));
    app.audit.within(&mut tx, event).await?;
    forget(app, tx, &erasure.tenant, &erasure.user).await?;
    Ok(Done::Finished)
}
