//! Ways to sign a request to an app, beyond putting a credential into it. A new way is an arm here.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use grantkeep_catalog::Aws4;
use grantkeep_oauth::aws::{self, Payload};
use grantkeep_oauth::{self as oauth, one};

use super::inject::{Injection, is_form};
use crate::app::App;
use crate::apps::oauth1::Consumer;
use crate::apps::{aws4, bound};
use crate::error::{self, Error, Result};

/// With the hash of the body in it, a body need not be read to be signed for AWS.
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// A request that is complete but for its signature.
pub(crate) struct Unsigned<'a> {
    pub method: &'a Method,
    /// As it is sent, query and all.
    pub url: &'a str,
    pub headers: &'a mut HeaderMap,
    /// Only where [`Signer::covers_body`] wanted it.
    pub body: &'a [u8],
}

pub(crate) enum Signer {
    /// The credential in the request is enough.
    None,
    /// RFC 5849.
    OAuth1(Consumer),
    /// Signature Version 4.
    Aws4,
    /// The token is bound to a key of the account, and goes with a proof (RFC 9449).
    Bound,
}

impl Signer {
    /// # Errors
    /// [`error::OAUTH_CLIENT_MISSING`].
    pub async fn of(app: &App, injection: &Injection) -> Result<Self> {
        if injection.usable.credentials.dpop_key.is_some() {
            return Ok(Self::Bound);
        }
        if injection.aws4().is_some() {
            return Ok(Self::Aws4);
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
            Self::None | Self::Bound => false,
            Self::OAuth1(_) => is_form(headers.get(CONTENT_TYPE)),
            Self::Aws4 => hash_of(headers).is_none(),
        }
    }

    /// Adds the signature. To be called anew for every sending: it holds the time and a nonce.
    pub async fn sign(
        &self,
        app: &App,
        injection: &Injection,
        unsigned: &mut Unsigned<'_>,
    ) -> Result<()> {
        let added = match self {
            Self::None => return Ok(()),
            Self::OAuth1(consumer) => {
                vec![(AUTHORIZATION, oauth1(app, consumer, injection, unsigned)?)]
            }
            Self::Aws4 => aws(app, injection, unsigned)?,
            Self::Bound => proof(app, injection, unsigned).await?,
        };
        for (name, text) in added {
            let value = HeaderValue::from_str(text.expose());
            let mut value = value.map_err(|_| wrong("The signature is no header."))?;
            value.set_sensitive(true);
            unsigned.headers.insert(name, value);
        }
        Ok(())
    }

    /// What an answer says to this way of signing, if it may say something.
    pub fn asks<B>(&self, response: &Response<B>) -> Option<(u16, HeaderMap)> {
        let said = || (response.status().as_u16(), response.headers().clone());
        matches!(self, Self::Bound).then(said)
    }

    /// Whether the app refused the call only because it wants its nonce in the proof. What it gave
    /// is kept for the next call in any case.
    pub async fn wants_nonce(
        &self,
        app: &App,
        url: &str,
        (status, headers): (u16, HeaderMap),
    ) -> bool {
        bound::learn_nonce(app, url, &headers).await;
        bound::wants_nonce(status, &headers)
    }
}

type Added = Vec<(HeaderName, oauth::Secret)>;

fn wrong(why: impl std::fmt::Display) -> Error {
    error::PROXY_UNAVAILABLE.saying(format!("The request cannot be signed: {why}"))
}

fn oauth1(
    app: &App,
    consumer: &Consumer,
    injection: &Injection,
    unsigned: &Unsigned<'_>,
) -> Result<oauth::Secret> {
    let credentials = &injection.usable.credentials;
    let token = credentials.access_token.as_ref().zip(credentials.token_secret.as_ref());
    let token = token.ok_or_else(|| wrong("the account holds no token with a secret."))?;
    let habits = injection.found.oauth1().ok_or(error::PROXY_UNAVAILABLE)?;
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(unsigned.body).into_owned().collect();
    let form: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let method = oauth::Method::from_name(unsigned.method.as_str());
    let method = method.ok_or(error::METHOD_NOT_ALLOWED)?;
    let target = one::Target { method, url: unsigned.url, form: &form };
    consumer.authorization(app, habits, token, &target).map_err(wrong)
}

/// Signs every header that the caller sent for the app, so none can be added on the way.
fn aws(app: &App, injection: &Injection, unsigned: &mut Unsigned<'_>) -> Result<Added> {
    let it: &Aws4 = injection.aws4().ok_or(error::PROXY_UNAVAILABLE)?;
    let told = hash_of(unsigned.headers);
    unsigned.headers.remove(CONTENT_HASH);
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers: Option<Vec<(String, String)>> = unsigned.headers.iter().map(text).collect();
    let headers = headers.ok_or_else(|| wrong("a header holds more than ASCII."))?;
    let headers: Vec<(&str, &str)> = headers.iter().map(|(it, text)| (&**it, &**text)).collect();
    let payload = told.as_deref().map_or(Payload::Bytes(unsigned.body), Payload::Sha256);
    let method = unsigned.method.as_str();
    let target = aws::Target { method, url: unsigned.url, headers: &headers, payload };
    let signed = aws4::sign(app, (&injection.values(), it), &target).map_err(wrong)?;
    Ok(signed.into_iter().map(|(name, it)| (HeaderName::from_static(name), it)).collect())
}

async fn proof(app: &App, injection: &Injection, unsigned: &Unsigned<'_>) -> Result<Added> {
    let credentials = &injection.usable.credentials;
    let bound = credentials.dpop_key.as_ref().zip(credentials.access_token.as_ref());
    let bound = bound.ok_or_else(|| wrong("the account holds no token."))?;
    let target = (unsigned.method.as_str(), unsigned.url);
    let added = bound::prove_call(app, target, bound).await.map_err(wrong)?;
    let named = |(name, it): (String, oauth::Secret)| {
        let name = HeaderName::from_bytes(name.as_bytes());
        name.map(|name| (name, it)).map_err(|_| wrong("the proof is no header."))
    };
    added.into_iter().map(named).collect()
}

/// The hash of the body, as the caller told it.
fn hash_of(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_HASH)?.to_str().ok()?;
    let fits = text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}
