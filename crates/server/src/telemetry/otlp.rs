//! Traces to an OpenTelemetry collector, through the same client as everything outbound.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Tracer};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Config, ConfigError};
use crate::egress::Egress;

/// What sends spans. `None`: no collector is set up.
pub(super) fn provider(config: &Config) -> Result<Option<SdkTracerProvider>, ConfigError> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_http_client(Client {
            egress: Egress::for_operator(config)?,
            runtime: Handle::current(),
        })
        .build()
        .map_err(|error| ConfigError(format!("otlp_endpoint: {error}")))?;
    let share = f64::from(config.otlp_sample_percent) / 100.0;
    let resource = Resource::builder()
        .with_service_name(config.otlp_service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}

/// Turns our spans into OpenTelemetry's.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, Tracer>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("grantkeep"))
}

/// The exporter calls from a thread of its own, so the work is handed to the runtime.
struct Client {
    egress: Egress,
    runtime: Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let egress = self.egress.clone();
        let limits = egress.limits();
        let sending = self.runtime.spawn(async move {
            // Sending spans must not make spans.
            let silent = tracing::subscriber::NoSubscriber::default();
            let sending = egress.send(request.map(Full::new), limits);
            tracing::instrument::WithSubscriber::with_subscriber(sending, silent).await
        });
        Box::pin(async move {
            let answer = sending.await?.map_err(|it| HttpError::from(it.detail().to_owned()))?;
            let mut response = Response::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::post;
    use tokio::sync::mpsc;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_reach_a_collector_in_the_operators_own_network() {
        let (seen, mut arrived) = mpsc::unbounded_channel();
        let collect = async move |headers: HeaderMap, body: Bytes| {
            let kind = headers["content-type"].to_str().unwrap().to_owned();
            seen.send((kind, body)).unwrap();
        };
        let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(collect));
        tokio::spawn(async { axum::serve(collector, router).await });

        let pairs = [("otlp_endpoint", endpoint.as_str()), ("otlp_service_name", "named-here")];
        let provider = provider(&Config::from_pairs(&pairs).unwrap()).unwrap().unwrap();
        let subscriber = tracing_subscriber::registry().with(layer(&provider));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("a-span", otel.name = "GET /thing/{id}").in_scope(|| {});
        });
        tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();

        let (kind, body) = arrived.recv().await.unwrap();
        assert_eq!(kind, "application/x-protobuf");
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("named-here") && text.contains("GET /thing/{id}"), "{text:?}");
    }

    #[tokio::test]
    async fn without_a_collector_nothing_is_sent() {
        assert!(provider(&Config::from_pairs(&[]).unwrap()).unwrap().is_none());
    }
}
