//! What operators see: logs, metrics, traces. Secrets appear in none of them.

pub mod access;
mod lines;
pub mod metrics;
mod otlp;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Config, ConfigError, LogFormat};

/// Keeps what must be flushed at the end.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logs, metrics and, if they are set up, traces. Once per process, inside the runtime.
    pub fn start(config: &Config) -> Result<Self, ConfigError> {
        let filter = EnvFilter::try_new(&config.log_filter)
            .map_err(|error| ConfigError(format!("log_filter: {error}")))?;
        let traces = otlp::provider(config)?;
        let layers = traces.as_ref().map(otlp::layer);
        let started = Registry::default().with(layers).with(filter).with(log(config)).try_init();
        started.map_err(|error| ConfigError(format!("logging cannot be started: {error}")))?;
        metrics::start()?;
        std::panic::set_hook(Box::new(log_panic));
        Ok(Self { traces })
    }

    /// Sends what is left. Blocks: not for a runtime's thread.
    pub fn finish(self) {
        if let Some(Err(error)) = self.traces.map(|it| it.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Log lines to standard error, so that standard output stays with the commands.
fn log<S>(config: &Config) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer();
    match config.log_format {
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(|| lines::Escaping::new(std::io::stderr(), lines::Form::Json))
            .boxed(),
        LogFormat::Text => {
            let coloured = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let form = if coloured { lines::Form::Colour } else { lines::Form::Text };
            layer
                .with_ansi(coloured)
                .with_writer(move || lines::Escaping::new(std::io::stderr(), form))
                .boxed()
        }
    }
}

/// Says where, and what only if that is fixed text: a text made at run time may hold anything.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let fixed = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(place, what = fixed.unwrap_or("(text withheld)"), "panicked");
}
