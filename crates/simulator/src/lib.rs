//! Pretend providers on a real HTTP server: several kinds of OAuth 2, OAuth 1.0a, keys, passwords.
//!
//! Each lives under its own path, has its own rules, counts every call, and can be made to fail.
//! The demo shows them to people; the tests hold the product against them.

mod api;
mod apps;
mod authorize;
mod brands;
mod catalog_files;
mod clock;
mod control;
mod discovery;
mod exchange;
mod faults;
mod grants;
mod oauth1;
mod pages;
mod provider;
mod refreshes;
mod secrets;
mod server;
mod token;
mod twins;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use api::{KEY_HEADER, KEY_PARAMETER, KEYS};
pub use apps::{AppCall, AppFault, app_routes};
pub use brands::Rotation;
pub use faults::{Endpoint, Fault, FaultRule, Times};
pub use grants::{Counters, GrantView};
pub use pages::PASSWORD;
pub use provider::{client_id, client_secret};
pub use refreshes::{RefreshView, Verdict};
pub use twins::{Twin, TwinCalls, TwinClient};

use brands::{BRANDS, Brand, CLASSES};
use exchange::Call;
use grants::Visit;
use provider::{Provider, World};

/// A grant that was given without the pages.
pub struct NewGrant {
    pub id: String,
    pub access_token: String,
    pub refresh_token: String,
}

/// A running simulator. It stops when dropped.
///
/// Methods that name a provider take its slug (`"rotating"`, `"grace"`, `"static"`, `"short"`,
/// `"quirky"`, `"encoded"`, `"tenant"`, `"keys"`, `"basic"`, `"oauth1"`) and panic on another.
pub struct Simulator {
    world: Arc<World>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Simulator {
    /// Binds (port 0 picks one) and serves on its own task.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(bind: SocketAddr) -> std::io::Result<Self> {
        Self::start_with(bind, &BRANDS).await
    }

    /// As [`Self::start`], but with the providers `"p0"` to `"p7"`, one for each class of rotation
    /// and alike in everything else.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_classes(bind: SocketAddr) -> std::io::Result<Self> {
        Self::start_with(bind, &CLASSES).await
    }

    async fn start_with(bind: SocketAddr, brands: &'static [Brand]) -> std::io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(&format!("http://{address}"), brands));
        let task = tokio::spawn(server::run(listener, Arc::clone(&world)));
        Ok(Self { world, address, task })
    }

    /// Closes the port and every open connection.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.world.base_url
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The slugs of all providers, in alphabetical order.
    pub fn providers(&self) -> Vec<&'static str> {
        self.world.providers.keys().copied().collect()
    }

    /// The name people see, such as "Lumen Chat".
    pub fn brand_name(&self, provider: &str) -> &'static str {
        self.provider(provider).brand.name
    }

    pub fn counters(&self, provider: &str) -> Counters {
        self.provider(provider).books().counters.clone()
    }

    /// Every grant so far, the oldest first.
    pub fn ledger(&self, provider: &str) -> Vec<GrantView> {
        let provider = self.provider(provider);
        let now_ms = provider.clock.now_ms();
        provider.books().ledger(now_ms)
    }

    /// A grant of all scopes to the client known from the start (see [`client_id`]), as if the
    /// person had just been through the pages.
    pub fn grant(&self, provider: &str, user: &str) -> NewGrant {
        let provider = self.provider(provider);
        let now = provider.now();
        let visit = Visit {
            client_id: client_id(provider.brand.slug),
            user: Some(user.to_owned()),
            scopes: provider.brand.scopes.iter().map(|it| it.name.to_owned()).collect(),
            ..Visit::default()
        };
        let mut books = provider.books();
        let id = books.open_grant(&visit, now.ms);
        let issued = books.issue(&id, None, now);
        let refresh_token = issued.refresh_token.unwrap_or_default();
        NewGrant { id, access_token: issued.access_token, refresh_token }
    }

    /// The grant that an access token was issued for, dead or alive.
    pub fn grant_of(&self, provider: &str, access_token: &str) -> Option<String> {
        self.provider(provider).books().grant_of_access(access_token).map(str::to_owned)
    }

    /// What became of each refresh of a grant, in order of arrival, from the `first` on (counted
    /// from 0).
    pub fn refreshes(&self, provider: &str, grant: &str, first: usize) -> Vec<RefreshView> {
        self.provider(provider).books().refreshes.of(grant, first)
    }

    /// Calls the provider's API with the token, without the way over HTTP. `false`: 401.
    pub fn call_api(&self, provider: &str, access_token: &str) -> bool {
        let provider = self.provider(provider);
        let now_ms = provider.clock.now_ms();
        provider.books().use_access(access_token, now_ms).is_some()
    }

    /// What the token endpoint says of an access token's life from now on, in seconds, whatever the
    /// truth is. `None`: the truth.
    pub fn announce_life(&self, provider: &str, seconds: Option<u64>) {
        self.provider(provider).books().announced_life_s = seconds;
    }

    /// Sets a fault. Several may be set; a call meets all that apply.
    pub fn fault(&self, provider: &str, endpoint: Endpoint, fault: Fault, times: Times) {
        self.provider(provider).books().faults.push(FaultRule { endpoint, fault, times });
    }

    pub fn clear_faults(&self, provider: &str) {
        self.provider(provider).books().faults.clear();
    }

    /// Switches the class; tokens already issued follow the new one.
    pub fn set_rotation(&self, provider: &str, class: Rotation) {
        self.provider(provider).books().rules = Some((class, class.grace_ms()));
    }

    /// Ends every grant of this person, and his key or password. The number of grants ended.
    pub fn revoke_user_grants(&self, provider: &str, user: &str) -> usize {
        self.provider(provider).books().revoke_user(user)
    }

    /// Ends every living access token; refresh tokens stay. The number of tokens ended.
    pub fn expire_access_tokens(&self, provider: &str) -> usize {
        let provider = self.provider(provider);
        let now_ms = provider.clock.now_ms();
        provider.books().expire_access(now_ms)
    }

    /// Adds a client, or one more redirect URI to it. With an empty secret it is a public client.
    pub fn register_client(&self, provider: &str, id: &str, secret: &str, redirect_uri: &str) {
        control::register_client(self.provider(provider), id, secret, redirect_uri);
    }

    /// Adds a redirect URI to the client that is known from the start (see [`client_id`]).
    pub fn add_redirect_uri(&self, provider: &str, redirect_uri: &str) {
        self.register_client(provider, &client_id(provider), "", redirect_uri);
    }

    /// Has the documents about a provider's server (RFC 8414) and MCP server (RFC 9728) say
    /// otherwise: members in the place of theirs, `null` to take one away.
    pub fn describe(&self, provider: &str, server: Value, resource: Value) {
        self.provider(provider).books().described = (server, resource);
    }

    /// Puts a provider back to how it started, its registered clients included.
    pub fn reset(&self, provider: &str) {
        self.provider(provider).reset();
    }

    /// The providers' time, in which the lists of refreshes are written.
    pub fn now_ms(&self) -> u64 {
        self.world.clock.now_ms()
    }

    /// Moves the time of all providers forward.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Does what a person does at this authorization address: signs in and allows.
    ///
    /// Gives the address the browser is sent back to. OAuth 1.0a addresses work too.
    ///
    /// # Errors
    /// The text of the page that the person would have been left with.
    pub fn approve(&self, authorize_url: &str, user: &str) -> Result<String, String> {
        self.walk_through(authorize_url, user, true)
    }

    /// As [`Self::approve`], but the person says no.
    ///
    /// # Errors
    /// The text of the page that the person would have been left with.
    pub fn deny(&self, authorize_url: &str, user: &str) -> Result<String, String> {
        self.walk_through(authorize_url, user, false)
    }

    /// The app files of these providers for the catalogue: slug (`sim_rotating` ...) and TOML.
    pub fn catalog_files(&self) -> Vec<(String, String)> {
        catalog_files::all(&self.world)
    }

    /// Adds the twin of an app, made from the app's file.
    ///
    /// # Errors
    /// The file is no TOML.
    pub fn add_twin(&self, file: &str) -> Result<Arc<Twin>, String> {
        self.world.add_twin(file)
    }

    /// Where `api.github.com` and the other hosts of real apps are led to: host and address.
    pub fn app_routes(&self) -> Vec<(&'static str, String)> {
        let led =
            |(host, path): &(&'static str, &str)| (*host, format!("{}{path}", self.base_url()));
        app_routes().iter().map(led).collect()
    }

    /// What an app's API was asked, the oldest first.
    pub fn app_calls(&self, slug: &str) -> Vec<AppCall> {
        self.app(slug).calls()
    }

    pub fn forget_app_calls(&self, slug: &str) {
        self.app(slug).forget_calls();
    }

    /// Ends one token or key of an app, or all when none is named; `false` makes them good again.
    pub fn revoke_app(&self, slug: &str, credential: Option<&str>, revoked: bool) {
        self.app(slug).revoke(credential, revoked);
    }

    pub fn fault_app(&self, slug: &str, fault: AppFault) {
        self.app(slug).fault(fault);
    }

    /// The most that a page of an app's lists holds, whatever the caller asks for.
    pub fn set_app_page_max(&self, slug: &str, items: usize) {
        self.app(slug).set_page_max(items);
    }

    /// Puts an app's content and switches back to how they were at the start.
    pub fn reset_app(&self, slug: &str) {
        self.app(slug).reset();
    }

    fn app(&self, slug: &str) -> &apps::PretendApp {
        let Some(app) = self.world.apps.get(slug) else {
            panic!("no app {slug:?} here; there are {:?}", self.world.apps.slugs());
        };
        app
    }

    fn walk_through(&self, address: &str, user: &str, allow: bool) -> Result<String, String> {
        let url = url::Url::parse(address).map_err(|error| error.to_string())?;
        let call = Call::made_here(Method::GET, url.path(), url.query().unwrap_or(""));
        let slug = url.path().split('/').nth(1).unwrap_or("");
        let provider = self.world.providers.get(slug).ok_or("no such provider")?;
        let faults = provider.arrive(Endpoint::Authorize);
        let answer = authorize::authorize(provider, &call, &faults);
        let visit = answer.location().split_once("?visit=").map(|(_, it)| it.to_owned());
        let Some(visit) = visit else { return end_of(&answer) };
        let root = call.root();
        let form = pages::sign_in_form(&visit, user);
        let sign_in = Call::made_here(Method::POST, &format!("{root}/login"), &form);
        let faults = provider.arrive(Endpoint::Login);
        let answer = pages::login(provider, &sign_in, &faults);
        if answer.location().is_empty() {
            return end_of(&answer);
        }
        let form = pages::decision_form(&visit, allow);
        let decision = Call::made_here(Method::POST, &format!("{root}/consent"), &form);
        let faults = provider.arrive(Endpoint::Consent);
        end_of(&pages::consent(provider, &decision, &faults))
    }

    fn provider(&self, slug: &str) -> &Provider {
        let Some(provider) = self.world.providers.get(slug) else {
            panic!("the simulator has no provider {slug:?}; it has {:?}", self.providers());
        };
        provider
    }
}

fn end_of(answer: &exchange::Answer) -> Result<String, String> {
    match answer.location() {
        "" => Err(String::from_utf8_lossy(&answer.body).into_owned()),
        location => Ok(location.to_owned()),
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
