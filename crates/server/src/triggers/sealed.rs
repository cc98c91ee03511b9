//! What is sealed of a trigger, each for its own place, under the user's key.

use std::sync::Arc;

use grantkeep_vault::{OwnerKey, Place};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Trigger;
use crate::app::App;
use crate::db::Tx;
use crate::error::{self, Result};
use crate::ids::UserId;
use crate::keys::unreadable;
use crate::tenant::Tenant;

/// A row and column, and which version of it.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub table: &'static str,
    pub column: &'static str,
    pub record: &'a str,
    pub version: i64,
}

impl<'a> Spot<'a> {
    pub fn configured(trigger: &'a str, revision: i64) -> Self {
        Self { table: "triggers", column: "sealed", record: trigger, version: revision }
    }

    pub fn trouble(trigger: &'a str) -> Self {
        Self { table: "triggers", column: "trouble", record: trigger, version: 0 }
    }

    pub fn key(interface: &'a str) -> Self {
        let (table, column) = ("trigger_interfaces", "key_sealed");
        Self { table, column, record: interface, version: 0 }
    }

    pub fn state(trigger: &'a str, version: i64) -> Self {
        Self { table: "trigger_states", column: "sealed", record: trigger, version }
    }

    pub fn event(trigger: &'a str, nth: i64) -> Self {
        Self { table: "trigger_events", column: "sealed", record: trigger, version: nth }
    }

    pub fn call(call: &'a str) -> Self {
        Self { table: "trigger_calls", column: "sealed", record: call, version: 0 }
    }
}

/// The key of one trigger's user.
pub(super) struct Seal {
    tenant: Tenant,
    key: Arc<OwnerKey>,
}

impl Seal {
    /// # Errors
    /// [`error::DECRYPT_FAILED`] once the user was erased.
    pub async fn of(app: &App, trigger: &Trigger) -> Result<Self> {
        Self::of_user(app, &trigger.tenant, &trigger.user).await
    }

    pub async fn of_user(app: &App, tenant: &Tenant, user: &UserId) -> Result<Self> {
        let key = app.keys.user(&app.db, tenant, user).await?;
        Ok(Self { tenant: tenant.clone(), key })
    }

    /// The same, made on first use.
    pub async fn ensure(app: &App, tx: &mut Tx, tenant: &Tenant, user: &UserId) -> Result<Self> {
        let now_ms = app.clock.now_ms();
        let key = app.keys.user_for_sealing(tx, tenant, user, now_ms).await?;
        Ok(Self { tenant: tenant.clone(), key })
    }

    fn place<'a>(&'a self, it: &Spot<'a>) -> Place<'a> {
        Place {
            project: self.tenant.project.as_str(),
            environment: self.tenant.environment.as_str(),
            table: it.table,
            record: it.record,
            column: it.column,
            version: it.version,
        }
    }

    pub fn seal<T: Serialize>(&self, spot: Spot<'_>, value: &T) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(value).map_err(|it| error::INTERNAL.logging(it))?;
        Ok(self.key.seal(&self.place(&spot), &text))
    }

    pub fn open<T: DeserializeOwned>(&self, spot: Spot<'_>, sealed: &[u8]) -> Result<T> {
        let plain = self.key.open(&self.place(&spot), sealed).map_err(unreadable)?;
        serde_json::from_slice(plain.expose()).map_err(|it| error::INTERNAL.logging(it))
    }
}
