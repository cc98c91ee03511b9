//! News to products: what happened to an account, posted to the product's own endpoints.
//!
//! Whoever makes news says so in the transaction that makes it: either both happen or neither.

use serde_json::Value;

use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::ids::AccountId;
use crate::tenant::Tenant;

/// What there can be news of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A user connected an account, or connected it again.
    ConnectionSuccess,
    /// A user did not get an account connected.
    ConnectionError,
    /// A refresh failed and is tried again; told once for each series of failures.
    AccountRefreshFailed,
    /// Only a reconnect helps.
    AccountDead,
    /// The grant will end soon, and what is known of the app says when.
    AccountExpiring,
    /// An account that failed, or was dead, works again.
    AccountRecovered,
    AccountDeleted,
}

/// One piece of news. The body holds no credential of an app.
pub struct News<'a> {
    pub tenant: &'a Tenant,
    pub topic: Topic,
    pub account: Option<&'a AccountId>,
    /// What is posted, without what every body has.
    pub body: Value,
    /// One receiver beside the project's endpoints: that of the connect token.
    pub webhook_uri: Option<&'a str>,
}

/// Leaves a delivery for each endpoint that wants to know, if the transaction commits.
///
/// # Errors
/// Of the store.
#[expect(clippy::unused_async, reason = "deliveries come next")]
pub async fn announce(_app: &App, _tx: &mut Tx, _news: News<'_>) -> Result<()> {
    Ok(())
}
