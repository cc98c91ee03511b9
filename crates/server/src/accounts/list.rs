//! Finding accounts: one, a page, or all of a user.

use super::Account;
use super::store::{self, list::Which};
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::{AccountId, OAuthAppId, UserId};
use crate::paging::{Boundary, Page};
use crate::tenant::Tenant;
use crate::{apps, users};

/// Which accounts a list shows. All given filters hold at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    pub external_id: Option<&'a str>,
    /// Slug or id of an app, or the id of an OAuth client (`oa_`).
    pub app: Option<&'a str>,
    pub oauth_app: Option<&'a str>,
}

/// An app by its slug or id, or one of its OAuth clients. `None`: there is nothing of that name
/// here.
pub(super) async fn named(
    app: &App,
    tenant: &Tenant,
    name: &str,
) -> Option<(Option<String>, Option<OAuthAppId>)> {
    if let Some(id) = OAuthAppId::parse(name) {
        return Some((None, Some(id)));
    }
    let found = apps::find(app, &tenant.project, name).await.ok()?;
    Some((Some(found.slug.clone()), None))
}

/// # Errors
/// [`error::NOT_FOUND`], for an account of another tenant or of another user than `external_id`
/// too.
pub async fn find(
    app: &App,
    tenant: &Tenant,
    id: &str,
    external_id: Option<&str>,
) -> Result<Account> {
    let Some(id) = AccountId::parse(id) else { return Err(error::NOT_FOUND.into()) };
    store::find(&app.db, tenant, &id)
        .await?
        .filter(|it| external_id.is_none_or(|wanted| wanted == it.external_id))
        .ok_or_else(|| error::NOT_FOUND.into())
}

/// One page, newest first, and how many there are. What does not exist has no accounts.
pub async fn list(
    app: &App,
    tenant: &Tenant,
    filter: Filter<'_>,
    page: &Page,
) -> Result<(Vec<Account>, i64)> {
    let nothing = || Ok((Vec::new(), 0));
    let user = match filter.external_id {
        None => None,
        Some(external_id) => match users::find(&app.db, tenant, external_id).await? {
            None => return nothing(),
            Some(user) => Some(user.id),
        },
    };
    let (app_slug, client) = match filter.app {
        None => (None, None),
        Some(name) => match named(app, tenant, name).await {
            None => return nothing(),
            Some(found) => found,
        },
    };
    let client = match (client, filter.oauth_app) {
        (client, None) => client,
        (client, Some(name)) => match OAuthAppId::parse(name) {
            Some(id) if client.as_ref().is_none_or(|it| *it == id) => Some(id),
            _ => return nothing(),
        },
    };
    let app_slug = app_slug.as_deref();
    let which = Which { user: user.as_ref(), app_slug, oauth_app: client.as_ref() };
    Ok(store::list::page(&app.db, tenant, which, page).await?)
}

/// All accounts of a user, newest first; none for a user that does not exist.
pub async fn list_of_user(
    app: &App,
    tenant: &Tenant,
    external_id: &str,
    app_name: Option<&str>,
) -> Result<Vec<Account>> {
    let app_slug = match app_name {
        None => None,
        Some(name) => match apps::find(app, &tenant.project, name).await {
            Err(_) => return Ok(Vec::new()),
            Ok(found) => Some(found.slug.clone()),
        },
    };
    let Some(user) = users::find(&app.db, tenant, external_id).await? else {
        return Ok(Vec::new());
    };
    Ok(store::list::of_user(&app.db, tenant, &user.id, app_slug.as_deref()).await?)
}

/// Up to so many users who have connected an app, in the order of their ids, from after one of
/// them.
pub(crate) async fn users_of_app(
    tx: &mut Tx,
    tenant: &Tenant,
    app_slug: &str,
    page: (Option<&UserId>, i64),
) -> Result<Vec<users::User>> {
    Ok(store::list::users_of_app(tx, tenant, app_slug, page).await?)
}

impl Account {
    /// Where a page that begins or ends with this account goes on.
    pub(super) fn boundary(&self) -> Boundary {
        Boundary { key: self.created_at_ms, id: self.id.as_str().to_owned() }
    }
}
