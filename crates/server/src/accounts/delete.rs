//! Deleting one account, or those of an app.

use std::sync::Arc;

use grantkeep_vault::OwnerKey;
use serde_json::json;

use super::revoke::{self, Outcome};
use super::store::list::Which;
use super::{Account, list, news, seal, store};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::JobId;
use crate::tenant::Tenant;
use crate::{apps, users};

/// Accounts looked up at once when many are deleted.
const BATCH: i64 = 100;

/// Who deletes, where, and whether the providers are told.
#[derive(Clone, Copy)]
pub struct By<'a> {
    pub tenant: &'a Tenant,
    pub actor: &'a Actor,
    pub origin: &'a Origin,
    /// Whether the grant is revoked at the provider too.
    pub revoke: bool,
}

/// Deletes an account and revokes its grant at the provider. Waits a short while for the provider's
/// answer; without one, the attempt goes on in the background for a day. `None`: the grant was to
/// be kept.
///
/// # Errors
/// [`error::NOT_FOUND`], also for whoever comes second.
pub async fn delete(
    app: &Arc<App>,
    by: By<'_>,
    id: &str,
    external_id: Option<&str>,
) -> Result<Option<Outcome>> {
    let account = list::find(app, by.tenant, id, external_id).await?;
    let key = seal::user_key(app, &account).await.ok();
    apps::ready(app, &by.tenant.project).await?;
    let mut tx = app.db.begin().await?;
    let Some(account) = store::take(&mut tx, by.tenant, &account.id).await? else {
        return Err(error::NOT_FOUND.into());
    };
    let left = leave(app, &mut tx, by, (&account, key.as_deref(), revoke::HEAD_START_MS)).await?;
    tx.commit().await?;
    match left {
        Some(Left { outcome: Outcome::Pending, job: Some(job) }) => {
            Ok(Some(revoke::at_once(app, by.tenant, &account.id, job).await))
        }
        Some(left) => Ok(Some(left.outcome)),
        None => Ok(None),
    }
}

/// Deletes the accounts of an app (slug or id) or of an OAuth client (`oa_`), of one user if he is
/// named. Their grants are revoked in the background. Gives the number of accounts.
///
/// # Errors
/// [`error::NOT_FOUND`] when there is no such app or client; an app without accounts is no error.
pub async fn delete_by_app(
    app: &Arc<App>,
    by: By<'_>,
    name: &str,
    external_id: Option<&str>,
) -> Result<usize> {
    let (app_slug, client) = list::named(app, by.tenant, name).await.ok_or(error::NOT_FOUND)?;
    if let Some(id) = &client {
        crate::apps::find_oauth_app(app, &by.tenant.project, id.as_str()).await?;
    }
    let user = match external_id {
        None => None,
        Some(external_id) => match users::find(&app.db, by.tenant, external_id).await? {
            None => return Ok(0),
            Some(user) => Some(user.id),
        },
    };
    let app_slug = app_slug.as_deref();
    let which = Which { user: user.as_ref(), app_slug, oauth_app: client.as_ref() };
    let mut deleted = 0;
    loop {
        let ids = store::list::ids(&app.db, by.tenant, which, BATCH).await?;
        if ids.is_empty() {
            return Ok(deleted);
        }
        for id in ids {
            let Some(account) = store::find(&app.db, by.tenant, &id).await? else { continue };
            let key = seal::user_key(app, &account).await.ok();
            apps::ready(app, &by.tenant.project).await?;
            let mut tx = app.db.begin().await?;
            if let Some(account) = store::take(&mut tx, by.tenant, &id).await? {
                leave(app, &mut tx, by, (&account, key.as_deref(), 0)).await?;
                tx.commit().await?;
                deleted += 1;
            }
        }
    }
}

/// What becomes of a deleted account's grant.
pub(super) struct Left {
    outcome: Outcome,
    job: Option<JobId>,
}

/// Tells the product and the audit log, and leaves the grant to be revoked, in the transaction that
/// deletes the account: the account, the key to it, and how long from now the job begins.
pub(super) async fn leave(
    app: &App,
    tx: &mut Tx,
    by: By<'_>,
    (account, key, after_ms): (&Account, Option<&OwnerKey>, i64),
) -> Result<Option<Left>> {
    news::deleted(app, tx, account).await?;
    remember(app, tx, by, account).await?;
    let left = if by.revoke {
        let grant = key.and_then(|key| seal::open_with(key, account).ok());
        let (outcome, job) = revoke::leave(app, tx, account, grant, after_ms).await?;
        Some(Left { outcome, job })
    } else {
        None
    };
    if let Some(client) = &account.oauth_app {
        apps::let_go(tx, &account.tenant.project, client, app.clock.now_ms()).await?;
    }
    Ok(left)
}

async fn remember(app: &App, tx: &mut Tx, by: By<'_>, account: &Account) -> Result<()> {
    let event = Event::new("account.delete", by.actor, by.origin)
        .tenant(&account.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id)
        .detail(json!({ "app": account.app_slug, "revoke": by.revoke }));
    app.audit.within(tx, event).await?;
    metrics::counter!("grantkeep_account_deletes_total", "app" => account.app_slug.clone())
        .increment(1);
    Ok(())
}
