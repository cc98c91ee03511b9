//! Events of triggers: as they are, to the trigger's own endpoints, or else to the environment's
//! default.

use std::sync::Arc;

use grantkeep_vault::Secret;
use serde_json::json;

use super::announce::{Queued, head_of_event};
use super::{Condition, Endpoint, Kind, endpoints, store};
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::{EmitterId, MessageId, UserId, WebhookId};
use crate::tenant::Tenant;

/// Endpoints of one trigger.
const ENDPOINTS_MAX: usize = 10;
/// What deliveries of events are listed as. Nobody subscribes to it.
const TOPIC: &str = "trigger.event";

/// Events of one trigger, the oldest first.
pub struct Emitted<'a> {
    pub tenant: &'a Tenant,
    pub emitter: &'a EmitterId,
    pub external_id: &'a str,
    /// Each as JSON, which is posted as it is.
    pub bodies: &'a [String],
}

/// Leaves a delivery of each event for each endpoint of the trigger, if the transaction commits.
/// Where it has none, for the default of its environment.
pub async fn emit(app: &App, tx: &mut Tx, it: Emitted<'_>) -> Result<()> {
    let mut to = store::of_emitter_within(tx, it.tenant, it.emitter).await?;
    if to.is_empty() {
        let all = store::all_within(tx, it.tenant).await?;
        to.extend(all.into_iter().filter(|it| it.is_default() && it.is_shown()));
    }
    if to.is_empty() || it.bodies.is_empty() {
        return Ok(());
    }
    let now_ms = app.clock.now_ms();
    let key = app.keys.project_within(tx, &it.tenant.project, now_ms).await?;
    let head = head_of_event(it.emitter, it.external_id);
    for body in it.bodies {
        let letter = Queued {
            message: MessageId::mint(),
            key: Arc::clone(&key),
            now_ms,
            tenant: it.tenant,
            topic: TOPIC,
            account: None,
        };
        for endpoint in &to {
            let off = endpoint.state == Condition::Deactivated;
            letter.insert(tx, &endpoint.id, (&head, body), off).await?;
            if off {
                store::count_shed(tx, endpoint).await?;
            }
        }
    }
    app.news.notify_one();
    Ok(())
}

/// The endpoints of a trigger, the oldest first.
pub async fn of_emitter(app: &App, tenant: &Tenant, emitter: &EmitterId) -> Result<Vec<Endpoint>> {
    Ok(store::of_emitter(&app.db, tenant, emitter).await?)
}

/// Makes these the trigger's endpoints. Those that were there keep their ids and keys; what waits
/// for the others is not sent any more.
///
/// # Errors
/// [`error::URL_NOT_ALLOWED`]; [`error::INVALID_FIELD`] for too many.
pub async fn set_of_emitter(
    app: &App,
    tx: &mut Tx,
    (tenant, emitter): (&Tenant, &EmitterId),
    urls: &[String],
) -> Result<Vec<Endpoint>> {
    let mut wanted: Vec<&str> = Vec::new();
    for url in urls {
        endpoints::check_url(app, url)?;
        if !wanted.contains(&url.as_str()) {
            wanted.push(url);
        }
    }
    if wanted.len() > ENDPOINTS_MAX {
        let text = format!("A trigger posts to at most {ENDPOINTS_MAX} addresses.");
        return Err(error::INVALID_FIELD.saying(text).with(json!({ "field": "webhook_urls" })));
    }
    let there = store::of_emitter_within(tx, tenant, emitter).await?;
    for gone in there.iter().filter(|it| !wanted.contains(&it.url.as_str())) {
        // The endpoint's row before its deliveries, as everybody does.
        store::delete(tx, tenant, &gone.id).await?;
        store::deliveries::delete_of(tx, tenant, &gone.id).await?;
    }
    let mut all = Vec::with_capacity(wanted.len());
    for url in wanted {
        if let Some(known) = there.iter().find(|it| it.url == url) {
            all.push(known.clone());
            continue;
        }
        let mut endpoint = endpoints::blank(app, tenant, Kind::Emitter, url);
        endpoint.emitter = Some(emitter.clone());
        endpoints::first_secret(app, tx, &mut endpoint).await?;
        store::insert(tx, &endpoint).await?;
        all.push(endpoint);
    }
    Ok(all)
}

/// Takes the endpoints of a trigger away with what waits for them, in the transaction that deletes
/// it.
pub async fn forget_emitter(tx: &mut Tx, tenant: &Tenant, emitter: &EmitterId) -> Result<()> {
    for gone in store::of_emitter_within(tx, tenant, emitter).await? {
        store::delete(tx, tenant, &gone.id).await?;
        store::deliveries::delete_of(tx, tenant, &gone.id).await?;
    }
    Ok(())
}

/// Those of all triggers of a user.
pub async fn of_user(tx: &mut Tx, tenant: &Tenant, user: &UserId) -> Result<Vec<WebhookId>> {
    Ok(store::of_user(tx, tenant, user).await?)
}

/// Takes away what waits for endpoints that went with their user, in the transaction that erases
/// him.
pub async fn forget_endpoints(tx: &mut Tx, tenant: &Tenant, gone: &[WebhookId]) -> Result<()> {
    for it in gone {
        store::deliveries::delete_of(tx, tenant, it).await?;
    }
    Ok(())
}

/// # Errors
/// [`error::NOT_FOUND`], for another trigger's endpoint too.
pub async fn find_of_emitter(
    app: &App,
    (tenant, emitter): (&Tenant, &EmitterId),
    id: &str,
) -> Result<Endpoint> {
    let found = of_emitter(app, tenant, emitter).await?;
    let missing = || Error::from(error::NOT_FOUND);
    found.into_iter().find(|it| it.id.as_str() == id).ok_or_else(missing)
}

/// Gives an endpoint of a trigger another secret; see [`super::rotate`].
pub async fn rotate_of_emitter(
    app: &App,
    of: (&Tenant, &EmitterId),
    id: &str,
) -> Result<(Endpoint, Secret)> {
    let endpoint = find_of_emitter(app, of, id).await?;
    endpoints::renew(app, endpoint).await
}

/// Starts afresh with an endpoint of a trigger; see [`super::reset`].
pub async fn reset_of_emitter(app: &App, of: (&Tenant, &EmitterId), id: &str) -> Result<Endpoint> {
    let endpoint = find_of_emitter(app, of, id).await?;
    store::reset(&app.db, &endpoint, app.clock.now_ms()).await?;
    app.news.notify_one();
    find_of_emitter(app, of, id).await
}

/// What signs for an endpoint, to be shown to the product's servers: the wire has it so for those
/// of triggers.
pub async fn secret(app: &App, endpoint: &Endpoint) -> Result<Secret> {
    let found = endpoints::secrets(app, endpoint).await?.into_iter().next();
    found.ok_or_else(|| error::DECRYPT_FAILED.logging("a webhook has no secret"))
}
