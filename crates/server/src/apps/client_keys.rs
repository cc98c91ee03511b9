//! Who asks: an OAuth client, opened for one request, and how it proves itself.

use std::collections::BTreeMap;

use grantkeep_catalog as catalog;
use grantkeep_oauth::assertion::ClientAssertion;
use grantkeep_oauth::jws::{Signing, Stamp};
use grantkeep_oauth::key::{Algorithm, SigningKey};
use grantkeep_oauth::token::{Client, ClientAuth};
use grantkeep_oauth::{self as oauth};
use grantkeep_vault::{Secret, token};

use super::protocol::Unaskable;
use super::{OAuthApp, oauth_app_certificate, oauth_app_key, oauth_app_secret};
use crate::app::App;
use crate::egress::Egress;
use crate::error::Result;
use crate::ids::{OAuthAppId, ProjectId};

/// The fields that hold a user's own client.
const CLIENT_ID: &str = "client_id";
const CLIENT_SECRET: &str = "client_secret";
/// Bytes of randomness in a `jti`.
const JTI_BYTES: usize = 16;

/// A registration at a provider, opened for one request.
#[derive(Default)]
pub struct ClientKeys {
    pub id: String,
    secret: Option<oauth::Secret>,
    key: Option<SigningKey>,
    /// Shows the client's certificate, if it has one.
    egress: Option<Egress>,
}

impl ClientKeys {
    /// # Errors
    /// [`crate::error::DECRYPT_FAILED`].
    pub async fn open(app: &App, client: &OAuthApp) -> Result<Self> {
        let secret = oauth_app_secret(app, client).await?;
        let secret = secret.map(|it| oauth::Secret::new(it.expose()));
        let key = oauth_app_key(app, client).await?;
        let egress = match oauth_app_certificate(app, client).await? {
            Some((certificate, key)) => {
                let of = (client.id.clone(), client.version);
                Some(app.showing(of, (&certificate, key.expose())).await?)
            }
            None => None,
        };
        Ok(Self { id: client.client_id.clone(), secret, key, egress })
    }

    /// The user's own client, as he entered it.
    pub fn of_fields(fields: &BTreeMap<String, Secret>) -> Self {
        let id = fields.get(CLIENT_ID).map(|it| it.expose().to_owned());
        let secret = fields.get(CLIENT_SECRET).map(|it| oauth::Secret::new(it.expose()));
        Self { id: id.unwrap_or_default(), secret, ..Self::default() }
    }

    /// By which connections the client's own requests go: those with its certificate (RFC 8705),
    /// if it has one.
    pub fn egress<'a>(&'a self, app: &'a App) -> &'a Egress {
        self.egress.as_ref().unwrap_or(&app.egress)
    }

    pub fn key(&self) -> Result<&SigningKey, Unaskable> {
        self.key.as_ref().ok_or(Unaskable::NoClientKey)
    }

    /// What the client proves itself with in one request to a server of this app.
    pub(super) fn prove(
        &self,
        auth: catalog::ClientAuth,
        (it, url): (&catalog::OAuth2, &str),
        now_ms: i64,
    ) -> Result<Proved<'_>, Unaskable> {
        let jti = token::base64url("", JTI_BYTES);
        let assertion = ClientAssertion {
            client_id: &self.id,
            audience: it.client_assertion_audience.as_deref().unwrap_or(url),
            stamp: Stamp { jti: jti.expose(), now_s: now_ms / 1_000 },
        };
        let assertion = match auth {
            catalog::ClientAuth::PrivateKeyJwt => {
                Some(assertion.by_key(&signing(self.key()?, it.client_signing_alg))?)
            }
            catalog::ClientAuth::ClientSecretJwt => {
                let secret = self.secret.as_ref();
                let secret = secret.ok_or(oauth::RequestError::NoClientSecret)?;
                Some(assertion.by_secret(secret))
            }
            _ => None,
        };
        Ok(Proved { keys: self, auth, assertion })
    }
}

/// By which connections an app's own API is called: those that show the certificate of the client,
/// where tokens are bound to it (RFC 8705 section 3).
///
/// # Errors
/// [`crate::error::DECRYPT_FAILED`]; [`crate::error::NOT_FOUND`] when the client is gone.
pub async fn api_egress(
    app: &App,
    (found, project): (&catalog::App, &ProjectId),
    client: Option<&OAuthAppId>,
) -> Result<Egress> {
    let shown = found.oauth2().is_some_and(|it| it.client_auth == catalog::ClientAuth::Tls);
    let Some(id) = client.filter(|_| shown) else { return Ok(app.egress.clone()) };
    let client = super::find_oauth_app(app, project, id.as_str()).await?;
    Ok(ClientKeys::open(app, &client).await?.egress(app).clone())
}

/// How a key signs: with the algorithm of the app's file, or its own.
pub(super) fn signing(key: &SigningKey, alg: Option<catalog::SigningAlg>) -> Signing<'_> {
    let own = Signing::with(key);
    let algorithm = match alg {
        None => own.algorithm,
        Some(catalog::SigningAlg::RS256) => Algorithm::Rs256,
        Some(catalog::SigningAlg::PS256) => Algorithm::Ps256,
        Some(catalog::SigningAlg::ES256) => Algorithm::Es256,
        Some(catalog::SigningAlg::ES384) => Algorithm::Es384,
        Some(catalog::SigningAlg::EdDSA) => Algorithm::EdDsa,
    };
    Signing { algorithm, ..own }
}

/// A client with its proof for one request.
pub(super) struct Proved<'a> {
    keys: &'a ClientKeys,
    auth: catalog::ClientAuth,
    assertion: Option<oauth::Secret>,
}

impl Proved<'_> {
    pub fn client(&self) -> Client<'_> {
        let auth = match (self.auth, &self.assertion) {
            (_, Some(assertion)) => ClientAuth::Assertion(assertion),
            (catalog::ClientAuth::Basic, _) => ClientAuth::Basic,
            (catalog::ClientAuth::Tls, _) => ClientAuth::Tls,
            (catalog::ClientAuth::None, _) => ClientAuth::None,
            _ => ClientAuth::Post,
        };
        Client { id: &self.keys.id, secret: self.keys.secret.as_ref(), auth }
    }
}
