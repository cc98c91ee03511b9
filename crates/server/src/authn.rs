//! From credential to caller. Runs before every route that is not public.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use grantkeep_vault::token;
use zeroize::Zeroizing;

use crate::app::App;
use crate::callers::{Caller, Origin};
use crate::error::{self, Error, Result};
use crate::ids::{ProjectId, RateLimitId};
use crate::limits::{Limit, Refused, Standing};
use crate::query::Query;
use crate::{cors, projects, tokens};

/// Names the limit, of the customer's own, in which a request counts.
const RATE_LIMIT: HeaderName = HeaderName::from_static("x-pd-rate-limit");

/// Puts the [`Caller`] into the request, or refuses it.
pub(crate) async fn authenticate(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let found = match caller(&app, &parts.uri, &parts.headers).await {
        Ok(found) => found,
        Err(error) => {
            let mut response = refused(&app, &parts, error).await.into_response();
            if let Some(origin) = told_of_refusal(&parts.headers, response.status()) {
                cors::allow(response.headers_mut(), origin);
            }
            return response;
        }
    };
    let mut response = match within_limits(&app, &found.caller, &parts).await {
        Ok(standing) => {
            parts.extensions.insert(found.caller);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            if let Some(standing) = standing {
                standing.tell(response.headers_mut());
            }
            response
        }
        Err(error) => error.into_response(),
    };
    if let Some(origin) = found.allowed_origin {
        cors::allow(response.headers_mut(), &origin);
    }
    response
}

/// Counts the request in the limit that it names, and in that of its route and project.
///
/// # Errors
/// [`error::RATE_LIMITED`]; [`error::UNKNOWN_RATE_LIMIT`].
async fn within_limits(app: &App, caller: &Caller, request: &Parts) -> Result<Option<Standing>> {
    let route = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let limit = Limit::of(&request.method, route);
    let quota = limit.and_then(|it| it.quota(&app.config));
    let named = named_limit(&request.headers)?;
    if quota.is_none() && named.is_none() {
        return Ok(None);
    }
    let project = match &caller.project {
        Some(bound) => Some(bound.clone()),
        None => request.uri.path().split('/').nth(3).and_then(ProjectId::parse),
    };
    let now_s = app.clock.now_ms() / 1_000;
    let mut standing = None;
    if let Some(id) = named {
        let named = (project.clone(), id);
        let quota = app.own_limit(&named).await?.ok_or(error::UNKNOWN_RATE_LIMIT)?;
        let taken = app.limits.take(&named.1, quota, now_s);
        standing = Some(taken.map_err(Refused::by_customer)?);
    }
    if let (Some(limit), Some(quota), Some(project)) = (limit, quota, project) {
        let taken = app.limits.take((limit, &project), quota, now_s);
        let taken = taken.map_err(|it| it.by_operator(limit, project.as_str()))?;
        standing = Some(standing.map_or(taken, |it: Standing| it.tighter(taken)));
    }
    Ok(standing)
}

/// The customer's own limit that the request names.
fn named_limit(headers: &HeaderMap) -> Result<Option<RateLimitId>> {
    let mut values = headers.get_all(RATE_LIMIT).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let id = value.to_str().ok().and_then(RateLimitId::parse);
            id.map(Some).ok_or_else(|| error::UNKNOWN_RATE_LIMIT.into())
        }
        (Some(_), Some(_)) => Err(error::UNKNOWN_RATE_LIMIT.saying("Name one rate limit.")),
    }
}

/// The page that may read why its connect token was refused, so that it knows to ask for another:
/// any, since whose token it was is not known any more, and the answer says nothing of it. A page
/// to which the token does not belong (403) may not.
fn told_of_refusal(headers: &HeaderMap, status: StatusCode) -> Option<&str> {
    let shows_token = || bearer(headers).is_ok_and(|it| it.starts_with(tokens::PREFIX));
    let told = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS);
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    (told && origin != "null" && shows_token()).then_some(origin)
}

/// What a refused caller is told. A wrong credential counts against its address; a good one that
/// came in the URL is marked.
async fn refused(app: &Arc<App>, request: &Parts, error: Error) -> Error {
    let origin = request.extensions.get::<Origin>().cloned().unwrap_or_default();
    let in_url = error.kind().code == error::CREDENTIALS_IN_URL.code;
    let sent = in_url || request.headers.contains_key(header::AUTHORIZATION);
    if error.kind().status != 401 || !sent {
        return error;
    }
    if let Err(limited) = app.attempts.failed(origin.ip) {
        return limited;
    }
    if in_url {
        let query = Query::parse(request.uri.query().unwrap_or_default());
        if let Err(failed) = projects::expose(app, &query, &origin).await {
            return failed;
        }
    }
    error
}

struct Found {
    caller: Arc<Caller>,
    /// The web origin that may read the answer.
    allowed_origin: Option<String>,
}

async fn caller(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Found> {
    let query = Query::parse(uri.query().unwrap_or_default());
    if projects::in_query(&query) {
        return Err(error::CREDENTIALS_IN_URL.into());
    }
    if let Some((id, key)) = basic(headers)? {
        let found = by_key(app, &key).await?.filter(|it| it.actor.id() == id);
        let caller = found.ok_or(error::INVALID_TOKEN)?;
        return Ok(Found { caller, allowed_origin: None });
    }
    let text = bearer(headers)?;
    if text.starts_with(tokens::PREFIX) {
        return connect_caller(app, text, headers).await;
    }
    let caller = by_key(app, text).await?.ok_or(error::INVALID_TOKEN)?;
    Ok(Found { caller, allowed_origin: None })
}

/// The caller behind an access token or an API key.
async fn by_key(app: &App, text: &str) -> Result<Option<Arc<Caller>>> {
    if !token::verify_checksum(text) {
        return Ok(None);
    }
    let hash = token::digest(text);
    if let Some(caller) = app.remembered_caller(&hash).await {
        return Ok(Some(caller));
    }
    let kind = text.rsplit_once('_').map_or("", |(kind, _)| kind);
    let caller = match kind {
        projects::ACCESS_TOKEN_PREFIX => projects::caller_by_token(app, text).await?,
        projects::KEY_PREFIX => projects::caller_by_key(app, text).await?,
        _ => None,
    };
    let caller = caller.map(Arc::new);
    if let Some(caller) = &caller {
        app.remember_caller(hash, caller).await;
    }
    Ok(caller)
}

/// A connect token serves the browser pages of its own origins; after the connection that used it
/// up, it is over.
async fn connect_caller(app: &App, text: &str, headers: &HeaderMap) -> Result<Found> {
    let token = tokens::find(app, text).await?.ok_or(error::INVALID_TOKEN)?;
    token.usable(app.clock.now_ms()).map_err(|_| Error::from(error::INVALID_TOKEN))?;
    let origin = match headers.get(header::ORIGIN) {
        None => None,
        Some(value) => {
            let text = value.to_str().unwrap_or_default();
            let own = app.config.public_url.origin().ascii_serialization();
            if text != own && !token.allowed_origins.iter().any(|allowed| allowed == text) {
                return Err(error::ORIGIN_NOT_ALLOWED.into());
            }
            Some(text.to_owned())
        }
    };
    Ok(Found { caller: Arc::new(token.caller()), allowed_origin: origin })
}

/// An API key as the oldest clients send it, by HTTP Basic (RFC 7617) with the key's id as the
/// name. `None`: another scheme.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Zeroizing<String>)>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let coded = match text.split_once(' ') {
        Some((scheme, coded)) if scheme.eq_ignore_ascii_case("basic") => coded.trim(),
        _ => return Ok(None),
    };
    let pair = BASE64_STANDARD.decode(coded).map(Zeroizing::new);
    let pair = pair.map_err(|_| error::INVALID_TOKEN)?;
    let pair = std::str::from_utf8(&pair).map_err(|_| error::INVALID_TOKEN)?;
    let (id, key) = pair.split_once(':').ok_or(error::INVALID_TOKEN)?;
    if !key.starts_with(projects::KEY_PREFIX) {
        return Err(error::INVALID_TOKEN.into());
    }
    Ok(Some((id.to_owned(), Zeroizing::new(key.to_owned()))))
}

/// The bearer token (RFC 6750 section 2.1); the scheme in any case.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(error::INVALID_TOKEN)?;
    if values.next().is_some() {
        return Err(error::INVALID_REQUEST.saying("Send one Authorization header."));
    }
    let text = value.to_str().map_err(|_| error::INVALID_TOKEN)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(error::INVALID_TOKEN.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bearer_is_one_text_after_one_scheme(value in "(bearer|BEARER|Basic)? {0,2}[!-~é ]{0,30}") {
            let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let one: HeaderMap = [(header::AUTHORIZATION, value.clone())].into_iter().collect();
            if let Ok(text) = bearer(&one) {
                prop_assert_eq!(text, text.trim());
                let two = [(header::AUTHORIZATION, value.clone()), (header::AUTHORIZATION, value)];
                let two: HeaderMap = two.into_iter().collect();
                prop_assert!(bearer(&two).is_err());
            }
        }
    }
}
