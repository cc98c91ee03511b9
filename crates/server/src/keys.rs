//! The keys that seal: one for each external user and one for each project, kept wrapped by the
//! root key.

mod rewrap;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use grantkeep_vault::{Keyring, Owner, OwnerKey};
use moka::future::Cache;

use crate::db::{Db, Tx};
use crate::error::{self, Error, Result};
use crate::ids::{ProjectId, UserId};
use crate::on;
use crate::tenant::Tenant;
pub use rewrap::{Progress, Rewrapped, missing, try_each};

/// Unwrapped keys held in memory at once.
const CACHED_KEYS_MAX: u64 = 10_000;
/// How long a process may remember a key that another has destroyed.
const REMEMBERED: Duration = Duration::from_mins(5);
/// The key of a project itself stands under this name in `owner_keys`.
const PROJECT_OWNER: &str = "project";

/// Hands out owner keys, unwrapping each once.
#[derive(Clone)]
pub struct Keys {
    keyring: Arc<Keyring>,
    cache: Cache<Name, Arc<OwnerKey>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Name {
    project: ProjectId,
    environment: &'static str,
    owner: String,
}

impl Name {
    fn user(tenant: &Tenant, user: &UserId) -> Self {
        Self {
            project: tenant.project.clone(),
            environment: tenant.environment.as_str(),
            owner: user.as_str().to_owned(),
        }
    }

    fn project(project: &ProjectId) -> Self {
        Self { project: project.clone(), environment: "", owner: PROJECT_OWNER.to_owned() }
    }

    fn owner(&self) -> Owner<'_> {
        let project = self.project.as_str();
        if self.environment.is_empty() {
            return Owner::Project { project };
        }
        Owner::User { project, environment: self.environment, id: &self.owner }
    }
}

impl Keys {
    pub fn new(keyring: Keyring) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_KEYS_MAX).time_to_live(REMEMBERED).build();
        Self { keyring: Arc::new(keyring), cache }
    }

    /// The user's key, made on first use. `tx` is that of the row about to be sealed.
    pub async fn user_for_sealing(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        user: &UserId,
        now_ms: i64,
    ) -> Result<Arc<OwnerKey>> {
        self.ensure(tx, &Name::user(tenant, user), now_ms).await
    }

    /// The project's key, made on first use.
    pub async fn project_for_sealing(
        &self,
        tx: &mut Tx,
        project: &ProjectId,
        now_ms: i64,
    ) -> Result<Arc<OwnerKey>> {
        self.ensure(tx, &Name::project(project), now_ms).await
    }

    /// The same for a transaction that only happens to need it: once the key is known to this
    /// process no row is touched, so that transactions of one project do not wait for each other.
    pub async fn project_within(
        &self,
        tx: &mut Tx,
        project: &ProjectId,
        now_ms: i64,
    ) -> Result<Arc<OwnerKey>> {
        let name = Name::project(project);
        if let Some(key) = self.cache.get(&name).await {
            return Ok(key);
        }
        let sql = "select wrapped from owner_keys where project_id = $1 and environment = '' \
                   and owner_id = $2";
        let wrapped: Option<Vec<u8>> = on!(tx.conn(), conn => sqlx::query_scalar(sql)
            .bind(&name.project).bind(&name.owner).fetch_optional(conn).await?);
        match wrapped {
            Some(wrapped) => Ok(Arc::new(self.unwrap(&name, &wrapped)?)),
            None => self.ensure(tx, &name, now_ms).await,
        }
    }

    /// # Errors
    /// [`error::DECRYPT_FAILED`] when the key is gone or cannot be unwrapped.
    pub async fn user(&self, db: &Db, tenant: &Tenant, user: &UserId) -> Result<Arc<OwnerKey>> {
        self.load(db, Name::user(tenant, user)).await
    }

    /// The user's key out of its row, which the caller has just read. Nothing is remembered, so
    /// that a key that was destroyed anywhere is gone here.
    ///
    /// # Errors
    /// As for [`Keys::user`].
    pub fn unwrap_user(&self, tenant: &Tenant, user: &UserId, wrapped: &[u8]) -> Result<OwnerKey> {
        let owner = Owner::User {
            project: tenant.project.as_str(),
            environment: tenant.environment.as_str(),
            id: user.as_str(),
        };
        self.keyring.unwrap(wrapped, &owner).map_err(unreadable)
    }

    /// # Errors
    /// As for [`Keys::user`].
    pub async fn project(&self, db: &Db, project: &ProjectId) -> Result<Arc<OwnerKey>> {
        self.load(db, Name::project(project)).await
    }

    /// Destroys the user's key: all that was sealed under it is unreadable once `tx` commits.
    pub async fn shred_user(&self, tx: &mut Tx, tenant: &Tenant, user: &UserId) -> Result<()> {
        let sql =
            "delete from owner_keys where project_id = $1 and environment = $2 and owner_id = $3";
        on!(tx.conn(), conn => sqlx::query(sql)
            .bind(&tenant.project).bind(tenant.environment.as_str()).bind(user)
            .execute(conn).await?.rows_affected());
        self.cache.invalidate(&Name::user(tenant, user)).await;
        Ok(())
    }

    /// Forgets the user's key once the transaction that destroyed it has committed.
    pub async fn forget_user(&self, tenant: &Tenant, user: &UserId) {
        self.cache.invalidate(&Name::user(tenant, user)).await;
    }

    async fn ensure(&self, tx: &mut Tx, name: &Name, now_ms: i64) -> Result<Arc<OwnerKey>> {
        let (_, wrapped) = self.keyring.new_owner_key(&name.owner());
        // Another process may make the key at the same time; the first row stays, and both read it
        // back.
        let sql = "insert into owner_keys (project_id, environment, owner_id, wrapped, \
                   root_key_id, created_at_ms) values ($1, $2, $3, $4, $5, $6) \
                   on conflict (project_id, environment, owner_id) do update set owner_id = $3 \
                   returning wrapped";
        let wrapped: Vec<u8> = on!(tx.conn(), conn => sqlx::query_scalar(sql)
            .bind(&name.project).bind(name.environment).bind(&name.owner)
            .bind(wrapped).bind(self.keyring.current_id().to_string()).bind(now_ms)
            .fetch_one(conn).await?);
        // Not cached before the transaction commits: it may yet be rolled back.
        Ok(Arc::new(self.unwrap(name, &wrapped)?))
    }

    async fn load(&self, db: &Db, name: Name) -> Result<Arc<OwnerKey>> {
        if let Some(key) = self.cache.get(&name).await {
            return Ok(key);
        }
        let sql = "select wrapped from owner_keys where project_id = $1 and environment = $2 \
                   and owner_id = $3";
        let wrapped: Option<Vec<u8>> = on!(db.read(), conn => sqlx::query_scalar(sql)
            .bind(&name.project).bind(name.environment).bind(&name.owner)
            .fetch_optional(conn).await?);
        let wrapped =
            wrapped.ok_or_else(|| error::DECRYPT_FAILED.logging("the owner's key is gone"))?;
        let key = Arc::new(self.unwrap(&name, &wrapped)?);
        self.cache.insert(name, Arc::clone(&key)).await;
        Ok(key)
    }

    fn unwrap(&self, name: &Name, wrapped: &[u8]) -> Result<OwnerKey> {
        self.keyring.unwrap(wrapped, &name.owner()).map_err(unreadable)
    }
}

/// Something stored could not be opened: an alert for the operator, and never the stored bytes for
/// the caller.
pub fn unreadable(error: grantkeep_vault::OpenError) -> Error {
    metrics::counter!("grantkeep_decrypt_failed_total").increment(1);
    error::DECRYPT_FAILED.logging(error)
}

/// A secret for signing that all processes with the same root key share, for one named purpose.
pub fn derived(root_key_text: &str, purpose: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, root_key_text.trim().as_bytes());
    hmac::sign(&key, format!("grantkeep derived key\n{purpose}").as_bytes()).as_ref().to_vec()
}
