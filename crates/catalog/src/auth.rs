//! How an app's users let us in: OAuth 2 (RFC 6749), OAuth 1.0a (RFC 5849), keys, or nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ways::{
    ClientFrom, Flow, Installation, JwtGrant, KeyExchange, SigningAlg, TokenExchange,
};

/// The kind of credential. More kinds will come; match with a default arm.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Auth {
    OAuth2(Box<OAuth2>),
    OAuth1(Box<OAuth1>),
    /// Keys that are swapped for a token which ends.
    KeyExchange(Box<KeyExchange>),
    /// The user pastes keys; [`crate::Proxy`] says where they go.
    Keys,
    /// Keys too, which together make an HTTP Basic user and password.
    Basic,
    None,
    /// Too little is known to connect, see [`crate::Evidence::missing`]; the kind as the
    /// file says it.
    Incomplete(&'static str),
}

/// An authorization server and its habits. URLs may hold `${field}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub struct OAuth2 {
    #[serde(default)]
    pub flow: Flow,
    /// Empty where the flow has no page of the provider.
    #[serde(default)]
    pub authorization_url: String,
    pub token_url: String,
    /// Where a refresh goes, if not to `token_url`.
    pub refresh_url: Option<String>,
    /// Where a device flow begins (RFC 8628 §3.1).
    pub device_authorization_url: Option<String>,
    /// Where the authorization request is left beforehand (RFC 9126).
    pub par_url: Option<String>,
    #[serde(default)]
    pub client: ClientFrom,
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// `aud` of the client's assertion; by default the token endpoint (RFC 7523 §3).
    pub client_assertion_audience: Option<String>,
    /// Of the client's assertion and of request objects; by default what the key is made for.
    pub client_signing_alg: Option<SigningAlg>,
    /// The token endpoint where the client's certificate is shown (RFC 8705 §5).
    pub mtls_token_url: Option<String>,
    /// The authorization request is signed (RFC 9101).
    #[serde(default)]
    pub request_object: bool,
    /// Tokens are bound to a key of the account (RFC 9449).
    #[serde(default)]
    pub dpop: bool,
    /// What the token is for (RFC 8707); sent in both requests.
    #[serde(default)]
    pub resource: Vec<String>,
    #[serde(default = "post")]
    pub token_method: crate::api::Method,
    #[serde(default)]
    pub body_format: BodyFormat,
    /// S256 (RFC 7636). `false` only where the server breaks, with the reason.
    #[serde(default = "yes")]
    pub pkce: bool,
    pub pkce_reason: Option<String>,
    /// The issuer identifier (RFC 8414 §2), compared with `iss` in the callback (RFC 9207).
    pub issuer: Option<String>,
    /// The server always sends `iss`: a callback without it is refused.
    #[serde(default)]
    pub iss_required: bool,
    /// Seconds in which a code must be exchanged, where the server says so (RFC 6749 §4.1.2).
    pub code_life_s: Option<u32>,
    /// `false`: the server gives no refresh token; access tokens live until revoked.
    #[serde(default = "yes")]
    pub refresh: bool,
    /// Added to the authorization request.
    #[serde(default)]
    pub authorization_params: BTreeMap<String, String>,
    /// Added to the exchange of a code.
    #[serde(default)]
    pub token_params: BTreeMap<String, String>,
    /// Added to a refresh.
    #[serde(default)]
    pub refresh_params: BTreeMap<String, String>,
    /// Added to every request to the token endpoint.
    #[serde(default)]
    pub token_headers: BTreeMap<String, String>,
    /// Standard parameter to the name this server uses, such as `client_id` to `client_key`.
    #[serde(default)]
    pub param_names: BTreeMap<String, String>,
    #[serde(default)]
    pub scopes: Scopes,
    #[serde(default)]
    pub answer: TokenAnswer,
    /// What becomes of a refresh token when it is used.
    #[serde(default)]
    pub rotation: Rotation,
    /// How long a grant may live, as far as the server has rules for it.
    #[serde(default)]
    pub grant: GrantLife,
    /// How a grant is ended from here. `None`: the server has no way that we know.
    pub revocation: Option<Revocation>,
    /// The statement of a `jwt_bearer` flow.
    pub jwt: Option<JwtGrant>,
    /// What a `token_exchange` flow sends.
    pub token_exchange: Option<TokenExchange>,
    /// How the tokens of an `installation` flow are got.
    pub installation: Option<Installation>,
    /// Where an operator registers his OAuth client.
    pub console_url: Option<String>,
}

/// Client authentication at the token endpoint (RFC 6749 §2.3.1). Exactly one is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    Basic,
    #[default]
    Post,
    /// A public client: `client_id` only.
    None,
    /// A statement signed with the client's private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A statement under the client secret (RFC 7523 §2.2).
    ClientSecretJwt,
    /// The client's certificate, in the TLS connection (RFC 8705 §2).
    Tls,
}

/// How the body of a token request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    #[default]
    Form,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    /// Put between two scopes; a space by the standard, a comma at some.
    #[serde(default = "space")]
    pub separator: String,
    /// The parameter that carries them; `user_scope` at Slack.
    #[serde(default = "scope")]
    pub param: String,
    /// Asked when neither the client nor the call says otherwise.
    #[serde(default)]
    pub default: Vec<String>,
    /// Added to every request, whatever profile is chosen: `offline_access`, `openid`.
    #[serde(default)]
    pub always: Vec<String>,
    #[serde(default)]
    pub profiles: Profiles,
    /// A scope to what it lets one do, as a short sentence to the user: "See your channels".
    /// An empty text hides the scope: it opens no data (`openid`, `offline_access`).
    #[serde(default)]
    pub words: BTreeMap<String, String>,
}

/// Ready choices of scopes. A wider profile holds all of a narrower one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    pub read_only: Option<Vec<String>>,
    pub read_write: Option<Vec<String>>,
    pub admin: Option<Vec<String>>,
}

/// Where things lie in the answer of the token endpoint: dotted paths, numbers for places in lists.
/// Of several paths, the first that holds a value counts. In the file: one text, or a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenAnswer {
    #[serde(deserialize_with = "one_or_more")]
    pub access_token: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub refresh_token: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub scope: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub expires_in: Vec<String>,
    pub expires_unit: ExpiresUnit,
    /// Seconds an access token lives when the answer does not say. `None`: until revoked.
    pub lifetime_s: Option<u64>,
    /// Take any `token_type`, or none: the server sends a word of its own (`user`, `bot`).
    pub token_type_any: bool,
    /// Where an error code lies, also in an answer with status 200.
    pub error: String,
    /// The server's error code to the standard one (RFC 6749 §5.2), such as
    /// `token_revoked` to `invalid_grant`.
    pub errors: BTreeMap<String, String>,
}

/// What the number in `expires_in` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiresUnit {
    /// Seconds from now (RFC 6749 §5.1).
    #[default]
    Seconds,
    Milliseconds,
    /// The moment itself, in seconds since 1970.
    EpochSeconds,
}

/// What a server does with a refresh token that was used. The default is the strictest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub class: RotationClass,
    /// Seconds that the used token still works.
    pub grace_s: Option<u64>,
    /// What the server does when the used token comes again after the grace.
    pub reuse: Reuse,
    /// Who says so: the provider's documentation, a staff answer, an experiment.
    pub source: String,
    /// `YYYY-MM-DD`.
    pub checked_on: String,
}

/// Classes of rotation, from harmless to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum RotationClass {
    /// The refresh token stays.
    P0,
    /// A new one each time; the old stays valid.
    P1,
    /// The old one is valid until the new is used.
    P2,
    /// The old one is valid for half an hour or more.
    P3,
    /// The old one is valid for minutes.
    P4,
    /// The old one is valid for a minute at most.
    P5,
    /// The old one dies at once.
    P6,
    /// The old one dies at once, and using it again ends the whole grant.
    P7,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    Ok,
    Deny,
    /// The whole family of tokens is revoked.
    Family,
}

/// When a server ends a grant by itself. What is not known is left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantLife {
    /// Seconds without a refresh after which the grant is gone.
    pub idle_s: Option<u64>,
    /// Seconds from the user's consent after which the grant is gone, used or not.
    pub life_s: Option<u64>,
    /// Who says so.
    #[serde(default)]
    pub source: String,
    /// `YYYY-MM-DD`.
    #[serde(default)]
    pub checked_on: String,
}

/// The request that ends a grant. With the URL alone: RFC 7009 §2.1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// May hold `${field}`, `${client_id}`, and `${token}` where `place` is `path`.
    pub url: String,
    #[serde(default = "post")]
    pub method: crate::api::Method,
    #[serde(default)]
    pub token: RevokedToken,
    #[serde(default)]
    pub place: RevocationPlace,
    /// The parameter's name in a form, JSON body or query.
    #[serde(default = "token")]
    pub param: String,
    /// How the client proves itself here; by default as at the token endpoint.
    pub client_auth: Option<ClientAuth>,
    /// More members of the body or query.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// Which token is sent. With the refresh token, the whole grant ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedToken {
    /// The refresh token; the access token where there is none.
    #[default]
    Refresh,
    Access,
}

/// Where the token stands in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationPlace {
    #[default]
    Form,
    Json,
    Query,
    /// In the URL's path, at `${token}`.
    Path,
    /// In `Authorization: Bearer`.
    Bearer,
}

/// An OAuth 1.0a server (RFC 5849). The signing key is the client secret and the token secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth1 {
    pub request_token_url: String,
    pub authorize_url: String,
    pub access_token_url: String,
    #[serde(default)]
    pub signature_method: SignatureMethod,
    /// Added to the address of the consent page.
    #[serde(default)]
    pub authorization_params: BTreeMap<String, String>,
    #[serde(default)]
    pub scopes: Scopes,
    /// Where an operator registers his OAuth client.
    pub console_url: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum SignatureMethod {
    #[default]
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

impl Scopes {
    /// What is asked for by default: `default` and `always`, each once, in that order.
    pub fn asked(&self) -> Vec<&str> {
        self.with_always(&self.default)
    }

    /// The scopes of a profile by its name, with `always`. `None`: the app has no such profile.
    pub fn profile(&self, name: &str) -> Option<Vec<&str>> {
        let (_, scopes) = self.profiles.iter().find(|(it, _)| *it == name)?;
        Some(self.with_always(scopes))
    }

    fn with_always<'a>(&'a self, scopes: &'a [String]) -> Vec<&'a str> {
        let mut all: Vec<&str> = Vec::with_capacity(scopes.len() + self.always.len());
        for scope in scopes.iter().chain(&self.always) {
            if !all.contains(&scope.as_str()) {
                all.push(scope);
            }
        }
        all
    }
}

impl Profiles {
    /// The profiles there are, from narrow to wide.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        [("read_only", &self.read_only), ("read_write", &self.read_write), ("admin", &self.admin)]
            .into_iter()
            .filter_map(|(name, scopes)| Some((name, scopes.as_deref()?)))
    }
}

impl RotationClass {
    /// Whether a used refresh token may be sent again at once without harm.
    pub fn survives_retry(self) -> bool {
        self <= Self::P5
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            class: RotationClass::P7,
            grace_s: None,
            reuse: Reuse::Family,
            source: "unknown: the strictest is assumed".to_owned(),
            checked_on: String::new(),
        }
    }
}

impl Default for TokenAnswer {
    fn default() -> Self {
        Self {
            access_token: vec!["access_token".to_owned()],
            refresh_token: vec!["refresh_token".to_owned()],
            scope: vec!["scope".to_owned()],
            expires_in: vec!["expires_in".to_owned()],
            expires_unit: ExpiresUnit::Seconds,
            lifetime_s: None,
            token_type_any: false,
            error: "error".to_owned(),
            errors: BTreeMap::new(),
        }
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self {
            separator: space(),
            param: scope(),
            default: Vec::new(),
            always: Vec::new(),
            profiles: Profiles::default(),
            words: BTreeMap::new(),
        }
    }
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a path, or a list of paths")]
    enum Paths {
        One(String),
        More(Vec<String>),
    }
    Ok(match Paths::deserialize(from)? {
        Paths::One(path) => vec![path],
        Paths::More(paths) => paths,
    })
}

fn yes() -> bool {
    true
}

fn space() -> String {
    " ".to_owned()
}

fn scope() -> String {
    "scope".to_owned()
}

fn token() -> String {
    "token".to_owned()
}

fn post() -> crate::api::Method {
    crate::api::Method::Post
}
