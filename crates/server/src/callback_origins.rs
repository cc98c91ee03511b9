//! Further origins for redirect URIs: what is answered on them, which is the callback alone.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::app::App;
use crate::error::{self, Error};

/// Whether the operator permits `origin`, written as browsers write it.
pub fn knows(app: &App, origin: &str) -> bool {
    app.config.callback_origins.iter().any(|it| it.origin().ascii_serialization() == origin)
}

/// On a further origin, sends the browser on to our own, whose cookie its flow has; nothing else is
/// there. `None`: the request is for another host.
pub(crate) fn answer(app: &App, request: &Request) -> Option<Response> {
    let origins = &app.config.callback_origins;
    origins.iter().any(|it| is_asked(it, request)).then(|| sent_on(app, request))
}

fn sent_on(app: &App, request: &Request) -> Response {
    let path = request.uri().path();
    if !is_callback(path) {
        return Error::from(error::NOT_FOUND).into_response();
    }
    if request.method() != Method::GET {
        let allow = [(header::ALLOW, "GET")];
        return (allow, Error::from(error::METHOD_NOT_ALLOWED)).into_response();
    }
    let mut url = app.url(path);
    url.set_query(request.uri().query());
    let Ok(location) = HeaderValue::from_str(url.as_str()) else {
        return Error::from(error::INVALID_REQUEST).into_response();
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Whether the request names this origin's host and port.
fn is_asked(origin: &Url, request: &Request) -> bool {
    let asked = asked_at(origin.scheme(), request.uri(), request.headers());
    asked.is_some_and(|it| it.origin() == origin.origin())
}

/// The origin that a request names, said with this scheme.
pub(crate) fn asked_at(scheme: &str, uri: &Uri, headers: &HeaderMap) -> Option<Url> {
    let host = || headers.get(header::HOST)?.to_str().ok();
    let named = uri.authority().map(Authority::as_str).or_else(host)?;
    Url::parse(&format!("{scheme}://{named}")).ok()
}

/// `/connect/oauth/oa_.../callback`.
fn is_callback(path: &str) -> bool {
    let id = path.strip_prefix("/connect/oauth/").and_then(|it| it.strip_suffix("/callback"));
    id.is_some_and(|it| crate::ids::OAuthAppId::parse(it).is_some())
}
