//! News becomes deliveries: one for each endpoint that wants it, in the transaction of its cause.

use std::sync::Arc;

use grantkeep_vault::{OwnerKey, Place, SecretBytes};
use serde_json::{Value, json};

use super::store::{self, deliveries};
use super::{Condition, Delivery, Endpoint, News, Progress, endpoints};
use crate::app::App;
use crate::clock::iso;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{AccountId, DeliveryId, EmitterId, MessageId, WebhookId};
use crate::keys::unreadable;
use crate::tenant::Tenant;

/// What failed because its endpoint is off says so.
pub(super) const SWITCHED_OFF: &str = "the endpoint is switched off";

/// Leaves a delivery for each endpoint that wants to know, if the transaction commits.
///
/// An address that connect tokens name is sent to as well as the project's endpoints, and no
/// endpoint of the project is needed for that.
///
/// # Errors
/// Of the store. News that cannot be sealed is lost with an alert: what it is about must be stored
/// all the same.
pub async fn announce(app: &App, tx: &mut Tx, news: News<'_>) -> Result<()> {
    let tenant = news.tenant;
    let mut endpoints = store::all_within(tx, tenant).await?;
    endpoints.retain(|it| it.wants(news.topic));
    if endpoints.is_empty() && news.webhook_uri.is_none() {
        return Ok(());
    }
    let now_ms = app.clock.now_ms();
    let key = match app.keys.project_within(tx, &tenant.project, now_ms).await {
        Ok(key) => key,
        Err(error) if error.kind().status == 503 => return Err(error),
        Err(error) => {
            tracing::error!(project = %tenant.project, topic = news.topic.as_str(),
                detail = error.log(), "news is lost, as the project's key cannot be used");
            return Ok(());
        }
    };
    let letter = Queued {
        message: MessageId::mint(),
        key,
        now_ms,
        tenant,
        topic: news.topic.as_str(),
        account: news.account,
    };
    let body = text(&news, now_ms, false);
    for endpoint in &endpoints {
        let off = endpoint.state == Condition::Deactivated;
        letter.insert(tx, &endpoint.id, ("", &body), off).await?;
        if off {
            store::count_shed(tx, endpoint).await?;
        }
    }
    if let Some(uri) = news.webhook_uri {
        endpoints::ensure_default(app, tx, tenant).await?;
        let fresh = WebhookId::mint();
        let queue = store::queue_of(tx, tenant, &origin(uri), &fresh, now_ms).await?;
        letter.insert(tx, &queue, (uri, &text(&news, now_ms, true)), false).await?;
    }
    // The transaction is not committed yet; the worker gives it a moment.
    app.news.notify_one();
    Ok(())
}

/// One piece of news, ready to be queued.
pub(super) struct Queued<'a> {
    pub message: MessageId,
    pub key: Arc<OwnerKey>,
    pub now_ms: i64,
    pub tenant: &'a Tenant,
    pub topic: &'a str,
    pub account: Option<&'a AccountId>,
}

impl Queued<'_> {
    /// `head` is the address, if it is not the endpoint's own; of an event, see [`head_of_event`].
    pub async fn insert(
        &self,
        tx: &mut Tx,
        endpoint: &WebhookId,
        (head, body): (&str, &str),
        off: bool,
    ) -> Result<()> {
        let id = DeliveryId::mint();
        let plain = SecretBytes::new(format!("{head}\n{body}"));
        let sealed = self.key.seal(&place(self.tenant, &id), plain.expose());
        let delivery = Delivery {
            id,
            message: self.message.clone(),
            endpoint: endpoint.clone(),
            tenant: self.tenant.clone(),
            topic: self.topic.to_owned(),
            account: self.account.cloned(),
            sealed: Some(sealed),
            state: if off { Progress::Failed } else { Progress::Waiting },
            attempts: 0,
            next_at_ms: self.now_ms,
            last_status: None,
            last_error: off.then(|| SWITCHED_OFF.to_owned()),
            created_at_ms: self.now_ms,
            queued_at_ms: self.now_ms,
            updated_at_ms: self.now_ms,
        };
        Ok(deliveries::insert(tx, &delivery).await?)
    }
}

/// The bytes that are posted, at every try. News of connecting has the form that older clients
/// know; the rest is wrapped as Standard Webhooks 1.0 has it.
fn text(news: &News<'_>, now_ms: i64, with_token: bool) -> String {
    match news.topic.older_name() {
        Some(event) => {
            let mut body = news.body.clone();
            body["event"] = json!(event);
            body["environment"] = json!(news.tenant.environment);
            if !with_token {
                body["connect_token"] = Value::Null;
            }
            body.to_string()
        }
        None => wrapped(news.topic.as_str(), now_ms, &news.body),
    }
}

pub(super) fn wrapped(kind: &str, now_ms: i64, data: &Value) -> String {
    json!({ "type": kind, "timestamp": iso(now_ms), "data": data }).to_string()
}

/// Scheme, host and port: what shares a queue.
fn origin(uri: &str) -> String {
    url::Url::parse(uri).map(|it| it.origin().ascii_serialization()).unwrap_or_default()
}

/// What stands before an event: no address, whose it is, and for whom. Neither id can hold a
/// control character.
pub(super) fn head_of_event(emitter: &EmitterId, external_id: &str) -> String {
    format!("\t{emitter}\t{external_id}")
}

/// What is posted, and where to, if it is not the endpoint's own address.
pub(super) struct Opened {
    plain: SecretBytes,
    body_at: usize,
}

impl Opened {
    pub fn body(&self) -> &[u8] {
        &self.plain.expose()[self.body_at..]
    }

    pub fn url<'a>(&'a self, endpoint: &'a Endpoint) -> &'a str {
        let own = self.head().split('\t').next().unwrap_or_default();
        if own.is_empty() { &endpoint.url } else { own }
    }

    /// Of an event: what emitted it, and for which user.
    pub fn emitted(&self) -> Option<(&str, &str)> {
        let (_, rest) = self.head().split_once('\t')?;
        rest.split_once('\t')
    }

    fn head(&self) -> &str {
        std::str::from_utf8(&self.plain.expose()[..self.body_at - 1]).unwrap_or_default()
    }
}

/// `None`: it was wiped, or cannot be what was sealed.
pub(super) async fn open(app: &App, delivery: &Delivery) -> Result<Option<Opened>> {
    let Some(sealed) = &delivery.sealed else { return Ok(None) };
    let key = app.keys.project(&app.db, &delivery.tenant.project).await?;
    let opened = key.open(&place(&delivery.tenant, &delivery.id), sealed);
    let plain = opened.map_err(unreadable)?;
    let end = plain.expose().iter().position(|byte| *byte == b'\n');
    Ok(end.map(|end| Opened { plain, body_at: end + 1 }))
}

fn place<'a>(tenant: &'a Tenant, id: &'a DeliveryId) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "webhook_deliveries",
        record: id.as_str(),
        column: "sealed",
        version: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProjectId;
    use crate::tenant::Environment;
    use crate::webhooks::Topic;

    #[test]
    fn h_07_only_the_address_of_the_token_is_told_the_token() {
        let tenant = Tenant { project: ProjectId::mint(), environment: Environment::Development };
        for topic in Topic::ALL.into_iter().filter(|it| it.older_name().is_some()) {
            let body = json!({ "connect_token": "ctok_x", "connect_session_id": 7 });
            let news = News { tenant: &tenant, topic, account: None, body, webhook_uri: None };
            assert!(text(&news, 0, true).contains("ctok_x"));
            let other: Value = serde_json::from_str(&text(&news, 0, false)).unwrap();
            assert_eq!(other["connect_token"], Value::Null);
            assert_eq!(other["environment"], "development");
        }
    }

    #[test]
    fn a_queue_is_an_origin() {
        assert_eq!(origin("https://a.example:443/x?y=1"), "https://a.example");
        assert_eq!(origin("https://a.example:8443/x"), "https://a.example:8443");
    }
}
