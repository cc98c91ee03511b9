//! One call: whose account, which app, whether it may be, and who is told of it.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use grantkeep_catalog::Proxy;
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::inject::Injection;
use super::send::Sending;
use super::sign::Signer;
use super::upload::Load;
use super::{Asked, answer};
use crate::accounts::{self, Account};
use crate::app::App;
use crate::apps;
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::egress::Ports;
use crate::error::{self, Error, Result};
use crate::meters::Meter;
use crate::projects::{ProxyRules, Settings};
use crate::reach::Reach;
use crate::slots::Slot;
use crate::tallies::{Noted, Window};
use crate::tenant::Tenant;

/// A body that must be read before it is sent, since the app takes its key in it or has it signed.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// Who calls, and what he may.
pub(super) struct By<'a> {
    pub actor: &'a Actor,
    pub origin: &'a Origin,
    pub tenant: &'a Tenant,
    pub reach: Option<&'a Reach>,
    pub settings: &'a Settings,
}

/// Makes the call, and gives the app's answer while it is still coming.
///
/// # Errors
/// Those of [`accounts::usable`]; of `target.rs`, for where it may not go; [`error::FROZEN`];
/// [`error::CALL_NOT_ALLOWED`]; [`error::TOO_MANY_AT_ONCE`] with `Retry-After`; those that begin
/// with `UPSTREAM` when the app gave no answer.
pub(super) async fn call(app: &Arc<App>, by: By<'_>, asked: Asked, body: Body) -> Result<Response> {
    let account =
        accounts::find(app, by.tenant, &asked.account, asked.external_id.as_deref()).await?;
    let made = make(app, &by, (&asked, &account), body).await;
    let outcome = match &made {
        Ok(answer) => class(answer.status().as_u16()),
        Err(error) => error.kind().code,
    };
    metrics::counter!(
        "grantkeep_proxy_calls_total", "app" => account.app_slug.clone(), "outcome" => outcome
    )
    .increment(1);
    if let Err(error) = &made
        && error.kind().status == 403
    {
        app.audit.note(event(&by, &account).outcome(error.kind().code));
    }
    made
}

async fn make(
    app: &Arc<App>,
    by: &By<'_>,
    (asked, account): (&Asked, &Account),
    body: Body,
) -> Result<Response> {
    let found = apps::find(app, &by.tenant.project, &account.app_slug).await?;
    let proxy = found.proxy.as_ref().ok_or(error::PROXY_UNAVAILABLE)?;
    asked.aim.screen(proxy)?;
    if by.reach.is_none() && by.settings.proxy_rules == ProxyRules::Required {
        return Err(error::CALL_NOT_ALLOWED
            .saying("The project wants rules for every client that uses the proxy. Make one."));
    }
    let slot = slot(app, account)?;
    let end = Instant::now() + app.config.proxy_total_timeout_ms.duration();
    let usable = accounts::usable_of(app, account.clone(), None).await?;
    let injection = Injection::prepare(app, Arc::clone(&found), usable).await?;
    let url = asked.aim.resolve(proxy, &injection.base(app, proxy)?)?;
    within_reach(by, asked, &url)?;
    let signer = Signer::of(app, &injection).await?;
    let load = load(asked, proxy, &signer, body).await?;
    let window = recorded(app, by, (asked, account), &url).await?;
    app.meters.count(by.tenant, Meter::ProxyCalls, app.clock.now_ms());
    // What the operator's catalogue says is trusted with its port, what a project says is not.
    let ours = app.catalog.find(&found.slug).is_some();
    let ports = if ours { Ports::Any } else { Ports::Web };
    let client = account.oauth_app.as_ref();
    let egress = apps::protocol::api_egress(app, (&found, &by.tenant.project), client).await?;
    let mut sending =
        Sending { app, asked, proxy, url, injection, signer, load, end, ports, egress };
    let answered = match sending.run().await {
        Ok(response) => answer::answer(sending, response, (slot, by.settings.proxy_echo)).await,
        Err(error) => Err(error),
    };
    if answered.as_ref().map_or(true, |it| it.status().as_u16() >= 400) {
        window.failed();
    }
    answered
}

fn slot(app: &App, account: &Account) -> Result<Slot> {
    let slot = app.slots.take(&account.id);
    slot.ok_or_else(|| Error::from(error::TOO_MANY_AT_ONCE).retry_after(1))
}

fn within_reach(by: &By<'_>, asked: &Asked, url: &Url) -> Result<()> {
    let Some(reach) = by.reach else { return Ok(()) };
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    };
    if reach.allows(&asked.method, &host, url.path()) {
        return Ok(());
    }
    Err(error::CALL_NOT_ALLOWED.into())
}

async fn load(asked: &Asked, proxy: &Proxy, signer: &Signer, body: Body) -> Result<Load> {
    if proxy.body.is_empty() && !signer.covers_body(&asked.headers) {
        return Ok(Load::of(body));
    }
    Load::whole(body, READ_BYTES_MAX).await
}

/// Has the call written down before it is made.
async fn recorded(
    app: &App,
    by: &By<'_>,
    (asked, account): (&Asked, &Account),
    url: &Url,
) -> Result<Arc<Window>> {
    let noted = Noted {
        actor: by.actor,
        account: &account.id,
        writes: asked.method != axum::http::Method::GET,
        now_ms: app.clock.now_ms(),
    };
    let first = || {
        event(by, account).detail(json!({
            "app": account.app_slug,
            "method": asked.method.as_str(),
            "host": url.host_str(),
        }))
    };
    app.tallies.open(&app.audit, noted, first).await
}

fn event(by: &By<'_>, account: &Account) -> Event {
    Event::new("proxy.request", by.actor, by.origin)
        .tenant(by.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id)
}

fn class(status: u16) -> &'static str {
    match status {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}
