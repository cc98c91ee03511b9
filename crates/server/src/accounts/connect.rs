//! Storing what a user granted: a new account, or an old one reconnected in place.

use std::sync::Arc;

use grantkeep_vault::OwnerKey;
use serde_json::json;

use super::news::{self, Asker};
use super::seal::{self, Contents};
use super::store::refreshing as rows;
use super::{Account, Health, NewGrant, Refreshing, forecast, schedule, store};
use crate::app::App;
use crate::apps::{self, OAuthApp, asking};
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::AccountId;
use crate::meters::Meter;
use crate::tokens;

/// Stores the grant and uses the connect token up: both or neither. A reconnected account keeps its
/// id.
///
/// # Errors
/// [`error::CONNECT_TOKEN_USED`] when another connection was first; [`error::NOT_FOUND`] when the
/// account to reconnect is not one of this user, environment and app; [`error::DIFFERENT_ACCOUNT`]
/// when another person signed in at the provider than the one behind the account, or when it cannot
/// be told. Nothing is stored then.
pub async fn connect(app: &Arc<App>, grant: NewGrant, origin: &Origin) -> Result<Account> {
    connect_by(app, (grant, None), origin).await
}

/// The same for a grant to a client that its user entered for himself, which is stored with it.
///
/// # Errors
/// As for [`connect`].
pub(crate) async fn connect_by(
    app: &Arc<App>,
    (grant, own): (NewGrant, Option<OAuthApp>),
    origin: &Origin,
) -> Result<Account> {
    let now_ms = app.clock.now_ms();
    let former = former(app, &grant).await?;
    let asker = Asker::of(app, &grant.token_hash).await?;
    apps::ready(app, &grant.tenant.project).await?;
    let mut tx = app.db.begin().await?;
    tokens::consume(&mut tx, &grant.token_hash, now_ms).await?;
    let action = if former.is_some() { "account.reconnect" } else { "account.connect" };
    let account = match former {
        None => create(app, &mut tx, grant, now_ms).await?,
        Some(former) => reconnect(app, &mut tx, former, grant, now_ms).await?,
    };
    // After the account, whose row a deletion takes first too.
    if let Some(client) = &own {
        apps::keep_own_client(&mut tx, client).await?;
    }
    news::connected(app, &mut tx, &account, &asker).await?;
    let event = Event::new(action, &Actor::User(account.user.clone()), origin)
        .tenant(&account.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id)
        .detail(json!({ "app": account.app_slug, "binding": account.binding.as_str() }));
    app.audit.within(&mut tx, event).await?;
    if let Some(client) = &own {
        remember_client(app, &mut tx, (&account, client), origin).await?;
    }
    tx.commit().await?;
    app.meters.count(&account.tenant, Meter::Connects, now_ms);
    let app_slug = account.app_slug.clone();
    metrics::counter!("grantkeep_connects_total", "app" => app_slug, "action" => action)
        .increment(1);
    Ok(account)
}

async fn remember_client(
    app: &App,
    tx: &mut Tx,
    (account, client): (&Account, &OAuthApp),
    origin: &Origin,
) -> Result<()> {
    let event = Event::new("oauth_app.create", &Actor::User(account.user.clone()), origin)
        .tenant(&account.tenant)
        .target("oauth_app", client.id.as_str())
        .user(&account.external_id)
        .detail(json!({ "app": account.app_slug, "account": account.id }));
    app.audit.within(tx, event).await
}

/// The account to be reconnected, and the key to what it grants; looked up before the transaction.
struct Former {
    id: AccountId,
    key: Arc<OwnerKey>,
}

async fn former(app: &App, grant: &NewGrant) -> Result<Option<Former>> {
    let Some(id) = &grant.reconnect else { return Ok(None) };
    let account = store::find(&app.db, &grant.tenant, id)
        .await?
        .filter(|it| it.user == grant.user && it.app_slug == grant.app_slug)
        .ok_or(error::NOT_FOUND)?;
    Ok(Some(Former { key: seal::user_key(app, &account).await?, id: account.id }))
}

async fn create(app: &App, tx: &mut Tx, grant: NewGrant, now_ms: i64) -> Result<Account> {
    let account = Account {
        id: AccountId::mint(),
        tenant: grant.tenant.clone(),
        user: grant.user.clone(),
        external_id: grant.external_id.clone(),
        app_slug: grant.app_slug.clone(),
        oauth_app: None,
        name: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        binding: grant.binding,
        health: Health::Healthy,
        expires_at_ms: None,
        last_refreshed_at_ms: None,
        next_refresh_at_ms: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        version: 0,
        keep_alive: true,
        refreshing: Refreshing::default(),
        attempts: 0,
        sealed: Vec::new(),
        wrapped_key: None,
        client_id: None,
    };
    let account = filled(app, tx, account, grant).await?;
    store::insert(tx, &account).await?;
    Ok(account)
}

async fn reconnect(
    app: &App,
    tx: &mut Tx,
    former: Former,
    mut grant: NewGrant,
    now_ms: i64,
) -> Result<Account> {
    let mut account = store::hold(tx, &grant.tenant, &grant.user, &former.id)
        .await?
        .ok_or_else(|| Error::from(error::NOT_FOUND))?;
    let was = seal::open_with(&former.key, &account)?.subject;
    grant.subject = same_person(was, grant.subject)?;
    // The life of the new token is counted from here.
    account.last_refreshed_at_ms = Some(now_ms);
    account.updated_at_ms = now_ms;
    let client = account.oauth_app.take();
    let account = filled(app, tx, account, grant).await?;
    if !store::replace(tx, &account).await? {
        return Err(error::INTERNAL.logging("a held account row changed"));
    }
    // What came late for the former grant is of no use to this one.
    rows::forget_candidates(tx, &account).await?;
    if let Some(client) = client.filter(|it| account.oauth_app.as_ref() != Some(it)) {
        apps::let_go(tx, &account.tenant.project, &client, now_ms).await?;
    }
    Ok(account)
}

/// An id that the product's code keeps must not come to stand for somebody else.
fn same_person(former: Option<String>, now: Option<String>) -> Result<Option<String>> {
    match (former, now) {
        (Some(former), Some(now)) if former != now => Err(error::DIFFERENT_ACCOUNT.into()),
        (Some(_), None) => Err(error::DIFFERENT_ACCOUNT.saying(
            "The app did not say which account was signed in, so it cannot be told whether it is \
             the one being reconnected. Try again.",
        )),
        (_, now) => Ok(now),
    }
}

/// The account with the grant in it, sealed for its next version.
async fn filled(app: &App, tx: &mut Tx, mut account: Account, grant: NewGrant) -> Result<Account> {
    let now_ms = account.updated_at_ms;
    account.oauth_app = grant.oauth_app;
    account.name = grant.name.or(account.name);
    account.scopes = grant.scopes;
    account.missing_scopes = grant.missing_scopes;
    account.binding = grant.binding;
    account.health = Health::Healthy;
    account.attempts = 0;
    account.version += 1;
    account.expires_at_ms = grant.expires_at_ms;
    account.refreshing = Refreshing {
        granted_version: account.version,
        granted_at_ms: now_ms,
        ..Refreshing::default()
    };
    if let Some(found) = apps::known(app, &account.tenant.project, &account.app_slug).await {
        let renewable = asking::renewable(&found, grant.credentials.refresh_token.is_some());
        account.next_refresh_at_ms =
            schedule::next_refresh(&app.config, &found, &account, (renewable, now_ms));
        account.refreshing.ends_at_ms =
            forecast::ending(&found, &account, renewable).map(|it| it.at_ms);
    }
    let key = app.keys.user_for_sealing(tx, &account.tenant, &account.user, now_ms).await?;
    let contents = Contents {
        credentials: grant.credentials,
        subject: grant.subject,
        former_refresh_token: None,
    };
    account.sealed = seal::seal(&key, &account, &contents)?;
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_13_only_the_same_person_may_stand_behind_an_id() {
        let person = |text: &str| Some(text.to_owned());
        let code = |former, now| same_person(former, now).map_err(|it| it.kind().code);
        assert_eq!(code(person("a"), person("a")), Ok(person("a")));
        assert_eq!(code(person("a"), person("b")), Err("different_account"));
        assert_eq!(code(person("a"), None), Err("different_account"));
        assert_eq!(code(None, person("b")), Ok(person("b")));
        assert_eq!(code(None, None), Ok(None));
    }
}
