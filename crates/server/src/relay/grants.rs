//! What one run may use: accounts, hosts, and for how long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use grantkeep_vault::token;
use rustls::sign::CertifiedKey;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::scrub::Scrubber;
use crate::accounts::{self, Usable};
use crate::app::App;
use crate::apps;
use crate::callers::{Actor, Origin};
use crate::egress::{Egress, Ports};
use crate::error::{self, Result};
use crate::ids::AccountId;
use crate::projects::{CodeHosts, Settings};
use crate::proxy::echo::Needles;
use crate::proxy::inject::Injection;
use crate::proxy::sign::Signer;
use crate::tenant::Tenant;

/// What every placeholder begins with.
pub(super) const PLACEHOLDER_PREFIX: &str = "gkblind_";
/// Random bytes of a placeholder.
const PLACEHOLDER_BYTES: usize = 16;
/// Calls of a run that are kept for its view.
const CALLS_KEPT_MAX: usize = 1_000;

/// Whose run it is.
pub struct RunBy {
    pub tenant: Tenant,
    /// Who is told to the audit log.
    pub actor: Actor,
    pub origin: Origin,
}

/// What one run may use, from its begin to its end. Not printable: it holds credentials.
pub struct RunGrants {
    pub(super) by: RunBy,
    hosts: Option<CodeHosts>,
    accounts: Vec<Granted>,
    calls: Mutex<Vec<UpstreamCall>>,
    /// Those made for this run, by host.
    pub(super) certificates: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    over: CancellationToken,
}

/// One request of the run, for people to look at. Holds no secret and no query.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamCall {
    pub at_ms: i64,
    pub method: String,
    /// With the port where the scheme does not say it.
    pub host: String,
    pub path: String,
    /// The app's answer. Absent: there was none, and `error` says why.
    pub status: Option<u16>,
    pub error: Option<&'static str>,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Until the answer's end.
    pub ms: u64,
    /// Whose credential went with it.
    pub account: Option<AccountId>,
}

/// An account that the run may use.
pub(super) struct Granted {
    pub blinds: Vec<Blind>,
    pub signer: Signer,
    pub egress: Egress,
    pub ports: Ports,
    /// How it is now, and how it was earlier in the run.
    current: RwLock<(Arc<Injection>, Vec<Arc<Injection>>)>,
}

/// A text that stands for a credential, and is worthless elsewhere.
pub(super) struct Blind {
    pub placeholder: String,
    /// The credential's name in `$auth`.
    pub name: String,
}

impl RunGrants {
    pub fn new(by: RunBy, settings: &Settings) -> Self {
        Self {
            by,
            hosts: settings.code_hosts.clone(),
            accounts: Vec::new(),
            calls: Mutex::default(),
            certificates: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    /// Lets the run use an account, and gives its `$auth` with a placeholder in the place of each
    /// secret.
    ///
    /// # Errors
    /// [`error::PROXY_UNAVAILABLE`] when the app's file names no host to which its credential may
    /// go; such an app can only be used with the raw token.
    pub async fn blind(&mut self, app: &App, usable: Usable) -> Result<Map<String, Value>> {
        let mut auth = accounts::auth_values(app, &usable).await?;
        let mut granted = Granted::of(app, usable).await?;
        let injection = granted.current();
        if injection.found.proxy.is_none() {
            return Err(error::PROXY_UNAVAILABLE.saying(
                "The app's file names no host to which its credential may go. Code can use it \
                 only with the permission `raw-tokens`.",
            ));
        }
        for (name, value) in &mut auth {
            if injection.is_secret(name) {
                let placeholder = token::hex(PLACEHOLDER_PREFIX, PLACEHOLDER_BYTES);
                *value = Value::from(placeholder.expose());
                let placeholder = placeholder.expose().to_owned();
                granted.blinds.push(Blind { placeholder, name: name.clone() });
            }
        }
        self.accounts.push(granted);
        Ok(auth)
    }

    /// Lets the run use an account, and gives its `$auth` as it is: for code with the permission
    /// `raw-tokens`. The caller has it audited, as a credential that is handed out.
    pub async fn raw(&mut self, app: &App, usable: Usable) -> Result<Map<String, Value>> {
        let auth = accounts::auth_values(app, &usable).await?;
        self.accounts.push(Granted::of(app, usable).await?);
        Ok(auth)
    }

    /// Ends everything that is under way, and lets nothing more begin.
    pub fn end(&self) {
        self.over.cancel();
    }

    /// What was called so far, the first [`CALLS_KEPT_MAX`]; also what is still under way, as when
    /// code leaves an answer's body unread.
    pub fn take_calls(&self) -> Vec<UpstreamCall> {
        std::mem::take(&mut lock(&self.calls))
    }

    /// Takes the run's secrets, and its placeholders, out of what it leaves behind. To be made
    /// anew at the run's end: a token may have been refreshed meanwhile.
    pub fn scrubber(&self) -> Scrubber {
        let mut scrubber = Scrubber::default();
        for granted in &self.accounts {
            for injection in granted.all() {
                injection.each_secret(&mut |it| scrubber.add(it));
            }
            for blind in &granted.blinds {
                scrubber.add(&blind.placeholder);
            }
        }
        scrubber
    }

    pub(super) fn accounts(&self) -> &[Granted] {
        &self.accounts
    }

    pub(super) fn account(&self, id: &AccountId) -> Option<&Granted> {
        self.accounts.iter().find(|it| it.current().usable.account.id == *id)
    }

    pub(super) fn may_call(&self, host: &str) -> bool {
        self.hosts.as_ref().is_none_or(|it| it.hold(host))
    }

    pub(super) fn not_over(&self) -> Result<()> {
        if self.over.is_cancelled() { Err(error::RUN_OVER.into()) } else { Ok(()) }
    }

    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Puts a call down, and says where; or what has become of the one there. `None`: no more are
    /// kept.
    pub(super) fn note(&self, nth: Option<usize>, call: UpstreamCall) -> Option<usize> {
        let mut calls = lock(&self.calls);
        match nth {
            Some(nth) => {
                let known = calls.get_mut(nth)?;
                *known = call;
                Some(nth)
            }
            None if calls.len() < CALLS_KEPT_MAX => {
                calls.push(call);
                Some(calls.len() - 1)
            }
            None => None,
        }
    }

    /// What must not come back to the code, whichever host repeats it. `whole`: with the
    /// placeholder in its place; without, as many stars, so that lengths stay as they are.
    pub(super) fn needles(&self, whole: bool) -> Needles {
        let mut needles = Needles::default();
        for granted in &self.accounts {
            for injection in granted.all() {
                for Blind { placeholder, name } in &granted.blinds {
                    match injection.secret(name) {
                        Some(secret) if whole => needles.add_instead(secret, placeholder),
                        Some(secret) => needles.add(secret),
                        None => {}
                    }
                }
            }
        }
        needles
    }

    /// Whether code sees placeholders in the place of some credential.
    pub(super) fn has_blinds(&self) -> bool {
        self.accounts.iter().any(|it| !it.blinds.is_empty())
    }
}

impl Granted {
    async fn of(app: &App, usable: Usable) -> Result<Self> {
        let project = usable.account.tenant.project.clone();
        let found = apps::find(app, &project, &usable.account.app_slug).await?;
        // What the operator's catalogue says is trusted with its port, what a project says is not.
        let ours = app.catalog.find(&found.slug).is_some();
        let client = usable.account.oauth_app.as_ref();
        let egress = apps::protocol::api_egress(app, (&found, &project), client).await?;
        let injection = Injection::prepare(app, found, usable).await?;
        let signer = Signer::of(app, &injection).await?;
        Ok(Self {
            blinds: Vec::new(),
            signer,
            egress,
            ports: if ours { Ports::Any } else { Ports::WebOrHttp },
            current: RwLock::new((Arc::new(injection), Vec::new())),
        })
    }

    /// The account as it is now and as it was: a token that was replaced may still be repeated.
    fn all(&self) -> Vec<Arc<Injection>> {
        let held = self.current.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&held.0).chain(&held.1).map(Arc::clone).collect()
    }

    /// The account as it is now.
    pub fn current(&self) -> Arc<Injection> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// As [`Injection::owns`].
    pub fn owns(&self, app: &App, url: &Url) -> bool {
        self.current().owns(app, url)
    }

    /// Gets another token after the app refused the one of `seen`. `false`: there is none.
    pub async fn renew(&self, app: &Arc<App>, seen: &Injection) -> Result<bool> {
        let current = self.current();
        if current.usable.account.version != seen.usable.account.version {
            // Another request of the run was quicker.
            return Ok(true);
        }
        let newer = accounts::usable_after_refusal(app, &current.usable).await?;
        let Some(usable) = newer else { return Ok(false) };
        let renewed =
            Injection { found: Arc::clone(&current.found), usable, client: current.client.clone() };
        let mut held = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let older = std::mem::replace(&mut held.0, Arc::new(renewed));
        held.1.push(older);
        Ok(true)
    }
}

pub(super) fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock.
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
