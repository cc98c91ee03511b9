//! Handing out what an account grants, fresh enough to be used.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::refresh::Why;
use super::seal::{self, Contents};
use super::{Account, Credentials, Health, refresh, signer, store};
use crate::app::App;
use crate::apps::{self, asking};
use crate::error::{self, Result};
use crate::ids::AccountId;
use crate::meters::Meter;
use crate::tenant::Tenant;

/// An app that refuses a token again and again is asked for another one at most this often.
const REFUSED_GAP_MS: i64 = 60_000;

/// An account with credentials that can be used now. Lives no longer than the request that needs
/// it.
pub struct Usable {
    pub account: Account,
    pub credentials: Credentials,
    /// The person's stable id at the provider.
    pub subject: Option<String>,
}

/// Gives the account with an access token good for at least `min_ttl_ms` (by default, the
/// configured margin), refreshing it if needed. A token whose whole life is shorter than twice that
/// needs only half of its life left.
///
/// Any number of callers and processes may call this at once; see [`refresh`].
///
/// # Errors
/// [`error::FROZEN`] while the operator holds credentials back, which this process knows within a
/// second. [`error::REAUTH_REQUIRED`] when only a reconnect helps. While the provider does not
/// answer, a token that has not ended yet is given all the same; after that,
/// [`error::PROVIDER_UNAVAILABLE`] with `Retry-After`.
pub async fn usable(
    app: &Arc<App>,
    tenant: &Tenant,
    id: &AccountId,
    min_ttl_ms: Option<i64>,
) -> Result<Usable> {
    let account = store::find(&app.db, tenant, id).await?.ok_or(error::NOT_FOUND)?;
    usable_of(app, account, min_ttl_ms).await
}

/// The same for an account that was just read.
pub async fn usable_of(
    app: &Arc<App>,
    account: Account,
    min_ttl_ms: Option<i64>,
) -> Result<Usable> {
    not_frozen(app, &account).await?;
    if let Health::Dead { .. } = account.health {
        return Err(refresh::reauth(&account));
    }
    let contents = seal::open(app, &account).await?;
    let now_ms = app.clock.now_ms();
    let wanted_ms = min_ttl_ms.unwrap_or_else(|| app.config.refresh_margin_min_ms.ms());
    if lasts(&account, now_ms, wanted_ms) {
        return Ok(usable_with(account, contents));
    }
    let alive = account.expires_at_ms.is_none_or(|end_ms| end_ms > now_ms);
    if alive && !renewable(app, &account, &contents.credentials).await {
        return Ok(usable_with(account, contents));
    }
    // Without a refresh token, this is where the account is found dead.
    match fresh(app, &account).await {
        Ok(account) => {
            // The provider may have taken longer than a freeze.
            not_frozen(app, &account).await?;
            let contents = seal::open(app, &account).await?;
            Ok(usable_with(account, contents))
        }
        Err(error) if alive && matches!(error.kind().status, 502 | 503) => {
            not_frozen(app, &account).await?;
            Ok(usable_with(account, contents))
        }
        Err(error) => Err(error),
    }
}

/// Whether a new token can be asked for. An app that has left the catalogue cannot be.
async fn renewable(app: &App, account: &Account, credentials: &Credentials) -> bool {
    let found = apps::find(app, &account.tenant.project, &account.app_slug).await;
    let refresh_token = credentials.refresh_token.is_some();
    found.is_ok_and(|it| asking::renewable(&it, refresh_token))
}

/// Gives the account once more after its app refused the access token of `seen` (401), with a newer
/// one. `None`: there is none to be had now, and the app's refusal is the answer.
///
/// However many callers are refused at once and however often, the app is asked for a token once in
/// [`REFUSED_GAP_MS`].
///
/// # Errors
/// [`error::REAUTH_REQUIRED`] when the refresh showed that the grant is gone; [`error::FROZEN`].
pub async fn usable_after_refusal(app: &Arc<App>, seen: &Usable) -> Result<Option<Usable>> {
    let Usable { account, credentials, .. } = seen;
    let refreshed_ms = account.last_refreshed_at_ms.unwrap_or(i64::MIN);
    let recent = refreshed_ms.saturating_add(REFUSED_GAP_MS) > app.clock.now_ms();
    if recent || !renewable(app, account, credentials).await {
        return Ok(None);
    }
    match refresh::refresh(app, account, Why::Refused).await {
        Ok(()) => {}
        Err(error) if error.kind().status == 409 => return Err(error),
        Err(_) => return Ok(None),
    }
    let newer = store::find(&app.db, &account.tenant, &account.id).await?;
    let newer = newer.ok_or(error::NOT_FOUND)?;
    usable_of(app, newer, None).await.map(Some)
}

async fn not_frozen(app: &App, account: &Account) -> Result<()> {
    let freezes = app.freezes().await?;
    if freezes.hold(&account.tenant.project, &account.app_slug) {
        return Err(error::FROZEN.into());
    }
    Ok(())
}

/// Refreshes, and gives the row with what came of it. However short its life, a token that was
/// fetched for this call is the best there is; but an answer that was taken over from a dead
/// process may have ended long ago, and then it is refreshed once more.
async fn fresh(app: &Arc<App>, stale: &Account) -> Result<Account> {
    let mut account = stale.clone();
    for _ in 0..2 {
        refresh::refresh(app, &account, Why::Needed).await?;
        account = store::find(&app.db, &stale.tenant, &stale.id).await?.ok_or(error::NOT_FOUND)?;
        if let Health::Dead { .. } = account.health {
            return Err(refresh::reauth(&account));
        }
        let now_ms = app.clock.now_ms();
        if account.expires_at_ms.is_none_or(|end_ms| end_ms > now_ms) {
            break;
        }
    }
    Ok(account)
}

fn usable_with(account: Account, contents: Contents) -> Usable {
    Usable { account, credentials: contents.credentials, subject: contents.subject }
}

/// Whether the access token lasts for `wanted_ms`, or for half of its life where that is less.
fn lasts(account: &Account, now_ms: i64, wanted_ms: i64) -> bool {
    let Some(end_ms) = account.expires_at_ms else { return true };
    let begun_ms = account.last_refreshed_at_ms.unwrap_or(account.created_at_ms);
    let life_ms = (end_ms - begun_ms).max(0);
    end_ms > now_ms && end_ms - now_ms >= wanted_ms.min(life_ms / 2)
}

/// The credentials as callers of the API get them. The refresh token is never among them: whoever
/// holds it could outlive every deletion here. Of OAuth 1.0a they get what has requests signed.
pub(super) async fn credentials(app: &App, usable: &Usable) -> Result<Map<String, Value>> {
    app.meters.count(&usable.account.tenant, Meter::Vends, app.clock.now_ms());
    let mut out = auth_values(app, usable).await?;
    if usable.credentials.token_secret.is_some() {
        let token = signer::token_for(app, &usable.account)?;
        out.insert("oauth_access_token".to_owned(), Value::from(token.expose()));
        let address = app.url(signer::PATH).to_string();
        out.insert("oauth_signer_uri".to_owned(), Value::from(address));
    }
    Ok(out)
}

/// The same for code of ours that goes on to hide the secrets among them.
pub(crate) async fn auth_values(app: &App, usable: &Usable) -> Result<Map<String, Value>> {
    let Usable { account, credentials, subject } = usable;
    let mut out = Map::new();
    let mut put = |name: &str, value: &str| out.insert(name.to_owned(), Value::from(value));
    for (name, value) in &credentials.fields {
        put(name, value.expose());
    }
    if let Some(client_id) = &account.client_id {
        put("oauth_client_id", client_id);
    } else if let Some(id) = &account.oauth_app {
        let project = &account.tenant.project;
        let client = apps::oauth_app_for_user(app, project, id.as_str(), &account.user).await;
        if let Ok(client) = client {
            put("oauth_client_id", &client.client_id);
        }
    }
    if let Some(token) = &credentials.access_token {
        put("oauth_access_token", token.expose());
    }
    // Keys come under the names of the app's own fields and no others.
    if let Some(subject) = subject.as_ref().filter(|_| account.oauth_app.is_some()) {
        put("oauth_uid", subject);
    }
    Ok(out)
}
