//! The authorization request: the address to which the browser is sent (RFC 6749 §4.1.1).

mod object;
mod push;

use std::borrow::Cow;

use url::Url;

pub use object::{OBJECT_LIFE_S, RequestObject};
pub use push::{Pushed, read_push};

use crate::encode::form_pairs;
use crate::endpoint::{self, EndpointError};
use crate::pkce::Verifier;
use crate::request::{Params, RequestError};
use crate::resource::{self, ResourceError};

const RESOURCE: &str = "resource";

/// What a tenant may never set: each of these is ours, or would let him widen or redirect a grant.
const RESERVED: [&str; 12] = [
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "nonce",
    "scope",
    "resource",
    "request",
    "request_uri",
    "dpop_jkt",
];
/// What not even an app's file may set, because it is always set here.
const OURS: [&str; 8] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "request",
    "request_uri",
    "dpop_jkt",
];

/// Everything that goes into the address. Borrowed; nothing is kept.
#[derive(Debug, Clone, Copy)]
pub struct Authorize<'a> {
    /// May have a query of its own, which is kept (RFC 6749 §3.1).
    pub endpoint: &'a str,
    pub client_id: &'a str,
    /// Sent byte for byte as given.
    pub redirect_uri: &'a str,
    pub state: &'a str,
    /// `None` only for servers that break on it.
    pub verifier: Option<&'a Verifier>,
    pub scopes: &'a [&'a str],
    /// A space by the standard; a comma at some.
    pub scope_separator: &'a str,
    /// `scope` by the standard.
    pub scope_param: &'a str,
    /// From the app's file.
    pub app_params: &'a Params,
    /// From the tenant; wins over the app's.
    pub tenant_params: &'a Params,
    /// A standard name to the name this server uses: `client_id` to `client_key`.
    pub param_names: &'a Params,
    /// For whom tokens are wanted (RFC 8707 §2.1); the token requests name the same ones.
    pub resources: &'a [&'a str],
    /// The thumbprint of the key to which the code is to be bound (RFC 9449 §10).
    pub dpop_jkt: Option<&'a str>,
    pub allow_loopback_http: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    #[error("the authorization endpoint is not acceptable: {0}")]
    Endpoint(#[from] EndpointError),
    #[error("the parameter `{0}` may not be set from outside")]
    Reserved(String),
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

impl From<AuthorizeError> for RequestError {
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::Endpoint(it) => Self::Endpoint(it),
            AuthorizeError::Reserved(it) => Self::Reserved(it),
            AuthorizeError::Resource(it) => Self::Resource(it),
        }
    }
}

/// The parameters of one request, in order.
type Pairs<'a> = Vec<(&'a str, Cow<'a, str>)>;

impl Authorize<'_> {
    /// The address. The response type is always `code`, the challenge method always S256.
    pub fn url(&self) -> Result<String, AuthorizeError> {
        let pairs = self.pairs()?;
        Ok(joined(self.endpoint, &form_pairs(pairs.iter().map(|(name, value)| (*name, &**value)))))
    }

    fn pairs(&self) -> Result<Pairs<'_>, AuthorizeError> {
        let endpoint = endpoint::check(self.endpoint, self.allow_loopback_http)?;
        self.check_params(&endpoint)?;
        resource::check_all(self.resources)?;
        let mut pairs: Pairs = vec![
            (self.named("response_type"), "code".into()),
            (self.named("client_id"), self.client_id.into()),
            (self.named("redirect_uri"), self.redirect_uri.into()),
            (self.named("state"), self.state.into()),
        ];
        if !self.scopes.is_empty() {
            pairs.push((self.scope_param, self.scopes.join(self.scope_separator).into()));
        }
        if let Some(verifier) = self.verifier {
            pairs.push((self.named("code_challenge"), verifier.challenge().into()));
            pairs.push((self.named("code_challenge_method"), "S256".into()));
        }
        pairs.extend(self.resources.iter().map(|it| (RESOURCE, (*it).into())));
        pairs.extend(self.dpop_jkt.map(|it| ("dpop_jkt", it.into())));
        let named = |name: &str| name == RESOURCE && !self.resources.is_empty();
        let unset = |name: &str| !self.tenant_params.contains_key(name) && !named(name);
        let app = self.app_params.iter().filter(|(name, _)| unset(name));
        let others = app.chain(self.tenant_params);
        pairs.extend(others.map(|(name, value)| (&**name, (&**value).into())));
        Ok(pairs)
    }

    fn named<'a>(&'a self, name: &'a str) -> &'a str {
        self.param_names.get(name).map_or(name, String::as_str)
    }

    fn check_params(&self, endpoint: &Url) -> Result<(), AuthorizeError> {
        let refused = |name: &str| Err(AuthorizeError::Reserved(name.to_owned()));
        for name in self.tenant_params.keys() {
            if self.is_ours(name) || contains(&RESERVED, name) {
                return refused(name);
            }
        }
        for name in self.app_params.keys() {
            if self.is_ours(name) {
                return refused(name);
            }
        }
        for (name, _) in endpoint.query_pairs() {
            let again = self.app_params.contains_key(&*name);
            if again || self.tenant_params.contains_key(&*name) || self.is_ours(&name) {
                return refused(&name);
            }
        }
        Ok(())
    }

    fn is_ours(&self, name: &str) -> bool {
        let renamed = || self.param_names.values().any(|it| it.eq_ignore_ascii_case(name));
        let challenge = || name.to_ascii_lowercase().starts_with("code_challenge");
        let scope = || name.eq_ignore_ascii_case(self.scope_param);
        contains(&OURS, name) || scope() || challenge() || renamed()
    }
}

/// Servers exist that do not tell upper case from lower, so a reserved name is one in any case.
fn contains(names: &[&str], name: &str) -> bool {
    names.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Adds pairs to an address that may have a query.
pub(crate) fn joined(url: &str, pairs: &str) -> String {
    let glue = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let glue = if pairs.is_empty() { "" } else { glue };
    format!("{url}{glue}{pairs}")
}

#[cfg(test)]
mod tests;
