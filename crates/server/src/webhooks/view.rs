//! Endpoints and deliveries as callers see them.

use grantkeep_vault::Secret;
use serde::Serialize;

use super::{Condition, Delivery, Endpoint, Probe, Progress, Topic};
use crate::clock::iso;
use crate::ids::{AccountId, DeliveryId, MessageId, WebhookId};

/// How an endpoint takes what is sent to it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeliveryState {
    state: Condition,
    /// Seconds since 1970.
    since: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    consecutive_failures: i64,
    /// News that came while nothing was sent any more. It waits for a replay.
    sheds: i64,
}

impl DeliveryState {
    fn of(it: &Endpoint) -> Self {
        Self {
            state: it.state,
            since: it.state_since_ms.div_euclid(1_000),
            last_error: it.last_error.clone(),
            consecutive_failures: it.failures,
            sheds: it.sheds,
        }
    }
}

/// An endpoint.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EndpointView {
    id: WebhookId,
    url: String,
    /// Null: all, those that are still to come too.
    topics: Option<Vec<Topic>>,
    /// Whether it is the one that `/webhook` is about. Its secret signs what is posted to the
    /// `webhook_uri` of connect tokens as well.
    default: bool,
    delivery_state: DeliveryState,
    created_at: String,
    updated_at: String,
    /// Only when it was made just now, and after a rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

pub fn endpoint_view(it: &Endpoint, secret: Option<&Secret>) -> EndpointView {
    EndpointView {
        id: it.id.clone(),
        url: it.url.clone(),
        topics: it.topics.clone(),
        default: it.is_default(),
        delivery_state: DeliveryState::of(it),
        created_at: iso(it.created_at_ms),
        updated_at: iso(it.updated_at_ms),
        secret: secret.map(|it| it.expose().to_owned()),
    }
}

/// The endpoint of project and environment, in the form of older clients.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WebhookView {
    id: WebhookId,
    url: String,
    /// Only when the address is set for the first time, and when the key was made anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key: Option<String>,
    signing_key_set: bool,
    active: bool,
    delivery_state: DeliveryState,
    /// Seconds since 1970.
    created_at: i64,
    updated_at: i64,
}

pub fn webhook_view(it: &Endpoint, secret: Option<&Secret>) -> WebhookView {
    WebhookView {
        id: it.id.clone(),
        url: it.url.clone(),
        signing_key: secret.map(|it| it.expose().to_owned()),
        signing_key_set: true,
        active: it.state != Condition::Deactivated,
        delivery_state: DeliveryState::of(it),
        created_at: it.created_at_ms.div_euclid(1_000),
        updated_at: it.updated_at_ms.div_euclid(1_000),
    }
}

/// One piece of news on its way to one endpoint.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    id: DeliveryId,
    /// What the receiver gets as `webhook-id`.
    message_id: MessageId,
    endpoint_id: WebhookId,
    topic: String,
    account_id: Option<AccountId>,
    state: Progress,
    attempts: i64,
    /// When it is tried next, while it waits.
    next_attempt_at: Option<String>,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at: String,
    updated_at: String,
}

pub fn delivery_view(it: &Delivery) -> DeliveryView {
    let waits = it.state == Progress::Waiting;
    DeliveryView {
        id: it.id.clone(),
        message_id: it.message.clone(),
        endpoint_id: it.endpoint.clone(),
        topic: it.topic.clone(),
        account_id: it.account.clone(),
        state: it.state,
        attempts: it.attempts,
        next_attempt_at: waits.then(|| iso(it.next_at_ms)),
        last_status: it.last_status,
        last_error: it.last_error.clone(),
        created_at: iso(it.created_at_ms),
        updated_at: iso(it.updated_at_ms),
    }
}

/// What came of a test.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProbeView {
    delivered: bool,
    message_id: MessageId,
    status: Option<u16>,
    error: Option<String>,
    took_ms: u64,
    /// The beginning of the answer.
    answer: Option<String>,
}

pub fn probe_view(it: Probe) -> ProbeView {
    ProbeView {
        delivered: it.error.is_none(),
        message_id: it.message,
        status: it.status,
        error: it.error,
        took_ms: it.took_ms,
        answer: it.answer,
    }
}
