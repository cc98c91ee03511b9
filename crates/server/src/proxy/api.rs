//! The proxy by HTTP: with the target in the path, in base64, as the wire has it, or in a header as
//! it is. Both without a project for connect tokens and API keys.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::UPGRADE;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method};
use axum::response::Response;
use serde_json::json;

use super::call::{By, call};
use super::retry::RETRIES_MAX;
use super::target::{self, Aim};
use super::{Asked, headers};
use crate::app::App;
use crate::callback_origins;
use crate::callers::{Anyone, InTenant};
use crate::error::{self, Error, Result};
use crate::query::Query;
use crate::scope::need;

/// The target as it is: a URL of the app, or a path.
const TARGET: HeaderName = HeaderName::from_static("x-grantkeep-target");
/// How often to send again after a failure that passes.
const RETRY: HeaderName = HeaderName::from_static("x-grantkeep-retry");

const ACCOUNT: &str = "account_id";
const USER: &str = "external_user_id";

/// Characters of a parameter's name that the error about it repeats.
const NAME_CHARS_MAX: usize = 100;

type Call = InTenant<Anyone, need::ProxyUse>;

/// An operation is the same for every method; the document wants each by itself.
macro_rules! operations {
    ($path:literal $target:tt $( $name:ident $method:ident $about:literal [$($body:tt)*] )*)
    => { $(
        #[doc = $about]
        ///
        /// The app's answer comes back with its own status, its body as it comes, and its headers
        /// but for those that speak to a browser or a connection. An answer of this server has the
        /// header `x-grantkeep-error` instead. Headers for the app begin with `x-pd-proxy-`.
        #[utoipa::path($method, path = $path, tag = "Proxy",
            params(("project" = String, Path), $target,
                ("account_id" = String, Query, description = "The account to call with"),
                ("external_user_id" = Option<String>, Query,
                    description = "The account's user. A connect token says it by itself"),
                ("x-grantkeep-retry" = Option<u32>, Header, minimum = 0, maximum = 3,
                    description = "How often to send again after a failure that passes")),
            $($body)*
            responses((status = 200, description = "The app's answer, whatever its status",
                    content_type = "*/*", body = String),
                (status = 409, description = "Only a reconnect helps"),
                (status = 413, description = "The body is larger than allowed"),
                (status = 502, description = "The app gave no answer that could be passed on"),
                (status = 504, description = "The app did not answer in time")),
            security(("client" = []), ("connect" = [])))]
        pub(crate) async fn $name(
            State(app): State<Arc<App>>,
            call: Call,
            request: Request,
        ) -> Result<Response> {
            serve(&app, &call, request).await
        }
    )* };
}

operations! {
    "/v1/connect/{project}/proxy"
    ("x-grantkeep-target" = String, Header, description = "A URL of the app, or a path")
    get get
        "Sends a GET to an app with an account's credential, the target in a header."
        []
    post post
        "Sends a POST to an app with an account's credential, the target in a header."
        [request_body(content = String, content_type = "*/*"),]
    put put
        "Sends a PUT to an app with an account's credential, the target in a header."
        [request_body(content = String, content_type = "*/*"),]
    patch patch
        "Sends a PATCH to an app with an account's credential, the target in a header."
        [request_body(content = String, content_type = "*/*"),]
    delete delete
        "Sends a DELETE to an app with an account's credential, the target in a header."
        [request_body(content = String, content_type = "*/*"),]
}

operations! {
    "/v1/connect/{project}/proxy/{*target}"
    ("*target" = String, Path,
        description = "A URL of the app, or a path, in base64 of either alphabet")
    get_in_path get
        "Sends a GET to an app with an account's credential, the target in the path."
        []
    post_in_path post
        "Sends a POST to an app with an account's credential, the target in the path."
        [request_body(content = String, content_type = "*/*"),]
    put_in_path put
        "Sends a PUT to an app with an account's credential, the target in the path."
        [request_body(content = String, content_type = "*/*"),]
    patch_in_path patch
        "Sends a PATCH to an app with an account's credential, the target in the path."
        [request_body(content = String, content_type = "*/*"),]
    delete_in_path delete
        "Sends a DELETE to an app with an account's credential, the target in the path."
        [request_body(content = String, content_type = "*/*"),]
}

async fn serve(app: &Arc<App>, call_of: &Call, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let asked = read(call_of, &mut parts).await?;
    let settings = app.project_settings(&call_of.tenant.project).await?.ok_or(error::NOT_FOUND)?;
    let by = By {
        actor: &call_of.caller.actor,
        origin: &call_of.origin,
        tenant: &call_of.tenant,
        reach: call_of.caller.reach.as_deref(),
        settings: &settings,
    };
    call(app, by, asked, body).await
}

/// # Errors
/// [`error::METHOD_NOT_ALLOWED`]; [`error::NOT_IMPLEMENTED`] for another protocol; those of
/// [`Aim::read`] and [`headers::to_app`]; [`error::INVALID_PARAMETER`].
async fn read(call_of: &Call, parts: &mut Parts) -> Result<Asked> {
    // A GET route takes HEAD too, which has no place on the wire.
    if parts.method == Method::HEAD {
        return Err(error::METHOD_NOT_ALLOWED.into());
    }
    if parts.headers.contains_key(UPGRADE) {
        return Err(error::NOT_IMPLEMENTED
            .saying("The protocol cannot be changed through the proxy (no WebSocket)."));
    }
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    if let Some((name, _)) = query.pairs().find(|(name, _)| *name != ACCOUNT && *name != USER) {
        let name = name.chars().filter(|it| !it.is_control());
        let name = name.take(NAME_CHARS_MAX).collect::<String>();
        return Err(wrong(&name, "It is not one of the proxy's. The app's belong to the target."));
    }
    let account = query.one(ACCOUNT)?.ok_or_else(|| wrong(ACCOUNT, "It is missing."))?;
    let external_id = call_of.only_user(query.narrowing(USER)?)?;
    if external_id.is_none() {
        return Err(error::INVALID_EXTERNAL_USER.into());
    }
    Ok(Asked {
        aim: Aim::read(&target(parts).await?)?,
        method: parts.method.clone(),
        headers: headers::to_app(&parts.headers)?,
        account: account.to_owned(),
        external_id,
        retries: retries(parts)?,
        reached_at: callback_origins::asked_at("http", &parts.uri, &parts.headers),
    })
}

fn wrong(name: &str, why: &str) -> Error {
    error::INVALID_PARAMETER
        .saying(format!("The query parameter `{name}` cannot be used. {why}"))
        .with(json!({ "parameter": name }))
}

/// From the path or from the header, and never from both.
async fn target(parts: &mut Parts) -> Result<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.map_err(|_| Error::from(error::INVALID_TARGET))?;
    let in_path = params.iter().find(|(name, _)| *name == "target").map(|(_, it)| it.to_owned());
    let mut in_header = parts.headers.get_all(TARGET).iter();
    match (in_path, in_header.next(), in_header.next()) {
        (Some(text), None, _) => target::decode(&text),
        (None, Some(value), None) => {
            let text = std::str::from_utf8(value.as_bytes());
            text.map(str::to_owned).map_err(|_| error::INVALID_TARGET.into())
        }
        (None, None, _) => Err(error::INVALID_TARGET
            .saying("Name the target: a URL of the app, or a path, in `x-grantkeep-target`.")),
        _ => Err(error::INVALID_TARGET.saying("Name the target once.")),
    }
}

fn retries(parts: &Parts) -> Result<u32> {
    let Some(value) = parts.headers.get(RETRY) else { return Ok(0) };
    let number = value.to_str().ok().and_then(|it| it.parse().ok());
    number.filter(|it| *it <= RETRIES_MAX).ok_or_else(|| {
        error::INVALID_REQUEST
            .saying(format!("`x-grantkeep-retry` is a whole number, at most {RETRIES_MAX}."))
    })
}
