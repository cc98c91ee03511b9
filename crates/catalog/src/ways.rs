//! Ways in besides the code flow: grants without a browser, keys that are swapped for a token, and
//! requests that are signed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::api::Method;
use crate::auth::{BodyFormat, ExpiresUnit};

/// How a grant is got from an OAuth 2 server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// The user signs in at the provider and comes back with a code (RFC 6749 §4.1).
    #[default]
    AuthorizationCode,
    /// The client alone (RFC 6749 §4.4). It is asked again when its token ends.
    ClientCredentials,
    /// A signed statement (RFC 7523 §2.1): service accounts. Made anew when its token ends.
    JwtBearer,
    /// One token for another (RFC 8693).
    TokenExchange,
    /// The user types a short code on another page (RFC 8628).
    DeviceCode,
    /// The user installs an app of the operator, which then asks for tokens by itself with a JWT
    /// that it signs (GitHub Apps).
    Installation,
    /// The user's name and password (RFC 6749 §4.3): only where a server knows nothing else.
    Password,
}

impl Flow {
    /// Whether the user is sent to a page of the provider and comes back by redirect.
    pub fn redirects(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Installation)
    }

    /// Whether everything that is needed is asked on our own page.
    pub fn asks_fields_only(self) -> bool {
        !self.redirects() && self != Self::DeviceCode
    }
}

/// Whose OAuth client is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientFrom {
    /// The project's, registered by its operator.
    #[default]
    Registered,
    /// The user's own: the fields `client_id` and `client_secret` of his account.
    Fields,
    /// None: what is shown proves everything (RFC 7523 §2.1).
    None,
}

/// Algorithms of signatures that we make (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SigningAlg {
    RS256,
    PS256,
    ES256,
    ES384,
    EdDSA,
}

/// The statement of a `jwt_bearer` flow. Texts may hold `${...}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtGrant {
    /// The private key, PEM or JWK.
    pub key: String,
    #[serde(default = "rs256")]
    pub alg: SigningAlg,
    pub key_id: Option<String>,
    pub issuer: String,
    /// Left out of the statement when empty.
    #[serde(default)]
    pub subject: String,
    pub audience: String,
    /// The scopes stand in the statement (as `scope`), not beside it.
    #[serde(default)]
    pub scope_in_claims: bool,
    /// Seconds that the statement is good for.
    #[serde(default = "hour")]
    pub life_s: u32,
    /// More claims.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
}

/// What a `token_exchange` flow sends (RFC 8693 §2.1). Texts may hold `${...}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExchange {
    pub subject_token: String,
    pub subject_token_type: String,
    pub actor_token: Option<String>,
    pub actor_token_type: Option<String>,
    pub requested_token_type: Option<String>,
    #[serde(default)]
    pub audience: Vec<String>,
}

/// How the tokens of an installation are asked for: `POST` to `token_url` with the operator's
/// app JWT as bearer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// The parameter of the redirect that names the installation; a learnt field of that name
    /// stands in `token_url`.
    pub param: String,
    /// Where the person's code is exchanged for a token of his own.
    pub user_token_url: String,
    /// What only somebody can open who has the installation: asked with the person's token, since
    /// the installation's id comes from a browser.
    pub check_url: String,
}

/// Keys that are swapped for a session token, again whenever it ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyExchange {
    #[serde(default = "post")]
    pub method: Method,
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub body_format: BodyFormat,
    /// Members of the body; a name may be a dotted path in a JSON body.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Where the token lies in the answer: a dotted path, `header:NAME`, or `body` where it is the
    /// whole of it.
    pub token: String,
    pub expires_in: Option<String>,
    #[serde(default)]
    pub expires_unit: ExpiresUnit,
    /// Seconds the token lives when the answer does not say. `None`: until it is refused.
    pub lifetime_s: Option<u64>,
    /// Where an error stands in an answer with status 200.
    pub error: Option<String>,
}

/// AWS Signature Version 4. The texts may hold `${...}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws4 {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Empty where there is none.
    #[serde(default)]
    pub session_token: String,
    /// By default the region that stands in the host (`SERVICE.REGION.amazonaws.com`).
    pub region: Option<String>,
    /// By default the service that stands in the host.
    pub service: Option<String>,
}

fn rs256() -> SigningAlg {
    SigningAlg::RS256
}

fn hour() -> u32 {
    3_600
}

fn post() -> Method {
    Method::Post
}
