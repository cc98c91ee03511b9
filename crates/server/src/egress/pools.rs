//! Connections that are one tenant's alone.
//!
//! Some servers remember on a connection who was let in on it. Requests of two tenants never share
//! one, whatever the app's server does.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::{Builder, Client};
use moka::future::Cache;

use super::Body;
use super::connector::Connector;

/// Tenants whose connections are kept at once.
const OWNERS_MAX: u64 = 1_000;

/// A tenant that sends nothing for this long has its connections closed.
const OWNER_IDLE: Duration = Duration::from_mins(10);

/// Most idle connections kept per tenant and host.
const IDLE_PER_HOST_MAX: usize = 256;

pub(super) type HttpClient = Client<Connector, Body>;

/// A pool for each owner, made on first use.
#[derive(Clone)]
pub(super) struct Pools {
    builder: Arc<Builder>,
    connector: Connector,
    of: Cache<String, Arc<HttpClient>>,
}

impl Pools {
    pub(super) fn new(mut builder: Builder, connector: Connector) -> Self {
        builder.pool_max_idle_per_host(IDLE_PER_HOST_MAX);
        let of = Cache::builder().max_capacity(OWNERS_MAX).time_to_idle(OWNER_IDLE).build();
        Self { builder: Arc::new(builder), connector, of }
    }

    pub(super) async fn of(&self, owner: &str) -> Arc<HttpClient> {
        if let Some(client) = self.of.get(owner).await {
            return client;
        }
        let make = async { Arc::new(self.builder.build(self.connector.of_owner())) };
        self.of.get_with(owner.to_owned(), make).await
    }
}
