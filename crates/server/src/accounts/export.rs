//! Taking accounts out of this installation, with all that they grant.

use futures::future::join_all;
use zeroize::Zeroizing;

use super::store::moving;
use super::{carried, seal};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::error::Result;
use crate::ids::{AccountId, UserId};
use crate::tenant::Tenant;

/// Accounts in one batch: what stands in the clear in memory at once.
const BATCH: i64 = 200;

/// Whose accounts leave: those of a tenant, or of one user.
#[derive(Clone, Copy)]
pub struct Which<'a> {
    pub tenant: &'a Tenant,
    pub user: Option<&'a UserId>,
}

/// Where the next batch begins.
pub struct Mark {
    created_at_ms: i64,
    id: AccountId,
}

/// Some accounts, a line each.
pub struct Batch {
    pub lines: Zeroizing<Vec<u8>>,
    pub accounts: u64,
    /// Those that could not be opened, and are not among the lines.
    pub unreadable: Vec<AccountId>,
    /// `None`: this was the last.
    pub next: Option<Mark>,
}

/// How many there are.
pub async fn count(app: &App, which: Which<'_>) -> Result<i64> {
    Ok(moving::count(&app.db, which.tenant, which.user).await?)
}

/// How many accounts of the tenant have a refresh that is not over: their newest grant may not be
/// in their row, and so not in an export.
pub async fn unsettled(app: &App, tenant: &Tenant) -> Result<i64> {
    Ok(moving::unsettled(&app.db, tenant).await?)
}

/// Gives the next accounts in the clear, the oldest first. Each is in the audit log before.
///
/// # Errors
/// [`crate::error::AUDIT_UNAVAILABLE`]; then nothing is given.
pub async fn export(
    app: &App,
    which: Which<'_>,
    after: Option<&Mark>,
    (actor, origin): (&Actor, &Origin),
) -> Result<Batch> {
    let from = after.map_or((i64::MIN, ""), |it| (it.created_at_ms, it.id.as_str()));
    let accounts = moving::page(&app.db, which.tenant, which.user, from, BATCH).await?;
    let events = accounts.iter().map(|account| {
        let event = Event::new("credentials.export", actor, origin)
            .tenant(&account.tenant)
            .target("account", account.id.as_str())
            .user(&account.external_id);
        app.audit.record(event)
    });
    join_all(events).await.into_iter().collect::<Result<()>>()?;
    let mut batch = Batch {
        lines: Zeroizing::new(Vec::new()),
        accounts: 0,
        unreadable: Vec::new(),
        next: None,
    };
    let full = i64::try_from(accounts.len()) == Ok(BATCH);
    batch.next = accounts
        .last()
        .filter(|_| full)
        .map(|it| Mark { created_at_ms: it.created_at_ms, id: it.id.clone() });
    for account in &accounts {
        match seal::open(app, account).await {
            Ok(contents) => {
                carried::write(&mut batch.lines, account, &contents)?;
                batch.accounts += 1;
            }
            // One that cannot be read keeps nobody from the others.
            Err(_) => batch.unreadable.push(account.id.clone()),
        }
    }
    Ok(batch)
}
