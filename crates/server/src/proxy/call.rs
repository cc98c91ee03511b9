//! One call: whose account, which app, whether it may be, and who is told of it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use grantkeep_catalog::Proxy;
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::inject::Injection;
use super::record::{Passing, Record};
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
use crate::ids::AccountId;
use crate::meters::Meter;
use crate::projects::{ProxyRules, Settings};
use crate::reach::Reach;
use crate::slots::{RETRY_AFTER_S, Slot};
use crate::tallies::Noted;
use crate::tenant::Tenant;

/// A body that must be read before it is sent, since the app takes its key in it or has it signed.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// What a call is called in the audit log.
const ACTION: &str = "proxy.request";

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
pub(super) async fn call(
    app: &Arc<App>,
    by: By<'_>,
    mut asked: Asked,
    body: Body,
) -> Result<Response> {
    let account = match accounts::find(app, by.tenant, &asked.account, asked.user()).await {
        Ok(account) => account,
        Err(error) => {
            if error.kind().code == error::NOT_FOUND.code {
                app.audit.note(in_vain(&by, &asked));
            }
            return Err(error);
        }
    };
    let mut record = Record::begin(app, &account.app_slug, event(&by, &account));
    match make(app, &by, (&mut asked, &account), (&mut record, body)).await {
        Ok(answer) => {
            record.answered(answer.status());
            Ok(answer.map(|it| it.counted(record)))
        }
        Err(error) => {
            record.failed(&error);
            Err(error)
        }
    }
}

async fn make(
    app: &Arc<App>,
    by: &By<'_>,
    (asked, account): (&mut Asked, &Account),
    (record, body): (&mut Record, Body),
) -> Result<Response<Passing>> {
    let found = apps::find(app, &by.tenant.project, &account.app_slug).await?;
    let proxy = found.proxy.as_ref().ok_or(error::PROXY_UNAVAILABLE)?;
    asked.aim.screen(proxy)?;
    if by.reach.is_none() && by.settings.proxy_rules == ProxyRules::Required {
        return Err(error::CALL_NOT_ALLOWED
            .saying("The project wants rules for every client that uses the proxy. Make one."));
    }
    // What no value of the account's decides is judged before its credential is opened.
    let known =
        Injection::fixed_base(proxy).map(|base| aimed(by, asked, (proxy, base))).transpose()?;
    let slot = slot(app, account)?;
    let end = Instant::now() + app.config.proxy_total_timeout_ms.duration();
    let usable = accounts::usable_of(app, account.clone(), None).await?;
    let injection = Injection::prepare(app, Arc::clone(&found), usable).await?;
    let url = match known {
        Some(url) => url,
        None => aimed(by, asked, (proxy, &injection.base(app, proxy)?))?,
    };
    let signer = Signer::of(app, &injection).await?;
    let load = load(asked, proxy, &signer, body).await?;
    recorded(app, by, (asked, account, &url), record).await?;
    app.meters.count(by.tenant, Meter::ProxyCalls, app.clock.now_ms());
    // What the operator's catalogue says is trusted with its port, what a project says is not.
    let ours = app.catalog.find(&found.slug).is_some();
    let ports = if ours { Ports::Any } else { Ports::Web };
    let client = account.oauth_app.as_ref();
    let egress = apps::protocol::api_egress(app, (&found, &by.tenant.project), client).await?;
    let mut sending =
        Sending { app, asked: &*asked, proxy, url, injection, signer, load, end, ports, egress };
    let response = sending.run().await?;
    answer::answer(sending, response, (slot, by.settings.proxy_echo)).await
}

fn slot(app: &App, account: &Account) -> Result<Slot> {
    let slot = app.slots.take(&account.id);
    slot.ok_or_else(|| Error::from(error::TOO_MANY_AT_ONCE).retry_after(RETRY_AFTER_S))
}

/// The URL to call, if the caller may call it.
fn aimed(by: &By<'_>, asked: &Asked, (proxy, base): (&Proxy, &str)) -> Result<Url> {
    let url = asked.aim.resolve(proxy, base)?;
    within_reach(by, asked, &url)?;
    Ok(url)
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

async fn load(asked: &mut Asked, proxy: &Proxy, signer: &Signer, body: Body) -> Result<Load> {
    if proxy.body.is_empty() && !signer.covers_body(&asked.headers) {
        return Ok(Load::of(body));
    }
    let load = Load::whole(body, READ_BYTES_MAX).await?;
    let writes = matches!(asked.method, Method::POST | Method::PUT | Method::PATCH);
    let empty = load.is_empty() || matches!(&load, Load::Whole(it) if it.is_empty());
    if proxy.body.is_empty() || !writes || !empty {
        return Ok(load);
    }
    // The app looks for its key in the body, also where the caller has nothing to say there.
    asked.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok(Load::Whole(Bytes::new()))
}

/// Has the call written down before it is made.
async fn recorded(
    app: &App,
    by: &By<'_>,
    (asked, account, url): (&Asked, &Account, &Url),
    record: &mut Record,
) -> Result<()> {
    let noted = Noted {
        actor: by.actor,
        account: &account.id,
        writes: asked.method != Method::GET,
        now_ms: app.clock.now_ms(),
    };
    let first = || {
        record.event().detail(json!({
            "app": account.app_slug,
            "method": asked.method.as_str(),
            "host": url.host_str(),
        }))
    };
    let window = app.tallies.open(&app.audit, noted, first).await?;
    record.count_in(window);
    Ok(())
}

fn event(by: &By<'_>, account: &Account) -> Event {
    Event::new(ACTION, by.actor, by.origin)
        .tenant(by.tenant)
        .target("account", account.id.as_str())
        .user(&account.external_id)
}

/// Of a call with an account that is not there, or another user's. What the caller named is kept
/// as far as it can be an id.
fn in_vain(by: &By<'_>, asked: &Asked) -> Event {
    let mut event = Event::new(ACTION, by.actor, by.origin).tenant(by.tenant);
    if let Some(user) = asked.user() {
        event = event.user(user);
    }
    if let Some(id) = AccountId::parse(&asked.account) {
        event = event.target("account", id.as_str());
    }
    event.outcome(error::NOT_FOUND.code)
}
