//! An account that is missing, or that must be connected again: the caller is told where it can be,
//! and the product's endpoints that it is needed.

use std::sync::Arc;

use serde_json::json;

use crate::accounts::Account;
use crate::app::App;
use crate::callers::Caller;
use crate::clock::iso;
use crate::error::{self, Error, Result};
use crate::ids::AccountId;
use crate::projects;
use crate::tenant::Tenant;
use crate::tokens::{self, Wish};
use crate::webhooks::{self, News, Topic};

/// Whose account of which app is needed, and for which field.
pub(super) struct Needed<'a> {
    pub tenant: &'a Tenant,
    pub external_id: &'a str,
    pub caller: &'a Caller,
    /// The component's key.
    pub component: &'a str,
    pub prop: &'a str,
    pub app_slug: &'a str,
}

/// The error for a field without an account.
pub(super) async fn missing(app: &Arc<App>, it: &Needed<'_>) -> Error {
    let Needed { external_id, prop, app_slug, .. } = it;
    let text = format!(
        "`{prop}` needs the user's account of {app_slug}. Let the user connect one, and name it: \
         {{\"{prop}\": {{\"authProvisionId\": \"apn_...\"}}}}."
    );
    tell(app, it, None).await;
    let link = link(app, it, None).await;
    error::ACCOUNT_NEEDED.saying(text).with(json!({
        "prop": prop,
        "app": app_slug,
        "external_user_id": external_id,
        "connect_link_url": link.as_ref().map(|(url, _)| url),
        "expires_at": link.as_ref().map(|(_, end)| end),
    }))
}

/// The error for an account that only a reconnect helps.
pub(super) async fn broken(app: &Arc<App>, it: &Needed<'_>, account: &Account) -> Error {
    tell(app, it, Some(&account.id)).await;
    let link = link(app, it, Some(&account.id)).await;
    error::REAUTH_REQUIRED
        .saying(format!(
            "The account {} of {} no longer works. Let the user connect it again.",
            account.id, it.app_slug
        ))
        .with(json!({
            "prop": it.prop,
            "app": it.app_slug,
            "account_id": account.id,
            "reason": account.health.reason(),
            "external_user_id": it.external_id,
            "connect_link_url": link.as_ref().map(|(url, _)| url),
            "expires_at": link.as_ref().map(|(_, end)| end),
        }))
}

/// A connect link and its end. `None` for browsers, which are within a page that connects, for
/// callers that may not make one, and where the project has no links.
async fn link(
    app: &Arc<App>,
    it: &Needed<'_>,
    account: Option<&AccountId>,
) -> Option<(String, String)> {
    let project = projects::find(&app.db, &it.tenant.project).await.ok()?;
    let links = project.settings.verify_url.is_some() || project.settings.allow_unverified_links;
    let may = it.caller.scopes.allow(crate::scope::Scope::TokensCreate);
    if it.caller.connect.is_some() || !links || !may {
        return None;
    }
    let wish = Wish {
        external_user_id: it.external_id.to_owned(),
        app: Some(it.app_slug.to_owned()),
        ..Wish::default()
    };
    let (token, secret) = tokens::create(app, it.caller, it.tenant, wish).await.ok()?;
    let mut url = app.url("/_static/connect.html");
    url.query_pairs_mut()
        .append_pair("token", secret.expose())
        .append_pair("connectLink", "true")
        .append_pair("app", it.app_slug);
    if let Some(account) = account {
        url.query_pairs_mut().append_pair("accountId", account.as_str());
    }
    Some((url.into(), iso(token.expires_at_ms)))
}

/// Tells the product, once in a while for each user and app. That it cannot be told must not hide
/// what is wrong.
async fn tell(app: &Arc<App>, it: &Needed<'_>, account: Option<&AccountId>) {
    let missed = (it.tenant.clone(), it.external_id.to_owned(), it.app_slug.to_owned());
    if app.missed.contains_key(&missed) {
        return;
    }
    app.missed.insert(missed, ()).await;
    if let Err(error) = announce(app, it, account).await {
        tracing::error!(%error, detail = error.log(), "nobody was told of a missing account");
    }
}

async fn announce(app: &Arc<App>, it: &Needed<'_>, account: Option<&AccountId>) -> Result<()> {
    let body = json!({
        "external_user_id": it.external_id,
        "app": it.app_slug,
        "account_id": account,
        "component": it.component,
    });
    let news =
        News { tenant: it.tenant, topic: Topic::AccountNeeded, account, body, webhook_uri: None };
    let mut tx = app.db.begin().await?;
    webhooks::announce(app, &mut tx, news).await?;
    tx.commit().await?;
    Ok(())
}
