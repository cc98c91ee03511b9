//! An OAuth client that one user entered for himself, on the connect page. It serves his own
//! accounts and nobody else's, stands in no list, and goes with the account that it connected.

use std::sync::Arc;

use grantkeep_catalog::{App as CatalogApp, ClientAuth, Flow};
use grantkeep_vault::Secret;
use serde::{Deserialize, Serialize};

use super::OAuthApp;
use super::clients::{blank, registered_at};
use super::proofs::Proofs;
use super::store::{self, own_clients as rows};
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::{OAuthAppId, ProjectId, UserId};

/// A client that no account needs is kept this long after its last grant was left to be revoked: a
/// refresh that was under way may bring another.
const LATE_GRANT_MS: i64 = 600_000;

/// Whether a user can enter a client of his own: an id, and a secret where the app wants one. What
/// proves itself by a key or a certificate is an operator's work.
pub fn takes_own_client(found: &CatalogApp) -> bool {
    let typed = |it: ClientAuth| !matches!(it, ClientAuth::PrivateKeyJwt | ClientAuth::Tls);
    match found.oauth2() {
        Some(it) => {
            let flow = matches!(it.flow, Flow::AuthorizationCode | Flow::DeviceCode);
            found.needs_client() && flow && typed(it.client_auth)
        }
        None => found.oauth1().is_some(),
    }
}

/// Whether such a client has a secret.
pub fn wants_secret(found: &CatalogApp) -> bool {
    found.oauth2().is_none_or(|it| it.client_auth != ClientAuth::None)
}

/// What a flow carries of the client until there is an account: before that it has no row. The
/// secret is sealed as it will be there.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Carried {
    client_id: String,
    sealed_secret: Option<Vec<u8>>,
    version: i64,
}

/// The client `id` of a user as it is stored, or as it is before he has entered anything.
///
/// # Errors
/// Of the store.
pub async fn own_client(
    app: &App,
    (project, user): (&ProjectId, &UserId),
    found: &CatalogApp,
    id: OAuthAppId,
) -> Result<OAuthApp> {
    let stored = rows::find(&app.db, project, &id, user).await?;
    if let Some(stored) = stored.filter(|it| it.owner.is_some()) {
        return Ok(stored);
    }
    let mut client = of_user(app, (project, user), found, id);
    client.callback_origin = store::callback_origin(&app.db, project).await?;
    Ok(client)
}

fn of_user(
    app: &App,
    (project, user): (&ProjectId, &UserId),
    found: &CatalogApp,
    id: OAuthAppId,
) -> OAuthApp {
    let client = blank((id, project.clone()), found, app.clock.now_ms());
    OAuthApp { owner: Some(user.clone()), registered_at: registered_at(found), ..client }
}

/// Whether another project has this registration. A user's client takes none for itself: he would
/// keep the project whose it is from entering it.
///
/// # Errors
/// Of the store.
pub async fn is_anothers(
    app: &App,
    project: &ProjectId,
    found: &CatalogApp,
    client_id: &str,
) -> Result<bool> {
    let owner = rows::registered_by(&app.db, &registered_at(found), client_id).await?;
    Ok(owner.is_some_and(|it| it != *project))
}

/// Seals what the user entered, for his flow to carry.
///
/// # Errors
/// Of the store.
pub(crate) async fn carry(
    app: &App,
    tx: &mut Tx,
    client: &OAuthApp,
    (client_id, secret): (String, Option<Secret>),
) -> Result<Carried> {
    let mut next = client.clone();
    next.version += 1;
    next.sealed_secret = None;
    if secret.is_some() {
        let key = app.keys.project_for_sealing(tx, &client.project, app.clock.now_ms()).await?;
        Proofs::of_secret(secret).seal(&key, &mut next);
    }
    Ok(Carried { client_id, sealed_secret: next.sealed_secret, version: next.version })
}

impl Carried {
    /// The client, to ask with and to be stored.
    pub fn client(
        &self,
        app: &App,
        whose: (&ProjectId, &UserId),
        (found, id): (&CatalogApp, OAuthAppId),
    ) -> OAuthApp {
        OAuthApp {
            client_id: self.client_id.clone(),
            sealed_secret: self.sealed_secret.clone(),
            version: self.version,
            ..of_user(app, whose, found, id)
        }
    }
}

/// Stores a user's client, in the transaction of the account that it connected; over its earlier
/// version when that account was connected again.
///
/// # Errors
/// [`error::NOT_FOUND`] when the id is not this user's.
pub(crate) async fn keep_own_client(tx: &mut Tx, client: &OAuthApp) -> Result<()> {
    if rows::put(tx, client).await? { Ok(()) } else { Err(error::NOT_FOUND.into()) }
}

/// Deletes a user's client that no account needs any more: at once, or when its last grant has been
/// revoked. The project's own clients stay.
///
/// # Errors
/// Of the store.
pub(crate) async fn let_go(
    tx: &mut Tx,
    project: &ProjectId,
    id: &OAuthAppId,
    now_ms: i64,
) -> Result<()> {
    if !rows::delete_unneeded(tx, project, id).await? {
        rows::set_unused(tx, project, id, now_ms).await?;
    }
    Ok(())
}

/// Deletes users' clients whose last grant was revoked some time ago.
///
/// # Errors
/// Of the store.
pub(crate) async fn forget_unused(app: &Arc<App>) -> Result<()> {
    Ok(rows::forget(&app.db, app.clock.now_ms() - LATE_GRANT_MS).await?)
}

/// A client that this user may connect with: the project's, or his own.
///
/// # Errors
/// [`error::NOT_FOUND`], for another user's client too.
pub async fn oauth_app_for_user(
    app: &App,
    project: &ProjectId,
    id: &str,
    user: &UserId,
) -> Result<OAuthApp> {
    let missing = || Error::from(error::NOT_FOUND);
    let id = OAuthAppId::parse(id).ok_or_else(missing)?;
    rows::find(&app.db, project, &id, user).await?.ok_or_else(missing)
}

/// The client that made a grant whose account is gone, perhaps with its user.
///
/// # Errors
/// [`error::NOT_FOUND`].
pub(crate) async fn oauth_app_of_grant(
    app: &App,
    project: &ProjectId,
    id: &OAuthAppId,
) -> Result<OAuthApp> {
    rows::of_grant(&app.db, project, id).await?.ok_or_else(|| error::NOT_FOUND.into())
}

/// Whether a client is a user's own.
///
/// # Errors
/// Of the store.
pub(crate) async fn is_own(app: &App, project: &ProjectId, id: &OAuthAppId) -> Result<bool> {
    let client = rows::of_grant(&app.db, project, id).await?;
    Ok(client.is_some_and(|it| it.owner.is_some()))
}

#[cfg(test)]
mod tests {
    use grantkeep_catalog::Catalog;

    use super::*;

    #[test]
    fn a_client_of_ones_own_is_an_id_and_a_secret() {
        let taken = |slug: &str| takes_own_client(&Catalog::builtin().get(slug).unwrap());
        assert!(taken("slack") && taken("zendesk"));
        assert!(!taken("twilio"), "it is connected with keys");
    }
}
