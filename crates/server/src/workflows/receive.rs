//! A request comes to a workflow's address.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{HeaderName, Response};
use grantkeep_vault::token;
use serde_json::Value;

use super::begin::{Cause, Start, begin};
use super::store::{self, runs};
use super::{
    Answer, Auth, Entry, REQUESTS_PER_SECOND_MAX, Run, State, Wait, Workflow, answer, deploy, past,
    refused, upload,
};
use crate::app::App;
use crate::callers::Caller;
use crate::error::{self, Error, Result};
use crate::limits::Quota;
use crate::projects;
use crate::scope::Scope;
use crate::tenant::Environment;
use crate::triggers::{Request, Said, guarded};

/// Names the user whom a run is for.
const USER: HeaderName = HeaderName::from_static("x-pd-external-user-id");
/// A request with this is recorded, and nothing is run.
const IDLE: HeaderName = HeaderName::from_static("x-pd-notrigger");
/// What comes with this is forgotten when the run ends.
const UNKEPT: HeaderName = HeaderName::from_static("x-pd-nostore");
/// How long a caller waits for what a step says, and how often it is looked.
const WAIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// What callers are told who need not wait.
const TAKEN: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Received</title><h1>Received</h1><p>The workflow runs.</p></html>\n";
const RECORDED: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Recorded</title><h1>Recorded</h1><p>The workflow was not run.</p></html>\n";

/// Whose address it is, and whom it is called for.
pub(super) struct Receiver {
    workflow: Workflow,
    external_id: Option<String>,
    environment: Option<Environment>,
    idle: bool,
    unkept: bool,
}

/// Judges a request by its address and headers, before the body is read.
///
/// # Errors
/// [`error::NOT_FOUND`]; [`error::RATE_LIMITED`]; [`error::INVALID_TOKEN`];
/// [`error::SCOPE_MISSING`].
pub(super) async fn receiver(app: &App, key: &str, headers: &HeaderMap) -> Result<Receiver> {
    let found = store::by_key(&app.db, &token::digest(key)).await?;
    let workflow = found.ok_or(error::NOT_FOUND)?;
    limit(app, &workflow)?;
    let caller = admitted(app, &workflow, headers).await?;
    let external_id = user(headers)?;
    if external_id.is_some() && caller.is_none() {
        let text = "Only callers of a workflow whose trigger has `auth: oauth` say whom it is for \
                    by X-PD-External-User-ID.";
        return Err(refused(error::INVALID_REQUEST, text));
    }
    let environment = match caller {
        Some(_) => Environment::from_headers(headers)?,
        None => None,
    };
    let has = |name| headers.get(name).is_some_and(|it| it.as_bytes() == b"1");
    let (idle, unkept) = (has(IDLE), has(UNKEPT));
    Ok(Receiver { workflow, external_id, environment, idle, unkept })
}

fn limit(app: &App, workflow: &Workflow) -> Result<()> {
    if !app.config.rate_limits {
        return Ok(());
    }
    let quota = Quota { most: REQUESTS_PER_SECOND_MAX, window_s: 1 };
    let now_s = app.clock.now_ms().div_euclid(1_000);
    let taken = app.limits.take(("workflow", &workflow.id), quota, now_s);
    taken.map(drop).map_err(|_| {
        let text = format!("An address takes {REQUESTS_PER_SECOND_MAX} requests in a second.");
        Error::from(error::RATE_LIMITED).saying(text).retry_after(1)
    })
}

fn user(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(USER) else { return Ok(None) };
    let text = value.to_str().map_err(|_| error::INVALID_EXTERNAL_USER)?;
    Ok(Some(text.to_owned()))
}

/// Lets a caller in as the workflow asks. Gives who it is, where it is one of this server's own.
async fn admitted(app: &App, it: &Workflow, headers: &HeaderMap) -> Result<Option<Caller>> {
    match it.auth {
        Some(Auth::None) => Ok(None),
        Some(Auth::Bearer) => {
            let hash = token::digest(bearer(headers)?);
            let same = it.bearer_hash.as_ref().is_some_and(|own| token::equal(own, &hash));
            if same { Ok(None) } else { Err(error::INVALID_TOKEN.into()) }
        }
        Some(Auth::Oauth) => caller(app, it, bearer(headers)?).await.map(Some),
        None => Err(error::NOT_FOUND.into()),
    }
}

/// The bearer token (RFC 6750 section 2.1); the scheme in any case.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, more) = (values.next(), values.next());
    let text = value.filter(|_| more.is_none()).and_then(|it| it.to_str().ok());
    let (scheme, token) = text.and_then(|it| it.split_once(' ')).ok_or(error::INVALID_TOKEN)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(error::INVALID_TOKEN.into())
    }
}

async fn caller(app: &App, it: &Workflow, text: &str) -> Result<Caller> {
    if !token::verify_checksum(text) {
        return Err(error::INVALID_TOKEN.into());
    }
    let found = match text.rsplit_once('_').map_or("", |(kind, _)| kind) {
        projects::ACCESS_TOKEN_PREFIX => projects::caller_by_token(app, text).await?,
        projects::KEY_PREFIX => projects::caller_by_key(app, text).await?,
        _ => None,
    };
    let caller = found.ok_or(error::INVALID_TOKEN)?;
    // Another's project is answered as if the token opened nothing.
    if caller.project.as_ref().is_some_and(|own| *own != it.project) {
        return Err(error::INVALID_TOKEN.into());
    }
    if !caller.scopes.allow(Scope::WorkflowInvoke) {
        let text = "This call needs the scope `connect:workflow:invoke`, which the token does not \
                    have.";
        return Err(refused(error::SCOPE_MISSING, text));
    }
    Ok(caller)
}

/// Takes a request in; a body that is to be a file comes beside it. Where no step answers, it is
/// answered once the run is stored.
///
/// # Errors
/// Those of [`begin`] and of [`upload::keep`]; [`error::NO_RESPONSE`].
pub(super) async fn receive(
    app: &Arc<App>,
    to: Receiver,
    (mut request, file): (Request, Option<Body>),
) -> Result<Response<Body>> {
    // What let the caller in is nothing for code to see.
    if to.workflow.auth != Some(Auth::None) {
        request.headers.remove(header::AUTHORIZATION);
    }
    let definition = deploy::definition(app, &to.workflow, to.workflow.version).await?;
    let url = app.url(request.uri.path()).to_string();
    let url = url.strip_suffix(request.path.as_str()).unwrap_or(&url);
    let event = request.native_event(url);
    let mut start = Start {
        cause: Cause::Http,
        event,
        external_id: to.external_id,
        environment: to.environment,
        idle: to.idle,
        unkept: to.unkept,
        ..Start::default()
    };
    if let Some(body) = file {
        upload::keep(app, (&to.workflow, &definition), &mut start, body).await?;
    }
    let run = begin(app, &to.workflow, start).await?;
    let custom = matches!(definition.entry, Entry::Http { respond: Answer::Custom, .. });
    if custom && !to.idle { answered(app, &run).await } else { Ok(taken(&run, to.idle)) }
}

fn taken(run: &Run, idle: bool) -> Response<Body> {
    let mut answer = Response::new(Body::from(if idle { RECORDED } else { TAKEN }));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, html);
    if let Ok(id) = HeaderValue::from_str(run.id.as_str()) {
        answer.headers_mut().insert("x-grantkeep-run", id);
    }
    guarded(answer)
}

/// Waits for what a step says. Any process may run it, so it is looked for in the store.
async fn answered(app: &Arc<App>, run: &Run) -> Result<Response<Body>> {
    let end = tokio::time::Instant::now() + WAIT;
    loop {
        let now = runs::find(&app.db, &run.tenant, &run.id).await?.ok_or(error::NOT_FOUND)?;
        // Looked for after that, so that what was said before the run ended is not missed.
        if let Some(said) = answer::taken(app, run).await? {
            return Ok(Said::of(&said).answer());
        }
        if now.state == State::Ended || now.state == State::Waiting || now.step > 0 {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if let Some(said) = said(app, &now, left).await? {
                return Ok(Said::of(&said).answer());
            }
        }
        if tokio::time::Instant::now() > end {
            let text = format!("No step answered within {} s. The run goes on.", WAIT.as_secs());
            let details = serde_json::json!({ "run_id": run.id });
            return Err(refused(error::NO_RESPONSE, text).with(details));
        }
        // The longer it took so far, the less a moment more matters.
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        tokio::time::sleep(LOOK_EVERY.max(WAIT.saturating_sub(left) / 20)).await;
    }
}

/// What the caller can be told as the run stands. `None`: more may come while he waits.
///
/// # Errors
/// [`error::WORKFLOW_FAILED`] and [`error::NO_RESPONSE`], when nothing will come.
async fn said(app: &App, now: &Run, left: Duration) -> Result<Option<Value>> {
    let memory = past::memory(app, now).await?;
    let over = now.state == State::Ended;
    let failed = |text: &str| {
        let details = serde_json::json!({ "run_id": now.id });
        Err(refused(error::WORKFLOW_FAILED, text).with(details))
    };
    match memory.respond {
        Some(said) if over || memory.respond_now => {
            if over && memory.unkept {
                past::forget_answer(app, now).await?;
            }
            Ok(Some(said))
        }
        None if now.outcome.as_deref() == Some("failed") => {
            failed("A step failed before any answered.")
        }
        None if over => Err(error::NO_RESPONSE.into()),
        _ if now.state == State::Waiting && memory.waits == Some(Wait::Retry) => {
            let left_ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            if memory.again_at_ms <= app.clock.now_ms() + left_ms {
                return Ok(None);
            }
            failed("A step failed before any answered. It is tried again later.")
        }
        _ => Ok(None),
    }
}

/// What was sent to an address that resumes a run: JSON as what it says, and anything else as text.
///
/// # Errors
/// [`error::INVALID_JSON`] for what is said to be JSON, or looks like it with nothing else said of
/// it, and is none.
pub(super) fn sent(headers: &HeaderMap, body: &[u8]) -> Result<Value> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.and_then(|it| it.split(';').next()).unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let said = kind == "application/json" || kind.ends_with("+json");
    // Clients that are given a text and no type say that it is a form.
    let unsaid = matches!(kind.as_str(), "" | "application/x-www-form-urlencoded");
    let looks = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(why) if said || (unsaid && looks) => {
            let text = format!(
                "What was sent is no JSON: line {}, column {}. The address was not used up.",
                why.line(),
                why.column()
            );
            Err(refused(error::INVALID_JSON, text))
        }
        Err(_) => Ok(Value::from(String::from_utf8_lossy(body))),
    }
}
