//! News to products: what happened to an account, posted to the product's own endpoints.
//!
//! Whoever makes news says so in the transaction that makes it: either both happen or neither. It
//! is then sent at least once, with the same id and the same bytes each time, in no promised order.
//! Each endpoint has a queue of its own, so that a dead one delays nobody else.

mod announce;
pub mod api;
pub mod api_default;
mod deliver;
mod emitters;
mod endpoints;
mod probe;
mod replay;
mod schedule;
mod send;
mod sign;
mod store;
pub mod view;
mod work;

use serde_json::Value;

pub use announce::announce;
pub use emitters::{
    Emitted, emit, find_of_emitter, forget_emitter, forget_endpoints, of_emitter, of_user,
    reset_of_emitter, rotate_of_emitter, secret, set_of_emitter,
};
pub use endpoints::{
    Edit, create, default, delete, find, list, reset, rotate, rotate_default, set_default, update,
};
pub use probe::{Probe, probe};
pub use replay::{Which, deliveries, replay};
pub(crate) use schedule::next_try;
pub use work::{round, run, tidy};

use crate::ids::{AccountId, DeliveryId, EmitterId, MessageId, WebhookId};
use crate::tenant::Tenant;

/// What there can be news of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
pub enum Topic {
    /// A user connected an account, or connected it again.
    #[serde(rename = "connection.success")]
    ConnectionSuccess,
    /// A user did not get an account connected.
    #[serde(rename = "connection.error")]
    ConnectionError,
    /// A refresh failed and is tried again; told once for each series of failures.
    #[serde(rename = "account.refresh_failed")]
    AccountRefreshFailed,
    /// Only a reconnect helps.
    #[serde(rename = "account.dead")]
    AccountDead,
    /// The grant will end soon, and what is known of the app says when.
    #[serde(rename = "account.expiring")]
    AccountExpiring,
    /// An account that failed, or was dead, works again.
    #[serde(rename = "account.recovered")]
    AccountRecovered,
    #[serde(rename = "account.deleted")]
    AccountDeleted,
    /// A component wanted an account that the user has not connected, or that no longer works.
    #[serde(rename = "account.needed")]
    AccountNeeded,
    /// A deployed trigger failed so often in a row that it was paused.
    #[serde(rename = "trigger.paused")]
    TriggerPaused,
    /// A run of a workflow failed, after all tries of its step.
    #[serde(rename = "workflow.failed")]
    WorkflowFailed,
    /// A step of a workflow said `$.send.emit`.
    #[serde(rename = "workflow.emitted")]
    WorkflowEmitted,
}

impl Topic {
    pub const ALL: [Self; 11] = [
        Self::ConnectionSuccess,
        Self::ConnectionError,
        Self::AccountRefreshFailed,
        Self::AccountDead,
        Self::AccountExpiring,
        Self::AccountRecovered,
        Self::AccountDeleted,
        Self::AccountNeeded,
        Self::TriggerPaused,
        Self::WorkflowFailed,
        Self::WorkflowEmitted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionSuccess => "connection.success",
            Self::ConnectionError => "connection.error",
            Self::AccountRefreshFailed => "account.refresh_failed",
            Self::AccountDead => "account.dead",
            Self::AccountExpiring => "account.expiring",
            Self::AccountRecovered => "account.recovered",
            Self::AccountDeleted => "account.deleted",
            Self::AccountNeeded => "account.needed",
            Self::TriggerPaused => "trigger.paused",
            Self::WorkflowFailed => "workflow.failed",
            Self::WorkflowEmitted => "workflow.emitted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// What older clients call it; such news has their form.
    fn older_name(self) -> Option<&'static str> {
        match self {
            Self::ConnectionSuccess => Some("CONNECTION_SUCCESS"),
            Self::ConnectionError => Some("CONNECTION_ERROR"),
            _ => None,
        }
    }
}

/// One piece of news. The body holds no credential of an app.
pub struct News<'a> {
    pub tenant: &'a Tenant,
    pub topic: Topic,
    pub account: Option<&'a AccountId>,
    /// What is posted, without what every body has. Its `connect_token`, if it has one, is for
    /// `webhook_uri` alone: endpoints get `null` in its place.
    pub body: Value,
    /// One receiver beside the project's endpoints: that of the connect token.
    pub webhook_uri: Option<&'a str>,
}

/// How an endpoint came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made by the product's people.
    Own,
    /// The one of project and environment. Its secret signs for [`Kind::Token`] too; without an
    /// address it does nothing else.
    Default,
    /// The addresses of one origin that connect tokens name: they share a queue.
    Token,
    /// One trigger's own: it gets that one's events.
    Emitter,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Own, Self::Default, Self::Token, Self::Emitter];

    fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Default => "default",
            Self::Token => "token",
            Self::Emitter => "emitter",
        }
    }
}

/// How an endpoint takes what is sent to it. The words are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    Happy,
    /// It failed a few times: one try at a time, with a pause after each that fails.
    Penalty,
    /// It fails and fails: now and then one try.
    LifeSupport,
    /// Nothing is sent any more, until a reset.
    Deactivated,
}

impl Condition {
    const ALL: [Self; 4] = [Self::Happy, Self::Penalty, Self::LifeSupport, Self::Deactivated];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Happy => "happy",
            Self::Penalty => "penalty",
            Self::LifeSupport => "life_support",
            Self::Deactivated => "deactivated",
        }
    }
}

/// Where news is posted to.
#[derive(Clone)]
pub struct Endpoint {
    pub id: WebhookId,
    pub tenant: Tenant,
    kind: Kind,
    pub url: String,
    /// `None`: all, those that are still to come too.
    pub topics: Option<Vec<Topic>>,
    secret: Option<Vec<u8>>,
    former_secret: Option<Vec<u8>>,
    former_until_ms: i64,
    version: i64,
    pub state: Condition,
    pub state_since_ms: i64,
    pub failures: i64,
    pub last_error: Option<String>,
    pub sheds: i64,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    /// The trigger whose events it gets.
    emitter: Option<EmitterId>,
}

impl Endpoint {
    pub fn is_default(&self) -> bool {
        self.kind == Kind::Default
    }

    /// Whether it is one for people: not a queue of a connect token's addresses, not a mere secret,
    /// and not a trigger's, which has paths of its own.
    fn is_shown(&self) -> bool {
        !matches!(self.kind, Kind::Token | Kind::Emitter) && !self.url.is_empty()
    }

    fn wants(&self, topic: Topic) -> bool {
        self.is_shown() && self.topics.as_ref().is_none_or(|it| it.contains(&topic))
    }
}

/// How far a piece of news is with one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// To be sent, or sent again.
    Waiting,
    Delivered,
    /// Given up; kept to be replayed.
    Failed,
}

impl Progress {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One piece of news on its way to one endpoint. What is posted is sealed.
#[derive(Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub message: MessageId,
    pub endpoint: WebhookId,
    pub tenant: Tenant,
    /// A [`Topic`], perhaps of a newer version.
    pub topic: String,
    pub account: Option<AccountId>,
    sealed: Option<Vec<u8>>,
    pub state: Progress,
    pub attempts: i64,
    pub next_at_ms: i64,
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub created_at_ms: i64,
    queued_at_ms: i64,
    pub updated_at_ms: i64,
}
