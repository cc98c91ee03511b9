//! One line, one span and a few numbers per request.
//!
//! The path is never written, because paths hold tokens; the route's pattern is.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use hyper::{Method, StatusCode, Version};
use tokio::time::Instant;
use tracing::Span;
use tracing::field::Empty;

use super::metrics;
use crate::ids::RequestId;

/// The route of a request that no route matched.
const NO_ROUTE: &str = "none";

/// The status logged when the client was gone before the answer, as some proxies write it.
const CLIENT_GONE: u16 = 499;

/// Where the router writes which route it took.
#[derive(Clone, Default)]
pub struct Route(Arc<OnceLock<MatchedPath>>);

impl Route {
    fn name(&self) -> &str {
        self.0.get().map_or(NO_ROUTE, MatchedPath::as_str)
    }
}

/// Writes down the route that was matched, once the router knows it.
pub fn remember_route(request: &Request) {
    let matched = request.extensions().get::<MatchedPath>();
    if let (Some(route), Some(matched)) = (request.extensions().get::<Route>(), matched) {
        let _ = route.0.set(matched.clone());
        let span = Span::current();
        if !span.is_disabled() {
            span.record("http.route", route.name());
            span.record("otel.name", format!("{} {}", request.method(), route.name()));
        }
    }
}

/// A request under way. Dropped unfinished, it was given up by the client.
pub struct Record {
    method: &'static str,
    version: Version,
    ip: IpAddr,
    began: Instant,
    route: Route,
    span: Span,
    finished: bool,
}

impl Record {
    /// Opens the span under which everything about this request is logged.
    pub fn begin<B>(
        request: &hyper::Request<B>,
        id: &RequestId,
        ip: IpAddr,
        proxy_id: Option<&str>,
    ) -> Self {
        let method = method_name(request.method());
        let span = tracing::info_span!(
            "request",
            request_id = id.as_str(),
            proxy_request_id = proxy_id,
            http.request.method = method,
            http.route = Empty,
            http.response.status_code = Empty,
            otel.name = Empty,
            otel.kind = "server",
        );
        metrics::request_began();
        Self {
            method,
            version: request.version(),
            ip,
            began: Instant::now(),
            route: Route::default(),
            span,
            finished: false,
        }
    }

    /// The span of this request.
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// For the router to write into.
    pub fn route(&self) -> Route {
        self.route.clone()
    }

    /// Says how it ended.
    pub fn finish(mut self, status: StatusCode) {
        self.finished = true;
        self.write(status.as_u16());
    }

    fn write(&self, status: u16) {
        let took = self.began.elapsed();
        let route = self.route.name();
        self.span.record("http.response.status_code", status);
        metrics::request_ended(self.method, route, status, took);
        self.span.in_scope(|| {
            tracing::info!(
                target: "grantkeep::access",
                method = self.method,
                route,
                status,
                duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                client_ip = %self.ip,
                version = ?self.version,
                "answered"
            );
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.finished {
            self.write(CLIENT_GONE);
        }
    }
}

/// A method anyone can make up must not become a label.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
