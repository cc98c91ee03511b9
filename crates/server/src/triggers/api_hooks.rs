//! `/v1/hooks/{key}`: the addresses of triggers, open to whoever knows them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::call::{self, Request as Call};
use super::receive::{receive, receiver};
use super::respond::guarded;
use crate::app::App;
use crate::callers::Origin;

#[derive(Deserialize)]
pub(crate) struct Named {
    key: String,
    #[serde(default)]
    rest: String,
}

/// Takes a request of any method. What it means is the trigger's matter.
pub(crate) async fn hook(
    State(app): State<Arc<App>>,
    Path(Named { key, rest }): Path<Named>,
    origin: Origin,
    request: Request,
) -> Response<Body> {
    if is_preflight(&request) {
        return preflight(&request);
    }
    match taken(&app, (&key, &rest), origin, request).await {
        Ok(answer) => answer,
        Err(error) => guarded(error.into_response()),
    }
}

async fn taken(
    app: &Arc<App>,
    (key, rest): (&str, &str),
    origin: Origin,
    request: Request,
) -> crate::error::Result<Response<Body>> {
    let to = receiver(app, key).await?;
    let (head, body) = request.into_parts();
    let call = Call {
        method: head.method,
        path: format!("/{rest}"),
        uri: head.uri,
        headers: head.headers,
        body: call::read(body).await?,
        client_ip: origin.ip.map(|it| it.to_string()),
    };
    receive(app, to, call).await
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Pages of any origin may send: the address is the only credential.
fn preflight(request: &Request) -> Response<Body> {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    guarded(answer)
}
