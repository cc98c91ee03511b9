//! Twins: for any app's file, a provider that behaves as the file says, and refuses all else.
//!
//! A twin reads the file by itself, with none of the code that sends the requests, and looks at
//! each one as the app's own server would: the client's credentials where they belong and nowhere
//! else, every parameter by its name, no parameter too many. A mistake in the server, or in the
//! reading of the file, is a request that is refused.

mod answer;
mod api;
mod asked;
mod aws;
mod consent;
mod device;
mod file;
mod fill;
mod install;
mod jwt;
mod ledger;
mod mirror;
mod person;
mod proof;
mod request;
mod revoke;
mod signed;
mod statement;
mod swap;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::clock::Clock;
use crate::exchange::{Answer, Call};
use crate::secrets;
use api::Which;
use asked::{Asked, Doubts, Place};
use file::{File, Pairs};
use ledger::Ledger;

/// Where all twins live.
pub(crate) const ROOT: &str = "/twins";

/// How often each thing was asked of a twin, rightly or wrongly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TwinCalls {
    pub consent: u64,
    pub exchange: u64,
    pub refresh: u64,
    /// Tokens asked for with what the user entered.
    pub again: u64,
    pub revoke: u64,
    pub verify: u64,
    pub identity: u64,
    pub api: u64,
    /// Authorization requests that were left here beforehand.
    pub pushed: u64,
    /// Device flows that were begun, and questions how they stand.
    pub device: u64,
    pub polls: u64,
    /// Questions with a person's token whether an installation is his.
    pub check: u64,
    /// Requests that were turned away for this server's nonce.
    pub nonces: u64,
}

/// An OAuth client as it is registered at a twin.
#[derive(Clone, Debug, Default)]
pub struct TwinClient {
    pub id: String,
    pub secret: String,
}

/// One twin. It serves one account at a time; the next form or consent begins anew.
pub struct Twin {
    mirrored: String,
    file: File,
    root: String,
    base_url: Arc<str>,
    clock: Arc<Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: TwinClient,
    redirect_uri: String,
    /// All that placeholders stand for, but for tokens.
    values: Pairs,
    visit: Option<Visit>,
    ledger: Ledger,
    request_token: Option<signed::RequestToken>,
    token_secret: String,
    /// The error that the next request for tokens is answered with.
    refuse: Option<String>,
    /// What the server cannot have learnt yet.
    unknown: BTreeSet<String>,
    /// What was last said of who connected.
    told: Value,
    calls: TwinCalls,
    refusals: Vec<String>,
    /// The client's public key (RFC 7517), and its certificate's SHA-256.
    jwk: Value,
    certificate: String,
    pushed: Option<request::Pushed>,
    device: Option<device::Device>,
    /// A person's own token, beside that of an installation.
    user_token: Option<String>,
    /// Ids of signed objects that were used.
    jtis: BTreeSet<String>,
    /// The thumbprint of the key that the grant is bound to, and the nonce that proofs must have.
    key_print: String,
    nonce: String,
}

/// Somebody who has approved.
struct Visit {
    code: String,
    challenge: String,
}

impl Twin {
    pub(crate) fn new(text: &str, base_url: &Arc<str>, clock: &Arc<Clock>) -> Result<Self, String> {
        let file = File::read(text)?;
        let (slug, mirrored) = Self::mirrored(text, base_url)?;
        let root = format!("{ROOT}/{slug}");
        let twin = Self {
            mirrored,
            root,
            base_url: Arc::clone(base_url),
            clock: Arc::clone(clock),
            state: Mutex::default(),
            file,
        };
        twin.state().nonce = secrets::fresh("nonce-");
        twin.form(true);
        Ok(twin)
    }

    /// Slug and text of a twin's file, led to `base_url`.
    ///
    /// # Errors
    /// The file is no TOML.
    pub fn mirrored(text: &str, base_url: &str) -> Result<(String, String), String> {
        let slug = File::read(text)?.slug().to_owned();
        let text = mirror::file(text, &format!("{base_url}{ROOT}/{slug}"))?;
        Ok((slug, text))
    }

    pub fn slug(&self) -> &str {
        self.file.slug()
    }

    /// The app's file, with its addresses led here.
    pub fn file(&self) -> &str {
        &self.mirrored
    }

    /// The client to be entered at the server.
    pub fn client(&self) -> TwinClient {
        self.state().client.clone()
    }

    /// The private key that the client must have, where it cannot be one that is made for it.
    pub fn private_key(&self) -> Option<&'static str> {
        (self.file.flow() == "installation").then(statement::private_key)
    }

    /// Registers the client's public key.
    pub fn register_key(&self, jwk: &str) {
        self.state().jwk = serde_json::from_str(jwk).unwrap_or_default();
    }

    /// Registers the client's certificate by its SHA-256, in hexadecimal.
    pub fn register_certificate(&self, sha256: &str) {
        sha256.clone_into(&mut self.state().certificate);
    }

    /// Registers the address that the browser is sent back to.
    pub fn register(&self, redirect_uri: &str) {
        redirect_uri.clone_into(&mut self.state().redirect_uri);
    }

    /// What a person enters; without `all`, what may be left out is. The twin then expects this.
    pub fn form(&self, all: bool) -> BTreeMap<String, String> {
        let form = person::form(&self.file, all);
        let mut state = self.state();
        state.values = person::values(&self.file, &form);
        state.ledger = Ledger::default();
        state.told = Value::Null;
        let later = ["verify", "identity"].into_iter().flat_map(|from| self.file.learned(from));
        let later = later.map(|(name, _)| name.to_owned());
        state.unknown = later.filter(|it| !form.contains_key(it)).collect();
        let own = |name: &str| state.values.get(name).cloned();
        let slug = self.file.slug();
        let id = own("client_id").unwrap_or_else(|| format!("id of {slug}:1"));
        let secret = own("client_secret").unwrap_or_else(|| format!("s&e+c:r=t% of {slug}/\"1"));
        let of_user = self.file.text("oauth2.client") == Some("fields");
        let registered = self.file.has("oauth2") || self.file.has("oauth1");
        if registered && !of_user {
            let id = format!("id of {slug}:1");
            state.client = TwinClient { id, secret: format!("s&e+c:r=t% of {slug}/\"1") };
        } else {
            state.client = TwinClient { id, secret };
        }
        if registered {
            let id = state.client.id.clone();
            state.values.insert("oauth_client_id".to_owned(), id);
        }
        form
    }

    /// Whether anything may be left out of the form.
    pub fn has_optional_fields(&self) -> bool {
        self.file.fields().iter().any(|it| it["optional"] == true)
    }

    /// Goes to the consent page and allows; gives the address that leads back.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn approve(&self, address: &str) -> Result<String, String> {
        let url = Url::parse(address).map_err(|error| error.to_string())?;
        let call = Call::made_here(Method::GET, url.path(), url.query().unwrap_or(""));
        let asked = Asked::of(&call, &self.root).ok_or("the address is not this twin's")?;
        let answer = consent::consent(self, &mut self.state(), &asked);
        match answer.location() {
            "" => Err(String::from_utf8_lossy(&answer.body).into_owned()),
            location => Ok(location.to_owned()),
        }
    }

    /// Has the next request for tokens refused with this word of the app.
    pub fn refuse_next(&self, word: &str) {
        self.state().refuse = Some(word.to_owned());
    }

    pub fn calls(&self) -> TwinCalls {
        self.state().calls.clone()
    }

    /// What was wrong with the requests so far, one line each.
    pub fn refusals(&self) -> Vec<String> {
        self.state().refusals.clone()
    }

    /// The access token that is good now.
    pub fn access_token(&self) -> Option<String> {
        self.state().ledger.access(self.now_ms()).map(str::to_owned)
    }

    /// Whether that token has an end.
    pub fn ends(&self) -> bool {
        self.state().ledger.ends()
    }

    /// The value of a field, asked or learnt.
    pub fn value(&self, name: &str) -> Option<String> {
        self.state().values.get(name).cloned()
    }

    pub fn is_revoked(&self) -> bool {
        self.state().ledger.revoked
    }

    /// The account's name, as the file says where it stands. `None`: nobody says.
    pub fn account_name(&self) -> Option<String> {
        let state = self.state();
        let paths = self.file.texts("identity.name");
        let of_fields = self.file.text("identity.from") == Some("fields");
        let at = |path: &str| match path.strip_prefix("field:") {
            Some(name) => state.values.get(name).cloned(),
            None if of_fields => state.values.get(path).cloned(),
            None => text_at(&state.told, path),
        };
        paths.into_iter().find_map(|path| at(path).filter(|it| !it.trim().is_empty()))
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name that this server has for a standard parameter.
    fn renamed(&self, name: &str) -> String {
        self.file.text(&format!("oauth2.param_names.{name}")).unwrap_or(name).to_owned()
    }

    /// The address of a request, as its sender has it.
    fn address(&self, asked: &Asked) -> String {
        format!("{}{}", self.base_url, asked.call.path)
    }

    /// Notes a wrong request and says no.
    fn refused(&self, state: &mut State, what: &str, why: &Doubts, status: StatusCode) -> Answer {
        let text = format!("{what}: {}", why.text());
        state.refusals.push(text.clone());
        let mut answer = answer::refusal(&self.file, "invalid_request", &text);
        answer.status = status;
        answer
    }

    /// Answers a request to one of the app's addresses.
    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let Some(asked) = Asked::of(call, &self.root) else { return Answer::not_found() };
        let mut state = self.state();
        let mut values = state.with_token(self.now_ms());
        let token = state.revoked_token(&self.file).unwrap_or_default();
        values.insert("token".to_owned(), token);
        match self.role(&asked, &values) {
            // The address that others give tokens at.
            Some((Role::Token, place)) if self.is_installed_at(&place, &values) => {
                self.answer_as(Role::Installed, &mut state, &asked, &place)
            }
            Some((role, place)) => self.answer_as(role, &mut state, &asked, &place),
            None => self.answer_other(&mut state, &asked, &values),
        }
    }

    /// What the address is for. Of several things at one address, that which the method, the
    /// parameters and the query fit best.
    fn role(&self, asked: &Asked, values: &Pairs) -> Option<(Role, Place)> {
        let at_it = ROLES.into_iter().filter_map(|(role, key, method)| {
            let place = Place::of(self.file.text(key)?, values).filter(|it| asked.is_at(it))?;
            let by = self.file.text(method.0).unwrap_or(method.1) == asked.method.as_str();
            let params = self.file.pairs("oauth2.revocation.params");
            let sent = String::from_utf8_lossy(asked.body);
            let has = |(name, it): (&String, &String)| sent.contains(&format!("{name}={it}"));
            let own = matches!(role, Role::Revoke) && !params.is_empty() && params.iter().all(has);
            Some(((by, own, place.query.len()), (role, place)))
        });
        // The first among equals.
        let best = at_it.reduce(|best, it| if it.0 > best.0 { it } else { best });
        best.map(|it| it.1)
    }

    fn is_installed_at(&self, place: &Place, values: &Pairs) -> bool {
        let url = self.file.text_or("oauth2.token_url", "");
        let here = Place::of(url, values).is_some_and(|it| it.path == place.path);
        self.file.flow() == "installation" && here
    }

    fn answer_as(&self, role: Role, state: &mut State, asked: &Asked, place: &Place) -> Answer {
        match role {
            Role::Token => token::token(self, state, asked, place),
            Role::Push => request::push(self, state, asked, place),
            Role::Device => device::start(self, state, asked, place),
            Role::Check => install::check(self, state, asked),
            Role::Installed => install::token(self, state, asked),
            Role::Revoke => revoke::revoke(self, state, asked, place),
            Role::Swap => swap::swap(self, state, asked, place),
            Role::RequestToken => signed::request_token(self, state, asked),
            Role::AccessToken => signed::access_token(self, state, asked),
            Role::Verify => api::call(self, state, asked, Which::Verify),
            Role::Identity => api::call(self, state, asked, Which::Identity),
        }
    }

    fn answer_other(&self, state: &mut State, asked: &Asked, values: &Pairs) -> Answer {
        let base = self.file.text("proxy.base_url").and_then(|it| Place::of(it, values));
        if base.is_some_and(|it| it.host == asked.host) {
            return api::call(self, state, asked, Which::Other);
        }
        let mut doubts = Doubts::default();
        let path = asked.path.join("/");
        doubts.add(format!("{} {}/{path} is no address of the app", asked.method, asked.host));
        self.refused(state, "server", &doubts, StatusCode::NOT_FOUND)
    }
}

#[derive(Clone, Copy)]
enum Role {
    Token,
    Push,
    Device,
    /// The person's token is to open the installation.
    Check,
    /// A token of the installation is asked for.
    Installed,
    Revoke,
    Swap,
    RequestToken,
    AccessToken,
    Verify,
    Identity,
}

/// Where each is: the key of its address, the key of its method and the usual one.
const ROLES: [(Role, &str, (&str, &str)); 13] = [
    (Role::Token, "oauth2.token_url", ("oauth2.token_method", "POST")),
    (Role::Token, "oauth2.refresh_url", ("oauth2.token_method", "POST")),
    (Role::Token, "oauth2.mtls_token_url", ("oauth2.token_method", "POST")),
    (Role::Token, "oauth2.installation.user_token_url", ("oauth2.token_method", "POST")),
    (Role::Check, "oauth2.installation.check_url", ("", "GET")),
    (Role::Push, "oauth2.par_url", ("", "POST")),
    (Role::Device, "oauth2.device_authorization_url", ("", "POST")),
    (Role::Revoke, "oauth2.revocation.url", ("oauth2.revocation.method", "POST")),
    (Role::Swap, "key_exchange.url", ("key_exchange.method", "POST")),
    (Role::RequestToken, "oauth1.request_token_url", ("", "POST")),
    (Role::AccessToken, "oauth1.access_token_url", ("", "POST")),
    (Role::Verify, "verify.url", ("verify.method", "GET")),
    (Role::Identity, "identity.request.url", ("identity.request.method", "GET")),
];

impl State {
    /// The values with what an operator entered.
    fn secrets(&self) -> Pairs {
        let mut values = self.values.clone();
        let TwinClient { id, secret } = &self.client;
        values.entry("client_id".to_owned()).or_insert_with(|| id.clone());
        values.insert("oauth_client_secret".to_owned(), secret.clone());
        values
    }

    /// The values with the access token that is good now.
    fn with_token(&self, now_ms: u64) -> Pairs {
        let mut values = self.secrets();
        if let Some(token) = self.ledger.access(now_ms) {
            values.insert("oauth_access_token".to_owned(), token.to_owned());
        }
        values.retain(|name, _| !self.unknown.contains(name));
        values
    }

    /// From now on the server knows what this answer taught.
    fn met(&mut self, file: &File, which: Which) {
        let from: &[&str] = match which {
            Which::Verify if file.text("identity.from") == Some("verify") => {
                &["verify", "identity"]
            }
            Which::Verify => &["verify"],
            Which::Identity => &["identity"],
            Which::Other => &[],
        };
        for (name, _) in from.iter().flat_map(|from| file.learned(from)) {
            self.unknown.remove(name);
        }
    }

    /// Keeps what the token endpoint said, where the account's name is read from that.
    fn told_by_tokens(&mut self, file: &File, body: Value) {
        if file.text("identity.from") == Some("token_answer") {
            self.told = body;
        }
    }

    fn revokes_refresh(&self, file: &File) -> bool {
        file.text_or("oauth2.revocation.token", "refresh") == "refresh"
            && self.ledger.newest(true) != self.ledger.newest(false)
    }

    fn revoked_token(&self, file: &File) -> Option<String> {
        self.ledger.newest(self.revokes_refresh(file)).map(str::to_owned)
    }
}

/// The text or number at a dotted path.
fn text_at(value: &Value, path: &str) -> Option<String> {
    let found = path.split('.').try_fold(value, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    });
    match found? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
