//! Taking accounts into this installation: those that [`super::export`] gave, or others in the same
//! form.
//!
//! What was taken in before is found again: by its id, or by an id that follows from what is in the
//! line. So a file may be given again after a crash, or out of caution, and changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use grantkeep_catalog::App as CatalogApp;
use grantkeep_vault::{Secret, token};
use serde_json::json;
use zeroize::Zeroizing;

use super::carried::{ClientName, Line};
use super::seal::{self, Contents};
use super::store::{self, moving};
use super::{Account, Binding, Credentials, Health, Refreshing, forecast, schedule};
use crate::app::App;
use crate::apps::{self, OAuthApp, asking};
use crate::audit::Event;
use crate::callers::{Actor, Origin};
use crate::db::Tx;
use crate::error::{self, Error, Result};
use crate::ids::{AccountId, OAuthAppId, ProjectId, UserId};
use crate::keys::derived;
use crate::tenant::{Environment, Tenant};
use crate::users;

/// The last moment that can be said: the end of the year 9999.
const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// How a file is taken in.
pub struct Importer<'a> {
    app: &'a Arc<App>,
    project: &'a ProjectId,
    /// Of lines that name none.
    environment: Option<Environment>,
    /// Refuse an account whose id is taken, in the place of giving it another.
    keep_ids: bool,
    clients: Vec<OAuthApp>,
    /// Makes ids of what is in a line, so that nobody else can tell the one from the other.
    key: Vec<u8>,
}

/// Why a line, or all of it, ends here.
pub enum Stop {
    Line(String),
    All(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error.kind().status {
            400..500 => Self::Line(error.text().to_owned()),
            _ => Self::All(error),
        }
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Line(why)
    }
}

/// A line that can be taken in.
pub struct Arrival {
    account: Account,
    contents: Contents,
    named: Option<AccountId>,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// Its id was taken, or it had none: it has this one here.
    Given {
        former: Option<AccountId>,
        id: AccountId,
    },
    /// It was there already, and was left alone.
    Present,
    Refused(String),
}

impl<'a> Importer<'a> {
    pub async fn new(
        app: &'a Arc<App>,
        project: &'a ProjectId,
        (environment, keep_ids): (Option<Environment>, bool),
    ) -> Result<Self> {
        let root = app.config.required_root_key().map_err(|it| error::INTERNAL.logging(it))?;
        let key = derived(root.expose(), "imported accounts");
        let clients = apps::all_oauth_apps(app, project).await?;
        Ok(Self { app, project, environment, keep_ids, clients, key })
    }

    /// Looks again which OAuth clients there are.
    pub async fn look_again(&mut self) -> Result<()> {
        self.clients = apps::all_oauth_apps(self.app, self.project).await?;
        Ok(())
    }

    /// Reads a line, and judges all of it before anything is stored.
    ///
    /// # Errors
    /// Why it cannot be taken in; nothing that may be secret is repeated.
    pub async fn judge(&self, line: &[u8]) -> Result<Arrival, Stop> {
        let mut line = Line::read(line)?;
        let contents = line.contents();
        plain(&line)?;
        let named = line.id.take().map(|id| account_id(&id)).transpose()?;
        let environment = self.environment_of(line.environment.as_deref())?;
        let tenant = Tenant { project: self.project.clone(), environment };
        let external_id =
            line.external_user_id.take().ok_or("has no `external_user_id`".to_owned())?;
        users::check_external_id(&external_id)?;
        let name = line.app.take().ok_or("has no `app`".to_owned())?;
        let found = apps::find(self.app, self.project, &name).await?;
        let contents = credentials(&found, contents)?;
        let oauth_app = self.client(&found, line.oauth_client.as_ref())?;
        let now_ms = self.app.clock.now_ms();
        let (mut account, granted_at_ms) = filled(line, (tenant, external_id), now_ms)?;
        account.app_slug.clone_from(&found.slug);
        account.oauth_app = oauth_app;
        self.plan(&mut account, &found, &contents.credentials, granted_at_ms);
        Ok(Arrival { account, contents, named })
    }

    fn environment_of(&self, named: Option<&str>) -> Result<Environment, String> {
        match named {
            Some(name) => Environment::parse(name)
                .ok_or_else(|| "has another `environment` than development, production".to_owned()),
            None => self
                .environment
                .ok_or_else(|| "has no `environment`; --environment sets it for all".to_owned()),
        }
    }

    /// The client that the grant belongs to: with another one it could not be refreshed, and might
    /// be lost.
    fn client(
        &self,
        found: &CatalogApp,
        named: Option<&ClientName>,
    ) -> Result<Option<OAuthAppId>, String> {
        if !found.needs_client() {
            return Ok(None);
        }
        let usable = |it: &&OAuthApp| it.app_slug == found.slug && !it.client_id.is_empty();
        let mut ours = self.clients.iter().filter(usable);
        let Some(named) = named else {
            return match (ours.next(), ours.next()) {
                (Some(only), None) => Ok(Some(only.id.clone())),
                (None, _) => Err(format!("needs an OAuth client of {}: {ENTER_IT}", found.slug)),
                _ => Err(format!(
                    "must name its `oauth_client`: the project has several of {}",
                    found.slug
                )),
            };
        };
        let ours: Vec<_> = ours.collect();
        let same_client =
            |it: &OAuthApp| named.client_id.as_ref().is_none_or(|id| *id == it.client_id);
        let same_id = |it: &OAuthApp| named.id.as_deref() == Some(it.id.as_str());
        let by_id = ours.iter().find(|it| same_id(it) && same_client(it));
        let by_client = || ours.iter().find(|it| named.client_id.is_some() && same_client(it));
        let missing =
            || format!("belongs to an OAuth client of {} that is not here: {ENTER_IT}", found.slug);
        by_id.or_else(by_client).map(|it| Some(it.id.clone())).ok_or_else(missing)
    }

    /// Sets when it is refreshed, and when it ends, as connecting would.
    fn plan(
        &self,
        account: &mut Account,
        found: &CatalogApp,
        credentials: &Credentials,
        granted_at_ms: i64,
    ) {
        let now_ms = account.updated_at_ms;
        let renewable = asking::renewable(found, credentials.refresh_token.is_some());
        if credentials.access_token.is_none() && renewable {
            // To be fetched at the first use.
            account.expires_at_ms = Some(now_ms);
        }
        account.refreshing =
            Refreshing { granted_version: account.version, granted_at_ms, ..Refreshing::default() };
        if !matches!(account.health, Health::Dead { .. }) {
            account.next_refresh_at_ms =
                schedule::next_refresh(&self.app.config, found, account, (renewable, now_ms));
            account.refreshing.ends_at_ms =
                forecast::ending(found, account, renewable).map(|it| it.at_ms);
        }
    }

    /// Stores what was judged, in one transaction, and gives what became of each. Audit events tell
    /// of those that are new.
    ///
    /// # Errors
    /// Of the store; then nothing is stored of any of them.
    pub async fn store(
        &self,
        mut arrivals: Vec<Arrival>,
        (actor, origin): (&Actor, &Origin),
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(arrivals.len());
        let mut tx = self.app.db.begin().await?;
        for arrival in &mut arrivals {
            outcomes.push(self.one(&mut tx, arrival).await?);
        }
        tx.commit().await?;
        let stored = |it: &Outcome| matches!(it, Outcome::Stored | Outcome::Given { .. });
        let stored = arrivals.iter().zip(&outcomes).filter(|(_, it)| stored(it));
        let events = stored.map(|(Arrival { account, .. }, _)| {
            let event = Event::new("account.import", actor, origin)
                .tenant(&account.tenant)
                .target("account", account.id.as_str())
                .user(&account.external_id)
                .detail(json!({ "app": account.app_slug }));
            self.app.audit.record(event)
        });
        join_all(events).await.into_iter().collect::<Result<()>>()?;
        Ok(outcomes)
    }

    async fn one(&self, tx: &mut Tx, arrival: &mut Arrival) -> Result<Outcome> {
        let mut outcome = Outcome::Stored;
        let first = match &arrival.named {
            Some(id) => id.clone(),
            None => self.id_of(arrival)?,
        };
        let account = &mut arrival.account;
        account.id = first;
        let mut at = place(tx, account).await?;
        if let (Spot::Taken, Some(former)) = (at, arrival.named.clone()) {
            if self.keep_ids {
                let text = format!("has the id {former}, which another account has here");
                return Ok(Outcome::Refused(text));
            }
            account.id = self.derived(account, "id", former.as_str().as_bytes());
            at = place(tx, account).await?;
            outcome = Outcome::Given { former: Some(former), id: account.id.clone() };
        } else if arrival.named.is_none() {
            outcome = Outcome::Given { former: None, id: account.id.clone() };
        }
        match at {
            Spot::Present => return Ok(Outcome::Present),
            Spot::Taken => {
                return Ok(Outcome::Refused("gets an id that another account has here".into()));
            }
            Spot::Free => {}
        }
        let now_ms = account.updated_at_ms;
        let user = users::ensure(tx, &account.tenant, &account.external_id, now_ms).await?;
        account.user = user.id;
        let keys = &self.app.keys;
        let key = keys.user_for_sealing(tx, &account.tenant, &account.user, now_ms).await?;
        account.sealed = seal::seal(&key, account, &arrival.contents)?;
        store::insert(tx, account).await?;
        Ok(outcome)
    }

    /// An id for a line without one, which follows from whose it is and what it grants.
    fn id_of(&self, arrival: &Arrival) -> Result<AccountId> {
        let Account { external_id, app_slug, .. } = &arrival.account;
        let mut text = Zeroizing::new(format!("{external_id}\0{app_slug}\0").into_bytes());
        text.extend_from_slice(&seal::pack(&arrival.contents)?);
        Ok(self.derived(&arrival.account, "grant", &text))
    }

    fn derived(&self, account: &Account, of: &str, what: &[u8]) -> AccountId {
        let Tenant { project, environment } = &account.tenant;
        let mut text = Zeroizing::new(format!("{of}\0{project}\0{environment}\0").into_bytes());
        text.extend_from_slice(what);
        AccountId::derived(&token::hmac_sha256(&self.key, &text))
    }
}

/// What to do where the client is missing.
const ENTER_IT: &str = "export with --with-clients, or enter it with `grantkeep oauth-app create`";

/// Who has an id.
#[derive(Clone, Copy)]
enum Spot {
    Free,
    /// This very account.
    Present,
    Taken,
}

async fn place(tx: &mut Tx, account: &Account) -> Result<Spot> {
    Ok(match moving::whose(tx, &account.tenant, &account.id).await? {
        Some((user, app)) if user == account.external_id && app == account.app_slug => {
            Spot::Present
        }
        Some(_) => Spot::Taken,
        None if moving::is_taken(tx, &account.id).await? => Spot::Taken,
        None => Spot::Free,
    })
}

fn account_id(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).ok_or_else(|| {
        "has an `id` that is none of an account (apn_...); without one, it gets one".to_owned()
    })
}

/// One of the engines takes no NUL in a text.
fn plain(line: &Line) -> Result<(), String> {
    let texts =
        [("name", &line.name), ("status_reason", &line.status_reason), ("error", &line.error)];
    for (name, text) in texts {
        if text.as_ref().is_some_and(|it| it.contains('\0')) {
            return Err(format!("has a NUL in its `{name}`"));
        }
    }
    let times = [
        ("expires_at_ms", line.expires_at_ms),
        ("created_at_ms", line.created_at_ms),
        ("granted_at_ms", line.granted_at_ms),
        ("last_refreshed_at_ms", line.last_refreshed_at_ms),
    ];
    for (name, at_ms) in times {
        if at_ms.is_some_and(|it| !(0..=TIME_MS_MAX).contains(&it)) {
            return Err(format!("has a `{name}` that is no time in milliseconds since 1970"));
        }
    }
    Ok(())
}

/// Holds what is granted against the app: its fields, and that there is something at all.
fn credentials(found: &CatalogApp, mut contents: Contents) -> Result<Contents, String> {
    let it = &mut contents.credentials;
    it.fields = fields(found, std::mem::take(&mut it.fields))?;
    if found.wire_auth_type() != "oauth" || asking::asks_again(found) {
        return Ok(contents);
    }
    if it.access_token.is_none() && it.refresh_token.is_none() {
        return Err("grants nothing: it has neither an `access_token` nor a `refresh_token`".into());
    }
    if found.oauth1().is_some() && it.token_secret.is_none() {
        return Err(format!("has no `token_secret`, and {} is of OAuth 1.0a", found.slug));
    }
    Ok(contents)
}

/// The app's own fields are judged as if they were typed. What was learnt beside them stays.
fn fields(
    found: &CatalogApp,
    mut given: BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, Secret>, String> {
    for field in &found.fields {
        let value = given.remove(&field.name).filter(|it| !it.expose().trim().is_empty());
        let value = value.or_else(|| field.default.as_ref().map(|it| Secret::new(it.as_str())));
        let value = value.unwrap_or_else(|| Secret::new(""));
        let taken = found.take(field, value.expose());
        let taken = taken.map_err(|why| format!("has a wrong field `{}`: {why}", field.name))?;
        if !taken.trim().is_empty() {
            given.insert(field.name.clone(), Secret::new(taken));
        }
    }
    Ok(given)
}

fn health(line: &mut Line) -> Result<Health, String> {
    let reason = line.status_reason.take().unwrap_or_else(|| "imported".to_owned());
    let text = line.error.take().unwrap_or_default();
    match line.status.as_deref() {
        None | Some("healthy") => Ok(Health::Healthy),
        Some("error") => Ok(Health::Error { reason, text }),
        Some("dead") => Ok(Health::Dead { reason, text }),
        Some(_) => Err("has another `status` than healthy, error, dead".to_owned()),
    }
}

/// The account as far as the line alone tells, and when it was granted.
fn filled(
    mut line: Line,
    (tenant, external_id): (Tenant, String),
    now_ms: i64,
) -> Result<(Account, i64), String> {
    let binding = match line.binding.as_deref() {
        None => Binding::None,
        Some(text) => Binding::parse(text)
            .ok_or("has another `binding` than verified, embedded, none".to_owned())?,
    };
    let created_at_ms = line.created_at_ms.unwrap_or(now_ms);
    let granted_at_ms = line.granted_at_ms.unwrap_or(created_at_ms);
    let account = Account {
        health: health(&mut line)?,
        // These three are settled where it is stored.
        id: AccountId::mint(),
        user: UserId::mint(),
        sealed: Vec::new(),
        tenant,
        external_id,
        app_slug: String::new(),
        oauth_app: None,
        name: line.name.filter(|it| !it.trim().is_empty()),
        scopes: line.scopes,
        missing_scopes: line.missing_scopes,
        binding,
        expires_at_ms: line.expires_at_ms,
        last_refreshed_at_ms: line.last_refreshed_at_ms,
        next_refresh_at_ms: None,
        created_at_ms,
        updated_at_ms: now_ms,
        version: 1,
        keep_alive: line.keep_alive.unwrap_or(true),
        refreshing: Refreshing::default(),
        attempts: 0,
        wrapped_key: None,
        client_id: None,
    };
    Ok((account, granted_at_ms))
}
