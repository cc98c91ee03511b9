//! Endpoints: made, changed, taken away, and their secrets. A secret is shown once.

use std::sync::Arc;

use grantkeep_vault::{OwnerKey, Place, Secret};
use serde_json::json;

use super::{Condition, Endpoint, Kind, Topic, sign, store};
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::WebhookId;
use crate::keys::unreadable;
use crate::tenant::Tenant;

/// Endpoints in one environment of a project.
const ENDPOINTS_MAX: usize = 50;
/// How long the secret before the present one goes on signing beside it.
pub(super) const OVERLAP_MS: i64 = 24 * 3_600_000;

/// What to write; `None` leaves as it is.
#[derive(Default)]
pub struct Edit {
    pub url: Option<String>,
    /// The inner `None` stands for all topics.
    pub topics: Option<Option<Vec<Topic>>>,
}

/// Makes an endpoint; its secret is given this once.
///
/// # Errors
/// [`error::URL_NOT_ALLOWED`]; [`error::INVALID_FIELD`] when the environment has too many.
pub async fn create(
    app: &Arc<App>,
    tenant: &Tenant,
    url: &str,
    topics: Option<Vec<Topic>>,
) -> Result<(Endpoint, Secret)> {
    check_url(app, url)?;
    if list(app, tenant).await?.len() >= ENDPOINTS_MAX {
        return Err(error::INVALID_FIELD.saying(format!(
            "There are {ENDPOINTS_MAX} endpoints in this environment already. Delete one first."
        )));
    }
    let mut endpoint = blank(app, tenant, Kind::Own, url);
    endpoint.topics = topics;
    let mut tx = app.db.begin().await?;
    let secret = first_secret(app, &mut tx, &mut endpoint).await?;
    store::insert(&mut tx, &endpoint).await?;
    tx.commit().await?;
    Ok((endpoint, secret))
}

pub(super) fn blank(app: &App, tenant: &Tenant, kind: Kind, url: &str) -> Endpoint {
    let now_ms = app.clock.now_ms();
    Endpoint {
        id: WebhookId::mint(),
        tenant: tenant.clone(),
        kind,
        url: url.to_owned(),
        topics: None,
        secret: None,
        former_secret: None,
        former_until_ms: 0,
        version: 1,
        state: Condition::Happy,
        state_since_ms: now_ms,
        failures: 0,
        last_error: None,
        sheds: 0,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        emitter: None,
    }
}

pub(super) async fn first_secret(
    app: &App,
    tx: &mut Tx,
    endpoint: &mut Endpoint,
) -> Result<Secret> {
    let (project, now_ms) = (&endpoint.tenant.project, endpoint.created_at_ms);
    let key = app.keys.project_within(tx, project, now_ms).await?;
    let secret = sign::fresh_secret();
    endpoint.secret = Some(seal(&key, endpoint, SECRET, &secret));
    Ok(secret)
}

pub(super) fn check_url(app: &App, url: &str) -> Result<()> {
    let judged = app.egress.check_tenant_url(url);
    judged.map(drop).map_err(|why| {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let plain = scheme.bytes().all(|it| it.is_ascii_alphanumeric()) && scheme.len() <= 20;
        let odd = plain && !scheme.is_empty() && !scheme.eq_ignore_ascii_case("https");
        let first = if odd {
            format!("Nothing is posted to `{scheme}://` addresses.")
        } else {
            "This URL cannot be called from here.".to_owned()
        };
        error::URL_NOT_ALLOWED
            .saying(format!(
                "{first} It must be https on port 443 or 8443, of at most 2048 ASCII characters, \
                 without user name and fragment."
            ))
            .with(json!({ "field": "url" }))
            .logging(why.detail())
    })
}

/// # Errors
/// [`error::NOT_FOUND`], for another tenant's endpoint too.
pub async fn find(app: &App, tenant: &Tenant, id: &str) -> Result<Endpoint> {
    let missing = || Error::from(error::NOT_FOUND);
    let id = WebhookId::parse(id).ok_or_else(missing)?;
    let found = store::find(&app.db, tenant, &id).await?;
    found.filter(Endpoint::is_shown).ok_or_else(missing)
}

/// All of an environment, the oldest first; the default is among them.
pub async fn list(app: &App, tenant: &Tenant) -> Result<Vec<Endpoint>> {
    let mut all = store::all(&app.db, tenant).await?;
    all.retain(Endpoint::is_shown);
    Ok(all)
}

/// # Errors
/// [`error::NOT_FOUND`], [`error::URL_NOT_ALLOWED`].
pub async fn update(app: &Arc<App>, tenant: &Tenant, id: &str, edit: Edit) -> Result<Endpoint> {
    let mut endpoint = find(app, tenant, id).await?;
    if let Some(url) = edit.url {
        check_url(app, &url)?;
        endpoint.url = url;
    }
    endpoint.topics = edit.topics.unwrap_or(endpoint.topics);
    write(app, endpoint).await
}

async fn write(app: &App, mut endpoint: Endpoint) -> Result<Endpoint> {
    endpoint.updated_at_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    if !store::update(&mut tx, &endpoint).await? {
        return Err(error::NOT_FOUND.into());
    }
    tx.commit().await?;
    Ok(endpoint)
}

/// Takes an endpoint away with everything that was still to be sent to it.
///
/// # Errors
/// [`error::NOT_FOUND`].
pub async fn delete(app: &Arc<App>, tenant: &Tenant, id: &str) -> Result<Endpoint> {
    let endpoint = find(app, tenant, id).await?;
    let mut tx = app.db.begin().await?;
    // The endpoint's row before its deliveries, as everybody does.
    if !store::delete(&mut tx, tenant, &endpoint.id).await? {
        return Err(error::NOT_FOUND.into());
    }
    store::deliveries::delete_of(&mut tx, tenant, &endpoint.id).await?;
    tx.commit().await?;
    Ok(endpoint)
}

/// Gives an endpoint another secret. The one before signs beside it for [`OVERLAP_MS`]; one that is
/// older still ends at once.
///
/// # Errors
/// [`error::NOT_FOUND`]; [`error::INVALID_REQUEST`] when it is changed at the same moment.
pub async fn rotate(app: &Arc<App>, tenant: &Tenant, id: &str) -> Result<(Endpoint, Secret)> {
    let endpoint = find(app, tenant, id).await?;
    renew(app, endpoint).await
}

pub(super) async fn renew(app: &App, mut endpoint: Endpoint) -> Result<(Endpoint, Secret)> {
    let now_ms = app.clock.now_ms();
    let key = app.keys.project(&app.db, &endpoint.tenant.project).await?;
    let former = open(&key, &endpoint, SECRET, endpoint.secret.as_deref())?;
    let secret = sign::fresh_secret();
    // A seal is bound to the row's version, so what is kept is sealed anew.
    endpoint.version += 1;
    endpoint.secret = Some(seal(&key, &endpoint, SECRET, &secret));
    endpoint.former_secret = former.map(|it| seal(&key, &endpoint, FORMER_SECRET, &it));
    endpoint.former_until_ms = now_ms + OVERLAP_MS;
    endpoint.updated_at_ms = now_ms;
    let mut tx = app.db.begin().await?;
    if !store::set_secrets(&mut tx, &endpoint).await? {
        return Err(
            error::INVALID_REQUEST.saying("The endpoint was changed meanwhile. Read it again.")
        );
    }
    tx.commit().await?;
    Ok((endpoint, secret))
}

/// Starts afresh with an endpoint, also with one that was switched off. What failed meanwhile is
/// sent again by a replay.
///
/// # Errors
/// [`error::NOT_FOUND`].
pub async fn reset(app: &Arc<App>, tenant: &Tenant, id: &str) -> Result<Endpoint> {
    let endpoint = find(app, tenant, id).await?;
    store::reset(&app.db, &endpoint, app.clock.now_ms()).await?;
    app.news.notify_one();
    find(app, tenant, id).await
}

/// The one endpoint of an environment that the wire's `webhook` calls are about, if it has an
/// address.
pub async fn default(app: &App, tenant: &Tenant) -> Result<Option<Endpoint>> {
    Ok(store::default(&app.db, tenant).await?.filter(Endpoint::is_shown))
}

/// Sets its address. With the address comes the secret, if it was never shown before.
///
/// # Errors
/// [`error::URL_NOT_ALLOWED`].
pub async fn set_default(
    app: &Arc<App>,
    tenant: &Tenant,
    url: &str,
) -> Result<(Endpoint, Option<Secret>)> {
    check_url(app, url)?;
    let mut tx = app.db.begin().await?;
    ensure_default(app, &mut tx, tenant).await?;
    tx.commit().await?;
    let made = store::default(&app.db, tenant).await?;
    let mut endpoint = made.ok_or_else(|| Error::from(error::NOT_FOUND))?;
    let first = endpoint.url.is_empty();
    url.clone_into(&mut endpoint.url);
    let endpoint = write(app, endpoint).await?;
    let secret = if first { secrets(app, &endpoint).await?.into_iter().next() } else { None };
    Ok((endpoint, secret))
}

/// # Errors
/// [`error::NOT_FOUND`] when no address is set.
pub async fn rotate_default(app: &Arc<App>, tenant: &Tenant) -> Result<(Endpoint, Secret)> {
    let endpoint = default(app, tenant).await?.ok_or_else(|| Error::from(error::NOT_FOUND))?;
    renew(app, endpoint).await
}

/// Makes the default without an address, so that there is a secret to sign with.
pub(super) async fn ensure_default(app: &App, tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    let there = store::all_within(tx, tenant).await?;
    if there.iter().any(Endpoint::is_default) {
        return Ok(());
    }
    let mut endpoint = blank(app, tenant, Kind::Default, "");
    first_secret(app, tx, &mut endpoint).await?;
    store::insert(tx, &endpoint).await?;
    Ok(())
}

/// What signs for an endpoint now: its secret, and for a day after a change the one before. For the
/// addresses of connect tokens, those of the default.
pub(super) async fn secrets(app: &App, endpoint: &Endpoint) -> Result<Vec<Secret>> {
    if endpoint.kind != Kind::Token {
        return open_all(app, endpoint).await;
    }
    if let Some(default) = store::default(&app.db, &endpoint.tenant).await? {
        return open_all(app, &default).await;
    }
    // It was deleted since the news was queued.
    let mut tx = app.db.begin().await?;
    ensure_default(app, &mut tx, &endpoint.tenant).await?;
    tx.commit().await?;
    let made = store::default(&app.db, &endpoint.tenant).await?;
    open_all(app, &made.ok_or_else(|| Error::from(error::NOT_FOUND))?).await
}

async fn open_all(app: &App, endpoint: &Endpoint) -> Result<Vec<Secret>> {
    let key = app.keys.project(&app.db, &endpoint.tenant.project).await?;
    let in_time = endpoint.former_until_ms > app.clock.now_ms();
    let former = endpoint.former_secret.as_deref().filter(|_| in_time);
    let present = open(&key, endpoint, SECRET, endpoint.secret.as_deref())?;
    Ok(present.into_iter().chain(open(&key, endpoint, FORMER_SECRET, former)?).collect())
}

const SECRET: &str = "secret";
const FORMER_SECRET: &str = "former_secret";

fn seal(key: &OwnerKey, endpoint: &Endpoint, column: &str, secret: &Secret) -> Vec<u8> {
    key.seal(&place(endpoint, column), secret.expose().as_bytes())
}

fn open(
    key: &OwnerKey,
    endpoint: &Endpoint,
    column: &str,
    sealed: Option<&[u8]>,
) -> Result<Option<Secret>> {
    let opened = sealed.map(|it| key.open_text(&place(endpoint, column), it)).transpose();
    opened.map_err(unreadable)
}

fn place<'a>(endpoint: &'a Endpoint, column: &'a str) -> Place<'a> {
    Place {
        project: endpoint.tenant.project.as_str(),
        environment: endpoint.tenant.environment.as_str(),
        table: "webhook_endpoints",
        record: endpoint.id.as_str(),
        column,
        version: endpoint.version,
    }
}
