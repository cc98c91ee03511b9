//! What Acme's server says to Grantkeep. Plain HTTP: five calls are all that a product needs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use grantkeep_vault::{Secret, token};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::world::Entered;
use super::{Result, Trouble};
use crate::egress::Egress;
use crate::embedded::{Ask, Reply, send};

/// An access token this close to its end is not used any more.
const MARGIN: Duration = Duration::from_mins(2);

/// A product's backend. Your own needs the same four things: an address, a project, an id, a
/// secret.
pub(super) struct Acme {
    egress: Egress,
    server: String,
    project: String,
    client_id: String,
    client_secret: Secret,
    /// The access token, fetched when first needed, and when it must be fetched anew.
    access: Mutex<Option<(Arc<Secret>, Instant)>>,
    journal: Mutex<Vec<Line>>,
}

/// A call that was made, as the page shows it. No token, no key.
#[derive(Clone, serde::Serialize)]
pub(super) struct Line {
    pub to: &'static str,
    pub call: String,
    pub status: u16,
    pub ms: f64,
}

/// A connected account, as far as Acme cares.
#[derive(Clone)]
pub(super) struct Connected {
    pub id: String,
    pub name: String,
    pub app: String,
    pub binding: String,
    pub healthy: bool,
}

/// What an account grants, for the one call that needs it.
pub(super) struct Grant {
    /// The access token, or the key of an app without OAuth.
    pub secret: Secret,
    pub is_key: bool,
    pub expires_at: Option<String>,
    pub last_refreshed_at: Option<String>,
}

impl Grant {
    /// Tells secrets apart without showing them: the first digits of the SHA-256.
    pub fn fingerprint(&self) -> String {
        let hash = token::digest(self.secret.expose());
        format!("{:08x}", u32::from_be_bytes(std::array::from_fn(|at| hash[at])))
    }
}

impl Acme {
    pub fn new(egress: Egress, server: String, entered: &Entered) -> Self {
        Self {
            egress,
            server,
            project: entered.project.id.as_str().to_owned(),
            client_id: entered.client_id.clone(),
            client_secret: entered.client_secret.duplicate(),
            access: Mutex::default(),
            journal: Mutex::default(),
        }
    }

    /// The token that all other calls carry: the client's id and secret for one hour of access.
    pub async fn access_token(&self) -> Result<Arc<Secret>> {
        if let Some((token, until)) = &*lock(&self.access)
            && Instant::now() < *until
        {
            return Ok(Arc::clone(token));
        }
        let url = format!("{}/v1/oauth/token", self.server);
        let wanted = json!({
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.expose(),
        });
        let answer = self.send("POST /v1/oauth/token", Ask::json(&url, &wanted)).await?.json()?;
        let token = Arc::new(Secret::new(text(&answer, "access_token")?));
        let life = Duration::from_secs(answer["expires_in"].as_u64().unwrap_or(0));
        let until = Instant::now() + life.saturating_sub(MARGIN);
        *lock(&self.access) = Some((Arc::clone(&token), until));
        Ok(token)
    }

    /// A connect token: one of Acme's users may connect one account, from Acme's own pages.
    pub async fn connect_token(&self, user: &str, app: &str, origin: &str) -> Result<Secret> {
        let url = self.url("/tokens");
        let wanted = json!({
            "external_user_id": user,
            "app_id": app,
            "allowed_origins": [origin],
        });
        let ask = self.signed(Ask::json(&url, &wanted)).await?;
        let answer = self.send("POST /v1/connect/{project}/tokens", ask).await?.json()?;
        Ok(Secret::new(text(&answer, "token")?))
    }

    /// The accounts that a user has connected, the newest first.
    pub async fn accounts(&self, user: &str) -> Result<Vec<Connected>> {
        let url = self.url(&format!("/accounts?external_user_id={}", escape(user)));
        let ask = self.signed(Ask::get(&url)).await?;
        let answer = self.send("GET /v1/connect/{project}/accounts", ask).await?.json()?;
        let accounts = answer["data"].as_array().cloned().unwrap_or_default();
        accounts.iter().map(connected).collect()
    }

    /// One account with what it grants. A token that would end too soon is refreshed on the way.
    pub async fn grant(&self, account: &str) -> Result<Grant> {
        let url = self.url(&format!("/accounts/{}?include_credentials=true", escape(account)));
        let ask = self.signed(Ask::get(&url)).await?;
        let call = "GET /v1/connect/{project}/accounts/{id}?include_credentials=true";
        let answer = self.send(call, ask).await?.json()?;
        let credentials = &answer["credentials"];
        let is_key = credentials["oauth_access_token"].is_null();
        let name = if is_key { "api_key" } else { "oauth_access_token" };
        let time = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Grant {
            secret: Secret::new(text(credentials, name)?),
            is_key,
            expires_at: time("expires_at"),
            last_refreshed_at: time("last_refreshed_at"),
        })
    }

    /// Deletes the account, and has the grant revoked at the provider: `revoked`, `unsupported`,
    /// `failed`, or `pending` while the provider does not answer.
    pub async fn disconnect(&self, account: &str) -> Result<String> {
        let url = self.url(&format!("/accounts/{}", escape(account)));
        let ask = self.signed(Ask::delete(&url)).await?;
        let reply = self.send("DELETE /v1/connect/{project}/accounts/{id}", ask).await?;
        let outcome = reply.headers.get(REVOCATION).and_then(|it| it.to_str().ok());
        outcome.map(str::to_owned).ok_or_else(|| Trouble::new("the answer names no outcome"))
    }

    /// Starts a run of a workflow for a user, and gives its id.
    pub async fn invoke(&self, workflow: &str, user: &str, event: &Value) -> Result<String> {
        let url = self.url(&format!("/workflows/{}/invoke", escape(workflow)));
        let wanted = json!({ "external_user_id": user, "event": event });
        let ask = self.signed(Ask::json(&url, &wanted)).await?;
        let call = "POST /v1/connect/{project}/workflows/{id}/invoke";
        let answer = self.send(call, ask).await?.json()?;
        text(&answer["data"], "id")
    }

    /// A run with each of its steps that has ended.
    pub async fn run(&self, id: &str) -> Result<Value> {
        let url = self.url(&format!("/workflow-runs/{}", escape(id)));
        let ask = self.signed(Ask::get(&url)).await?;
        let call = "GET /v1/connect/{project}/workflow-runs/{id}";
        Ok(self.send(call, ask).await?.json()?["data"].take())
    }

    /// Calls a provider's API with the account's own token or key.
    pub async fn call_provider(&self, url: &str, grant: &Grant) -> Result<Reply> {
        let (name, value) = if grant.is_key {
            ("x-api-key", grant.secret.expose().to_owned())
        } else {
            ("authorization", format!("Bearer {}", grant.secret.expose()))
        };
        let begun = send(&self.egress, Ask::get(url).with(name, value)).await?;
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        self.note("provider", &format!("GET /{path}"), &begun);
        Ok(begun)
    }

    /// The calls made since this was last asked.
    pub fn take_journal(&self) -> Vec<Line> {
        std::mem::take(&mut lock(&self.journal))
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v1/connect/{}{rest}", self.server, self.project)
    }

    async fn signed<'a>(&self, ask: Ask<'a>) -> Result<Ask<'a>> {
        let token = self.access_token().await?;
        let ask = ask.with("authorization", format!("Bearer {}", token.expose()));
        Ok(ask.with("x-pd-environment", "production"))
    }

    async fn send(&self, call: &str, ask: Ask<'_>) -> Result<Reply> {
        let reply = send(&self.egress, ask).await?;
        self.note("grantkeep", call, &reply);
        reply.success(call)
    }

    fn note(&self, to: &'static str, call: &str, reply: &Reply) {
        let ms = (reply.took.as_secs_f64() * 10_000.0).round() / 10.0;
        let (call, status) = (call.to_owned(), reply.status.as_u16());
        lock(&self.journal).push(Line { to, call, status, ms });
    }
}

/// Where the answer to a deletion says what became of the grant.
const REVOCATION: &str = "x-grantkeep-revocation";

fn connected(account: &Value) -> Result<Connected> {
    Ok(Connected {
        id: text(account, "id")?,
        name: account["name"].as_str().unwrap_or_default().to_owned(),
        app: text(&account["app"], "name_slug")?,
        binding: account["binding"].as_str().unwrap_or_default().to_owned(),
        healthy: account["healthy"].as_bool().unwrap_or_default(),
    })
}

fn text(value: &Value, name: &str) -> Result<String> {
    let found = value[name].as_str().map(str::to_owned);
    found.ok_or_else(|| Trouble::new(format!("the answer has no {name}")))
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The lock is never held across an await.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
