//! What steps say by `$.send`: told once the step is recorded, and not waited for.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use serde_json::{Value, json};
use url::Url;

use super::Run;
use crate::app::App;
use crate::components::outcome::Observation;
use crate::db::Tx;
use crate::egress::{Limits, Ports};
use crate::error::Result;
use crate::webhooks::{self, News, Topic};

/// What is sent in one turn of a step.
const SENT_MAX: usize = 100;
/// A receiver that takes longer is left.
const LIMITS: Limits = Limits {
    answer_bytes_max: 64 * 1024,
    first_byte_timeout: Duration::from_secs(10),
    total_timeout: Duration::from_secs(10),
    ports: Ports::Web,
};

/// One thing that is to be sent.
#[derive(Clone, Debug)]
pub(super) enum Letter {
    Http(Value),
    Emit(Value),
}

/// What can be sent of it, with a line in the step's log for each that cannot.
pub(super) fn letters(sent: Vec<(String, Value)>, at_ms: i64) -> (Vec<Letter>, Vec<Observation>) {
    let (mut letters, mut refused) = (Vec::new(), Vec::new());
    for (kind, value) in sent {
        let why = match kind.as_str() {
            _ if letters.len() >= SENT_MAX => format!("a step sends {SENT_MAX} things at most"),
            "http" => {
                letters.push(Letter::Http(value));
                continue;
            }
            "emit" => {
                letters.push(Letter::Emit(value["raw_event"].clone()));
                continue;
            }
            "email" => "this server sends no mail; use an action of a mail app".to_owned(),
            "s3" => "this server stores nothing there; use an action of that app".to_owned(),
            "sse" => "this server has no such channels; use `$.send.emit`".to_owned(),
            _ => "this server knows nothing of the kind".to_owned(),
        };
        let message = format!("$.send.{kind}: {why}.");
        refused.push(Observation {
            k: "error".to_owned(),
            ts: at_ms,
            msg: None,
            err: Some(json!({ "name": "NotSent", "message": message, "code": "not_sent" })),
        });
    }
    (letters, refused)
}

/// Leaves the news of what was emitted, in the transaction that records the step.
pub(super) async fn emit(app: &App, tx: &mut Tx, run: &Run, letters: &[Letter]) -> Result<()> {
    for letter in letters {
        let Letter::Emit(event) = letter else { continue };
        let body = json!({
            "workflow_id": run.workflow,
            "run_id": run.id,
            "external_user_id": run.external_id,
            "event": event,
        });
        let news = News {
            tenant: &run.tenant,
            topic: Topic::WorkflowEmitted,
            account: None,
            body,
            webhook_uri: None,
        };
        webhooks::announce(app, tx, news).await?;
    }
    Ok(())
}

/// Sends the requests, once the step is recorded. What becomes of them is logged.
pub(super) fn post(app: &Arc<App>, run: &Run, letters: Vec<Letter>) {
    for letter in letters {
        let Letter::Http(value) = letter else { continue };
        let (app, run) = (Arc::clone(app), run.clone());
        tokio::spawn(async move {
            match one(&app, &run, &value).await {
                Ok(status) => tracing::debug!(run = %run.id, status, "a step's request was sent"),
                Err(why) => tracing::warn!(run = %run.id, why, "a step's request was not sent"),
            }
        });
    }
}

async fn one(app: &App, run: &Run, value: &Value) -> std::result::Result<u16, String> {
    let mut url = Url::parse(value["url"].as_str().unwrap_or_default())
        .map_err(|_| "its URL cannot be read".to_owned())?;
    for (name, value) in value["params"].as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        url.query_pairs_mut().append_pair(name, &text);
    }
    let uri = app.egress.check_tenant_url(url.as_str()).map_err(|it| it.detail().to_owned())?;
    let settings = app.project_settings(&run.tenant.project).await;
    let settings = settings.map_err(|it| it.to_string())?.ok_or("its project is gone")?;
    let host = uri.host().unwrap_or_default();
    if settings.code_hosts.as_ref().is_some_and(|it| !it.hold(host)) {
        return Err("the project's code may not call that host".to_owned());
    }
    let request = request(value, uri).ok_or("it is no request")?;
    let answer = app.egress.send(request, LIMITS).await.map_err(|it| it.detail().to_owned())?;
    Ok(answer.status.as_u16())
}

fn request(value: &Value, uri: hyper::Uri) -> Option<Request<Full<Bytes>>> {
    let method = value["method"].as_str().unwrap_or("GET").to_ascii_uppercase();
    let (body, typed) = match &value["data"] {
        Value::Null => (Bytes::new(), false),
        Value::String(text) => (Bytes::from(text.clone()), false),
        other => (Bytes::from(other.to_string()), true),
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if typed {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let auth = &value["auth"];
    if let Some(user) = auth["username"].as_str() {
        let plain = format!("{user}:{}", auth["password"].as_str().unwrap_or_default());
        let text = format!("Basic {}", BASE64_STANDARD.encode(plain));
        headers.insert(AUTHORIZATION, HeaderValue::try_from(text).ok()?);
    }
    for (name, value) in value["headers"].as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = HeaderName::try_from(name.as_str()).ok()?;
        let ours = ["host", "content-length", "transfer-encoding", "connection"];
        if !ours.contains(&name.as_str()) {
            headers.insert(name, HeaderValue::try_from(text).ok()?);
        }
    }
    Some(request)
}
