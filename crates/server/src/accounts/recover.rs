//! After a crash: what the dead process had in hand is stored, and what it left open is ended.
//!
//! The journal comes first: an answer in it is worth more than another request. Then its leases
//! end, so that the scheduler takes up at once what has no answer (`schedule.rs`).

use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::OwnerKey;

use super::exchange::{Answer, Brought, Stored, lay_aside, store_once};
use super::refresh::{Why, note, open};
use super::store::{self, refreshing as rows, refreshing::Candidate};
use super::verdict::Trouble;
use super::{Account, revoke};
use crate::app::App;
use crate::apps;
use crate::error::{self, Error, Result};
use crate::failpoint;
use crate::journal::{Entry, Orphan};

/// Brings to an end what dead processes of this machine began. Gives how many answers were found.
///
/// Any number of processes may call this at once; each dead one is taken up by one of them.
///
/// # Errors
/// Of the store or the journal's folder. What was not done is found again at the next call.
pub async fn recover(app: &Arc<App>) -> Result<usize> {
    let looking = Arc::clone(app);
    let orphans = tokio::task::spawn_blocking(move || looking.journal.orphans()).await;
    let orphans = orphans.map_err(|it| unusable(&it))?.map_err(|it| unusable(&it))?;
    let (mut found, mut failed) = (0, None);
    for orphan in orphans {
        found += orphan.entries.len();
        if let Err(error) = take_up(app, orphan).await {
            failed = Some(error);
        }
    }
    failed.map_or(Ok(found), Err)
}

fn unusable(why: &dyn std::error::Error) -> Error {
    error::INTERNAL.logging(format!("the journal cannot be read: {why}"))
}

async fn take_up(app: &Arc<App>, orphan: Orphan) -> Result<()> {
    failpoint::reached("recover.found");
    let mut failed = None;
    for entry in &orphan.entries {
        match apply(app, entry).await {
            Ok(()) => {}
            // Before all that can be stored is, nobody may ask again with the old token.
            Err(error) if error.kind().status == error::STORE_UNAVAILABLE.status => {
                return Err(error);
            }
            // One answer that cannot be stored must not keep the others from it.
            Err(error) => {
                let detail = error.log();
                tracing::error!(%error, detail, account = %entry.account, "an answer is left over");
                failed = Some(error);
            }
        }
        failpoint::reached("recover.read");
    }
    failpoint::reached("recover.applied");
    let open = rows::release(&app.db, &orphan.instance).await?;
    if open > 0 || !orphan.entries.is_empty() {
        tracing::warn!(
            instance = %orphan.instance, answers = orphan.entries.len(), open,
            "a process died while it refreshed: its answers are stored, the rest is asked again"
        );
    }
    if let Some(error) = failed {
        return Err(error);
    }
    orphan.remove().map_err(|it| unusable(&it))?;
    failpoint::reached("recover.ended");
    Ok(())
}

/// Stores one answer. What can never be stored is given up, with a line in the log.
async fn apply(app: &Arc<App>, entry: &Entry) -> Result<()> {
    let Some(account) = store::find_any(&app.db, &entry.tenant(), &entry.account).await? else {
        return deleted(app, entry).await;
    };
    if account.user != entry.user {
        return Ok(());
    }
    let candidate = candidate(entry);
    if account.version != entry.version {
        let mut tx = app.db.begin().await?;
        let row = store::hold(&mut tx, &account.tenant, &account.user, &account.id).await?;
        if let Some(row) = row {
            lay_aside(app, &mut tx, row, &candidate).await?;
        }
        return Ok(tx.commit().await?);
    }
    let opened = match open(app, &account).await {
        Ok(opened) => opened,
        Err(trouble) => return unread(app, entry, account, trouble).await,
    };
    match Answer::of((&opened.key, &opened.found), &account, candidate) {
        Ok(answer) => {
            let mut account = account;
            // Under the fence of the exchange: who took over meanwhile is not overwritten.
            account.refreshing.fence = entry.fence;
            let brought = Brought::of(app, account, opened, (answer, Why::Recovery))?;
            let stored = store_once(app, &brought).await?;
            if stored == Stored::Kept {
                let account = store::find(&app.db, &entry.tenant(), &entry.account).await?;
                if let Some(account) = account {
                    note(app, &account, "ok", Why::Recovery);
                }
            }
            Ok(())
        }
        Err(trouble) => unread(app, entry, account, trouble).await,
    }
}

/// Keeps an answer that cannot be read now beside its row, if it may hold tokens.
async fn unread(app: &App, entry: &Entry, account: Account, trouble: Trouble) -> Result<()> {
    if let Trouble::Failure(grantkeep_oauth::answer::Failure::Grant(_)) = trouble {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    rows::keep_candidate(&mut tx, &account, &candidate(entry)).await?;
    Ok(tx.commit().await?)
}

/// The account was deleted while its answer was under way: what came is revoked like the rest.
async fn deleted(app: &App, entry: &Entry) -> Result<()> {
    let tenant = entry.tenant();
    let key = match app.keys.user(&app.db, &tenant, &entry.user).await {
        Ok(key) => key,
        Err(error) if error.kind().code == error::DECRYPT_FAILED.code => {
            let account = &entry.account;
            tracing::warn!(%account, "an answer for an erased user cannot be opened");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let found = match apps::find(app, &tenant.project, &entry.app_slug).await {
        Ok(found) => found,
        Err(error) if error.kind().status < 500 => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(tokens) = tokens(&key, &found, entry) {
        let mut tx = app.db.begin().await?;
        revoke::leave_late(app, &mut tx, (&tenant, &entry.account), tokens).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn tokens(
    key: &OwnerKey,
    found: &CatalogApp,
    entry: &Entry,
) -> Option<grantkeep_oauth::answer::Tokens> {
    let of = (&entry.tenant(), &entry.account);
    Answer::read((key, found), of, candidate(entry)).ok().map(|it| it.tokens)
}

fn candidate(entry: &Entry) -> Candidate {
    Candidate {
        operation: entry.operation.clone(),
        version: entry.version,
        received_at_ms: entry.received_at_ms,
        sealed: entry.sealed.clone(),
    }
}
