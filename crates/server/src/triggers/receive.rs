//! A request comes to a trigger's address. Its unguessable part is the only credential; what a
//! sender must prove beyond that, the source's code judges.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use grantkeep_vault::token;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::call::Request;
use super::code::{self, Woken};
use super::commit::{self, Cause, Good};
use super::dedupe::Emit;
use super::failed::Trouble;
use super::lease;
use super::respond::{Said, guarded};
use super::sealed::{Seal, Spot};
use super::store::{self, calls, interfaces, starts};
use super::{CALLS_WAITING_MAX, Interface, REQUESTS_PER_SECOND_MAX, State, Trigger, Wakes, fire};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::{CallId, Emitter, EmitterId};
use crate::limits::Quota;

/// Characters of the secret part of an address: 128 bits in hexadecimal digits.
pub(super) const KEY_BYTES: usize = 16;
/// Requests that wait for an answer run beside the run that is under way after this long: a sender
/// that checks the address within a hook would wait for itself.
const PATIENCE: Duration = Duration::from_millis(800);
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Whose address it is.
pub(super) struct Receiver {
    trigger: Trigger,
    interface: Interface,
    all: Vec<Interface>,
    key: String,
}

/// Finds whose address it is, before the body is read.
///
/// # Errors
/// [`error::NOT_FOUND`], for one that is switched off too; [`error::TRIGGER_PAUSED`];
/// [`error::RATE_LIMITED`].
pub(super) async fn receiver(app: &Arc<App>, key: &str) -> Result<Receiver> {
    let missing = || Error::from(error::NOT_FOUND);
    let hash = token::digest(key);
    let found = interfaces::by_key(&app.db, &hash).await?;
    let (tenant, trigger, interface) = found.ok_or_else(missing)?;
    limit(app, &interface)?;
    let trigger = store::find(&app.db, &tenant, &trigger).await?.ok_or_else(missing)?;
    match trigger.state {
        State::Active | State::Deploying => {}
        State::Paused => return Err(Error::from(error::TRIGGER_PAUSED).retry_after(300)),
        State::Inactive => return Err(missing()),
    }
    let all = interfaces::of(&app.db, &trigger).await?;
    let own = all.iter().find(|it| it.id == interface).cloned().ok_or_else(missing)?;
    Ok(Receiver { trigger, interface: own, all, key: key.to_owned() })
}

fn limit(app: &App, interface: &EmitterId) -> Result<()> {
    if !app.config.rate_limits {
        return Ok(());
    }
    let quota = Quota { most: REQUESTS_PER_SECOND_MAX, window_s: 1 };
    let now_s = app.clock.now_ms().div_euclid(1_000);
    let taken = app.limits.take(("hook", interface), quota, now_s);
    taken.map(drop).map_err(|_| {
        let text = format!("An address takes {REQUESTS_PER_SECOND_MAX} requests in a second.");
        Error::from(error::RATE_LIMITED).saying(text).retry_after(1)
    })
}

/// Takes a request in. Where nobody waits for the code's own answer, it is answered once it is
/// stored.
///
/// # Errors
/// [`error::RATE_LIMITED`] when too many wait; [`error::SOURCE_FAILED`].
pub(super) async fn receive(
    app: &Arc<App>,
    to: Receiver,
    request: Request,
) -> Result<Response<Body>> {
    if to.trigger.kind == Emitter::Http {
        if starts::count(&app.db, &to.trigger).await? >= CALLS_WAITING_MAX {
            return Err(too_many_wait());
        }
        let url = code::address(app, &to.key);
        let event = request.native_event(&url);
        let summary = Some(format!("{} {}", request.method, request.path));
        let emits = vec![Emit { event, id: None, summary, ts: None }];
        let how = (None, &Cause::Person, State::Active);
        commit::good(app, &to.trigger, how, Good::native(emits)).await?;
        return Ok(taken());
    }
    let event = request.event();
    if matches!(to.interface.wakes, Wakes::Http { custom_response: true, .. }) {
        return answered(app, to, event).await;
    }
    queue(app, &to.trigger, &event).await?;
    Ok(taken())
}

fn taken() -> Response<Body> {
    let mut answer = Response::new(Body::from(json!({ "ok": true }).to_string()));
    *answer.status_mut() = StatusCode::OK;
    let json = axum::http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(axum::http::header::CONTENT_TYPE, json);
    guarded(answer)
}

fn too_many_wait() -> Error {
    let text = format!("{CALLS_WAITING_MAX} requests wait to be worked off already.");
    Error::from(error::RATE_LIMITED).saying(text).retry_after(10)
}

async fn queue(app: &Arc<App>, trigger: &Trigger, event: &Value) -> Result<()> {
    let seal = Seal::of(app, trigger).await?;
    let id = CallId::mint();
    let sealed = seal.seal(Spot::call(id.as_str()), event)?;
    let now_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    if calls::count(&mut tx, trigger).await? >= CALLS_WAITING_MAX {
        return Err(too_many_wait());
    }
    calls::insert(&mut tx, trigger, (&id, &sealed, now_ms)).await?;
    store::wake(&mut tx, trigger, now_ms).await?;
    tx.commit().await?;
    app.triggers_due.notify_one();
    Ok(())
}

/// Runs the code at once and waits for what it answers. The run goes on when the sender hangs up.
async fn answered(app: &Arc<App>, to: Receiver, event: Value) -> Result<Response<Body>> {
    let (tell, told) = oneshot::channel::<Said>();
    let app = Arc::clone(app);
    let run = tokio::spawn(async move { beside(&app, &to, event, tell).await });
    if let Ok(said) = told.await {
        return Ok(said.answer());
    }
    match run.await.map_err(|it| error::INTERNAL.logging(it))?? {
        None => Err(error::SOURCE_FAILED.saying("The trigger's code ended without an answer.")),
        Some(trouble) => Err(error::SOURCE_FAILED.logging(trouble.text)),
    }
}

async fn beside(
    app: &Arc<App>,
    to: &Receiver,
    event: Value,
    tell: oneshot::Sender<Said>,
) -> Result<Option<Trouble>> {
    let mut lease = None;
    let end = tokio::time::Instant::now() + PATIENCE;
    // While hooks run, they have it until they end.
    while to.trigger.state == State::Active && tokio::time::Instant::now() < end {
        lease = lease::try_take(app, &to.trigger).await?;
        if lease.is_some() {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let woken = Woken { event, answer: Some(tell) };
    let run = fire::source(app, (&to.trigger, lease), &to.all, (Cause::Person, woken));
    let Some(lease) = lease else { return run.await };
    let done = lease::holding(app, &to.trigger, lease, run).await;
    let done = done.unwrap_or_else(|| Err(error::TRIGGER_BUSY.into()));
    if done.is_err() {
        lease::give_back(app, &to.trigger, lease).await;
    }
    done
}
