//! OAuth clients at providers: made, changed, chosen. The secret goes in and never comes out of the
//! API.

use std::collections::HashSet;
use std::sync::Arc;

use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::Secret;

use super::proofs::Proofs;
use super::store;
use crate::app::App;
use crate::callback_origins;
use crate::error::{self, Error, Result};
use crate::ids::{OAuthAppId, ProjectId, UserId};
use crate::paging::Page;

/// A client registered at a provider, for one app and one project.
#[derive(Clone)]
pub struct OAuthApp {
    pub id: OAuthAppId,
    pub project: ProjectId,
    pub app_slug: String,
    pub name: String,
    pub description: Option<String>,
    /// Empty until the operator has registered the redirect URI and come back with the id.
    pub client_id: String,
    pub(super) sealed_secret: Option<Vec<u8>>,
    pub(super) sealed_key: Option<Vec<u8>>,
    /// The name of its private key.
    pub key_id: Option<String>,
    /// The public half of its private key (RFC 7517), as JSON.
    pub public_jwk: Option<String>,
    /// PEM, the client's own first.
    pub client_certificate: Option<String>,
    /// Where it is registered: the address that tokens come from.
    pub(super) registered_at: String,
    /// The project's origin for redirect URIs, if it has one of its own.
    pub(super) callback_origin: Option<String>,
    /// The one user who entered it for himself; `None`: it is the project's.
    pub owner: Option<UserId>,
    /// Scopes to ask for; the app's own when absent.
    pub scopes: Option<Vec<String>>,
    pub additional_scopes: Vec<String>,
    pub(super) version: i64,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

impl OAuthApp {
    /// The redirect URI to register at the provider, unlike that of any other client (so that a
    /// code cannot be brought to the wrong one).
    pub fn redirect_uri(&self, app: &App) -> String {
        let path = format!("/connect/oauth/{}/callback", self.id);
        let own = self.callback_origin.as_deref().filter(|it| callback_origins::knows(app, it));
        own.map_or_else(|| app.url(&path).into(), |origin| format!("{origin}{path}"))
    }

    /// Where its public key lies.
    pub fn jwks_uri(&self, app: &App) -> Option<String> {
        let path = format!("/connect/oauth/{}/jwks.json", self.id);
        self.public_jwk.is_some().then(|| app.url(&path).into())
    }

    pub fn has_secret(&self) -> bool {
        self.sealed_secret.is_some()
    }
}

/// What to write; `None` leaves as it is.
#[derive(Default)]
pub struct Edit {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub client_id: Option<String>,
    /// Blank keeps the stored one.
    pub client_secret: Option<Secret>,
    pub scopes: Option<Vec<String>>,
    pub additional_scopes: Option<Vec<String>>,
    /// PEM or JWK. Blank keeps the stored one.
    pub private_key: Option<Secret>,
    /// Make a key, in the place of one that is there.
    pub generate_key: bool,
    pub key_id: Option<String>,
    /// The inner `None` takes it away.
    pub client_certificate: Option<Option<String>>,
}

/// Makes a client. Id and secret may follow later by [`update_oauth_app`], since the redirect URI
/// to register holds the id that is made here.
///
/// # Errors
/// [`error::APP_NOT_FOUND`]; [`error::INVALID_FIELD`] when the app takes no OAuth client, or when
/// the registration belongs to another project.
pub async fn create_oauth_app(
    app: &Arc<App>,
    project: &ProjectId,
    app_name: &str,
    edit: Edit,
) -> Result<OAuthApp> {
    let found = super::find(app, project, app_name).await?;
    if !found.needs_client() {
        return Err(error::INVALID_FIELD
            .saying("This app is connected with keys; it takes no OAuth client."));
    }
    let now_ms = app.clock.now_ms();
    let mut client = blank((OAuthAppId::mint(), project.clone()), &found, now_ms);
    client.callback_origin = store::callback_origin(&app.db, project).await?;
    write(app, client, edit, true).await
}

/// A client of which nothing is known yet.
pub(super) fn blank(
    (id, project): (OAuthAppId, ProjectId),
    found: &CatalogApp,
    now_ms: i64,
) -> OAuthApp {
    OAuthApp {
        id,
        project,
        app_slug: found.slug.clone(),
        name: found.name.clone(),
        description: None,
        client_id: String::new(),
        sealed_secret: None,
        sealed_key: None,
        key_id: None,
        public_jwk: None,
        client_certificate: None,
        registered_at: String::new(),
        callback_origin: None,
        owner: None,
        scopes: None,
        additional_scopes: Vec::new(),
        version: 0,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    }
}

/// # Errors
/// [`error::NOT_FOUND`]; otherwise as for [`create_oauth_app`].
pub async fn update_oauth_app(
    app: &Arc<App>,
    project: &ProjectId,
    id: &str,
    edit: Edit,
) -> Result<OAuthApp> {
    let client = find_oauth_app(app, project, id).await?;
    write(app, client, edit, false).await
}

pub(super) async fn write(
    app: &Arc<App>,
    mut client: OAuthApp,
    mut edit: Edit,
    fresh: bool,
) -> Result<OAuthApp> {
    let now_ms = app.clock.now_ms();
    let found = super::find(app, &client.project, &client.app_slug).await?;
    let proofs = Proofs::after(app, &mut client, &mut edit).await?;
    client.version += 1;
    client.updated_at_ms = now_ms;
    client.registered_at = registered_at(&found);
    if let Some(name) = edit.name.filter(|name| !name.trim().is_empty()) {
        client.name = name;
    }
    client.description = edit.description.unwrap_or(client.description);
    client.client_id = edit.client_id.unwrap_or(client.client_id);
    client.scopes = edit.scopes.or(client.scopes);
    client.additional_scopes = edit.additional_scopes.unwrap_or(client.additional_scopes);
    let mut tx = app.db.begin().await?;
    if !proofs.is_empty() {
        let key = app.keys.project_for_sealing(&mut tx, &client.project, now_ms).await?;
        proofs.seal(&key, &mut client);
    }
    if !client.client_id.is_empty() && !store::register(&mut tx, &client).await? {
        return Err(error::INVALID_FIELD.saying(
            "This client id is already used by another project. Register a client of its own for \
             each project: a shared one lets one product's users be connected to another's.",
        ));
    }
    if fresh {
        store::insert(&mut tx, &client).await?;
    } else if !store::update(&mut tx, &client).await? {
        return Err(
            error::INVALID_REQUEST.saying("The client was changed meanwhile. Read it again.")
        );
    }
    store::release(&mut tx, &client.project).await?;
    tx.commit().await?;
    Ok(client)
}

/// The address that an app's tokens come from, as its file has it: what stands for the server at
/// which a client is registered. Two apps of one server have the same.
pub(super) fn registered_at(found: &CatalogApp) -> String {
    let url = match (found.oauth2(), found.oauth1()) {
        (Some(it), _) => &it.token_url,
        (_, Some(it)) => &it.access_token_url,
        _ => return found.slug.clone(),
    };
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let path = bare.match_indices('/').nth(2).map_or(bare.len(), |(at, _)| at);
    let (origin, path) = bare.split_at(path);
    format!("{}{path}", origin.to_ascii_lowercase())
}

/// # Errors
/// [`error::INVALID_REQUEST`] while accounts or overrides still depend on the client.
pub async fn delete_oauth_app(app: &Arc<App>, project: &ProjectId, id: &str) -> Result<()> {
    let client = find_oauth_app(app, project, id).await?;
    let mut tx = app.db.begin().await?;
    let accounts = store::accounts_of(&mut tx, project, &client.id).await?;
    if accounts > 0 {
        return Err(error::INVALID_REQUEST.saying(format!(
            "{accounts} account(s) were connected with this client \
             and could no longer be refreshed. Delete them first."
        )));
    }
    let revocations = store::revocations_of(&mut tx, project, &client.id).await?;
    if revocations > 0 {
        return Err(error::INVALID_REQUEST.saying(format!(
            "{revocations} grant(s) that were made with this client are still being revoked. \
             Delete it once that is done, or given up, within a day at most."
        )));
    }
    let overrides = store::overrides_of(&mut tx, project, &client.id).await?;
    if overrides > 0 {
        return Err(error::INVALID_REQUEST.saying(format!(
            "{overrides} app override(s) name this client. Detach it from them first."
        )));
    }
    store::delete(&mut tx, project, &client.id).await?;
    store::release(&mut tx, project).await?;
    tx.commit().await?;
    Ok(())
}

/// # Errors
/// [`error::NOT_FOUND`], for another project's client too, and for a user's own.
pub async fn find_oauth_app(app: &App, project: &ProjectId, id: &str) -> Result<OAuthApp> {
    let missing = || Error::from(error::NOT_FOUND);
    let id = OAuthAppId::parse(id).ok_or_else(missing)?;
    store::find(&app.db, project, &id).await?.ok_or_else(missing)
}

/// The client to use when nobody names one: the project's newest for the app.
///
/// # Errors
/// [`error::OAUTH_CLIENT_MISSING`].
pub async fn oauth_app_for(app: &App, project: &ProjectId, app_slug: &str) -> Result<OAuthApp> {
    store::newest(&app.db, project, app_slug)
        .await?
        .ok_or_else(|| error::OAUTH_CLIENT_MISSING.into())
}

/// The apps for which the project has a client that can be used, by slug.
pub async fn configured_apps(app: &App, project: &ProjectId) -> Result<HashSet<String>> {
    Ok(store::configured(&app.db, project).await?.into_iter().collect())
}

/// All of a project, newest first.
pub async fn all_oauth_apps(app: &App, project: &ProjectId) -> Result<Vec<OAuthApp>> {
    Ok(store::all(&app.db, project).await?)
}

pub async fn list_oauth_apps(
    app: &App,
    project: &ProjectId,
    app_slug: Option<&str>,
    part: Option<&str>,
    page: &Page,
) -> Result<(Vec<OAuthApp>, i64)> {
    Ok(store::list(&app.db, project, app_slug, part, page).await?)
}
