//! API keys in the older style: sent as they are, each bound to one project.

use std::sync::Arc;

use grantkeep_vault::{Secret, token};

use super::Rights;
use super::store::{self, KeyRow};
use crate::app::App;
use crate::callers::{Actor, Caller};
use crate::error::{self, Result};
use crate::ids::{KeyId, ProjectId};
use crate::reach::Reach;
use crate::scope::Scopes;

/// What every API key begins with.
pub const KEY_PREFIX: &str = "gk_key";
/// A key's last use is written at most this often, so that reading does not turn into writing.
const LAST_USED_STEP_MS: i64 = 60_000;

/// A key, without its secret.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: KeyId,
    pub project: ProjectId,
    pub name: String,
    pub scopes: Scopes,
    pub created_at_ms: i64,
    pub last_used_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
    /// When it was first seen in a URL.
    pub exposed_at_ms: Option<i64>,
    /// The calls that it may make through the proxy; `None`: all.
    pub reach: Option<Reach>,
}

impl From<KeyRow> for Key {
    fn from(row: KeyRow) -> Self {
        Self {
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

/// Makes a key; the secret is shown this once.
pub async fn create_key(
    app: &Arc<App>,
    project: &ProjectId,
    name: &str,
    rights: impl Into<Rights>,
) -> Result<(Key, Secret)> {
    let Rights { scopes, reach } = rights.into();
    super::find(&app.db, project).await?;
    let secret = token::key(KEY_PREFIX);
    let row = KeyRow {
        id: KeyId::mint(),
        project_id: project.clone(),
        name: name.to_owned(),
        key_hash: token::digest(secret.expose()).to_vec(),
        scopes: scopes.to_string(),
        created_at_ms: app.clock.now_ms(),
        last_used_at_ms: None,
        revoked_at_ms: None,
        exposed_at_ms: None,
        proxy_rules: reach.map(|it| it.to_string()),
    };
    store::insert_key(&app.db, &row).await?;
    Ok((row.into(), secret))
}

pub async fn list_keys(app: &Arc<App>, project: &ProjectId) -> Result<Vec<Key>> {
    Ok(store::list_keys(&app.db, project).await?.into_iter().map(Key::from).collect())
}

/// # Errors
/// [`error::NOT_FOUND`] when the project has no such key that is not revoked yet.
pub async fn revoke_key(app: &Arc<App>, project: &ProjectId, id: &KeyId) -> Result<()> {
    let done = store::revoke_key(&app.db, project, id, app.clock.now_ms()).await?;
    app.forget_callers().await;
    if done { Ok(()) } else { Err(error::NOT_FOUND.into()) }
}

/// The caller behind an API key, or `None` when it is unknown or revoked.
pub(crate) async fn caller_by_key(app: &App, text: &str) -> Result<Option<Caller>> {
    let Some(row) = store::find_key(&app.db, &token::digest(text)).await? else { return Ok(None) };
    let now_ms = app.clock.now_ms();
    if row.last_used_at_ms.is_none_or(|at| at + LAST_USED_STEP_MS < now_ms) {
        store::key_used(&app.db, &row.id, now_ms).await?;
    }
    Ok(Some(Caller {
        actor: Actor::Key(row.id),
        scopes: Scopes::parse(&row.scopes).unwrap_or_default(),
        project: Some(row.project_id),
        connect: None,
        reach: row.proxy_rules.as_deref().map(|it| Arc::new(Reach::stored(it))),
    }))
}
