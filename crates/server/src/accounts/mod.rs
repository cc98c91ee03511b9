//! Connected accounts: what a user granted, kept sealed, refreshed, vended, revoked.
//!
//! A row's `version` counts the credentials it has held: it grows by one whenever they are replaced
//! (refresh, reconnect) and by nothing else. The seal is bound to it, and every decision about
//! credentials is written only where the version is still the one that the decision was made about.

pub mod api;
pub mod api_health;
pub mod api_older;
mod carried;
mod connect;
mod delete;
mod entered;
mod erase;
mod exchange;
mod export;
mod first;
mod forecast;
mod health;
mod import;
mod keys;
mod list;
mod news;
mod recover;
mod refresh;
mod revoke;
mod schedule;
mod seal;
pub(crate) mod signer;
mod store;
mod vend;
mod verdict;
pub(crate) mod view;

use std::collections::BTreeMap;

use grantkeep_vault::Secret;

pub use connect::connect;
pub(crate) use connect::connect_by;
pub use delete::{By, delete, delete_by_app};
pub(crate) use entered::entered;
pub(crate) use erase::go_on as go_on_erasing;
pub use erase::{
    AT_ONCE_MAX as ERASED_AT_ONCE_MAX, Erasure, View as ErasureView, delete_user, erasure,
};
pub use export::{Batch, Mark, Which, count, export, unsettled};
pub use health::{HealthView, health};
pub use import::{Arrival, Importer, Outcome as Imported, Stop};
pub(crate) use keys::store_keys;
pub use keys::{Form, check_keys, connect_keys};
pub(crate) use list::users_of_app;
pub use list::{Filter, find, list, list_of_user};
pub(crate) use news::{Asker, not_connected};
pub use recover::recover;
pub use refresh::{Why, refresh};
pub(crate) use revoke::revoke_grant;
pub use revoke::{Outcome, View as RevocationView, revocation};
pub use schedule::{due, notice, run, stranded};
pub(crate) use vend::auth_values;
pub use vend::{Usable, usable, usable_after_refusal, usable_of};

use crate::ids::{AccountId, OAuthAppId, OperationId, UserId};
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

impl Binding {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Embedded => "embedded",
            Self::None => "none",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Verified, Self::Embedded, Self::None].into_iter().find(|it| it.as_str() == text)
    }
}

/// Whether an account can be used. `reason` is a stable word for machines, `text` a sentence for
/// people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Healthy,
    /// The last refresh or test failed; it is tried again.
    Error {
        reason: String,
        text: String,
    },
    /// The provider said that the grant is gone. Only a reconnect helps.
    Dead {
        reason: String,
        text: String,
    },
}

impl Health {
    /// `healthy`, `error` or `dead`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Error { .. } => "error",
            Self::Dead { .. } => "dead",
        }
    }

    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Healthy => None,
            Self::Error { reason, .. } | Self::Dead { reason, .. } => Some(reason),
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Healthy => None,
            Self::Error { text, .. } | Self::Dead { text, .. } => Some(text),
        }
    }
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
    /// When the scheduler refreshes it next; after a failure, not before when it is tried again.
    pub next_refresh_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    /// Counts the credentials; see the module.
    pub version: i64,
    /// Whether it is refreshed before the app would drop it for being idle.
    pub keep_alive: bool,
    /// Failed refreshes in a row.
    attempts: i64,
    refreshing: Refreshing,
    sealed: Vec<u8>,
    /// The user's key as it is stored, where it was read with the row.
    wrapped_key: Option<Vec<u8>>,
    /// The OAuth client's own id at the app, likewise.
    client_id: Option<String>,
}

/// How far refreshing is.
#[derive(Clone, Default)]
struct Refreshing {
    /// Grows with every exchange begun; what an exchange brings is stored only under its own.
    fence: i64,
    /// A refresh token may have left, and what came of it is not stored.
    sent: bool,
    /// The exchange whose tokens the row holds.
    operation: Option<OperationId>,
    /// When an exchange last ended without telling what the provider did. `None`: the last one
    /// that ended told.
    unknown_at_ms: Option<i64>,
    /// The version that the user's last consent made. Older ones belong to another grant.
    granted_version: i64,
    granted_at_ms: i64,
    /// The product was told that it fails, and not yet that it works again.
    told: bool,
    /// When the grant will end whatever we do, as far as is known.
    ends_at_ms: Option<i64>,
}

/// What an account grants, opened. Lives no longer than the request that needs it.
#[derive(Default)]
pub struct Credentials {
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    /// OAuth 1.0a: the secret that signs beside `access_token`.
    pub token_secret: Option<Secret>,
    /// The key to which the tokens are bound (RFC 9449). Never handed out.
    pub dpop_key: Option<Secret>,
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
