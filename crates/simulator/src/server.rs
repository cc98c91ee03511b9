//! The HTTP server: routes, and the one path every request takes past the faults.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::brands::{Kind, WORKSPACES};
use crate::exchange::{Answer, Call};
use crate::faults::{Active, Endpoint, Fault};
use crate::provider::{Flight, Provider, World};
use crate::{api, apps, authorize, control, discovery, oauth1, pages, token, twins};

/// The largest request body that is read; a longer one is answered with 413.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// One piece of the endless body.
const HUGE_CHUNK_BYTES: u64 = 64 * 1024;

type Handler = fn(&Provider, &Call, &Active) -> Answer;

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;

/// Below `/{provider}` and `/{provider}/w/{workspace}`.
const ROUTES: [(&str, MethodFilter, Endpoint, Handler); 15] = [
    ("", GET.or(POST), Endpoint::Other, pages::account),
    ("/logo.svg", GET, Endpoint::Other, pages::logo),
    ("/.well-known/oauth-authorization-server", GET, Endpoint::Metadata, discovery::server),
    ("/register", POST, Endpoint::Register, discovery::register),
    ("/mcp", GET.or(POST), Endpoint::Mcp, discovery::mcp),
    ("/authorize", GET, Endpoint::Authorize, authorize::authorize),
    ("/login", GET.or(POST), Endpoint::Login, pages::login),
    ("/consent", GET.or(POST), Endpoint::Consent, pages::consent),
    ("/token", POST, Endpoint::Token, token::token),
    ("/revoke", POST, Endpoint::Revoke, token::revoke),
    ("/request_token", POST, Endpoint::RequestToken, oauth1::request_token),
    ("/access_token", POST, Endpoint::AccessToken, oauth1::access_token),
    ("/api/me", GET, Endpoint::Me, api::me),
    ("/api/verify", GET, Endpoint::Verify, api::me),
    ("/api/items", GET.or(POST), Endpoint::Items, api::items),
];

fn router(world: &Arc<World>) -> Router {
    let mut router = Router::new();
    for prefix in ["/{provider}", "/{provider}/w/{workspace}"] {
        for (path, methods, endpoint, handler) in ROUTES {
            let method_router = on(methods, move |State(world), request| {
                serve_one(world, endpoint, handler, request)
            });
            router = router.route(&format!("{prefix}{path}"), method_router);
        }
        for path in ["/api/echo", "/api/echo/{*rest}"] {
            router = router.route(&format!("{prefix}{path}"), echo());
        }
    }
    // RFC 8414 section 3.1 and RFC 9728 section 3.1 put the well-known part before the path.
    let documents: [(&str, &str, Handler); 2] = [
        ("oauth-authorization-server", "", discovery::server),
        ("oauth-protected-resource", "/mcp", discovery::resource),
    ];
    for (name, end, handler) in documents {
        let document = move |State(world), request: Request| {
            serve_one(world, Endpoint::Metadata, handler, without_well_known(request))
        };
        for path in ["/{provider}", "/{provider}/w/{workspace}"] {
            router = router.route(&format!("/.well-known/{name}{path}{end}"), on(GET, document));
        }
    }
    router
        .route(&format!("{}/{{slug}}/{{*rest}}", twins::ROOT), any(twin))
        .route(&format!("{}/{{slug}}/{{*rest}}", apps::ROOT), any(pretend_app))
        .route("/_assets/style.css", on(GET, || async { pages::style().into_response() }))
        .merge(control::router())
        .with_state(Arc::clone(world))
}

fn echo() -> MethodRouter<Arc<World>> {
    any(|State(world), request| serve_one(world, Endpoint::Echo, api::echo, request))
}

fn without_well_known(mut request: Request) -> Request {
    let path = request.uri().path().splitn(4, '/').nth(3).unwrap_or_default();
    if let Ok(uri) = format!("/{path}").parse() {
        *request.uri_mut() = uri;
    }
    request
}

async fn serve_one(
    world: Arc<World>,
    endpoint: Endpoint,
    handler: Handler,
    request: Request,
) -> Response {
    let call = match read(request).await {
        Ok(call) => call,
        Err(response) => return *response,
    };
    let slug = call.path.split('/').nth(1).unwrap_or("");
    match world.providers.get(slug) {
        Some(provider) if workspace_exists(provider, &call) => {
            exchange(Arc::clone(provider), endpoint, handler, call).await
        }
        _ => Answer::not_found().into_response(),
    }
}

/// Reads a request whole.
async fn read(request: Request) -> Result<Call, Box<Response>> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let answer = Answer::new(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", String::new());
        return Err(Box::new(answer.into_response()));
    };
    Ok(Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or("").to_owned(),
        headers: head.headers,
        body,
        refresh: None,
    })
}

/// One of the addresses of an app, at its twin.
async fn twin(State(world): State<Arc<World>>, request: Request) -> Response {
    let call = match read(request).await {
        Ok(call) => call,
        Err(response) => return *response,
    };
    let slug = call.path.split('/').nth(2).unwrap_or("");
    let answer = world.twin(slug).map_or_else(Answer::not_found, |it| it.answer(&call));
    answer.into_response()
}

/// The API of an app.
async fn pretend_app(State(world): State<Arc<World>>, request: Request) -> Response {
    match read(request).await {
        Ok(call) => world.apps.answer(&call).into_response(),
        Err(response) => *response,
    }
}

/// The provider that lives by workspaces has nothing outside them.
fn workspace_exists(provider: &Provider, call: &Call) -> bool {
    match (&provider.brand.kind, call.workspace()) {
        (Kind::OAuth2(rules), None) => !rules.by_workspace || call.path.ends_with("/logo.svg"),
        (_, None) => true,
        (_, Some(workspace)) => WORKSPACES.contains(&workspace),
    }
}

/// Meets the faults, and does what the provider would do.
async fn exchange(
    provider: Arc<Provider>,
    endpoint: Endpoint,
    handler: Handler,
    mut call: Call,
) -> Response {
    let endpoint = match endpoint {
        Endpoint::Token if call.form().get("grant_type") == "refresh_token" => {
            Endpoint::TokenRefresh
        }
        Endpoint::Token => Endpoint::TokenCode,
        other => other,
    };
    let faults = provider.arrive(endpoint);
    let flight = match endpoint {
        Endpoint::TokenRefresh => Flight::enter(&provider, &call),
        _ => None,
    };
    call.refresh = flight.as_ref().map(|it| it.refresh().clone());
    wait(faults.delay_before()).await;
    if let Some(response) = instead(&faults) {
        return response;
    }
    let answer = handler(&provider, &call, &faults);
    wait(faults.delay_after()).await;
    if let Some(flight) = flight.filter(|_| !faults.spoil()) {
        flight.answered();
    }
    bend(answer, &faults)
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// The faults that keep the provider from seeing the request.
fn instead(faults: &Active) -> Option<Response> {
    faults.0.iter().find_map(|fault| match fault {
        Fault::Status { status, retry_after_s } => {
            let body = serde_json::json!({ "error": "temporarily_unavailable" });
            let mut answer = Answer::json(status_of(*status), &body);
            if let Some(seconds) = retry_after_s {
                answer = answer.with("retry-after", &seconds.to_string());
            }
            Some(answer.into_response())
        }
        Fault::Redirect { to } => {
            let mut answer = Answer::see_other(to);
            answer.status = StatusCode::FOUND;
            Some(answer.into_response())
        }
        Fault::LostRequest => Some(hang_up()),
        _ => None,
    })
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The faults that spoil the answer to a request that was served.
fn bend(mut answer: Answer, faults: &Active) -> Response {
    if faults.has(&Fault::CoopSameOrigin) {
        answer = answer.with("cross-origin-opener-policy", "same-origin");
    }
    for fault in &faults.0 {
        match fault {
            Fault::LostAnswer => return hang_up(),
            Fault::StatusAfter { status } => {
                let body = serde_json::json!({ "error": "internal_error" });
                return Answer::json(status_of(*status), &body).into_response();
            }
            Fault::InvalidJson => {
                let body = "{\"access_token\":\"sat_cut".to_owned();
                return Answer::new(StatusCode::OK, "application/json", body).into_response();
            }
            Fault::Html => {
                let body = "<!doctype html><title>Sorry</title><h1>Sorry</h1>".to_owned();
                return Answer::html(StatusCode::OK, body).into_response();
            }
            Fault::HugeBody { bytes } => return huge(*bytes),
            Fault::SlowDrip { ms } => return drip(answer, Duration::from_millis(*ms)),
            _ => {}
        }
    }
    answer.into_response()
}

fn huge(bytes: u64) -> Response {
    let first = Bytes::from_static(b"{\"access_token\":\"");
    let rest = stream::unfold(bytes, |left| async move {
        let size = left.min(HUGE_CHUNK_BYTES);
        let chunk = Bytes::from(vec![b'a'; usize::try_from(size).unwrap_or(0)]);
        (left > 0).then_some((chunk, left - size))
    });
    let body = futures::StreamExt::chain(stream::iter([first]), rest);
    let body = futures::StreamExt::map(body, Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn drip(answer: Answer, pause: Duration) -> Response {
    let length = answer.body.len();
    let bytes = stream::unfold(answer.body.clone(), move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(left.split_to(1)), left))
    });
    let mut response = answer.into_response();
    *response.body_mut() = Body::from_stream(bytes);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Marks an answer that is never written: the connection closes instead.
#[derive(Clone, Copy)]
struct HangUp;

fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

/// Who is at the other end.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Serves until its task is aborted; open connections end with it.
pub(crate) async fn run(listener: TcpListener, world: Arc<World>) {
    let app = router(&world);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection(TokioIo::new(stream), peer, app.clone()));
                }
                // Out of descriptors, mostly: others must close first.
                Err(_) => wait(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TokioIo<tokio::net::TcpStream>, peer: SocketAddr, app: Router) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let app = app.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let Ok(response) = app.oneshot(request).await;
            match response.extensions().get::<HangUp>() {
                Some(HangUp) => Err(std::io::Error::other("hung up on purpose")),
                None => Ok(response),
            }
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // An error here is the caller's business: it went away, or was hung up on.
    let _ = server.serve_connection(stream, service).await;
}
