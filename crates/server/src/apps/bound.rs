//! Requests for tokens that are bound to a key of the account (RFC 9449).

use std::time::Duration;

use axum::http::HeaderMap;
use grantkeep_oauth::dpop::{self, Proof};
use grantkeep_oauth::jws::{Signing, Stamp};
use grantkeep_oauth::key::SigningKey;
use grantkeep_oauth::{self as oauth, RequestError};
use grantkeep_vault::{Secret, token};
use url::Url;

use super::protocol::{self, Answered, ClientKeys, Unaskable};
use crate::app::App;
use crate::egress::EgressError;

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    #[error(transparent)]
    Unaskable(#[from] Unaskable),
    #[error(transparent)]
    NoAnswer(#[from] EgressError),
}

impl From<RequestError> for NotAsked {
    fn from(why: RequestError) -> Self {
        Self::Unaskable(why.into())
    }
}

/// A key for one account, and its text to be sealed.
pub fn new_key() -> Result<(SigningKey, Secret), Unaskable> {
    let (key, text) = SigningKey::generate()?;
    Ok((key, Secret::new(text.expose())))
}

/// The key of an account, from its sealed text.
pub fn key(text: &Secret) -> Result<SigningKey, Unaskable> {
    Ok(SigningKey::read(&oauth::Secret::new(text.expose()))?)
}

/// Sends a request for tokens, with a proof if there is a key. A server that wants its nonce in
/// the proof is asked once more, with a request that is made anew: an assertion in it is good once.
///
/// # Errors
/// [`NotAsked`].
pub async fn send(
    (app, client): (&App, &ClientKeys),
    build: &(dyn Fn() -> Result<oauth::Request, Unaskable> + Sync),
    key: Option<&Secret>,
    most: Duration,
) -> Result<Answered, NotAsked> {
    let Some(key) = key else {
        return Ok(protocol::send_by(client.egress(app), build()?, most).await?);
    };
    let deadline = tokio::time::Instant::now() + most;
    let key = self::key(key)?;
    let first = proved(app, build()?, &key).await?;
    let answered = ask((app, client), first, most).await?;
    let header = header(&answered.headers);
    if dpop::retry_token(&answered.response(), header).is_none() {
        return Ok(answered);
    }
    let second = proved(app, build()?, &key).await?;
    // Both together take no longer than one may: others wait for so long, and then ask too.
    let left = deadline.saturating_duration_since(tokio::time::Instant::now());
    Ok(ask((app, client), second, left).await?)
}

/// The headers of a request to an API that is called with a bound token: the token and its proof
/// (section 7.1). To be made anew for every sending.
pub(crate) async fn prove_call(
    app: &App,
    (method, url): (&str, &str),
    (key, access_token): (&Secret, &Secret),
) -> Result<[(String, oauth::Secret); 2], Unaskable> {
    let key = self::key(key)?;
    let token = oauth::Secret::new(access_token.expose());
    let nonce = app.dpop_nonce(&origin(url)).await;
    let jti = token::base64url("", 16);
    let proof = proof(app, &key, (jti.expose(), nonce.as_deref()), Some(&token));
    let jwt = proof.jwt(method, url)?;
    Ok([("authorization".to_owned(), dpop::authorization(&token)), (dpop::HEADER.to_owned(), jwt)])
}

/// Whether an API refused a call only because it wants its nonce in the proof (section 9).
pub(crate) fn wants_nonce(status: u16, headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(axum::http::header::WWW_AUTHENTICATE);
    let challenges: Vec<&str> = challenges.iter().filter_map(|it| it.to_str().ok()).collect();
    dpop::retry_call(status, &challenges, header(headers)).is_some()
}

/// Keeps the nonce that came with an answer of this server, if one did (section 8.2).
pub(crate) async fn learn_nonce(app: &App, url: &str, headers: &HeaderMap) {
    if let Some(nonce) = dpop::nonce(header(headers)) {
        app.learn_dpop_nonce(origin(url), nonce.to_owned()).await;
    }
}

async fn proved(
    app: &App,
    mut request: oauth::Request,
    key: &SigningKey,
) -> Result<oauth::Request, RequestError> {
    let nonce = app.dpop_nonce(&origin(&request.url)).await;
    let jti = token::base64url("", 16);
    proof(app, key, (jti.expose(), nonce.as_deref()), None).put_on(&mut request)?;
    Ok(request)
}

async fn ask(
    (app, client): (&App, &ClientKeys),
    request: oauth::Request,
    most: Duration,
) -> Result<Answered, EgressError> {
    let url = request.url.clone();
    let answered = protocol::send_by(client.egress(app), request, most).await?;
    learn_nonce(app, &url, &answered.headers).await;
    Ok(answered)
}

fn proof<'a>(
    app: &App,
    key: &'a SigningKey,
    (jti, nonce): (&'a str, Option<&'a str>),
    access_token: Option<&'a oauth::Secret>,
) -> Proof<'a> {
    Proof {
        signing: Signing::with(key),
        stamp: Stamp { jti, now_s: app.clock.now_ms() / 1_000 },
        nonce,
        access_token,
        allow_loopback_http: app.config.egress_allow_loopback,
    }
}

fn header(headers: &HeaderMap) -> Option<&str> {
    headers.get(dpop::NONCE_HEADER).and_then(|it| it.to_str().ok())
}

/// A nonce is good at the server that gave it.
fn origin(url: &str) -> String {
    Url::parse(url).map(|it| it.origin().ascii_serialization()).unwrap_or_default()
}
