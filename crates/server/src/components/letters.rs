//! Requests that code leaves to be sent by `$.send.http`: written in the transaction that records
//! the run, sealed under the user's key, and sent until the receiver takes them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use grantkeep_oauth::answer::retry_after_s;
use grantkeep_vault::Place;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::outcome::Observation;
use crate::app::App;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::db::Tx;
use crate::egress::{Answer, Limits, Ports};
use crate::error::{self, Result};
use crate::ids::{LetterId, ProjectId, UserId};
use crate::keys::unreadable;
use crate::outbox::{self, Done, Job, Lane};
use crate::tenant::Tenant;
use crate::webhooks;

/// What is sent in one run, or one turn of a step.
const SENT_MAX: usize = 100;
/// Requests of one project that wait. Those of runs that end at once may be a few more.
const WAITING_MAX: usize = 10_000;
/// The longest wait that a receiver may ask for by `Retry-After`.
const RETRY_AFTER_MS_MAX: i64 = 24 * 3_600_000;
/// A receiver that takes longer is asked again later.
const LIMITS: Limits = Limits {
    answer_bytes_max: 64 * 1024,
    first_byte_timeout: Duration::from_secs(10),
    total_timeout: Duration::from_secs(10),
    ports: Ports::Web,
};
/// By what a receiver can tell that it had the request before, unless code says its own.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How connections work is not for code to say.
const OURS: [&str; 6] =
    ["connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"];

/// One thing that is to be sent.
#[derive(Clone, Debug)]
pub enum Letter {
    Http(Value),
    /// An event that steps of workflows tell.
    Emit(Value),
}

/// How many requests a project may still leave.
pub async fn room_for_letters(
    app: &App,
    project: &ProjectId,
    sent: &[(String, Value)],
) -> Result<usize> {
    if !sent.iter().any(|(kind, _)| kind == "http") {
        return Ok(0);
    }
    let waiting = outbox::left_of(&app.db, project, Lane::Letters).await?;
    let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
    if waiting >= WAITING_MAX {
        tracing::warn!(%project, waiting, "code leaves no more requests: too many wait");
    }
    Ok(WAITING_MAX.saturating_sub(waiting))
}

/// What can be sent of what code said, with a line for its log for each that cannot.
pub fn letters(
    app: &App,
    (sent, mut room): (Vec<(String, Value)>, usize),
    at_ms: i64,
) -> (Vec<Letter>, Vec<Observation>) {
    let (mut letters, mut refused) = (Vec::new(), Vec::new());
    for (kind, value) in sent {
        let why = match kind.as_str() {
            _ if letters.len() >= SENT_MAX => format!("a run sends {SENT_MAX} things at most"),
            "http" => match addressed(app, &value) {
                Ok(_) if room == 0 => {
                    format!("{WAITING_MAX} requests of this project wait to be sent already")
                }
                Ok(_) => {
                    room -= 1;
                    letters.push(Letter::Http(value));
                    continue;
                }
                Err(why) => why,
            },
            "emit" => {
                letters.push(Letter::Emit(value["raw_event"].clone()));
                continue;
            }
            "email" => "this server sends no mail; use an action of a mail app".to_owned(),
            "s3" => "this server stores nothing there; use an action of that app".to_owned(),
            "sse" => "this server has no such channels; use `$.send.emit`".to_owned(),
            _ => "this server knows nothing of the kind".to_owned(),
        };
        refused.push(not_done("NotSent", &format!("$.send.{kind}: {why}."), at_ms));
    }
    (letters, refused)
}

/// A line in a run's log about what the code asked for and did not get. It is no failure.
fn not_done(name: &str, message: &str, at_ms: i64) -> Observation {
    let code = if name == "NotSent" { "not_sent" } else { "not_here" };
    let err = json!({ "name": name, "message": message, "code": code });
    Observation { k: "error".to_owned(), ts: at_ms, msg: None, err: Some(err) }
}

fn place<'a>(tenant: &'a Tenant, letter: &'a LetterId) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "jobs",
        record: letter.as_str(),
        column: "sealed",
        version: 0,
    }
}

/// Leaves the requests to be sent, if the transaction commits.
pub async fn leave(
    app: &App,
    tx: &mut Tx,
    (tenant, user): (&Tenant, &UserId),
    letters: &[Letter],
) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let mut key = None;
    for letter in letters {
        let Letter::Http(value) = letter else { continue };
        let key = match &key {
            Some(key) => key,
            None => key.insert(app.keys.user_for_sealing(tx, tenant, user, now_ms).await?),
        };
        let id = LetterId::mint();
        let sealed = key.seal(&place(tenant, &id), value.to_string().as_bytes());
        let job = Job::SendLetter {
            project: tenant.project.clone(),
            environment: tenant.environment,
            user: user.clone(),
            letter: id,
            sealed: BASE64_STANDARD.encode(sealed),
            toward: outbox::group(&receiver(value)),
        };
        outbox::enqueue(tx, &job, now_ms, now_ms).await?;
    }
    Ok(())
}

/// Who is asked: host and port.
fn receiver(value: &Value) -> String {
    let url = value["url"].as_str().and_then(|it| Url::parse(it).ok());
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let port = url.as_ref().and_then(Url::port_or_known_default).unwrap_or_default();
    format!("{host}:{port}")
}

/// A request as it waits.
#[derive(Clone, Copy)]
pub struct SealedLetter<'a> {
    pub tenant: &'a Tenant,
    pub user: &'a UserId,
    pub letter: &'a LetterId,
    pub sealed: &'a str,
}

/// How one try ended.
enum Tried {
    Taken(StatusCode),
    /// It may be taken later; not before so many milliseconds.
    Later(String, i64),
    /// Nothing will ever come of it.
    Never(String),
}

/// Tries a request once. What is not taken is tried again as webhooks are.
pub(crate) async fn send_letter(
    app: &Arc<App>,
    it: SealedLetter<'_>,
    (attempts, left_at_ms): (i64, i64),
) -> Result<Done> {
    let (outcome, done) = match tried(app, it).await? {
        Tried::Taken(status) => {
            tracing::debug!(letter = %it.letter, %status, "a request of code was sent");
            ("taken", Done::Finished)
        }
        Tried::Never(why) => {
            given_up(app, it, &why).await?;
            ("given_up", Done::Finished)
        }
        Tried::Later(why, wait_ms) => {
            let now_ms = app.clock.now_ms();
            let next = webhooks::next_try(it.letter.as_str(), attempts, left_at_ms, now_ms);
            tracing::info!(letter = %it.letter, why, last = next.is_none(),
                "a request of code was not taken");
            if let Some(at_ms) = next {
                ("put_off", Done::Later(at_ms.max(now_ms + wait_ms)))
            } else {
                given_up(app, it, &why).await?;
                ("given_up", Done::Finished)
            }
        }
    };
    metrics::counter!("grantkeep_code_letters_total", "outcome" => outcome).increment(1);
    Ok(done)
}

/// Nobody waits for it any more, so the audit log says that it was not sent.
async fn given_up(app: &App, it: SealedLetter<'_>, why: &str) -> Result<()> {
    tracing::warn!(letter = %it.letter, why, "a request of code is given up");
    let event = Event::new("code.not_sent", &Actor::System, &Origin::default()).tenant(it.tenant);
    let event = event.target("letter", it.letter.as_str());
    app.audit.record(event.detail(json!({ "why": why }))).await
}

async fn tried(app: &App, it: SealedLetter<'_>) -> Result<Tried> {
    let never = |why: &str| Ok(Tried::Never(why.to_owned()));
    let value = match opened(app, it).await {
        Ok(value) => value,
        Err(error) if error.kind().status == 503 => return Err(error),
        // The user was erased meanwhile, or the operator was told of what cannot be read.
        Err(_) => return never("its user is gone, or it cannot be read"),
    };
    let Some(settings) = app.project_settings(&it.tenant.project).await? else {
        return never("its project is gone");
    };
    let mut request = match addressed(app, &value) {
        Ok(request) => request,
        Err(why) => return never(&why),
    };
    let host = request.uri().host().unwrap_or_default();
    if settings.code_hosts.as_ref().is_some_and(|it| !it.hold(host)) {
        return never("the project's code may not call that host");
    }
    if let Ok(key) = HeaderValue::from_str(it.letter.as_str()) {
        request.headers_mut().entry(KEY).or_insert(key);
    }
    Ok(match app.egress.send(request, LIMITS).await {
        Ok(answer) => judged(&answer, app.clock.now_ms()),
        Err(error) => Tried::Later(error.detail().to_owned(), 0),
    })
}

/// What has no better chance the next time is not sent again.
fn judged(answer: &Answer, now_ms: i64) -> Tried {
    let status = answer.status;
    let passing = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
    if status.as_u16() < 400 {
        return Tried::Taken(status);
    }
    let why = format!("it was answered {status}");
    if !passing {
        return Tried::Never(why);
    }
    let asked = answer.headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok());
    let asked_s = asked.and_then(|it| retry_after_s(it, now_ms)).unwrap_or(0);
    let wait_ms = i64::try_from(asked_s).unwrap_or(i64::MAX).saturating_mul(1_000);
    Tried::Later(why, wait_ms.min(RETRY_AFTER_MS_MAX))
}

async fn opened(app: &App, it: SealedLetter<'_>) -> Result<Value> {
    let broken = |it: &dyn std::fmt::Display| error::DECRYPT_FAILED.logging(it.to_string());
    let key = app.keys.user(&app.db, it.tenant, it.user).await?;
    let sealed = BASE64_STANDARD.decode(it.sealed).map_err(|it| broken(&it))?;
    let plain = key.open(&place(it.tenant, it.letter), &sealed).map_err(unreadable)?;
    serde_json::from_slice(plain.expose()).map_err(|it| broken(&it))
}

/// The request to where it may go, or why it goes nowhere.
fn addressed(app: &App, value: &Value) -> Result<Request<Full<Bytes>>, String> {
    let mut request = request(value)?;
    let uri = app.egress.check_tenant_url(&request.uri().to_string());
    *request.uri_mut() = uri.map_err(|error| error.detail().to_owned())?;
    Ok(request)
}

/// The request as code wrote it, or why it is none.
fn request(value: &Value) -> Result<Request<Full<Bytes>>, &'static str> {
    let mut url = Url::parse(value["url"].as_str().unwrap_or_default())
        .map_err(|_| "its `url` cannot be read")?;
    for (name, value) in value["params"].as_object().into_iter().flatten() {
        url.query_pairs_mut().append_pair(name, &text(value));
    }
    let (body, typed) = match &value["data"] {
        Value::Null => (Bytes::new(), false),
        Value::String(text) => (Bytes::from(text.clone()), false),
        other => (Bytes::from(other.to_string()), true),
    };
    let method = value["method"].as_str().unwrap_or("GET").to_ascii_uppercase();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| "its `method` is none")?;
    *request.uri_mut() = url.as_str().parse().map_err(|_| "its `url` cannot be read")?;
    let headers = request.headers_mut();
    if typed {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let auth = &value["auth"];
    if let Some(user) = auth["username"].as_str() {
        let plain = format!("{user}:{}", auth["password"].as_str().unwrap_or_default());
        let text = format!("Basic {}", BASE64_STANDARD.encode(plain));
        headers.insert(AUTHORIZATION, HeaderValue::try_from(text).map_err(|_| "its `auth`")?);
    }
    for (name, value) in value["headers"].as_object().into_iter().flatten() {
        let bad = "one of its `headers` cannot be sent";
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad)?;
        if !OURS.contains(&name.as_str()) {
            headers.insert(name, HeaderValue::try_from(text(value)).map_err(|_| bad)?);
        }
    }
    Ok(request)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
