//! The authorization request: the address to which the browser is sent (RFC 6749 §4.1.1).

use url::Url;

use crate::encode::form_pairs;
use crate::endpoint::{self, EndpointError};
use crate::pkce::Verifier;
use crate::request::Params;

/// What a tenant may never set: each of these is ours, or would let him widen or redirect a grant.
const RESERVED: [&str; 11] = [
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
];
/// What not even an app's file may set, because it is always set here.
const OURS: [&str; 7] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "request",
    "request_uri",
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
    pub allow_loopback_http: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    #[error("the authorization endpoint is not acceptable: {0}")]
    Endpoint(#[from] EndpointError),
    #[error("the parameter `{0}` may not be set from outside")]
    Reserved(String),
}

impl Authorize<'_> {
    /// The address. The response type is always `code`, the challenge method always S256.
    pub fn url(&self) -> Result<String, AuthorizeError> {
        let endpoint = endpoint::check(self.endpoint, self.allow_loopback_http)?;
        self.check_params(&endpoint)?;
        let scopes = self.scopes.join(self.scope_separator);
        let challenge = self.verifier.map(Verifier::challenge);
        let mut pairs = vec![
            (self.named("response_type"), "code"),
            (self.named("client_id"), self.client_id),
            (self.named("redirect_uri"), self.redirect_uri),
            (self.named("state"), self.state),
        ];
        if !scopes.is_empty() {
            pairs.push((self.scope_param, &scopes));
        }
        if let Some(challenge) = &challenge {
            pairs.push((self.named("code_challenge"), challenge));
            pairs.push((self.named("code_challenge_method"), "S256"));
        }
        let unset = |name: &&String| !self.tenant_params.contains_key(*name);
        let app = self.app_params.iter().filter(|(name, _)| unset(name));
        pairs.extend(app.chain(self.tenant_params).map(|(name, value)| (&**name, &**value)));
        Ok(joined(self.endpoint, &form_pairs(pairs)))
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    static NONE: Params = Params::new();

    fn plain() -> Authorize<'static> {
        Authorize {
            endpoint: "https://as.example/authorize",
            client_id: "client 1",
            redirect_uri: "https://us.example/connect/oauth/oa_1/callback",
            state: "s",
            verifier: None,
            scopes: &["read", "write:all"],
            scope_separator: " ",
            scope_param: "scope",
            app_params: &NONE,
            tenant_params: &NONE,
            param_names: &NONE,
            allow_loopback_http: false,
        }
    }

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn pairs(url: &str) -> Vec<(String, String)> {
        Url::parse(url).unwrap().query_pairs().into_owned().collect()
    }

    #[test]
    fn f_09_the_request_is_for_a_code() {
        let expected = "https://as.example/authorize?response_type=code&client_id=client+1\
            &redirect_uri=https%3A%2F%2Fus.example%2Fconnect%2Foauth%2Foa_1%2Fcallback\
            &state=s&scope=read+write%3Aall";
        assert_eq!(plain().url().unwrap(), expected);
    }

    #[test]
    fn f_05_s256_and_never_plain() {
        let verifier = Verifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let url = Authorize { verifier: Some(&verifier), ..plain() }.url().unwrap();
        assert!(url.ends_with(
            "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        ));
        assert!(!url.contains(verifier.expose()));
    }

    #[test]
    fn f_15_reserved_parameters_cannot_be_set_by_a_tenant() {
        for name in RESERVED.iter().chain(&["code_challenge", "code_challenge_method", "STATE"]) {
            let tenant_params = params(&[(name, "x")]);
            let error = Authorize { tenant_params: &tenant_params, ..plain() }.url().unwrap_err();
            assert_eq!(error, AuthorizeError::Reserved((*name).to_owned()));
        }
        for name in OURS.iter().chain(&["code_challenge_method", "scope"]) {
            let app_params = params(&[(name, "x")]);
            assert!(Authorize { app_params: &app_params, ..plain() }.url().is_err(), "{name}");
            let endpoint = format!("https://as.example/authorize?{name}=x");
            assert!(Authorize { endpoint: &endpoint, ..plain() }.url().is_err(), "{name}");
        }
        let (names, tenant) =
            (params(&[("client_id", "client_key")]), params(&[("client_key", "")]));
        let renamed = Authorize { param_names: &names, tenant_params: &tenant, ..plain() };
        assert!(renamed.url().is_err());
    }

    #[test]
    fn f_15_other_parameters_are_added_once_and_the_tenants_win() {
        let app = params(&[("access_type", "offline"), ("prompt", "none"), ("resource", "r")]);
        let tenant = params(&[("prompt", "consent"), ("login_hint", "a@b")]);
        let both = Authorize { app_params: &app, tenant_params: &tenant, ..plain() };
        let pairs = pairs(&both.url().unwrap());
        let find = |name: &str| pairs.iter().filter(|it| it.0 == name).count();
        assert_eq!(find("prompt"), 1);
        assert!(pairs.contains(&("prompt".into(), "consent".into())));
        assert!(pairs.contains(&("access_type".into(), "offline".into())));
        assert!(pairs.contains(&("login_hint".into(), "a@b".into())));
    }

    #[test]
    fn the_habits_of_servers_are_followed() {
        let names = params(&[("client_id", "client_key")]);
        let url = Authorize {
            endpoint: "https://as.example/authorize?v=2",
            scope_separator: ",",
            scope_param: "user_scope",
            param_names: &names,
            ..plain()
        };
        let url = url.url().unwrap();
        assert!(url.starts_with("https://as.example/authorize?v=2&response_type=code&client_key="));
        assert!(url.ends_with("&user_scope=read%2Cwrite%3Aall"), "{url}");
        let none = Authorize { scopes: &[], ..plain() }.url().unwrap();
        assert!(!none.contains("scope"), "{none}");
    }

    #[test]
    fn f_14_the_endpoint_must_be_https() {
        let endpoint = "http://127.0.0.1:9000/authorize";
        assert!(Authorize { endpoint, ..plain() }.url().is_err());
        assert!(Authorize { endpoint, allow_loopback_http: true, ..plain() }.url().is_ok());
    }

    proptest! {
        #[test]
        fn f_10_values_come_back_byte_for_byte(
            redirect_uri in "\\PC{0,40}", state in "\\PC{1,40}", value in any::<String>(),
        ) {
            let tenant = params(&[("login_hint", &value)]);
            let one = Authorize {
                redirect_uri: &redirect_uri, state: &state, tenant_params: &tenant, ..plain()
            };
            let pairs = pairs(&one.url().unwrap());
            prop_assert!(pairs.contains(&("redirect_uri".into(), redirect_uri)));
            prop_assert!(pairs.contains(&("state".into(), state)));
            prop_assert!(pairs.contains(&("login_hint".into(), value)));
            prop_assert_eq!(pairs.len(), 6);
        }
    }
}
