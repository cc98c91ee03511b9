//! Requests that an app wants signed: with a secret that code does not see.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::grants::{Granted, RunGrants};
use crate::app::App;
use crate::error::{self, Result};
use crate::ids::AccountId;
use crate::proxy::sign::Signer;
use crate::proxy::signature::authorization;

/// The `Authorization` of one request (method and URL) to an app with OAuth 1.0a.
///
/// # Errors
/// [`error::NOT_FOUND`] when the run has no such account; those of [`authorization`].
pub async fn oauth1_authorization(
    app: &App,
    grants: &RunGrants,
    account: &AccountId,
    request: (&str, &str),
    form: &[(String, String)],
) -> Result<String> {
    grants.not_over()?;
    let granted = grants.account(account).ok_or(error::NOT_FOUND)?;
    authorization(app, (&granted.current(), &granted.signer), request, form).await
}

impl Granted {
    /// Whether a request to the app's own host must be signed here. Who brings an authorization of
    /// his own signed it himself; a token bound to a key goes with a proof in any case.
    pub(super) fn signs(&self, headers: &HeaderMap) -> bool {
        match self.signer {
            Signer::None => false,
            Signer::OAuth1(_) | Signer::Aws4 => {
                !self.blinds.is_empty() && !headers.contains_key(AUTHORIZATION)
            }
            Signer::Bound => !self.blinds.is_empty() && headers.contains_key(AUTHORIZATION),
        }
    }
}
