//! API clients that prove themselves with a key of their own (RFC 7523 section 2.2): this server
//! holds the public half, and nothing that could be stolen from it.

use std::sync::Arc;

use grantkeep_oauth::key::PublicKey;
use grantkeep_oauth::prove::{self, Expected, Unproven};
use grantkeep_vault::token;
use serde_json::Value;

use super::clients::Refusal;
use super::store::{self, PublicKeyRow};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::ClientId;

/// Keys of one client: the one in use, the one that takes its place, and some for mistakes.
const KEYS_PER_CLIENT_MAX: i64 = 10;
/// Characters in the name of a key.
const NAME_CHARS_MAX: usize = 100;
/// Where assertions are sent; also a name of this server (RFC 7523 section 3).
const TOKEN_PATH: &str = "/v1/oauth/token";

/// A key of a client, without the key.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// What an assertion's `kid` says.
    pub id: String,
    pub algorithm: &'static str,
    pub created_at_ms: i64,
}

/// Reads a public key that a client shall have, from PEM or JWK; `name` is what its assertions will
/// say as `kid`, by default that of the JWK, or its thumbprint (RFC 7638).
///
/// # Errors
/// [`error::INVALID_FIELD`], which says what is wrong with it.
pub fn read_public_key(text: &str, name: Option<&str>) -> Result<PublicKey> {
    let key = PublicKey::read(text).map_err(|why| {
        error::INVALID_FIELD.saying(format!("This public key cannot be used: {why}."))
    })?;
    let key = match name {
        Some(name) => key.with_kid(name),
        None => key,
    };
    let (visible, chars) = (key.kid().chars().all(|it| it.is_ascii_graphic()), key.kid().len());
    if !visible || !(1..=NAME_CHARS_MAX).contains(&chars) {
        return Err(error::INVALID_FIELD
            .saying("The name of a key is 1 to 100 visible ASCII characters without spaces."));
    }
    Ok(key)
}

/// Adds a key to a client. Those that it has stay, so that one takes the other's place without a
/// gap.
///
/// # Errors
/// [`error::NOT_FOUND`] when there is no such client that is not revoked; [`error::INVALID_FIELD`]
/// when it has a key of that name; [`error::TOO_MANY`].
pub async fn add_client_key(
    app: &Arc<App>,
    client: &ClientId,
    key: &PublicKey,
) -> Result<ClientKey> {
    let row = PublicKeyRow {
        client_id: client.clone(),
        id: key.kid(),
        jwk: Value::Object(key.jwk().clone()).to_string(),
        created_at_ms: app.clock.now_ms(),
    };
    let mut tx = app.db.begin().await?;
    if !store::client_is_live(&mut tx, client).await? {
        return Err(error::NOT_FOUND.into());
    }
    if store::count_client_keys(&mut tx, client).await? >= KEYS_PER_CLIENT_MAX {
        return Err(error::TOO_MANY.saying("A client has at most 10 keys. Remove one first."));
    }
    if !store::insert_client_key(&mut tx, &row).await? {
        return Err(error::INVALID_FIELD.saying("The client has a key of that name already."));
    }
    tx.commit().await?;
    Ok(ClientKey {
        id: row.id,
        algorithm: key.algorithm().as_str(),
        created_at_ms: row.created_at_ms,
    })
}

/// Takes a key from a client. Access tokens that it was used for live on to their end.
///
/// # Errors
/// [`error::NOT_FOUND`] when the client has no such key.
pub async fn remove_client_key(app: &Arc<App>, client: &ClientId, id: &str) -> Result<()> {
    let done = store::delete_client_key(&app.db, client, id).await?;
    if done { Ok(()) } else { Err(error::NOT_FOUND.into()) }
}

/// The keys of every client, oldest first.
pub async fn list_client_keys(app: &Arc<App>) -> Result<Vec<(ClientId, ClientKey)>> {
    let rows = store::list_client_keys(&app.db).await?;
    let view = |row: PublicKeyRow| {
        let algorithm = PublicKey::read(&row.jwk).map_or("", |key| key.algorithm().as_str());
        (row.client_id, ClientKey { id: row.id, algorithm, created_at_ms: row.created_at_ms })
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Takes an assertion as proof of the client, once.
///
/// # Errors
/// [`Refusal::InvalidClient`] for all that anybody could have written; [`Refusal::Assertion`] says
/// more to whoever signed with the client's key.
pub(super) async fn prove(app: &App, client: &str, assertion: &str) -> Result<(), Refusal> {
    let rows = store::find_client_keys(&app.db, client).await?;
    let read = |row: PublicKeyRow| Some(PublicKey::read(&row.jwk).ok()?.with_kid(row.id));
    let keys: Vec<PublicKey> = rows.into_iter().filter_map(read).collect();
    let origin = app.config.public_url.origin().ascii_serialization();
    let endpoint = app.url(TOKEN_PATH);
    let expected = Expected {
        client_id: client,
        audiences: &[&origin, endpoint.as_str()],
        now_s: app.clock.now_ms() / 1_000,
    };
    let proven = prove::verify(assertion, &keys, &expected).map_err(|why| match why {
        Unproven::Unsigned => Refusal::InvalidClient,
        Unproven::Claims(text) => Refusal::Assertion(text),
    })?;
    let jti_hash = token::digest(&proven.jti);
    let forget_at_ms = proven.forget_at_s.saturating_mul(1_000);
    if !store::use_assertion(&app.db, client, &jti_hash, forget_at_ms).await? {
        let text = "this assertion was used before: sign a new one for each request";
        return Err(Refusal::Assertion(text));
    }
    Ok(())
}
