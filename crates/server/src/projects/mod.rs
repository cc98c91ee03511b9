//! Projects: one for each product of the operator, with its brand, its policy, and who may call for
//! it.

pub mod api;
pub mod api_limits;
mod clients;
mod code_hosts;
mod edit;
mod exposed;
mod freeze;
mod keys;
mod public_keys;
mod rate_limits;
mod store;
pub(crate) mod token;

pub use clients::{
    ACCESS_TOKEN_LIFE_S, ACCESS_TOKEN_PREFIX, Client, NewClient, Rights, create_client,
    create_client_with_key, forget_ended, list_clients, revoke_client, run,
};
pub(crate) use clients::{Proof, Refusal, caller_by_token, exchange};
pub use code_hosts::CodeHosts;
pub use edit::{Change, check_deletable, create, delete, set_logo, update};
pub(crate) use edit::{FLOW_ID_PARAM, is_package, redirect_uri, shown_name};
pub(crate) use exposed::{expose, in_query};
pub use freeze::{Freeze, Scope as FreezeScope, freeze, freezes, unfreeze};
pub(crate) use freeze::{Freezes, freezes_in_force};
pub(crate) use keys::caller_by_key;
pub use keys::{KEY_PREFIX, Key, create_key, list_keys, revoke_key};
pub use public_keys::{
    ClientKey, add_client_key, list_client_keys, read_public_key, remove_client_key,
};
pub use rate_limits::{RateLimit, create_rate_limit, delete_rate_limit};
pub(crate) use rate_limits::{list_rate_limits, rate_limit};

use serde::{Deserialize, Serialize};

use crate::db::{Db, Tx};
use crate::error::{self, Result};
use crate::ids::ProjectId;

/// A product whose users connect accounts.
#[derive(Clone, Debug)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    /// The product's name as its users know it; `name` when absent.
    pub app_name: Option<String>,
    pub support_email: Option<String>,
    pub settings: Settings,
    /// Whether credentials of key apps are tried out before they are stored.
    pub require_key_test: bool,
    pub has_logo: bool,
    /// The origin of its clients' redirect URIs; that of the server when absent.
    pub callback_origin: Option<String>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

impl Project {
    /// The name that the connect page shows.
    pub fn product(&self) -> &str {
        self.app_name.as_deref().unwrap_or(&self.name)
    }
}

/// How a project's connect page looks and what it permits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// Where a connect link may send the browser: exact matches only.
    pub redirect_uris: Vec<String>,
    /// Accent colour as `#rrggbb`.
    pub accent: Option<String>,
    pub privacy_url: Option<String>,
    pub terms_url: Option<String>,
    /// Whether the page may be framed only with a token that names its origins.
    pub require_allowed_origins: bool,
    /// Where a browser is sent that came back from an app, so that the product's backend confirms
    /// whose it is. With it links work, and their accounts say `binding: verified`.
    pub verify_url: Option<String>,
    /// Whether a connect link works though nothing proves who opened it. Such accounts say
    /// `binding: none`.
    pub allow_unverified_links: bool,
    /// Whether redirect URIs outside the list are taken from the project's own callers.
    pub allow_unlisted_redirects: bool,
    /// What is done when an app's answer holds the credential that was sent to it.
    pub proxy_echo: Echo,
    /// Whether callers without rules of their own may use the proxy.
    pub proxy_rules: ProxyRules,
    /// Whether users choose on the page how much they allow, where an app knows several measures.
    pub scope_choice: bool,
    /// External users that `development` takes. `None`: any number.
    pub development_users_max: Option<u32>,
    /// Whether the code of components sees placeholders in the place of credentials, unless its
    /// version may see more.
    pub blind_tokens: bool,
    /// Names of packages that mean `@grantkeep/runtime` in the code of components.
    pub component_packages: Vec<String>,
    /// The only hosts that the project's code may call, beside those of its run's apps. `None`:
    /// all that are public.
    pub code_hosts: Option<CodeHosts>,
}

/// Whether callers without rules of their own may use the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyRules {
    /// They may make any call.
    #[default]
    Optional,
    /// They may make none.
    Required,
}

/// What is done when an app's answer holds the credential that was sent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Echo {
    /// The credential is blacked out.
    #[default]
    Redact,
    /// The answer is withheld, or cut off where the credential begins.
    Refuse,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            redirect_uris: Vec::new(),
            accent: None,
            privacy_url: None,
            terms_url: None,
            require_allowed_origins: true,
            verify_url: None,
            allow_unverified_links: false,
            allow_unlisted_redirects: false,
            proxy_echo: Echo::default(),
            proxy_rules: ProxyRules::default(),
            scope_choice: false,
            development_users_max: None,
            blind_tokens: true,
            component_packages: Vec::new(),
            code_hosts: None,
        }
    }
}

impl Settings {
    /// For clients written for the rented service and not changed: everything that they do works,
    /// and each account that was connected without proof of the person says so.
    #[must_use]
    pub fn compatible(self) -> Self {
        Self {
            require_allowed_origins: false,
            allow_unverified_links: true,
            allow_unlisted_redirects: true,
            ..self
        }
    }

    /// Takes back what [`Settings::compatible`] allowed.
    #[must_use]
    pub fn strict(self) -> Self {
        Self {
            require_allowed_origins: true,
            allow_unverified_links: false,
            allow_unlisted_redirects: false,
            ..self
        }
    }

    /// Whether all that [`Settings::compatible`] allows is allowed.
    pub fn is_compatible(&self) -> bool {
        !self.require_allowed_origins
            && self.allow_unverified_links
            && self.allow_unlisted_redirects
    }
}

/// # Errors
/// [`error::NOT_FOUND`] when there is no such project.
/// The limit of a project that has one; until the transaction ends, no other learns it.
pub(crate) async fn development_users_max(tx: &mut Tx, id: &ProjectId) -> Result<Option<u32>> {
    Ok(store::settings(tx, id).await?.development_users_max)
}

pub async fn find(db: &Db, id: &ProjectId) -> Result<Project> {
    store::find(db, id).await?.ok_or_else(|| error::NOT_FOUND.into())
}

pub async fn list(db: &Db) -> Result<Vec<Project>> {
    Ok(store::list(db).await?)
}

/// The logo as uploaded: media type and bytes.
pub async fn logo(db: &Db, id: &ProjectId) -> Result<Option<(String, Vec<u8>)>> {
    Ok(store::logo(db, id).await?)
}
