//! Numbers for Prometheus.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::config::ConfigError;
use crate::limits::Limit;

/// Bounds of the buckets that durations are counted in, in seconds.
const BUCKETS_S: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How often old samples are folded into the buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count. Further calls change nothing.
pub(crate) fn start() -> Result<(), ConfigError> {
    if HANDLE.get().is_some() {
        return Ok(());
    }
    let refuse = |error: String| ConfigError(format!("metrics cannot be started: {error}"));
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("duration_seconds".to_owned()), &BUCKETS_S)
        .map_err(|error| refuse(error.to_string()))?
        .build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle()).clone();
    metrics::set_global_recorder(recorder).map_err(|error| refuse(error.to_string()))?;
    describe();
    begin_at_zero();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            handle.run_upkeep();
        }
    });
    Ok(())
}

fn describe() {
    metrics::describe_counter!("http_requests_total", "Requests answered.");
    metrics::describe_histogram!("http_request_duration_seconds", "From head to head.");
    metrics::describe_gauge!("http_requests_in_flight", "Requests not answered yet.");
    metrics::describe_gauge!("http_connections_open", "Open connections.");
    metrics::describe_counter!("egress_requests_total", "Outbound requests, by how they ended.");
    metrics::describe_histogram!("egress_request_duration_seconds", "Until the answer began.");
    metrics::describe_counter!(
        "grantkeep_webhook_deliveries_total",
        "Tries to post news, by how they ended."
    );
    metrics::describe_gauge!(
        "grantkeep_webhook_oldest_undelivered_seconds",
        "Age of the oldest news that still waits to be taken."
    );
    metrics::gauge!("build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Counters that are there before they count anything: an alert on the rise of one that appears
/// with its first event would not see that.
const FROM_START: [&str; 6] = [
    "grantkeep_decrypt_failed_total",
    "grantkeep_failed_auth_limited_total",
    "grantkeep_journal_failed_total",
    "grantkeep_oauth_client_refused_total",
    "grantkeep_provider_pauses_total",
    "grantkeep_trigger_failures_total",
];

/// The same for those with one label whose values are known.
const FROM_START_BY: [(&str, &str, &[&str]); 4] = [
    (
        "grantkeep_refreshes_total",
        "outcome",
        &[
            "ok",
            "rotation_lost",
            "client_broken",
            "revoked_by_user",
            "provider_unavailable",
            "refused",
            "bad_answer",
            "misconfigured",
            "unreadable",
        ],
    ),
    ("grantkeep_revocations_total", "outcome", &["revoked", "unsupported", "failed", "pending"]),
    (
        "grantkeep_webhook_deliveries_total",
        "outcome",
        &["delivered", "gone", "refused", "unpostable", "internal"],
    ),
    ("grantkeep_code_letters_total", "outcome", &["taken", "put_off", "given_up"]),
];

fn begin_at_zero() {
    for name in FROM_START {
        metrics::counter!(name).increment(0);
    }
    for (name, label, values) in FROM_START_BY {
        for value in values {
            metrics::counter!(name, label => *value).increment(0);
        }
    }
    for limit in Limit::ALL {
        metrics::counter!("grantkeep_throttled_total", "limit" => limit.setting()).increment(0);
    }
    metrics::counter!("grantkeep_throttled_total", "limit" => "customer").increment(0);
}

/// `/metrics`, for a listener of its own.
pub fn router() -> Router {
    Router::new().route("/metrics", get(page))
}

async fn page() -> impl axum::response::IntoResponse {
    let text = HANDLE.get().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

thread_local! {
    static IN_FLIGHT: Gauge = metrics::gauge!("http_requests_in_flight");
    /// What this thread counts with, by route: to look a number up by its labels costs more than to
    /// count.
    static ANSWERS: RefCell<HashMap<String, Vec<Answers>>> = RefCell::default();
}

/// Answers of one route to one method with one status.
struct Answers {
    method: &'static str,
    status: u16,
    total: Counter,
    duration: Histogram,
}

impl Answers {
    fn of(method: &'static str, route: &str, status: u16) -> Self {
        let route = route.to_owned();
        let labels = [
            ("method", method.to_owned()),
            ("route", route.clone()),
            ("status", status.to_string()),
        ];
        Self {
            method,
            status,
            total: metrics::counter!("http_requests_total", &labels),
            duration: metrics::histogram!(
                "http_request_duration_seconds", "method" => method, "route" => route
            ),
        }
    }
}

pub(super) fn request_began() {
    IN_FLIGHT.with(|it| it.increment(1.0));
}

/// `route` is a pattern of the router, so there are only so many.
pub(super) fn request_ended(method: &'static str, route: &str, status: u16, took: Duration) {
    IN_FLIGHT.with(|it| it.decrement(1.0));
    ANSWERS.with_borrow_mut(|all| {
        if !all.contains_key(route) {
            all.insert(route.to_owned(), Vec::new());
        }
        let Some(known) = all.get_mut(route) else { return };
        let same = |it: &Answers| it.method == method && it.status == status;
        let at = known.iter().position(same).unwrap_or_else(|| {
            known.push(Answers::of(method, route, status));
            known.len() - 1
        });
        known[at].total.increment(1);
        known[at].duration.record(took.as_secs_f64());
    });
}

/// A connection came.
pub fn connection_opened() {
    metrics::gauge!("http_connections_open").increment(1.0);
}

/// A connection went.
pub fn connection_closed() {
    metrics::gauge!("http_connections_open").decrement(1.0);
}
