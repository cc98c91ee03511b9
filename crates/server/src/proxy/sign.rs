//! Ways to sign a request to an app, beyond putting a credential into it. A new way is an arm here.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, Method};
use grantkeep_oauth as oauth;
use grantkeep_oauth::one;

use super::inject::{Injection, is_form};
use crate::app::App;
use crate::apps::oauth1::Consumer;
use crate::error::{self, Error, Result};

/// A request that is complete but for its signature.
pub(super) struct Unsigned<'a> {
    pub method: &'a Method,
    /// As it is sent, query and all.
    pub url: &'a str,
    pub headers: &'a mut HeaderMap,
    /// Only where [`Signer::covers_body`] wanted it.
    pub body: &'a [u8],
}

pub(super) enum Signer {
    /// The credential in the request is enough.
    None,
    /// RFC 5849.
    OAuth1(Consumer),
}

impl Signer {
    /// # Errors
    /// [`error::OAUTH_CLIENT_MISSING`]; [`error::NOT_IMPLEMENTED`] for a way that is not here.
    pub async fn of(app: &App, injection: &Injection) -> Result<Self> {
        let proxy = injection.found.proxy.as_ref();
        if proxy.is_some_and(|it| it.aws4.is_some()) {
            return Err(error::NOT_IMPLEMENTED
                .saying("Requests to this app are signed in a way that is not built yet."));
        }
        if injection.found.oauth1().is_none() {
            return Ok(Self::None);
        }
        let client = injection.client.as_ref().ok_or(error::OAUTH_CLIENT_MISSING)?;
        Ok(Self::OAuth1(Consumer::open(app, client).await?))
    }

    /// Whether the signature covers the body, which must be whole then.
    pub fn covers_body(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::None => false,
            Self::OAuth1(_) => is_form(headers.get(axum::http::header::CONTENT_TYPE)),
        }
    }

    /// Adds the signature. To be called anew for every sending: it holds the time and a nonce.
    pub fn sign(
        &self,
        app: &App,
        injection: &Injection,
        unsigned: &mut Unsigned<'_>,
    ) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::OAuth1(consumer) => oauth1(app, consumer, injection, unsigned),
        }
    }
}

fn oauth1(
    app: &App,
    consumer: &Consumer,
    injection: &Injection,
    unsigned: &mut Unsigned<'_>,
) -> Result<()> {
    let wrong = |why: &str| Error::from(error::PROXY_UNAVAILABLE).saying(why.to_owned());
    let credentials = &injection.usable.credentials;
    let token = credentials.access_token.as_ref().zip(credentials.token_secret.as_ref());
    let token = token.ok_or_else(|| wrong("This account holds no token that could sign."))?;
    let habits = injection.found.oauth1().ok_or(error::PROXY_UNAVAILABLE)?;
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(unsigned.body).into_owned().collect();
    let form: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let method = method(unsigned.method).ok_or(error::METHOD_NOT_ALLOWED)?;
    let target = one::Target { method, url: unsigned.url, form: &form };
    let signed = consumer.authorization(app, habits, token, &target);
    let signed = signed.map_err(|why| wrong(&format!("The request cannot be signed: {why}.")))?;
    let value = HeaderValue::from_str(signed.expose());
    let mut value = value.map_err(|_| wrong("The signature is no header."))?;
    value.set_sensitive(true);
    unsigned.headers.insert(AUTHORIZATION, value);
    Ok(())
}

fn method(method: &Method) -> Option<oauth::Method> {
    let all = [
        oauth::Method::Get,
        oauth::Method::Post,
        oauth::Method::Put,
        oauth::Method::Patch,
        oauth::Method::Delete,
    ];
    all.into_iter().find(|it| it.as_str() == method.as_str())
}
