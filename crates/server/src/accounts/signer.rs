//! What API callers get of an account whose app wants OAuth 1.0a: an address that signs requests,
//! and a token for it. The app's own token is of no use without its secret, and that stays here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantkeep_vault::{Secret, token};

use super::Account;
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{AccountId, ProjectId};
use crate::keys::derived;
use crate::tenant::{Environment, Tenant};

/// Where requests are signed.
pub(crate) const PATH: &str = "/v1/oauth1/signature";
/// How long a token for it is good: as long as access tokens mostly are.
const LIFE_MS: i64 = 60 * 60 * 1_000;
/// What every such token begins with.
const PREFIX: &str = "gk_signer_";

/// A token that has requests of this account signed, for an hour.
pub(super) fn token_for(app: &App, account: &Account) -> Result<Secret> {
    let until_ms = app.clock.now_ms() + LIFE_MS;
    let Tenant { project, environment } = &account.tenant;
    let text = format!("{project}.{environment}.{}.{until_ms}", account.id);
    let tag = URL_SAFE_NO_PAD.encode(tag(app, &text)?);
    Ok(Secret::new(format!("{PREFIX}{text}.{tag}")))
}

/// Whose requests a token has signed.
///
/// # Errors
/// [`error::INVALID_TOKEN`], the same for one that is over, altered or made up.
pub(crate) fn account_of(app: &App, text: &str) -> Result<(Tenant, AccountId)> {
    let read = || {
        let (text, signed) = text.strip_prefix(PREFIX)?.rsplit_once('.')?;
        let mut parts = text.split('.');
        let project = ProjectId::parse(parts.next()?)?;
        let environment = Environment::parse(parts.next()?)?;
        let account = AccountId::parse(parts.next()?)?;
        let until_ms: i64 = parts.next()?.parse().ok()?;
        Some((text, signed, (Tenant { project, environment }, account), until_ms))
    };
    let wrong = || Error::from(error::INVALID_TOKEN);
    let (text, signed, whose, until_ms) = read().ok_or_else(wrong)?;
    let right = URL_SAFE_NO_PAD.encode(tag(app, text)?);
    let is_good = token::equal(signed.as_bytes(), right.as_bytes());
    if is_good && until_ms > app.clock.now_ms() { Ok(whose) } else { Err(wrong()) }
}

fn tag(app: &App, text: &str) -> Result<[u8; 32]> {
    let root = app.config.required_root_key().map_err(|it| error::INTERNAL.logging(it))?;
    Ok(token::hmac_sha256(&derived(root.expose(), "oauth1 signer"), text.as_bytes()))
}
