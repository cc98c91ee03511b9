//! OAuth clients of this server's own API, and the access tokens that they trade their secret for
//! (RFC 6749 section 4.4).

use std::sync::Arc;
use std::time::Duration;

use grantkeep_oauth::key::PublicKey;
use grantkeep_vault::{Secret, token};
use tokio_util::sync::CancellationToken;

use super::store::{self, ClientRow};
use super::{ClientKey, add_client_key, list_client_keys, public_keys};
use crate::app::App;
use crate::callers::{Actor, Caller};
use crate::error::{self, Result};
use crate::ids::{ClientId, ProjectId};
use crate::reach::Reach;
use crate::scope::{Scope, Scopes};

/// Life of an access token. Clients cache it for its whole life, so it is never revoked early
/// without reason.
pub const ACCESS_TOKEN_LIFE_S: i64 = 3_600;

pub(super) const SECRET_PREFIX: &str = "gk_secret";
/// What every access token begins with.
pub const ACCESS_TOKEN_PREFIX: &str = "gk_access";

/// How old an ended token or used assertion gets before it is forgotten, at most.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// A client, without its secret.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: ClientId,
    /// The only project it reaches; `None` for all.
    pub project: Option<ProjectId>,
    pub name: String,
    pub scopes: Scopes,
    pub created_at_ms: i64,
    pub last_used_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
    /// When its secret, or a token of it, was first seen in a URL.
    pub exposed_at_ms: Option<i64>,
    /// The calls that it may make through the proxy; `None`: all.
    pub reach: Option<Reach>,
    pub has_secret: bool,
    /// By which it may prove itself, instead of the secret or beside it.
    pub keys: Vec<ClientKey>,
}

/// What a client or key may do.
pub struct Rights {
    pub scopes: Scopes,
    /// The calls that it may make through the proxy; `None`: all.
    pub reach: Option<Reach>,
}

impl From<&Scopes> for Rights {
    fn from(scopes: &Scopes) -> Self {
        Self { scopes: scopes.clone(), reach: None }
    }
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            has_secret: !row.secret_hash.is_empty(),
            keys: Vec::new(),
            id: row.id,
            project: row.project_id,
            name: row.name,
            scopes: Scopes::parse(&row.scopes).unwrap_or_default(),
            created_at_ms: row.created_at_ms,
            last_used_at_ms: row.last_used_at_ms,
            revoked_at_ms: row.revoked_at_ms,
            exposed_at_ms: row.exposed_at_ms,
            reach: row.proxy_rules.as_deref().map(Reach::stored),
        }
    }
}

/// A client as just made: the only time that its secret is shown.
pub struct NewClient {
    pub client: Client,
    pub secret: Secret,
}

/// Makes a client. Its scopes are all that its tokens can ever carry.
pub async fn create_client(
    app: &Arc<App>,
    project: Option<&ProjectId>,
    name: &str,
    rights: impl Into<Rights>,
) -> Result<NewClient> {
    let secret = token::key(SECRET_PREFIX);
    let hash = token::digest(secret.expose()).to_vec();
    let client = insert(app, (project, name), rights.into(), hash).await?;
    Ok(NewClient { client, secret })
}

/// Makes a client without a secret, which proves itself by its key alone.
pub async fn create_client_with_key(
    app: &Arc<App>,
    project: Option<&ProjectId>,
    name: &str,
    rights: impl Into<Rights>,
    key: &PublicKey,
) -> Result<Client> {
    let mut client = insert(app, (project, name), rights.into(), Vec::new()).await?;
    client.keys.push(add_client_key(app, &client.id, key).await?);
    Ok(client)
}

async fn insert(
    app: &Arc<App>,
    (project, name): (Option<&ProjectId>, &str),
    Rights { scopes, reach }: Rights,
    secret_hash: Vec<u8>,
) -> Result<Client> {
    if let Some(project) = project {
        super::find(&app.db, project).await?;
    }
    let row = ClientRow {
        id: ClientId::mint(),
        project_id: project.cloned(),
        name: name.to_owned(),
        secret_hash,
        scopes: scopes.to_string(),
        created_at_ms: app.clock.now_ms(),
        last_used_at_ms: None,
        revoked_at_ms: None,
        exposed_at_ms: None,
        proxy_rules: reach.map(|it| it.to_string()),
    };
    store::insert_client(&app.db, &row).await?;
    Ok(row.into())
}

pub async fn list_clients(app: &Arc<App>) -> Result<Vec<Client>> {
    let rows = store::list_clients(&app.db).await?;
    let mut clients: Vec<Client> = rows.into_iter().map(Client::from).collect();
    for (id, key) in list_client_keys(app).await? {
        if let Some(client) = clients.iter_mut().find(|it| it.id == id) {
            client.keys.push(key);
        }
    }
    Ok(clients)
}

/// # Errors
/// [`error::NOT_FOUND`] when there is no such client that is not revoked yet.
pub async fn revoke_client(app: &Arc<App>, id: &ClientId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let done = store::revoke_client(&mut tx, id, app.clock.now_ms()).await?;
    tx.commit().await?;
    app.forget_callers().await;
    if done { Ok(()) } else { Err(error::NOT_FOUND.into()) }
}

/// A token as just made, and what it carries.
pub(crate) struct Issued {
    pub token: Secret,
    pub client: ClientId,
    pub scopes: Scopes,
}

/// Why no token was issued (RFC 6749 section 5.2).
pub(crate) enum Refusal {
    InvalidClient,
    /// The client is proven, but the assertion will not do.
    Assertion(&'static str),
    InvalidScope,
    Failed(error::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// How a client proves itself.
pub(crate) enum Proof {
    Secret(Secret),
    /// A JWT that it signed (RFC 7523 section 2.2).
    Assertion(String),
}

/// Trades a client's proof for an access token. `asked` is the `scope` parameter.
pub(crate) async fn exchange(
    app: &Arc<App>,
    client_id: &str,
    proof: &Proof,
    asked: Option<&str>,
) -> Result<Issued, Refusal> {
    let row = store::find_client(&app.db, client_id).await?;
    let right = match proof {
        Proof::Secret(secret) => {
            // An unknown client takes the same comparison as a wrong secret, so that time tells
            // nothing (D-09).
            let stored = row.as_ref().map_or([0_u8; 32].as_slice(), |row| &row.secret_hash);
            token::equal(stored, &token::digest(secret.expose()))
        }
        Proof::Assertion(assertion) => {
            public_keys::prove(app, client_id, assertion).await?;
            true
        }
    };
    let client = match row {
        Some(row) if right && row.revoked_at_ms.is_none() => Client::from(row),
        _ => return Err(Refusal::InvalidClient),
    };
    let scopes = match asked {
        None | Some("") => client.scopes.clone(),
        Some(text) => granted(&client.scopes, text).ok_or(Refusal::InvalidScope)?,
    };
    let secret = token::key(ACCESS_TOKEN_PREFIX);
    let now_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    let expires_at_ms = now_ms + ACCESS_TOKEN_LIFE_S * 1_000;
    let hash = token::digest(secret.expose());
    store::insert_token(&mut tx, &hash, &client.id, &scopes.to_string(), expires_at_ms).await?;
    store::client_used(&mut tx, &client.id, now_ms).await?;
    tx.commit().await?;
    Ok(Issued { token: secret, client: client.id, scopes })
}

/// `*` asks for all that the client has; anything else must be within it.
fn granted(own: &Scopes, asked: &str) -> Option<Scopes> {
    let asked = Scopes::parse(asked)?;
    if asked == Scopes::of(&[Scope::Everything]) && own.allow(Scope::Everything) {
        return Some(own.clone());
    }
    (!asked.is_empty() && asked.within(own)).then_some(asked)
}

/// The caller behind an access token, or `None` when it is unknown, expired or revoked.
pub(crate) async fn caller_by_token(app: &App, text: &str) -> Result<Option<Caller>> {
    let hash = token::digest(text);
    let row = store::find_token(&app.db, &hash, app.clock.now_ms()).await?;
    Ok(row.map(|row| Caller {
        actor: Actor::Client(row.client_id),
        scopes: Scopes::parse(&row.scopes).unwrap_or_default(),
        project: row.project_id,
        connect: None,
        reach: row.proxy_rules.as_deref().map(|it| Arc::new(Reach::stored(it))),
    }))
}

/// Forgets access tokens that have ended, and assertions that nobody would take any more.
pub async fn forget_ended(app: &Arc<App>) -> Result<()> {
    let now_ms = app.clock.now_ms();
    store::forget_expired_tokens(&app.db, now_ms).await?;
    Ok(store::forget_assertions(&app.db, now_ms).await?)
}

/// Does so until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = forget_ended(&app).await {
            tracing::error!(%error, "ended access tokens cannot be forgotten");
        }
        tokio::select! {
            () = tokio::time::sleep(FORGET_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
