//! Opening the page: what the address asks for, judged, and a page session for it.

use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::{Secret, token};

use super::failure::gone;
use super::{FLOW_LIFE_MS, Mode, SESSION_PREFIX, Session, funnel, own_client, scopes, store};
use crate::accounts::{self, Account, Binding};
use crate::app::App;
use crate::apps::{self, AppOverride, OAuthApp};
use crate::callers::Origin;
use crate::error::{self, Error, Result};
use crate::ids::{AccountId, OAuthAppId, OverrideId, SessionId};
use crate::projects::{self, Project, Settings};
use crate::tokens::{self, ConnectToken};

/// In what the browser says that it shows the page (`Sec-Fetch-Dest`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    InFrame,
    OnTop,
    /// An old browser, or none.
    Unsaid,
}

/// What the address asks for. Nothing of it is believed before it is judged.
pub(super) struct Visit<'a> {
    pub token: &'a str,
    pub names: Names<'a>,
    pub profile: Option<&'a str>,
    pub hide_close: bool,
    /// The person came from the list of apps, or goes back to it: no new visit.
    pub turned: bool,
    pub link: bool,
    pub shown: Shown,
    /// Hash of the cookie that an earlier visit of the link left, if there is one.
    pub browser: Option<[u8; 32]>,
}

/// The names in an address. All may be missing; the connect token names the rest.
#[derive(Clone, Copy, Default)]
pub(super) struct Names<'a> {
    pub app: Option<&'a str>,
    pub oauth_app: Option<&'a str>,
    pub account: Option<&'a str>,
    pub app_override: Option<&'a str>,
    /// The person is to enter a client of his own. Names no app by itself.
    pub own_client: bool,
}

impl Names<'_> {
    fn is_empty(&self) -> bool {
        matches!(self, Self { app: None, oauth_app: None, account: None, app_override: None, .. })
    }
}

/// What the page is rendered from.
pub(super) struct Opened {
    pub session: Session,
    pub secret: Secret,
    pub token: ConnectToken,
    pub project: Project,
    /// `None`: the person chooses from the list.
    pub wanted: Option<Wanted>,
    pub hide_close: bool,
}

/// Why the page is not shown, with as much as is known of who should be told.
pub(super) struct NotOpened {
    pub error: Error,
    pub token: Option<ConnectToken>,
    pub project: Option<Project>,
    /// Name of the app, where it is known.
    pub app: Option<String>,
}

impl<E: Into<Error>> From<E> for NotOpened {
    fn from(error: E) -> Self {
        Self { error: error.into(), token: None, project: None, app: None }
    }
}

/// Opens a page session and ends the token's earlier one.
pub(super) async fn open(
    app: &Arc<App>,
    visit: Visit<'_>,
    origin: &Origin,
) -> Result<Opened, NotOpened> {
    let found = tokens::find(app, visit.token).await?;
    let token = found.ok_or_else(|| Error::from(error::CONNECT_TOKEN_UNKNOWN))?;
    let project = projects::find(&app.db, &token.tenant.project).await?;
    match judge(app, &visit, &token, &project).await {
        Ok((wanted, place)) => {
            let (session, secret) = begin(app, &visit, &token, (wanted.as_ref(), place)).await?;
            if !visit.turned {
                funnel::opened(app, &session, origin);
            } else if wanted.is_some() {
                funnel::picked(app, &session, origin).await?;
            }
            let hide_close = visit.hide_close;
            Ok(Opened { session, secret, token, project, wanted, hide_close })
        }
        Err(error) => {
            funnel::not_shown(app, (&token.tenant, &token.user), error.kind().code, origin);
            Err(refused(app, (token, project), (error, visit.names.app)).await)
        }
    }
}

/// The page of a session that goes on.
///
/// # Errors
/// As for [`open`].
pub(super) async fn again(
    app: &Arc<App>,
    (session, secret): (Session, Secret),
    hide_close: bool,
) -> Result<Opened, NotOpened> {
    let found = tokens::find_by_hash(app, &session.token_hash).await?;
    let token = found.ok_or_else(|| Error::from(error::CONNECT_TOKEN_EXPIRED))?;
    let project = projects::find(&app.db, &token.tenant.project).await?;
    let names = Names {
        app: session.app_slug.as_deref(),
        // The client that is to be entered is found again, and not named.
        oauth_app: session
            .oauth_app
            .as_ref()
            .filter(|_| !session.own_client)
            .map(OAuthAppId::as_str),
        account: session.reconnect.as_ref().map(AccountId::as_str),
        app_override: session.app_override.as_ref().map(OverrideId::as_str),
        own_client: session.own_client,
    };
    let wanted = match names.app {
        None => Ok(None),
        Some(_) => wanted(app, &token, names).await.map(Some),
    };
    match wanted {
        Ok(wanted) => Ok(Opened { session, secret, token, project, wanted, hide_close }),
        Err(error) => {
            Err(refused(app, (token, project), (error, session.app_slug.as_deref())).await)
        }
    }
}

/// A refusal with all that can be said of it.
pub(super) async fn refused(
    app: &Arc<App>,
    (token, project): (ConnectToken, Project),
    (error, named): (Error, Option<&str>),
) -> NotOpened {
    let found = match named.or(token.app_slug.as_deref()) {
        // One that the catalogue knows too little of has a name all the same.
        Some(name) => match apps::find(app, &project.id, name).await {
            Ok(found) => Some(found),
            Err(_) => apps::find_public(app, name).ok(),
        },
        None => None,
    };
    let app = found.map(|it| it.name.clone());
    NotOpened { error, token: Some(token), project: Some(project), app }
}

/// What is to be connected.
pub(super) struct Wanted {
    pub app: Arc<CatalogApp>,
    pub client: Option<OAuthApp>,
    /// The client is the person's own, and he is to enter it.
    pub asks_client: bool,
    pub account: Option<Account>,
    pub app_override: Option<AppOverride>,
}

/// Where the page is shown, and what that proves of the person.
type Place = (Mode, Binding);

async fn judge(
    app: &Arc<App>,
    visit: &Visit<'_>,
    token: &ConnectToken,
    project: &Project,
) -> Result<(Option<Wanted>, Place)> {
    token.usable(app.clock.now_ms())?;
    let place = place(app, visit, token, project).await?;
    if visit.profile.is_some_and(|it| !scopes::PROFILES.contains(&it)) {
        return Err(error::INVALID_PARAMETER.into());
    }
    if visit.names.is_empty() && token.app_slug.is_none() {
        return Ok((None, place));
    }
    Ok((Some(wanted(app, token, visit.names).await?), place))
}

/// Where the page may be shown, and what that proves of the person.
async fn place(
    app: &Arc<App>,
    visit: &Visit<'_>,
    token: &ConnectToken,
    project: &Project,
) -> Result<Place> {
    let settings = &project.settings;
    let unproved = unproved(settings);
    if visit.link {
        let binding = unproved.ok_or(error::LINKS_OFF)?;
        free_for(app, &token.hash, visit.browser.as_ref()).await?;
        return Ok((Mode::Link, binding));
    }
    // Without its frame, the page would be a link that nobody allowed.
    if visit.shown == Shown::OnTop {
        return Err(error::MUST_BE_EMBEDDED.into());
    }
    if token.allowed_origins.is_empty() {
        if settings.require_allowed_origins {
            return Err(error::ORIGINS_MISSING.into());
        }
        return Ok((Mode::Iframe, unproved.unwrap_or(Binding::None)));
    }
    let proved = visit.shown == Shown::InFrame;
    let binding = if proved { Binding::Embedded } else { unproved.unwrap_or(Binding::None) };
    Ok((Mode::Iframe, binding))
}

/// Whether a browser, known by its cookie's hash, may go on with a token's link: the first that did
/// keeps it.
///
/// # Errors
/// [`error::CONNECT_TOKEN_USED`].
pub(super) async fn free_for(
    app: &App,
    token: &[u8; 32],
    browser: Option<&[u8; 32]>,
) -> Result<()> {
    let bound = store::link_browser(&app.db, token).await?;
    if bound.is_some() && bound.as_deref() != browser.map(<[u8; 32]>::as_slice) {
        return Err(error::CONNECT_TOKEN_USED.into());
    }
    Ok(())
}

/// What stands in for the proof of a frame: the product's backend, where it can be asked; nothing,
/// where the project allows that. `None` where neither does.
pub(super) fn unproved(settings: &Settings) -> Option<Binding> {
    if settings.verify_url.is_some() {
        return Some(Binding::Verified);
    }
    settings.allow_unverified_links.then_some(Binding::None)
}

/// Finds app, client and account by the names in an address. What is not this project's or this
/// user's is answered as if it did not exist (OWASP API1, object-level authorization).
pub(super) async fn wanted(
    app: &Arc<App>,
    token: &ConnectToken,
    names: Names<'_>,
) -> Result<Wanted> {
    let project = &token.tenant.project;
    let app_override = match names.app_override {
        None => None,
        Some(id) => Some(apps::find_override(app, project, id).await?),
    };
    let account = match names.account {
        None => None,
        Some(id) => {
            let found = accounts::find(app, &token.tenant, id, Some(&token.external_id)).await;
            let is_gone = |it: &Error| it.kind().code == error::NOT_FOUND.code;
            Some(found.map_err(|it| if is_gone(&it) { gone() } else { it })?)
        }
    };
    let set = app_override.as_ref().and_then(|it| it.oauth_app.as_ref()).map(OAuthAppId::as_str);
    if matches!((names.oauth_app, set), (Some(named), Some(set)) if named != set) {
        return Err(error::NOT_FOUND.into());
    }
    let client = names.oauth_app.or(set);
    let named = names
        .app
        .or(token.app_slug.as_deref())
        .or(account.as_ref().map(|it| it.app_slug.as_str()))
        .or(app_override.as_ref().map(|it| it.app_slug.as_str()));
    let named = match (named, client) {
        (Some(named), _) => named.to_owned(),
        (None, Some(id)) => apps::find_oauth_app(app, project, id).await?.app_slug,
        (None, None) => {
            let text = "No app is named. Add `app_id`, or make the token for one app.";
            return Err(error::APP_NOT_FOUND.saying(text));
        }
    };
    let found = apps::find(app, project, &named).await?;
    let other = |slug: &str| slug != found.slug;
    if account.as_ref().is_some_and(|it| other(&it.app_slug))
        || app_override.as_ref().is_some_and(|it| other(&it.app_slug))
    {
        return Err(error::NOT_FOUND.into());
    }
    token.allows(&found.slug)?;
    // Who fixed a client wants that one.
    let free = client.is_none() && token.oauth_app.is_none();
    let asks_client = names.own_client && free && apps::takes_own_client(&found);
    let client = if asks_client {
        Some(own_client::asked(app, token, &found, account.as_ref()).await?)
    } else {
        client_for(app, token, &found, client, account.as_ref()).await?
    };
    Ok(Wanted { app: found, client, asks_client, account, app_override })
}

/// The OAuth client: the one named, by an override too, else the token's, else that of the
/// account, else the project's newest.
async fn client_for(
    app: &Arc<App>,
    token: &ConnectToken,
    found: &CatalogApp,
    named: Option<&str>,
    account: Option<&Account>,
) -> Result<Option<OAuthApp>> {
    let fixed = token.oauth_app.as_ref().map(OAuthAppId::as_str);
    if matches!((named, fixed), (Some(named), Some(fixed)) if named != fixed) {
        return Err(error::NOT_FOUND.into());
    }
    let project = &token.tenant.project;
    if found.wire_auth_type() != "oauth" {
        return if named.is_some() { Err(error::NOT_FOUND.into()) } else { Ok(None) };
    }
    let client = match named.or(fixed) {
        // By an account's own client too, which a page that goes on names.
        Some(id) => apps::oauth_app_for_user(app, project, id, &token.user).await?,
        None => match account.and_then(|it| it.oauth_app.as_ref()) {
            Some(id) => apps::oauth_app_for_user(app, project, id.as_str(), &token.user).await?,
            None => apps::oauth_app_for(app, project, &found.slug).await?,
        },
    };
    if client.app_slug != found.slug {
        return Err(error::NOT_FOUND.into());
    }
    if client.client_id.is_empty() {
        return Err(error::OAUTH_CLIENT_MISSING.into());
    }
    Ok(Some(client))
}

async fn begin(
    app: &Arc<App>,
    visit: &Visit<'_>,
    token: &ConnectToken,
    (wanted, (mode, binding)): (Option<&Wanted>, Place),
) -> Result<(Session, Secret)> {
    let now_ms = app.clock.now_ms();
    let secret = token::base64url(SESSION_PREFIX, 32);
    let session = Session {
        id: SessionId::mint(),
        token_hash: token.hash,
        tenant: token.tenant.clone(),
        user: token.user.clone(),
        external_id: token.external_id.clone(),
        app_slug: wanted.map(|it| it.app.slug.clone()),
        oauth_app: wanted.and_then(|it| it.client.as_ref()).map(|it| it.id.clone()),
        own_client: wanted.map_or(visit.names.own_client, |it| it.asks_client),
        reconnect: wanted.and_then(|it| it.account.as_ref()).map(|it| it.id.clone()),
        scope_profile: visit.profile.map(str::to_owned),
        app_override: wanted.and_then(|it| it.app_override.as_ref()).map(|it| it.id.clone()),
        mode,
        binding,
        created_at_ms: now_ms,
        // A flow that was begun in time may end in its own.
        expires_at_ms: token.expires_at_ms + FLOW_LIFE_MS,
        ended_at_ms: None,
    };
    let mut tx = app.db.begin().await?;
    store::end_sessions(&mut tx, &token.hash, now_ms).await?;
    store::insert_session(&mut tx, &session, &token::digest(secret.expose())).await?;
    tx.commit().await?;
    Ok((session, secret))
}
