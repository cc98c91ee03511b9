//! Connect tokens: for a browser, bound to one project, environment and external user. Each
//! connects one account.

pub mod api;
mod create;
mod store;

use std::sync::Arc;

use grantkeep_vault::{Place, Secret, token};

pub use create::{LIFE_S_MAX, Wish, create};

use crate::app::App;
use crate::callers::{Actor, Caller, ConnectGrant};
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::{OAuthAppId, UserId};
use crate::keys::unreadable;
use crate::reach::Reach;
use crate::scope::Scopes;
use crate::tenant::Tenant;

/// What every connect token begins with; 32 lower-case hexadecimal digits follow.
pub const PREFIX: &str = "ctok_";

/// A connect token's row. The token itself is nowhere, unless its maker named a `webhook_uri`: the
/// wire has it in what is posted there, so it is kept sealed until it is used up.
#[derive(Clone)]
pub struct ConnectToken {
    pub hash: [u8; 32],
    sealed: Option<Vec<u8>>,
    pub tenant: Tenant,
    pub user: UserId,
    pub external_id: String,
    /// The user's name, for people to read.
    pub external_name: Option<String>,
    /// Web origins that may use the token from a browser and frame the connect page.
    pub allowed_origins: Vec<String>,
    pub success_redirect_uri: Option<String>,
    pub error_redirect_uri: Option<String>,
    pub webhook_uri: Option<String>,
    pub scopes: Scopes,
    /// The calls that it may make through the proxy: those of its maker; `None`: all.
    pub reach: Option<Arc<Reach>>,
    pub app_slug: Option<String>,
    pub oauth_app: Option<OAuthAppId>,
    /// The only apps that it connects, by slug; `None`: every app.
    pub allowed_apps: Option<Vec<String>>,
    pub allow_progressive_scopes: bool,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
    pub used_at_ms: Option<i64>,
}

impl ConnectToken {
    /// Whether the token can still connect an account.
    ///
    /// # Errors
    /// [`error::CONNECT_TOKEN_USED`], [`error::CONNECT_TOKEN_EXPIRED`].
    pub fn usable(&self, now_ms: i64) -> Result<()> {
        if self.used_at_ms.is_some() {
            return Err(error::CONNECT_TOKEN_USED.into());
        }
        if self.expires_at_ms <= now_ms {
            return Err(error::CONNECT_TOKEN_EXPIRED.into());
        }
        Ok(())
    }

    /// Whether the token may connect this app.
    ///
    /// # Errors
    /// [`error::APP_NOT_FOUND`] when it names another, [`error::APP_NOT_ALLOWED`] when the app is
    /// not on its list.
    pub fn allows(&self, slug: &str) -> Result<()> {
        if self.app_slug.as_deref().is_some_and(|only| only != slug) {
            return Err(error::APP_NOT_FOUND.saying("The connect token is for another app."));
        }
        match &self.allowed_apps {
            Some(list) if !list.iter().any(|it| it == slug) => Err(error::APP_NOT_ALLOWED.into()),
            _ => Ok(()),
        }
    }

    pub fn caller(&self) -> Caller {
        Caller {
            actor: Actor::User(self.user.clone()),
            scopes: self.scopes.clone(),
            project: Some(self.tenant.project.clone()),
            connect: Some(Arc::new(ConnectGrant {
                hash: self.hash,
                tenant: self.tenant.clone(),
                user: self.user.clone(),
                external_id: self.external_id.clone(),
            })),
            reach: self.reach.clone(),
        }
    }
}

/// The token's text, for the answer to its `webhook_uri` and for nothing else. `None` when there is
/// no such address, or when the token was used up.
pub(crate) async fn text(app: &App, token: &ConnectToken) -> Result<Option<Secret>> {
    let Some(sealed) = &token.sealed else { return Ok(None) };
    let key = app.keys.project(&app.db, &token.tenant.project).await?;
    let place_name = hex(&token.hash);
    key.open_text(&place(&token.tenant, &place_name), sealed).map(Some).map_err(unreadable)
}

fn place<'a>(tenant: &'a Tenant, record: &'a str) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "connect_tokens",
        record,
        column: "sealed",
        version: 0,
    }
}

fn hex(hash: &[u8]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether `text` has the form of a connect token; says nothing of whether it exists.
pub fn well_formed(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|hex| {
        hex.len() == 32 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Finds a token by its text, used and expired ones too, so that a page can say which it is.
pub async fn find(app: &App, text: &str) -> Result<Option<ConnectToken>> {
    if !well_formed(text) {
        return Ok(None);
    }
    find_by_hash(app, &token::digest(text)).await
}

pub(crate) async fn find_by_hash(app: &App, hash: &[u8]) -> Result<Option<ConnectToken>> {
    Ok(store::find(&app.db, hash).await?)
}

/// Ends all tokens of a user who is being erased. A connection that uses one of them up at this
/// moment is waited for, so that what it stored is seen by the statements that follow.
pub(crate) async fn forget_user(tx: &mut Tx, tenant: &Tenant, user: &UserId) -> Result<()> {
    Ok(store::forget_user(tx, tenant, user).await?)
}

/// Uses the token up, in the transaction that stores the account. Of many at once exactly one
/// succeeds. That it had not expired is for the caller to see when a connection begins: the person
/// may be at the provider while it ends.
///
/// # Errors
/// [`error::CONNECT_TOKEN_USED`] when another was first.
pub(crate) async fn consume(tx: &mut Tx, hash: &[u8], now_ms: i64) -> Result<()> {
    if store::consume(tx, hash, now_ms).await? {
        return Ok(());
    }
    Err(error::CONNECT_TOKEN_USED.into())
}
