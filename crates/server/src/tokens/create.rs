//! Making connect tokens.

use std::sync::Arc;

use grantkeep_vault::{Secret, token};

use super::{ConnectToken, PREFIX, hex, place, store};
use crate::app::App;
use crate::callers::Caller;
use crate::error::{self, Error, Result};
use crate::ids::OAuthAppId;
use crate::projects::{self, Settings};
use crate::scope::{Scope, Scopes};
use crate::tenant::Tenant;
use crate::users;

/// Longest life of a connect token, in seconds.
pub const LIFE_S_MAX: i64 = 14_400;
/// Life of a token whose maker names none, unless the project is in the compatibility profile.
const STRICT_LIFE_S: i64 = 900;
/// Apps that one token lists.
const APPS_MAX: usize = 100;
/// Origins in one token.
const ORIGINS_MAX: usize = 20;
/// Characters in a URI handed in with a token.
const URI_CHARS_MAX: usize = 2_048;
/// Ended tokens are kept this long, so that a late visitor is told what happened.
const KEEP_ENDED_MS: i64 = 24 * 3_600_000;

/// What the caller asks for.
#[derive(Debug, Default)]
pub struct Wish {
    pub external_user_id: String,
    /// The user's name, for the page of a link.
    pub external_user_name: Option<String>,
    pub allowed_origins: Vec<String>,
    pub success_redirect_uri: Option<String>,
    pub error_redirect_uri: Option<String>,
    pub webhook_uri: Option<String>,
    pub expires_in_s: Option<i64>,
    pub scope: Option<String>,
    pub allow_progressive_scopes: bool,
    pub app: Option<String>,
    pub oauth_app: Option<String>,
    /// The only apps that the token connects, by slug or id.
    pub allowed_apps: Option<Vec<String>>,
}

/// Makes a token; its text is given this once.
///
/// # Errors
/// A kind of [`error`] for each wish that cannot be met; nothing is stored then.
pub async fn create(
    app: &Arc<App>,
    caller: &Caller,
    tenant: &Tenant,
    wish: Wish,
) -> Result<(ConnectToken, Secret)> {
    let project = projects::find(&app.db, &tenant.project).await?;
    users::check_external_id(&wish.external_user_id)?;
    let external_name = wish.external_user_name.as_deref().map(user_name).transpose()?;
    for origin in &wish.allowed_origins {
        check_origin(origin)?;
    }
    if wish.allowed_origins.len() > ORIGINS_MAX {
        return Err(error::INVALID_ORIGIN.saying("A token takes at most 20 allowed origins."));
    }
    for uri in [&wish.success_redirect_uri, &wish.error_redirect_uri].into_iter().flatten() {
        check_redirect(&project.settings, uri)?;
    }
    if let Some(uri) = &wish.webhook_uri {
        check_webhook(app, uri)?;
    }
    let scopes = scopes(caller, &project.settings, wish.scope.as_deref())?;
    let (app_slug, oauth_app) = app_of(app, tenant, &wish).await?;
    let allowed_apps = apps_of(app, tenant, &wish, app_slug.as_deref()).await?;
    let life_s = wish.expires_in_s.unwrap_or_else(|| default_life_s(app, &project.settings));
    if !(1..=LIFE_S_MAX).contains(&life_s) {
        return Err(error::INVALID_EXPIRES_IN.into());
    }
    let now_ms = app.clock.now_ms();
    let secret = token::hex(PREFIX, 16);
    let mut tx = app.db.begin().await?;
    store::forget(&mut tx, now_ms - KEEP_ENDED_MS).await?;
    let user = users::ensure(&mut tx, tenant, &wish.external_user_id, now_ms).await?;
    let hash = token::digest(secret.expose());
    let sealed = if wish.webhook_uri.is_some() {
        let key = app.keys.project_within(&mut tx, &tenant.project, now_ms).await?;
        Some(key.seal(&place(tenant, &hex(&hash)), secret.expose().as_bytes()))
    } else {
        None
    };
    let token = ConnectToken {
        hash,
        sealed,
        tenant: tenant.clone(),
        user: user.id,
        external_id: user.external_id,
        external_name,
        allowed_origins: wish.allowed_origins,
        success_redirect_uri: wish.success_redirect_uri,
        error_redirect_uri: wish.error_redirect_uri,
        webhook_uri: wish.webhook_uri,
        scopes,
        reach: caller.reach.clone(),
        app_slug,
        oauth_app,
        allowed_apps,
        allow_progressive_scopes: wish.allow_progressive_scopes,
        created_at_ms: now_ms,
        expires_at_ms: now_ms + life_s * 1_000,
        used_at_ms: None,
    };
    store::insert(&mut tx, &token, caller.actor.id()).await?;
    tx.commit().await?;
    Ok((token, secret))
}

/// No longer than a person needs; as long as clients of the rented service expect where the project
/// keeps to their habits.
fn default_life_s(app: &App, settings: &Settings) -> i64 {
    let configured = i64::from(app.config.connect_token_life_seconds);
    if settings.is_compatible() { configured } else { configured.min(STRICT_LIFE_S) }
}

fn user_name(text: &str) -> Result<String> {
    projects::shown_name("external_user_name", text)
}

/// What the token may do. The proxy is in no star: whoever has it gives it away by name. Clients of
/// the rented service are used to have it with all the rest.
fn scopes(caller: &Caller, settings: &Settings, asked: Option<&str>) -> Result<Scopes> {
    let scopes = match asked.filter(|text| !text.trim().is_empty()) {
        None if caller.scopes.allow(Scope::Connect) => Scopes::of(&[Scope::Connect]),
        None => caller.scopes.for_browsers(),
        Some(asked) => asked_for(caller, asked)?,
    };
    let whole = scopes.allow(Scope::Connect) && settings.is_compatible();
    Ok(if whole && caller.scopes.allow(Scope::Proxy) { scopes.with(Scope::Proxy) } else { scopes })
}

fn asked_for(caller: &Caller, asked: &str) -> Result<Scopes> {
    let scopes = Scopes::parse(asked).ok_or_else(|| {
        error::INVALID_REQUEST.saying("`scope` holds a word that is not a scope of this server.")
    })?;
    if scopes.contains_server_only() || !scopes.within(&caller.scopes) {
        return Err(error::SCOPE_NOT_GRANTED.into());
    }
    Ok(scopes)
}

/// Which app and which OAuth client the token is for, if it says so.
async fn app_of(
    app: &Arc<App>,
    tenant: &Tenant,
    wish: &Wish,
) -> Result<(Option<String>, Option<OAuthAppId>)> {
    let found = match wish.app.as_deref() {
        None => None,
        Some(name) => Some(crate::apps::find(app, &tenant.project, name).await?.slug.clone()),
    };
    let Some(name) = wish.oauth_app.as_deref() else { return Ok((found, None)) };
    let client = crate::apps::find_oauth_app(app, &tenant.project, name).await?;
    if found.as_ref().is_some_and(|slug| *slug != client.app_slug) {
        return Err(error::NOT_FOUND.saying("This OAuth client belongs to another app."));
    }
    Ok((Some(client.app_slug), Some(client.id)))
}

/// The apps that the token lists, each once. An empty list is a mistake: it would connect nothing.
async fn apps_of(
    app: &Arc<App>,
    tenant: &Tenant,
    wish: &Wish,
    named: Option<&str>,
) -> Result<Option<Vec<String>>> {
    let Some(names) = &wish.allowed_apps else { return Ok(None) };
    let wrong = |text: String| {
        error::INVALID_FIELD.saying(text).with(serde_json::json!({ "field": "allowed_apps" }))
    };
    if names.is_empty() || names.len() > APPS_MAX {
        return Err(wrong(format!(
            "`allowed_apps` takes 1 to {APPS_MAX} apps. Leave it out to allow every app."
        )));
    }
    let mut slugs: Vec<String> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let found = crate::apps::find(app, &tenant.project, name).await;
        let found = found.map_err(|it| match it.kind().status {
            404 => wrong(format!("`allowed_apps` names an app that is not known, at place {at}.")),
            _ => it,
        })?;
        if !slugs.contains(&found.slug) {
            slugs.push(found.slug.clone());
        }
    }
    if named.is_some_and(|it| !slugs.iter().any(|slug| slug == it)) {
        return Err(wrong("`allowed_apps` does not hold the token's own app.".to_owned()));
    }
    Ok(Some(slugs))
}

/// An origin as browsers send it: `https://host[:port]`, or http on loopback.
fn check_origin(text: &str) -> Result<()> {
    let url = url::Url::parse(text).map_err(|_| Error::from(error::INVALID_ORIGIN))?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    // An origin stands in the page's policy, where a star is a pattern and a semicolon an end; the
    // host of a URL may hold both.
    let plain = |it: u8| it.is_ascii_alphanumeric() || b".-_[]:/".contains(&it);
    if scheme && text.bytes().all(plain) && url.origin().ascii_serialization() == text {
        return Ok(());
    }
    Err(error::INVALID_ORIGIN.into())
}

fn check_redirect(settings: &Settings, uri: &str) -> Result<()> {
    if uri.len() > URI_CHARS_MAX {
        return Err(error::REDIRECT_NOT_ALLOWED.into());
    }
    if settings.redirect_uris.iter().any(|listed| listed == uri) {
        return Ok(());
    }
    if settings.allow_unlisted_redirects {
        return projects::redirect_uri(uri);
    }
    Err(error::REDIRECT_NOT_ALLOWED.into())
}

/// The sender resolves and checks the address again at each delivery; here only what can be seen at
/// once is refused.
fn check_webhook(app: &Arc<App>, uri: &str) -> Result<()> {
    let judged = app.egress.check_tenant_url(uri);
    judged.map(drop).map_err(|error| error::URL_NOT_ALLOWED.logging(error.detail()))
}
