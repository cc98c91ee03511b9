//! What one run may use, and what must not come out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_runtime::{Authority, CallError, Target, accept, refuse};
use serde_json::{Map, Value, json};
use tokio::net::UnixStream;

use super::host::told;
use crate::accounts::Usable;
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::ids::AccountId;
use crate::relay::{self, RunBy, RunGrants, Scrubber};

/// The accounts of a run, on their way to be known.
pub(super) struct Guarding {
    grants: RunGrants,
    accounts: BTreeMap<String, AccountId>,
    /// Whether code sees credentials as they are.
    raw: bool,
}

impl Guarding {
    pub fn new(by: RunBy, settings: &crate::projects::Settings, raw: bool) -> Self {
        Self { grants: RunGrants::new(by, settings), accounts: BTreeMap::new(), raw }
    }

    /// The value of an app's field, as code gets it: placeholders, unless it may see more.
    pub async fn take(
        &mut self,
        app: &App,
        (name, slug): (&str, &str),
        usable: Usable,
    ) -> Result<Value> {
        self.accounts.insert(name.to_owned(), usable.account.id.clone());
        let auth: Map<String, Value> = if self.raw {
            self.grants.raw(app, usable).await?
        } else {
            self.grants.blind(app, usable).await?
        };
        Ok(json!({ "$auth": auth, "app": slug }))
    }

    pub fn done(self) -> Guard {
        let Self { grants, accounts, raw } = self;
        Guard { grants: Arc::new(grants), accounts, raw }
    }
}

/// The accounts of a run.
pub(super) struct Guard {
    grants: Arc<RunGrants>,
    /// By the name of the field that holds it.
    accounts: BTreeMap<String, AccountId>,
    raw: bool,
}

impl Guard {
    /// The accounts, each with the name of its field.
    pub fn accounts(&self) -> &BTreeMap<String, AccountId> {
        &self.accounts
    }

    /// Whether code sees credentials as they are: they count as handed out.
    pub fn hands_out(&self) -> bool {
        self.raw && !self.accounts.is_empty()
    }

    /// Takes the run's secrets out of what it leaves behind, as they are by now.
    pub fn scrubber(&self) -> Scrubber {
        self.grants.scrubber()
    }

    /// Calls to apps that were made.
    pub fn calls(&self) -> Vec<Value> {
        let calls = self.grants.take_calls();
        calls.into_iter().filter_map(|it| serde_json::to_value(it).ok()).collect()
    }

    /// Lets nothing more of the run out.
    pub fn end(&self) {
        self.grants.end();
    }

    /// Serves a connection that code wants, if it may have it.
    pub async fn connect(
        &self,
        app: &Arc<App>,
        target: Target,
        authority: Arc<Authority>,
        mut stream: UnixStream,
    ) {
        let way = match relay::admit(app, &self.grants, (&target.host, target.port)) {
            Ok(way) => way,
            Err(error) => {
                let refused = CallError::new("EgressRefused", error.text());
                let _ = refuse(&mut stream, &refused.with_code("EGRESS_REFUSED")).await;
                return;
            }
        };
        if accept(&mut stream).await.is_ok() {
            relay::serve(app, &self.grants, way, &authority, stream).await;
        }
    }

    /// The `Authorization` of one request to an app that wants it signed.
    pub async fn sign(&self, app: &Arc<App>, params: &Value) -> Result<Value, CallError> {
        let signed = self.signed(app, params).await.map_err(|error| told(&error))?;
        Ok(json!({ "authorization": signed }))
    }

    async fn signed(&self, app: &Arc<App>, params: &Value) -> Result<String> {
        let text = |name: &str| params[name].as_str().unwrap_or_default();
        let account = self.accounts.get(text("prop")).ok_or_else(|| {
            Error::from(error::NOT_FOUND).saying("This run has no account in such a field.")
        })?;
        let form = form(&params["data"]);
        let request = (text("method"), text("url"));
        relay::oauth1_authorization(app, &self.grants, account, request, &form).await
    }
}

/// The parameters of a form's body, which are signed with the rest.
fn form(data: &Value) -> Vec<(String, String)> {
    match data {
        Value::String(text) => url::form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
        Value::Object(fields) => {
            let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
            fields.iter().map(|(name, it)| (name.clone(), text(it))).collect()
        }
        _ => Vec::new(),
    }
}
