//! External users: the users of the operator's products. Made on first use, one for each
//! environment.

pub mod api;
mod store;

use crate::db::{Db, Tx};
use crate::error::{self, Result};
use crate::ids::UserId;
use crate::paging::Page;
use crate::projects;
use crate::tenant::{Environment, Tenant};

pub(crate) use store::UserRow as User;

/// Characters in an operator's own id of a user.
pub const EXTERNAL_ID_CHARS_MAX: usize = 250;

/// Judges an external id: 1 to 250 characters, something visible, nothing that hides or turns text.
///
/// # Errors
/// [`error::INVALID_EXTERNAL_USER`].
pub fn check_external_id(text: &str) -> Result<()> {
    let hiding = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let good = !text.trim().is_empty()
        && text.chars().count() <= EXTERNAL_ID_CHARS_MAX
        && !text.chars().any(hiding);
    if good { Ok(()) } else { Err(error::INVALID_EXTERNAL_USER.into()) }
}

/// Finds the user, or makes him. Any number of callers may do so at once for one user.
pub(crate) async fn ensure(
    tx: &mut Tx,
    tenant: &Tenant,
    external_id: &str,
    now_ms: i64,
) -> Result<User> {
    check_external_id(external_id)?;
    let fresh = UserId::mint();
    let user = store::ensure(tx, tenant, &fresh, external_id, now_ms).await?;
    if user.id == fresh && tenant.environment == Environment::Development {
        check_room(tx, tenant).await?;
    }
    Ok(user)
}

/// # Errors
/// [`error::DEVELOPMENT_USERS`] when the one just made is too many; the caller takes all back.
async fn check_room(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    let Some(most) = projects::development_users_max(tx, &tenant.project).await? else {
        return Ok(());
    };
    if store::count(tx, tenant).await? > i64::from(most) {
        return Err(error::DEVELOPMENT_USERS.into());
    }
    Ok(())
}

pub(crate) async fn find(db: &Db, tenant: &Tenant, external_id: &str) -> Result<Option<User>> {
    // No user can have it, and a store may refuse the very text.
    if check_external_id(external_id).is_err() {
        return Ok(None);
    }
    Ok(store::find(db, tenant, external_id).await?)
}

/// One page, newest first, of the users whose external id contains `part`.
pub(crate) async fn list(
    db: &Db,
    tenant: &Tenant,
    part: Option<&str>,
    page: &Page,
) -> Result<(Vec<User>, i64)> {
    if part.is_some_and(|part| part.chars().any(char::is_control)) {
        return Ok((Vec::new(), 0));
    }
    Ok(store::list(db, tenant, part, page).await?)
}

/// Up to so many users, in the order of their ids, from after one of them.
pub(crate) async fn after(
    tx: &mut Tx,
    tenant: &Tenant,
    (id, most): (Option<&UserId>, i64),
) -> Result<Vec<User>> {
    Ok(store::after(tx, tenant, (id, most)).await?)
}

/// Takes the user out of everybody's sight, while his row still holds what is being erased. His
/// external id is free at once. `false`: another was first.
pub(crate) async fn hide(tx: &mut Tx, tenant: &Tenant, id: &UserId, now_ms: i64) -> Result<bool> {
    // No external id can hold a control character, so no caller can say this one.
    let name = format!("\u{1}{id}");
    Ok(store::hide(tx, tenant, id, (&name, now_ms)).await?)
}

/// Forgets the user's row. His accounts must have been deleted before, so that their grants are
/// revoked.
pub(crate) async fn delete(tx: &mut Tx, tenant: &Tenant, id: &UserId) -> Result<bool> {
    Ok(store::delete(tx, tenant, id).await?)
}
