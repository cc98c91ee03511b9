//! `/v1/connect/{project}/file_stash`: a file in, a file out, and the links that need no bearer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::LengthLimitError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::json;

use super::{File, Into, New, find, link, read, upload};
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Anyone, InProject, InTenant, Origin, Server};
use crate::clock::iso;
use crate::error::{self, Error, Result};
use crate::query::Query;
use crate::scope::need;
use crate::tenant::Environment;

/// The bytes of a file.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct FileBytes(pub Vec<u8>);

/// A file that was taken in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StashedFile {
    /// Names the file in `download`.
    s3_key: String,
    /// Names the stash; further files may join it.
    stash_id: String,
    /// Opens the file without a bearer, for half an hour.
    get_url: String,
    bytes: i64,
    /// When the file goes: a day after it came.
    expires_at: String,
}

/// Takes a file of a user in, for a day: the body is its bytes, as they are.
#[utoipa::path(post, path = "/v1/connect/{project}/file_stash", tag = "File stash",
    params(("project" = String, Path), ("external_user_id" = String, Query),
        ("name" = String, Query, max_length = 200, description = "The file's name"),
        ("stash_id" = Option<String>, Query, description = "A stash of this user to put it into")),
    request_body(content = FileBytes, content_type = "application/octet-stream"),
    responses((status = 201, body = StashedFile),
        (status = 413, description = "The file is larger than the server takes")),
    security(("client" = [])))]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    call: InTenant<Server, need::Actions>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<StashedFile>)> {
    if call.is_older_path() {
        return Err(error::NOT_FOUND.into());
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/") {
        return Err(error::INVALID_REQUEST
            .saying("Send the file's bytes as the body (curl: --data-binary @FILE), not a form."));
    }
    let new = New {
        tenant: &call.tenant,
        external_id: query.one("external_user_id")?.ok_or(error::INVALID_EXTERNAL_USER)?,
        stash: query.one("stash_id")?.map_or(Into::Fresh, Into::Known),
        name: query.one("name")?.unwrap_or_default(),
    };
    let file = upload(&app, new, bytes_of(body)).await?;
    let event = Event::new("file.stash", &call.caller.actor, &call.origin).tenant(&call.tenant);
    app.audit.record(event.target("file", file.id.as_str())).await?;
    let view = StashedFile {
        get_url: link::make(&app, &file)?.into(),
        expires_at: iso(file.expires_at_ms),
        bytes: file.bytes,
        s3_key: file.key,
        stash_id: file.stash,
    };
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// A body as an upload takes it.
pub(crate) fn bytes_of(body: Body) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    body.into_data_stream().map(|it| it.map_err(|error| fault(&error)))
}

/// What the caller did wrong with the body.
fn fault(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(it) = cause {
        if it.is::<LengthLimitError>() {
            return error::BODY_TOO_LARGE.into();
        }
        cause = it.source();
    }
    error::INVALID_REQUEST.saying("The body broke off.")
}

/// Gives a file's bytes.
#[utoipa::path(get, path = "/v1/connect/{project}/file_stash/download", tag = "File stash",
    params(("project" = String, Path),
        ("s3_key" = String, Query, description = "As it was given when the file came")),
    responses((status = 200, body = FileBytes, content_type = "application/octet-stream")),
    security(("client" = []), ("connect" = [])))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    call: InProject<Anyone, need::Actions>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response> {
    let Some(key) = query.one("s3_key")? else {
        return Err(error::INVALID_PARAMETER.saying("`s3_key` is missing: which file is it?"));
    };
    // The key is of one environment, so clients need not name it.
    let whose = match &call.caller.connect {
        Some(it) => (Some(it.tenant.environment), Some(&it.user)),
        None => (Environment::from_headers(&headers)?, None),
    };
    let file = find(&app, &call.project, key, whose).await?;
    let event = Event::new("file.read", &call.caller.actor, &call.origin).tenant(&file.tenant);
    app.audit.record(event.target("file", file.id.as_str())).await?;
    given(&app, file).await
}

/// The same by a link, which is its own credential: nobody knows who has it.
pub(crate) async fn by_link(
    State(app): State<Arc<App>>,
    origin: Origin,
    query: Query,
) -> Result<Response> {
    let (tenant, key) = link::open(&app, &query)?;
    let file = find(&app, &tenant.project, &key, (Some(tenant.environment), None)).await?;
    let event = Event::new("file.read", &Actor::System, &origin).tenant(&tenant);
    app.audit
        .record(event.target("file", file.id.as_str()).detail(json!({ "by": "link" })))
        .await?;
    given(&app, file).await
}

/// Bytes of a stranger: never shown in the place of a page of ours, whatever they are.
async fn given(app: &Arc<App>, file: File) -> Result<Response> {
    let name = utf8_percent_encode(file.name(), NON_ALPHANUMERIC);
    let saved_as = format!("attachment; filename*=UTF-8''{name}");
    let saved_as = HeaderValue::from_str(&saved_as).map_err(|it| error::INTERNAL.logging(it))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(file.bytes)),
        (header::CONTENT_DISPOSITION, saved_as),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let bytes = Body::from_stream(read(app, file).await?);
    Ok((headers, bytes).into_response())
}
