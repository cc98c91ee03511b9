//! From an app's file to requests: what an app's servers are asked, how it is sent, and how the
//! answer is read.
//!
//! The protocol itself is in the leaf `oauth`; here its arguments are gathered, for connecting and
//! for refreshing alike.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use grantkeep_catalog::{
    self as catalog, App as CatalogApp, Learned, LearnedFrom, OAuth2, RevocationPlace, RevokedToken,
};
use grantkeep_oauth::answer::{self, ExpiresUnit, Failure, Response, Rules, Tokens};
use grantkeep_oauth::authorize::{Authorize, RequestObject};
use grantkeep_oauth::device::{self, Polled};
use grantkeep_oauth::jws::Stamp;
use grantkeep_oauth::key::KeyError;
use grantkeep_oauth::request::Params;
use grantkeep_oauth::template::{TemplateError, fill_text, fill_url};
use grantkeep_oauth::token::{self, BodyFormat, Endpoint};
use grantkeep_oauth::{self as oauth, RequestError, revoke};
use grantkeep_vault::{Secret, token as random};
use http_body_util::Full;

use super::client_keys::signing;
pub use super::client_keys::{ClientKeys, api_egress};
use crate::app::App;
use crate::egress::{self, Egress, EgressError};
use crate::error::Result;

/// An app whose file, or what was entered for it, makes no valid request. A fault of settings:
/// trying again does not help, and its text is for the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unaskable {
    #[error("the app's file: {0}")]
    Template(#[from] TemplateError),
    #[error("the request: {0}")]
    Request(#[from] RequestError),
    #[error("the key: {0}")]
    Key(#[from] KeyError),
    #[error("the app has no such request")]
    NoSuch,
    #[error("this way of client authentication needs a key that the client does not have")]
    NoClientKey,
}

/// The values that `${name}` stands for in an app's file.
pub struct Values<'a> {
    pub found: &'a CatalogApp,
    pub fields: &'a BTreeMap<String, Secret>,
    pub access_token: Option<&'a Secret>,
    pub client_id: Option<&'a str>,
    /// The token to be revoked.
    pub token: Option<&'a Secret>,
}

impl<'a> Values<'a> {
    pub fn of(found: &'a CatalogApp, fields: &'a BTreeMap<String, Secret>) -> Self {
        Self { found, fields, access_token: None, client_id: None, token: None }
    }

    /// The value of a name. A field that the user may leave out is empty then.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        match name {
            "oauth_access_token" => self.access_token.map(Secret::expose),
            "oauth_client_id" | "client_id" if self.client_id.is_some() => self.client_id,
            "token" if self.token.is_some() => self.token.map(Secret::expose),
            _ => self
                .fields
                .get(name)
                .map(Secret::expose)
                .or_else(|| self.found.field(name).is_some_and(|it| it.optional).then_some("")),
        }
    }

    pub fn url(&self, app: &App, template: &str) -> Result<String, TemplateError> {
        let loopback = app.config.egress_allow_loopback;
        fill_url(template, &|name| self.get(name), loopback).map(|it| it.to_string())
    }

    pub fn text(&self, template: &str) -> Result<oauth::Secret, TemplateError> {
        fill_text(template, &|name| self.get(name))
    }
}

impl Values<'_> {
    /// The text with its values; what is missing of several is empty. `None`: it names values, and
    /// has none of them, so that what it stands for is left out. What is learnt is missing until it
    /// was learnt.
    pub fn given(&self, template: &str) -> Result<Option<oauth::Secret>, TemplateError> {
        let names = catalog::placeholders::names(template).unwrap_or_default();
        let value = |name: &str| {
            let learnt = || self.found.learned.contains_key(name).then_some("");
            self.get(name).or_else(learnt)
        };
        if !names.is_empty() && names.iter().all(|name| value(name) == Some("")) {
            return Ok(None);
        }
        fill_text(template, &value).map(Some)
    }
}

/// Where tokens are asked for: where the client's certificate is looked at, if it has to be.
pub(super) fn token_url(it: &OAuth2) -> &str {
    let shown = it.client_auth == catalog::ClientAuth::Tls;
    it.mtls_token_url.as_deref().filter(|_| shown).unwrap_or(&it.token_url)
}

/// Where a refresh goes.
pub fn refresh_url(app: &App, values: &Values<'_>) -> Result<url::Url, Unaskable> {
    if let Some(it) = values.found.key_exchange() {
        let text = values.url(app, &it.url)?;
        return url::Url::parse(&text).map_err(|_| Unaskable::NoSuch);
    }
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let text = values.url(app, it.refresh_url.as_deref().unwrap_or_else(|| token_url(it)))?;
    url::Url::parse(&text).map_err(|_| Unaskable::NoSuch)
}

/// Asks for a new access token (RFC 6749 section 6).
pub fn refresh_request(
    app: &App,
    values: &Values<'_>,
    client: &ClientKeys,
    refresh_token: &Secret,
) -> Result<oauth::Request, Unaskable> {
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let url = refresh_url(app, values)?;
    let refresh_token = oauth::Secret::new(refresh_token.expose());
    let params = filled(values, &it.refresh_params)?;
    let headers = filled(values, &it.token_headers)?;
    let resources = resources(it);
    let endpoint = endpoint(app, it, (url.as_str(), &params, &headers), &resources);
    let proved = client.prove(it.client_auth, (it, url.as_str()), app.clock.now_ms())?;
    Ok(token::refresh(&endpoint, &proved.client(), &refresh_token)?)
}

/// Asks to exchange what came back from the browser for tokens (RFC 6749 section 4.1.3).
pub fn exchange_request(
    app: &App,
    values: &Values<'_>,
    client: &ClientKeys,
    exchange: &token::Exchange<'_>,
) -> Result<oauth::Request, Unaskable> {
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let installed = it.installation.as_ref().map(|it| it.user_token_url.as_str());
    let url = values.url(app, installed.unwrap_or_else(|| token_url(it)))?;
    let params = filled(values, &it.token_params)?;
    let headers = filled(values, &it.token_headers)?;
    let resources = resources(it);
    let endpoint = endpoint(app, it, (&url, &params, &headers), &resources);
    let proved = client.prove(it.client_auth, (it, &url), app.clock.now_ms())?;
    Ok(token::exchange(&endpoint, &proved.client(), exchange)?)
}

/// The resources that tokens are wanted for (RFC 8707).
pub fn resources(it: &OAuth2) -> Vec<&str> {
    it.resource.iter().map(String::as_str).collect()
}

/// Parameters or headers of an app's file, with their placeholders filled.
pub fn filled(values: &Values<'_>, params: &Params) -> Result<Params, TemplateError> {
    let fill = |(name, text): (&String, &String)| {
        Ok((name.clone(), values.text(text)?.expose().to_owned()))
    };
    params.iter().map(fill).collect()
}

pub(super) fn endpoint<'a>(
    app: &App,
    it: &'a OAuth2,
    (url, params, headers): (&'a str, &'a Params, &'a Params),
    resources: &'a [&'a str],
) -> Endpoint<'a> {
    Endpoint {
        url,
        format: match (it.token_method, it.body_format) {
            (catalog::Method::Get, _) => BodyFormat::Get,
            (_, catalog::BodyFormat::Form) => BodyFormat::Form,
            (_, catalog::BodyFormat::Json) => BodyFormat::Json,
        },
        params,
        headers,
        param_names: &it.param_names,
        resources,
        allow_loopback_http: app.config.egress_allow_loopback,
    }
}

/// The authorization request as a signed object (RFC 9101), for the issuer or, where that is not
/// known, for the endpoint itself.
pub fn request_object(
    app: &App,
    it: &OAuth2,
    (request, client): (&Authorize<'_>, &ClientKeys),
) -> Result<oauth::Secret, Unaskable> {
    let jti = random::base64url("", 16);
    let how = RequestObject {
        signing: signing(client.key()?, it.client_signing_alg),
        audience: it.issuer.as_deref().unwrap_or(request.endpoint),
        stamp: Stamp { jti: jti.expose(), now_s: app.clock.now_ms() / 1_000 },
    };
    Ok(request.object(&how)?)
}

/// Asks a server to keep an authorization request (RFC 9126 section 2.1).
pub fn push_request(
    app: &App,
    (values, client): (&Values<'_>, &ClientKeys),
    request: &Authorize<'_>,
    object: Option<&oauth::Secret>,
) -> Result<oauth::Request, Unaskable> {
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let url = values.url(app, it.par_url.as_ref().ok_or(Unaskable::NoSuch)?)?;
    let (params, headers) = (Params::new(), filled(values, &it.token_headers)?);
    let endpoint = endpoint(app, it, (&url, &params, &headers), &[]);
    let proved = client.prove(it.client_auth, (it, &url), app.clock.now_ms())?;
    Ok(match object {
        Some(object) => request.push_object(&endpoint, &proved.client(), object)?,
        None => request.push(&endpoint, &proved.client())?,
    })
}

/// Asks for the code of a device flow (RFC 8628 section 3.1).
pub fn device_request(
    app: &App,
    (values, client): (&Values<'_>, &ClientKeys),
    scope: &str,
) -> Result<oauth::Request, Unaskable> {
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let url = it.device_authorization_url.as_ref().ok_or(Unaskable::NoSuch)?;
    let url = values.url(app, url)?;
    let params = filled(values, &it.authorization_params)?;
    let headers = filled(values, &it.token_headers)?;
    let endpoint = endpoint(app, it, (&url, &params, &headers), &[]);
    let proved = client.prove(it.client_auth, (it, &url), app.clock.now_ms())?;
    Ok(device::start(&endpoint, &proved.client(), scope)?)
}

/// Asks whether the person has entered the code (RFC 8628 section 3.4).
pub fn poll_request(
    app: &App,
    (values, client): (&Values<'_>, &ClientKeys),
    code: &oauth::Secret,
) -> Result<oauth::Request, Unaskable> {
    let it = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let url = values.url(app, token_url(it))?;
    let params = filled(values, &it.token_params)?;
    let headers = filled(values, &it.token_headers)?;
    let endpoint = endpoint(app, it, (&url, &params, &headers), &[]);
    let proved = client.prove(it.client_auth, (it, &url), app.clock.now_ms())?;
    Ok(device::poll(&endpoint, &proved.client(), code)?)
}

/// Reads the answer to [`poll_request`], which was sent after `interval_s`.
pub fn read_poll(it: &OAuth2, response: &Response<'_>, now_ms: i64, interval_s: u64) -> Polled {
    device::read_poll(&rules(it, 0), response, now_ms, interval_s)
}

/// Which token the app's revocation takes: the refresh token ends the whole grant (RFC 7009 section
/// 2.1).
pub fn revoked_token<'a>(
    it: &catalog::Revocation,
    access: Option<&'a Secret>,
    refresh: Option<&'a Secret>,
) -> Option<(&'a Secret, revoke::Kind)> {
    let refresh = refresh.map(|it| (it, revoke::Kind::Refresh));
    let access = access.map(|it| (it, revoke::Kind::Access));
    match it.token {
        RevokedToken::Refresh => refresh.or(access),
        RevokedToken::Access => access,
    }
}

/// Asks to end a grant: by RFC 7009, or in the app's own way. `values.token` is the token.
pub fn revocation_request(
    app: &App,
    values: &Values<'_>,
    client: &ClientKeys,
    kind: revoke::Kind,
) -> Result<oauth::Request, Unaskable> {
    let oauth2 = values.found.oauth2().ok_or(Unaskable::NoSuch)?;
    let it = oauth2.revocation.as_ref().ok_or(Unaskable::NoSuch)?;
    let token = oauth::Secret::new(values.token.ok_or(Unaskable::NoSuch)?.expose());
    let url = values.url(app, &it.url)?;
    let auth = it.client_auth.unwrap_or(oauth2.client_auth);
    let place = match it.place {
        RevocationPlace::Form => revoke::Place::Form,
        RevocationPlace::Json => revoke::Place::Json,
        RevocationPlace::Query => revoke::Place::Query,
        RevocationPlace::Path => revoke::Place::Url,
        RevocationPlace::Bearer => revoke::Place::Bearer,
    };
    // A server with a request of its own need not know the hint.
    let standard = place == revoke::Place::Form && it.param == "token";
    let proved = client.prove(auth, (oauth2, &url), app.clock.now_ms())?;
    // Said to be enough, the token is; else a public client still names itself (RFC 7009 section
    // 2.1).
    let alone = it.client_auth == Some(catalog::ClientAuth::None);
    let params = filled(values, &it.params)?;
    let headers = filled(values, &it.headers)?;
    let request = revoke::Revoke {
        method: method(it.method),
        url: &url,
        place,
        param: &it.param,
        hint: standard.then_some(kind),
        params: &params,
        headers: &headers,
        client: (!alone).then(|| proved.client()),
        allow_loopback_http: app.config.egress_allow_loopback,
    };
    Ok(request.request(&token)?)
}

pub fn method(method: catalog::Method) -> oauth::Method {
    match method {
        catalog::Method::Get => oauth::Method::Get,
        catalog::Method::Post => oauth::Method::Post,
        catalog::Method::Put => oauth::Method::Put,
        catalog::Method::Delete => oauth::Method::Delete,
    }
}

/// What a provider answered. Not printable: the body may hold tokens.
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answered {
    pub fn response(&self) -> Response<'_> {
        let retry_after = self.headers.get(header::RETRY_AFTER).and_then(|it| it.to_str().ok());
        Response { status: self.status, retry_after, body: &self.body }
    }
}

/// Sends a request within `most`, and within the limits of the configuration.
///
/// # Errors
/// Without an answer; [`EgressError::maybe_sent`] tells whether the provider may have acted on it.
pub async fn send(
    app: &App,
    request: oauth::Request,
    most: Duration,
) -> Result<Answered, EgressError> {
    send_by(&app.egress, request, most).await
}

/// The same by the connections of one client; see [`ClientKeys::egress`].
///
/// # Errors
/// As for [`send`].
pub async fn send_by(
    egress: &Egress,
    request: oauth::Request,
    most: Duration,
) -> Result<Answered, EgressError> {
    let mut limits = egress.limits();
    limits.total_timeout = limits.total_timeout.min(most);
    let answer = egress.send(outgoing(&request)?, limits).await?;
    Ok(Answered { status: answer.status.as_u16(), headers: answer.headers, body: answer.body })
}

fn outgoing(request: &oauth::Request) -> Result<Request<Full<Bytes>>, EgressError> {
    let method = match request.method {
        oauth::Method::Get => Method::GET,
        oauth::Method::Post => Method::POST,
        oauth::Method::Put => Method::PUT,
        oauth::Method::Patch => Method::PATCH,
        oauth::Method::Delete => Method::DELETE,
        oauth::Method::Head => Method::HEAD,
        oauth::Method::Options => Method::OPTIONS,
    };
    let mut builder = Request::builder().method(method).uri(request.url.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name, value.expose());
    }
    let body = request
        .body
        .as_ref()
        .map_or_else(Bytes::new, |it| Bytes::copy_from_slice(it.expose().as_bytes()));
    builder.body(Full::new(body)).map_err(|_| unwritable())
}

fn unwritable() -> EgressError {
    EgressError::unsent(egress::Failure::NotAllowed, "the request cannot be written")
}

/// Reads an answer of the token endpoint. Where the app's file gives several places for a value,
/// the first that holds one counts.
pub fn read_tokens(it: &OAuth2, response: &Response<'_>, now_ms: i64) -> Result<Tokens, Failure> {
    let paths = &it.answer;
    let lists = [&paths.access_token, &paths.refresh_token, &paths.scope, &paths.expires_in];
    let ways = lists.iter().map(|it| it.len()).max().unwrap_or(1).max(1);
    let mut first = None;
    for nth in 0..ways {
        match answer::read(&rules(it, nth), response, now_ms) {
            Ok(mut tokens) => {
                if tokens.refresh_token.is_none() {
                    let texts = paths.refresh_token.iter().filter_map(|it| tokens.members.text(it));
                    let found = texts.filter(|it| !it.trim().is_empty());
                    tokens.refresh_token = found.map(oauth::Secret::new).next();
                }
                return Ok(tokens);
            }
            Err(failure) => first = first.or(Some(failure)),
        }
    }
    Err(first.unwrap_or(Failure::Malformed(answer::Malformed::NoAccessToken)))
}

/// The places where things lie in an app's answers: of several for one thing, the `nth`.
fn rules(it: &OAuth2, nth: usize) -> Rules<'_> {
    fn path<'a>(list: &'a [String], nth: usize, standard: &'a str) -> &'a str {
        list.get(nth).or_else(|| list.last()).map_or(standard, String::as_str)
    }
    let places = &it.answer;
    Rules {
        access_token: path(&places.access_token, nth, "access_token"),
        refresh_token: path(&places.refresh_token, nth, "refresh_token"),
        scope: path(&places.scope, nth, "scope"),
        expires_in: path(&places.expires_in, nth, "expires_in"),
        expires_unit: unit(places.expires_unit),
        lifetime_s: places.lifetime_s,
        scope_separator: &it.scopes.separator,
        token_type_any: places.token_type_any,
        dpop: it.dpop,
        error: &places.error,
        errors: &places.errors,
        ..Rules::default()
    }
}

pub(super) fn unit(unit: catalog::ExpiresUnit) -> ExpiresUnit {
    match unit {
        catalog::ExpiresUnit::Seconds => ExpiresUnit::Seconds,
        catalog::ExpiresUnit::Milliseconds => ExpiresUnit::Milliseconds,
        catalog::ExpiresUnit::EpochSeconds => ExpiresUnit::EpochSeconds,
    }
}

/// Reads the answer to [`revocation_request`].
pub fn read_revocation(it: &OAuth2, response: &Response<'_>, now_ms: i64) -> Result<(), Failure> {
    revoke::read(&rules(it, 0), response, now_ms)
}

/// What a token answer teaches about the account, by field name. A value that must not stand in a
/// host is not taken.
pub fn learned_from_tokens(found: &CatalogApp, tokens: &Tokens) -> BTreeMap<String, Secret> {
    learned(found, LearnedFrom::TokenAnswer, &|path| tokens.members.text(path))
}

/// What one source teaches; `text` gives the value at a path in it.
pub fn learned(
    found: &CatalogApp,
    from: LearnedFrom,
    text: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, Secret> {
    let value = |it: &Learned| {
        let value = text(&it.path).filter(|value| !value.is_empty())?;
        let fits = it.host.as_ref().is_none_or(|rule| rule.check(&value).is_ok());
        fits.then(|| Secret::new(value))
    };
    let from = found.learned.iter().filter(|(_, it)| it.from == from);
    from.filter_map(|(name, it)| Some((name.clone(), value(it)?))).collect()
}
