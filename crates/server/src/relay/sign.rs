//! Requests that an app wants signed: with a secret that code does not see.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method};
use url::Url;

use super::grants::{Granted, RunGrants};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::AccountId;
use crate::proxy::sign::{Signer, Unsigned};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The `Authorization` of one request to an app with OAuth 1.0a (RFC 5849 section 3.5.1), good for
/// one sending. `form`: the body's parameters, where it is a form.
///
/// # Errors
/// [`error::NOT_FOUND`] when the run has no such account; [`error::HOST_NOT_ALLOWED`] when the URL
/// is not the app's own; [`error::PROXY_UNAVAILABLE`] when the app does not sign so.
pub async fn oauth1_authorization(
    app: &App,
    grants: &RunGrants,
    account: &AccountId,
    (method, url): (&str, &str),
    form: &[(String, String)],
) -> Result<String> {
    grants.not_over()?;
    let granted = grants.account(account).ok_or(error::NOT_FOUND)?;
    if !matches!(granted.signer, Signer::OAuth1(_)) {
        return Err(error::PROXY_UNAVAILABLE.saying("This app does not sign by OAuth 1.0a."));
    }
    let url = Url::parse(url).map_err(|_| Error::from(error::INVALID_TARGET))?;
    if !granted.owns(app, &url) {
        return Err(error::HOST_NOT_ALLOWED.into());
    }
    let method = method.to_ascii_uppercase();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| error::METHOD_NOT_ALLOWED)?;
    let mut headers = HeaderMap::new();
    let mut body = String::new();
    if !form.is_empty() {
        headers.insert(CONTENT_TYPE, FORM);
        body = url::form_urlencoded::Serializer::new(body).extend_pairs(form).finish();
    }
    let url = url.as_str();
    let mut unsigned =
        Unsigned { method: &method, url, headers: &mut headers, body: body.as_bytes() };
    granted.signer.sign(app, &granted.current(), &mut unsigned).await?;
    let signed = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    signed.map(ToOwned::to_owned).ok_or_else(|| error::PROXY_UNAVAILABLE.into())
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
