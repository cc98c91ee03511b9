//! `/v1/workflows/{key}`: the addresses of workflows, and those that resume or cancel a run.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::Run;
use super::page::{self, Deed};
use super::receive::{receive, receiver, sent};
use super::resume::behind;
use crate::app::App;
use crate::callers::Origin;
use crate::error::Result;
use crate::serve;
use crate::triggers::{self, Request as Call, guarded};

#[derive(Deserialize)]
pub(crate) struct Named {
    key: String,
    #[serde(default)]
    rest: String,
}

/// Takes a request of any method. What it means is the workflow's matter.
pub(crate) async fn called(
    State(app): State<Arc<App>>,
    Path(Named { key, rest }): Path<Named>,
    origin: Origin,
    request: Request,
) -> Response<Body> {
    if request.method() == Method::OPTIONS {
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
) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let to = receiver(app, key, &head.headers).await?;
    let (read, file) = if serve::keeps_body(&head.uri, &head.headers) {
        (Bytes::new(), Some(body))
    } else {
        (triggers::read(body).await?, None)
    };
    let call = Call {
        method: head.method,
        path: format!("/{rest}"),
        uri: head.uri,
        headers: head.headers,
        body: read,
        client_ip: origin.ip.map(|it| it.to_string()),
    };
    receive(app, to, (call, file)).await
}

/// Pages of any origin may call: cookies count for nothing here.
fn preflight(request: &Request) -> Response<Body> {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    guarded(answer)
}

#[derive(Deserialize)]
pub(crate) struct Key {
    key: String,
}

/// Resumes a run that waits, with what is sent.
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Path(Key { key }): Path<Key>,
    request: Request,
) -> Response<Body> {
    let person = page::of_person(request.headers());
    let done = async {
        let (head, body) = request.into_parts();
        let body = triggers::read(body).await?;
        super::resume(&app, &key, sent(&head.headers, &body)?).await
    };
    told(&app, (Deed::Resume, person), done.await)
}

/// Ends a run that waits.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Path(Key { key }): Path<Key>,
    headers: HeaderMap,
) -> Response<Body> {
    let done = super::cancel_behind(&app, &key).await;
    told(&app, (Deed::Cancel, page::of_person(&headers)), done)
}

/// A page with a button that resumes. A link that is only looked at changes nothing.
pub(crate) async fn ask_resume(
    State(app): State<Arc<App>>,
    Path(Key { key }): Path<Key>,
) -> Response<Body> {
    ask(&app, &key, Deed::Resume).await
}

/// A page with a button that ends the run.
pub(crate) async fn ask_cancel(
    State(app): State<Arc<App>>,
    Path(Key { key }): Path<Key>,
) -> Response<Body> {
    ask(&app, &key, Deed::Cancel).await
}

async fn ask(app: &App, key: &str, deed: Deed) -> Response<Body> {
    let page = match behind(app, key).await {
        Ok(run) => page::asked(app, &run, deed).await,
        Err(error) => page::refused(app, &error),
    };
    page.unwrap_or_else(IntoResponse::into_response)
}

fn told(app: &App, (deed, person): (Deed, bool), done: Result<Run>) -> Response<Body> {
    if person {
        let page = page::told(app, done.map(|_| deed));
        return page.unwrap_or_else(IntoResponse::into_response);
    }
    let status = if deed == Deed::Resume { "resumed" } else { "cancelled" };
    let answer = match done {
        Ok(run) => axum::Json(json!({ "status": status, "run_id": run.id })).into_response(),
        Err(error) => error.into_response(),
    };
    guarded(answer)
}
