//! Connected accounts: what a user granted, kept sealed, refreshed, vended, revoked.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_vault::Secret;

use crate::app::App;
use crate::error::{self, Result};
use crate::ids::{AccountId, OAuthAppId, UserId};
use crate::outbox::Done;
use crate::tenant::Tenant;

/// How sure it is that the person who connected is the user that the account is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// The product's backend confirmed who came back.
    Verified,
    /// The page was framed by one of the token's origins, and no URL held a secret.
    Embedded,
    /// Nothing proves it.
    None,
}

/// Whether an account can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Healthy,
    /// The last refresh or test failed; it is tried again.
    Error {
        text: String,
    },
    /// The provider said that the grant is gone. Only a reconnect helps.
    Dead {
        reason: String,
        text: String,
    },
}

/// An account's row. What it grants is sealed.
#[derive(Clone)]
pub struct Account {
    pub id: AccountId,
    pub tenant: Tenant,
    pub user: UserId,
    pub external_id: String,
    pub app_slug: String,
    pub oauth_app: Option<OAuthAppId>,
    pub name: Option<String>,
    pub scopes: Vec<String>,
    /// Asked for, and not granted.
    pub missing_scopes: Vec<String>,
    pub binding: Binding,
    pub health: Health,
    pub expires_at_ms: Option<i64>,
    pub last_refreshed_at_ms: Option<i64>,
    pub next_refresh_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// What an account grants, opened. Lives no longer than the request that needs it.
pub struct Credentials {
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    /// OAuth 1.0a: the secret that signs beside `access_token`.
    pub token_secret: Option<Secret>,
    /// The app's own fields: keys as typed, and what was learnt from token answers.
    pub fields: BTreeMap<String, Secret>,
}

/// A finished authorization, or a filled form, to be stored as an account.
pub struct NewGrant {
    pub tenant: Tenant,
    pub user: UserId,
    pub external_id: String,
    pub app_slug: String,
    pub oauth_app: Option<OAuthAppId>,
    pub name: Option<String>,
    /// The person's stable id at the provider, if the app tells it.
    pub subject: Option<String>,
    pub credentials: Credentials,
    pub expires_at_ms: Option<i64>,
    pub scopes: Vec<String>,
    pub missing_scopes: Vec<String>,
    pub binding: Binding,
    /// The account to reconnect in place.
    pub reconnect: Option<AccountId>,
    /// Hash of the connect token that this connection uses up.
    pub token_hash: [u8; 32],
}

/// Tells the provider that a deleted account's grant is over.
#[allow(clippy::unused_async, reason = "not built yet")]
pub(crate) async fn revoke_grant(_: &Arc<App>, _: &AccountId, _: i64) -> Result<Done> {
    Err(error::NOT_IMPLEMENTED.into())
}
