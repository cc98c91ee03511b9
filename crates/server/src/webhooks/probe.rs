//! Trying an endpoint out: a real signed event, at once, of which nothing is kept.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;

use super::announce::wrapped;
use super::send::{Letter, send};
use super::{Endpoint, endpoints};
use crate::app::App;
use crate::error::Result;
use crate::ids::MessageId;
use crate::tenant::Tenant;

/// What is shown of an answer. Characters.
const ANSWER_CHARS_MAX: usize = 1_000;

/// What came back.
pub struct Probe {
    pub endpoint: Endpoint,
    pub message: MessageId,
    pub status: Option<u16>,
    /// Why it does not count as delivered.
    pub error: Option<String>,
    pub took_ms: u64,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// Posts `webhook.test` to the endpoint and waits for the answer, up to 15 seconds. It is posted
/// also to one that is switched off, and counts neither for nor against it.
///
/// # Errors
/// [`crate::error::NOT_FOUND`]. That the endpoint does not answer well is told in the result.
pub async fn probe(app: &Arc<App>, tenant: &Tenant, id: &str) -> Result<Probe> {
    let endpoint = endpoints::find(app, tenant, id).await?;
    let secrets = endpoints::secrets(app, &endpoint).await?;
    let message = MessageId::mint();
    let data = json!({ "endpoint_id": endpoint.id });
    let body = wrapped("webhook.test", app.clock.now_ms(), &data);
    let letter = Letter { tenant, message: &message, body: body.as_bytes(), emitted: None };
    let began = Instant::now();
    let sent = send(app, &endpoint.url, &letter, &secrets).await;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, error, answer) = match sent {
        Ok(it) => {
            let status = it.status.as_u16();
            let error = (!it.status.is_success()).then(|| format!("answered {status}"));
            (Some(status), error, Some(shown(&it.body)))
        }
        Err(error) => {
            tracing::info!(endpoint = %endpoint.id, detail = error.detail(),
                "a test was not taken");
            (None, Some(error.to_string()), None)
        }
    };
    Ok(Probe { endpoint, message, status, error, took_ms, answer })
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let plain = text.chars().map(|it| if it.is_control() && it != '\n' { ' ' } else { it });
    plain.take(ANSWER_CHARS_MAX).collect()
}
