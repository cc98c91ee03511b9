//! One pretend provider: its brand, its books, and what it needs from the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::apps::Apps;
use crate::brands::{Brand, Kind, OAuth2, Rotation};
use crate::clock::Clock;
use crate::exchange::Call;
use crate::faults::{Active, Endpoint};
use crate::grants::{Books, Client, Now};
use crate::refreshes::{RefreshId, RefreshView, Verdict};
use crate::secrets;
use crate::twins::Twin;

/// How the consent pages call the client that every provider knows from the start.
const CLIENT_NAME: &str = "Acme";

pub(crate) struct Provider {
    pub brand: &'static Brand,
    pub base_url: Arc<str>,
    pub clock: Arc<Clock>,
    books: Mutex<Books>,
}

impl Provider {
    fn new(brand: &'static Brand, base_url: Arc<str>, clock: Arc<Clock>) -> Self {
        let provider = Self { brand, base_url, clock, books: Mutex::default() };
        provider.reset();
        provider
    }

    /// As at the start: nobody connected, default client, default class, no faults.
    pub(crate) fn reset(&self) {
        let mut books = Books::default();
        books.rules = self.default_rules();
        let client = Client {
            secret: client_secret(self.brand.slug),
            name: CLIENT_NAME.to_owned(),
            redirect_uris: Vec::new(),
        };
        books.clients.insert(client_id(self.brand.slug), client);
        *self.books() = books;
    }

    fn default_rules(&self) -> Option<(Rotation, u64)> {
        self.oauth2().map(|it| (it.rotation, it.grace_ms.unwrap_or(it.rotation.grace_ms())))
    }

    /// The lock is never held across an await, and what panicked under it changed one row.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn oauth2(&self) -> Option<&'static OAuth2> {
        match &self.brand.kind {
            Kind::OAuth2(rules) => Some(rules),
            _ => None,
        }
    }

    pub(crate) fn issuer(&self, call: &Call) -> String {
        format!("{}{}", self.base_url, call.root())
    }

    /// What the token endpoint says of an access token's life. The truth may be longer.
    pub(crate) fn announced_life_s(&self) -> u64 {
        let told = self.books().announced_life_s;
        told.unwrap_or_else(|| self.oauth2().map_or(0, |it| it.access_life_s))
    }

    pub(crate) fn now(&self) -> Now {
        let life_s = self.oauth2().map_or(0, |it| it.access_life_s);
        Now { ms: self.clock.now_ms(), access_life_ms: life_s * 1000 }
    }

    /// Counts an arrival and takes the faults it meets.
    pub(crate) fn arrive(&self, place: Endpoint) -> Active {
        let mut books = self.books();
        let counters = &mut books.counters;
        match place {
            Endpoint::Authorize => counters.authorize += 1,
            Endpoint::TokenCode => counters.token_code += 1,
            Endpoint::TokenRefresh => counters.token_refresh += 1,
            Endpoint::Revoke => counters.revoke += 1,
            Endpoint::Verify => counters.verify += 1,
            Endpoint::RequestToken => counters.request_token += 1,
            Endpoint::AccessToken => counters.access_token += 1,
            it if it.is_api() => counters.api_calls += 1,
            _ => {}
        }
        Active::take(&mut books.faults, place)
    }
}

/// A refresh as long as it lives, even when its caller hangs up.
pub(crate) struct Flight {
    provider: Arc<Provider>,
    grant: String,
    refresh: RefreshId,
}

impl Flight {
    pub(crate) fn enter(provider: &Arc<Provider>, call: &Call) -> Option<Self> {
        let now_ms = provider.clock.now_ms();
        let mut books = provider.books();
        let form = call.form();
        let token = form.get("refresh_token");
        let grant = books.grant_of(token)?.to_owned();
        let flying = books.in_flight.entry(grant.clone()).or_insert(0);
        *flying += 1;
        let overlaps = *flying > 1;
        if overlaps {
            books.counters.overlap += 1;
        }
        let arrived = RefreshView {
            number: books.counters.token_refresh,
            arrived_ms: now_ms,
            sent_sha256: secrets::hash(token),
            overlaps,
            verdict: Verdict::Unseen,
            answered_ms: None,
        };
        let refresh = books.refreshes.arrive(&grant, arrived);
        drop(books);
        Some(Self { provider: Arc::clone(provider), grant, refresh })
    }

    /// Notes that the right answer was handed to the connection.
    pub(crate) fn answered(&self) {
        let now_ms = self.provider.clock.now_ms();
        self.provider.books().refreshes.answer(&self.refresh, now_ms);
    }

    pub(crate) fn refresh(&self) -> &RefreshId {
        &self.refresh
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut books = self.provider.books();
        if let Some(flying) = books.in_flight.get_mut(&self.grant) {
            *flying = flying.saturating_sub(1);
        }
    }
}

/// Every provider, and the time they share.
pub(crate) struct World {
    pub base_url: Arc<str>,
    pub clock: Arc<Clock>,
    pub providers: BTreeMap<&'static str, Arc<Provider>>,
    pub apps: Apps,
    twins: Mutex<BTreeMap<String, Arc<Twin>>>,
}

impl World {
    pub(crate) fn new(base_url: &str, brands: &'static [Brand]) -> Self {
        let (base_url, clock) = (Arc::<str>::from(base_url), Arc::new(Clock::new()));
        let providers = brands
            .iter()
            .map(|it| {
                let provider = Provider::new(it, Arc::clone(&base_url), Arc::clone(&clock));
                (it.slug, Arc::new(provider))
            })
            .collect();
        let apps = Apps::new(&clock);
        Self { base_url, clock, providers, apps, twins: Mutex::default() }
    }

    /// The twin of an app, from its file.
    pub(crate) fn add_twin(&self, text: &str) -> Result<Arc<Twin>, String> {
        let twin = Arc::new(Twin::new(text, &self.base_url, &self.clock)?);
        self.twins().insert(twin.slug().to_owned(), Arc::clone(&twin));
        Ok(twin)
    }

    pub(crate) fn twin(&self, slug: &str) -> Option<Arc<Twin>> {
        self.twins().get(slug).cloned()
    }

    fn twins(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Twin>>> {
        self.twins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of the client that a provider knows from the start: `<slug>-client`.
pub fn client_id(provider: &str) -> String {
    format!("{provider}-client")
}

/// Its secret: `<slug>-secret-0123456789abcdef`.
pub fn client_secret(provider: &str) -> String {
    format!("{provider}-secret-0123456789abcdef")
}
