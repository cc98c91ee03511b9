//! Signatures of OAuth 1.0a (RFC 5849) for whoever sends a request himself, and never sees the
//! secret.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method};
use url::Url;

use super::inject::Injection;
use super::sign::{Signer, Unsigned};
use crate::app::App;
use crate::error::{self, Error, Result};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The `Authorization` of one request (section 3.5.1), good for one sending. `form`: the body's
/// parameters, where it is a form.
///
/// # Errors
/// [`error::HOST_NOT_ALLOWED`] when the URL is not the app's own; [`error::PROXY_UNAVAILABLE`] when
/// the app does not sign so.
pub(crate) async fn authorization(
    app: &App,
    (injection, signer): (&Injection, &Signer),
    (method, url): (&str, &str),
    form: &[(String, String)],
) -> Result<String> {
    if !matches!(signer, Signer::OAuth1(_)) {
        return Err(error::PROXY_UNAVAILABLE.saying("This app does not sign by OAuth 1.0a."));
    }
    let url = Url::parse(url).map_err(|_| Error::from(error::INVALID_TARGET))?;
    if !injection.owns(app, &url) {
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
    signer.sign(app, injection, &mut unsigned).await?;
    let signed = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    signed.map(ToOwned::to_owned).ok_or_else(|| error::PROXY_UNAVAILABLE.into())
}
