//! What every request shares.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::DefaultKeyedRateLimiter;
use grantkeep_catalog::{App as CatalogApp, Catalog};
use moka::future::Cache;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::attempts::Attempts;
use crate::audit::Audit;
use crate::breakers::Breakers;
use crate::callers::Caller;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::egress::{Egress, Identity};
use crate::error::{self, Result};
use crate::flights::Flights;
use crate::ids::{AccountId, OAuthAppId, ProjectId, RateLimitId};
use crate::journal::Journal;
use crate::keys::Keys;
use crate::limits::{Limits, Quota};
use crate::meters::Meters;
use crate::paging::CursorKey;
use crate::projects::{self, Freezes, Settings};
use crate::slots::Slots;
use crate::tallies::Tallies;
use crate::tenant::Tenant;
use crate::workers::Workers;

/// How long another process may still honour a revoked credential, or hand out what was frozen.
const TRUST: Duration = Duration::from_secs(1);
/// Servers whose nonce for proofs is remembered (RFC 9449 section 8.2), and for how long. One that
/// has ended costs one more request.
const NONCES_MAX: u64 = 10_000;
const NONCE_LIFE: Duration = Duration::from_hours(1);
/// Projects whose own apps are kept read.
const OWN_APPS_MAX: u64 = 10_000;
/// Outbound clients with a certificate of their own, kept at once.
const SHOWING_MAX: u64 = 200;
/// Apps kept as they are shown.
const APP_VIEWS_MAX: u64 = 2_000;
/// An account that is missed is told of again after this long.
const TOLD_AGAIN: Duration = Duration::from_hours(1);
/// Callers remembered at once.
const CALLERS_MAX: u64 = 10_000;

pub struct App {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub keys: Keys,
    pub cursors: CursorKey,
    pub egress: Egress,
    pub catalog: Catalog,
    pub audit: Audit,
    /// Wrong credentials, by the address that sent them.
    pub(crate) attempts: Attempts,
    /// Refreshes under way in this process, by account and version of its credentials.
    pub(crate) refreshes: Flights<(AccountId, i64), Result<()>>,
    /// What apps answered to refreshes, on this machine's disk until it is in the store.
    pub journal: Journal,
    /// Which providers do not answer just now.
    pub(crate) breakers: Breakers,
    /// How many refreshes a provider is asked for in a second, by the scheduler.
    pub(crate) refresh_rate: DefaultKeyedRateLimiter<String>,
    /// Calls through the proxy, as the audit log will have them.
    pub(crate) tallies: Tallies,
    /// Calls through the proxy that are under way.
    pub(crate) slots: Slots<AccountId>,
    /// The processes that run components' code.
    pub(crate) workers: Workers,
    /// Accounts that were missed lately, so that their products are told once and not by each run.
    pub(crate) missed: Cache<Missed, ()>,
    /// How many requests came of each project and user, in windows of time.
    pub(crate) limits: Limits,
    /// What was used and is not in the store yet.
    pub meters: Meters,
    /// Codes being exchanged, and tokens being stored, in this process. A drain waits for them.
    pub(crate) exchanges: TaskTracker,
    /// Told when there is news to be sent.
    pub(crate) news: Notify,
    /// Told when a trigger is due.
    pub(crate) triggers_due: Notify,
    /// Told when a workflow's run is due.
    pub(crate) workflows_due: Notify,
    callers: Cache<[u8; 32], Arc<Caller>>,
    /// What customers' own limits are, by the project that names them. `None`: there is none.
    own_limits: Cache<OwnLimit, Option<Quota>>,
    projects: Cache<ProjectId, Arc<Settings>>,
    freezes: Cache<(), Arc<Freezes>>,
    dpop_nonces: Cache<String, String>,
    /// Outbound clients that show a certificate, by OAuth client and its version.
    showing: Cache<(OAuthAppId, i64), Egress>,
    own_apps: Cache<ProjectId, Arc<Catalog>>,
    /// Apps as callers see them, by slug, each with the edition that it was written from. An own
    /// app with the slug of another takes its place and gives it back.
    pub(crate) shown_apps: Cache<String, (Arc<CatalogApp>, Arc<RawValue>)>,
    /// Projects' own apps as they were read, with the editions that they were read from.
    pub(crate) read_apps: Cache<ProjectId, (Vec<Edition>, Arc<Catalog>)>,
}

/// A customer's limit, as a request of a project names it.
pub(crate) type OwnLimit = (Option<ProjectId>, RateLimitId);

/// Names one text of one own app for ever: its slug, when it was made, and its version.
pub(crate) type Edition = (String, i64, i64);

/// Whose account of which app a run missed: the user by the product's own id.
pub(crate) type Missed = (Tenant, String, String);

/// What an [`App`] is put together from.
pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub keys: Keys,
    pub cursors: CursorKey,
    pub egress: Egress,
    pub catalog: Catalog,
    pub audit: Audit,
}

impl App {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { config, db, clock, keys, cursors, egress, catalog, audit } = parts;
        let callers = Cache::builder().max_capacity(CALLERS_MAX).time_to_live(TRUST).build();
        let projects = Cache::builder().max_capacity(CALLERS_MAX).time_to_live(TRUST).build();
        let dpop_nonces = Cache::builder().max_capacity(NONCES_MAX).time_to_live(NONCE_LIFE);
        let own_apps = Cache::builder().max_capacity(OWN_APPS_MAX).time_to_live(TRUST).build();
        let journal = Journal::new(&config.data_dir);
        let per_second = NonZeroU32::new(config.refresh_per_provider_per_second);
        let quota = governor::Quota::per_second(per_second.unwrap_or(NonZeroU32::MIN));
        let freezes = Cache::builder().max_capacity(1).time_to_live(TRUST).build();
        let attempts = Attempts::new(config.failed_auth_per_minute_max, clock.clone());
        let slots = Slots::new(config.proxy_per_account_max);
        let workers = Workers::new(&config);
        let missed = Cache::builder().max_capacity(CALLERS_MAX).time_to_live(TOLD_AGAIN);
        let own_limits = Cache::builder().max_capacity(CALLERS_MAX).time_to_live(TRUST).build();
        Arc::new(Self {
            config,
            journal,
            breakers: Breakers::default(),
            refresh_rate: DefaultKeyedRateLimiter::keyed(quota),
            db,
            clock,
            keys,
            cursors,
            egress,
            catalog,
            audit,
            attempts,
            refreshes: Flights::default(),
            tallies: Tallies::default(),
            slots,
            workers,
            missed: missed.build(),
            limits: Limits::default(),
            meters: Meters::default(),
            exchanges: TaskTracker::new(),
            news: Notify::new(),
            triggers_due: Notify::new(),
            workflows_due: Notify::new(),
            callers,
            own_limits,
            projects,
            freezes,
            dpop_nonces: dpop_nonces.build(),
            showing: Cache::builder().max_capacity(SHOWING_MAX).time_to_idle(NONCE_LIFE).build(),
            own_apps,
            shown_apps: Cache::new(APP_VIEWS_MAX),
            read_apps: Cache::new(OWN_APPS_MAX),
        })
    }

    /// A URL of this server as browsers and providers see it. Never made from a request's own
    /// headers (RFC 9700 section 4.1.3: redirect URIs are compared exactly).
    pub fn url(&self, path: &str) -> url::Url {
        let mut url = self.config.public_url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// Closes the store once every audit event is in it.
    pub async fn close(&self) {
        self.workers.shutdown().await;
        self.tallies.close_all(&self.audit);
        self.audit.settle().await;
        self.db.close().await;
    }

    pub(crate) async fn project_exists(&self, id: &ProjectId) -> Result<bool> {
        Ok(self.project_settings(id).await?.is_some())
    }

    /// What the project permits, at most [`TRUST`] old. `None`: there is no such project.
    pub(crate) async fn project_settings(&self, id: &ProjectId) -> Result<Option<Arc<Settings>>> {
        if let Some(settings) = self.projects.get(id).await {
            return Ok(Some(settings));
        }
        match projects::find(&self.db, id).await {
            Ok(found) => {
                let settings = Arc::new(found.settings);
                self.projects.insert(id.clone(), Arc::clone(&settings)).await;
                Ok(Some(settings))
            }
            Err(error) if error.kind().status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn forget_project(&self, id: &ProjectId) {
        self.projects.invalidate(id).await;
    }

    /// Where credentials are held back; at most [`TRUST`] old.
    pub(crate) async fn freezes(&self) -> Result<Arc<Freezes>> {
        if let Some(freezes) = self.freezes.get(&()).await {
            return Ok(freezes);
        }
        let freezes = Arc::new(projects::freezes_in_force(self).await?);
        self.freezes.insert((), Arc::clone(&freezes)).await;
        Ok(freezes)
    }

    pub(crate) async fn forget_freezes(&self) {
        self.freezes.invalidate(&()).await;
    }

    /// The outbound client that shows an OAuth client's certificate; made on first use.
    ///
    /// # Errors
    /// [`error::DECRYPT_FAILED`] when what is stored is no certificate with its key.
    pub(crate) async fn showing(
        &self,
        client: (OAuthAppId, i64),
        (certificate, key): (&str, &str),
    ) -> Result<Egress> {
        if let Some(known) = self.showing.get(&client).await {
            return Ok(known);
        }
        let identity = Identity::read(certificate, key);
        let made = identity.and_then(|it| Egress::showing(&self.config, it));
        let made = made.map_err(|it| error::DECRYPT_FAILED.logging(it))?;
        let made = made.watched(self.egress.watch());
        self.showing.insert(client, made.clone()).await;
        Ok(made)
    }

    /// The last nonce that a server handed out for proofs.
    pub(crate) async fn dpop_nonce(&self, origin: &str) -> Option<String> {
        self.dpop_nonces.get(origin).await
    }

    pub(crate) async fn learn_dpop_nonce(&self, origin: String, nonce: String) {
        self.dpop_nonces.insert(origin, nonce).await;
    }

    /// A project's own apps; at most [`TRUST`] old.
    pub(crate) async fn remembered_own_apps(&self, project: &ProjectId) -> Option<Arc<Catalog>> {
        self.own_apps.get(project).await
    }

    pub(crate) async fn remember_own_apps(&self, project: &ProjectId, own: &Arc<Catalog>) {
        self.own_apps.insert(project.clone(), Arc::clone(own)).await;
    }

    pub(crate) async fn forget_own_apps(&self, project: &ProjectId) {
        self.own_apps.invalidate(project).await;
    }

    pub(crate) async fn remembered_caller(&self, hash: &[u8; 32]) -> Option<Arc<Caller>> {
        self.callers.get(hash).await
    }

    pub(crate) async fn remember_caller(&self, hash: [u8; 32], caller: &Arc<Caller>) {
        self.callers.insert(hash, Arc::clone(caller)).await;
    }

    /// A customer's limit; at most [`TRUST`] old.
    pub(crate) async fn own_limit(&self, named: &OwnLimit) -> Result<Option<Quota>> {
        if let Some(known) = self.own_limits.get(named).await {
            return Ok(known);
        }
        let found = projects::rate_limit(&self.db, named).await?;
        self.own_limits.insert(named.clone(), found).await;
        Ok(found)
    }

    /// After a limit was deleted.
    pub(crate) fn forget_own_limits(&self) {
        self.own_limits.invalidate_all();
    }

    /// After a revocation: this process honours nothing from memory; others follow within
    /// [`TRUST`].
    pub(crate) async fn forget_callers(&self) {
        self.callers.invalidate_all();
        self.callers.run_pending_tasks().await;
    }
}
