//! A client at a server that was discovered: by a document about it that we serve, by registering
//! itself, or left to be entered.

use std::sync::Arc;
use std::time::Duration;

use grantkeep_oauth::discovery::{Able, AuthMethod, Choice, Place, ServerMetadata, choose};
use grantkeep_oauth::key::SigningKey;
use grantkeep_oauth::register::{self as oauth_register, ClientMetadata, Registrar, document};
use grantkeep_oauth::{self as oauth};
use grantkeep_vault::Secret;

use super::{Edit, OAuthApp, protocol, store, update_oauth_app};
use crate::app::App;
use crate::error::{self, Result};

/// How long a server may take to register a client.
const REGISTRATION: Duration = Duration::from_secs(10);
const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];
/// How we name ourselves to servers (RFC 7591 section 2).
const SOFTWARE: &str = "grantkeep";

/// How a client came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It registered itself (RFC 7591).
    Registered,
    /// Its id is the address of a document about it, which this server serves.
    Document,
    /// An operator must register it at the app, and enter it.
    ToBeEntered,
}

impl How {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Document => "document",
            Self::ToBeEntered => "to_be_entered",
        }
    }
}

/// What came of it.
pub struct Registration {
    pub client: OAuthApp,
    pub how: How,
    pub auth: AuthMethod,
    /// Why it must be entered, or what the server registered otherwise than it was asked.
    pub remark: Option<String>,
    /// Milliseconds since 1970.
    pub secret_expires_at_ms: Option<i64>,
}

/// A client that is prepared and has no id yet, and the server that is to know it.
pub(super) struct Applicant<'a> {
    pub app: &'a Arc<App>,
    pub client: OAuthApp,
    pub server: &'a ServerMetadata,
    pub scopes: &'a [String],
    /// Handed out by the server's operator beforehand, where it wants one (RFC 7591 section 3).
    pub token: Option<&'a Secret>,
}

impl Applicant<'_> {
    /// Makes the client known in the best way that the server offers. A server that refuses leaves
    /// the client to be entered.
    pub async fn apply(self) -> Result<Registration> {
        let (key, pem) = SigningKey::generate().map_err(|why| error::INTERNAL.logging(why))?;
        if self.server.takes_client_documents && self.can_be_fetched() {
            return self.by_document(&key, &pem).await;
        }
        match self.server.place(Place::Registration, false) {
            Some(url) => self.by_itself(url, &key, &pem).await,
            None => Ok(self.left_to_enter("The server offers no registration.".to_owned())),
        }
    }

    /// Whether the server can reach a document at our public address.
    fn can_be_fetched(&self) -> bool {
        let ours = &self.app.config.public_url;
        let loopback =
            |url: &url::Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let theirs = url::Url::parse(&self.server.issuer);
        ours.scheme() == "https" && !loopback(ours) || theirs.is_ok_and(|it| loopback(&it))
    }

    async fn by_document(self, key: &SigningKey, pem: &oauth::Secret) -> Result<Registration> {
        let auth = self.way(Able { key: Some(key), ..Able::default() });
        let Some(auth) = auth else {
            return Ok(self.left_to_enter(NO_WAY.to_owned()));
        };
        let url = document_url(self.app, &self.client);
        let edit = Edit {
            client_id: Some(url),
            private_key: (auth == AuthMethod::PrivateKeyJwt).then(|| Secret::new(pem.expose())),
            ..Edit::default()
        };
        self.entered(edit, (How::Document, auth)).await
    }

    async fn by_itself(
        self,
        url: &str,
        key: &SigningKey,
        pem: &oauth::Secret,
    ) -> Result<Registration> {
        let auth = self.way(Able { key: Some(key), secret: true, ..Able::default() });
        let Some(auth) = auth else {
            return Ok(self.left_to_enter(NO_WAY.to_owned()));
        };
        let signs = auth == AuthMethod::PrivateKeyJwt;
        let (name, redirect) = (self.product().await?, self.client.redirect_uri(self.app));
        let (keys, redirects) = ([key], [redirect.as_str()]);
        let scope = self.scopes.join(" ");
        let asked = ClientMetadata {
            redirect_uris: &redirects,
            keys: if signs { &keys } else { &[] },
            scope: &scope,
            ..described(&name, auth)
        };
        let loopback = self.app.config.egress_allow_loopback;
        let token = self.token.map(|it| oauth::Secret::new(it.expose()));
        let registrar = Registrar { url, token: token.as_ref(), allow_loopback_http: loopback };
        let request = registrar.create(&asked).map_err(|why| error::INTERNAL.logging(why))?;
        let answered = match protocol::send(self.app, request, REGISTRATION).await {
            Ok(answered) => answered,
            Err(why) => {
                tracing::warn!(why = why.detail(), "a client could not be registered");
                let text = "The server does not answer to registrations.".to_owned();
                return Ok(self.left_to_enter(text));
            }
        };
        let now_ms = self.app.clock.now_ms();
        let made = oauth_register::read(&asked, &answered.response(), now_ms, loopback);
        let made = match made {
            Ok(made) => made,
            Err(why) => {
                return Ok(self.left_to_enter(format!("The server registered no client: {why}.")));
            }
        };
        let edit = Edit {
            client_id: Some(made.client_id),
            client_secret: made.client_secret.map(|it| Secret::new(it.expose())),
            private_key: signs.then(|| Secret::new(pem.expose())),
            ..Edit::default()
        };
        let done = self.entered(edit, (How::Registered, made.auth)).await?;
        let changed = (!made.changed.is_empty()).then(|| {
            format!("The server registered other values for: {}.", made.changed.join(", "))
        });
        Ok(Registration {
            remark: changed,
            secret_expires_at_ms: made.secret_expires_at_ms,
            ..done
        })
    }

    /// The strongest way that both know; without anything to prove, where the server wants that.
    fn way(&self, able: Able<'_>) -> Option<AuthMethod> {
        let methods = self.server.auth_methods.as_deref();
        let algorithms = self.server.auth_algorithms.as_deref();
        let way = |able: &Able<'_>| choose(methods, algorithms, able);
        let chosen = way(&able).or_else(|| way(&Able::default()));
        chosen.map(|Choice { method, .. }| method)
    }

    async fn product(&self) -> Result<String> {
        let name = store::product_name(&self.app.db, &self.client.project).await?;
        Ok(name.unwrap_or_else(|| SOFTWARE.to_owned()))
    }

    async fn entered(self, edit: Edit, (how, auth): (How, AuthMethod)) -> Result<Registration> {
        let Self { app, client, .. } = self;
        let client = update_oauth_app(app, &client.project, client.id.as_str(), edit).await?;
        Ok(Registration { client, how, auth, remark: None, secret_expires_at_ms: None })
    }

    fn left_to_enter(self, why: String) -> Registration {
        let auth = self.way(Able { secret: true, ..Able::default() });
        Registration {
            client: self.client,
            how: How::ToBeEntered,
            auth: auth.unwrap_or(AuthMethod::ClientSecretPost),
            remark: Some(why),
            secret_expires_at_ms: None,
        }
    }
}

const NO_WAY: &str = "The server knows no way of client authentication that we know.";

/// The address of the document about a client.
pub(super) fn document_url(app: &App, client: &OAuthApp) -> String {
    app.url(&format!("/connect/oauth/{}/client.json", client.id)).into()
}

/// The document about a client that is known by it. `None`: it is known otherwise.
///
/// # Errors
/// [`error::INTERNAL`] when the public address makes no such document.
pub(super) async fn about(
    app: &App,
    client: &OAuthApp,
) -> Result<Option<serde_json::Map<String, serde_json::Value>>> {
    let url = document_url(app, client);
    if client.client_id != url {
        return Ok(None);
    }
    let name = store::product_name(&app.db, &client.project).await?.unwrap_or_default();
    let auth = match client.public_jwk {
        Some(_) => AuthMethod::PrivateKeyJwt,
        None => AuthMethod::None,
    };
    let (redirect, jwks) = (client.redirect_uri(app), client.jwks_uri(app));
    let redirects = [redirect.as_str()];
    let described = ClientMetadata {
        redirect_uris: &redirects,
        jwks_uri: jwks.as_deref(),
        ..described(&name, auth)
    };
    let made = document::document(&url, &described, app.config.egress_allow_loopback);
    made.map(Some).map_err(|why| error::INTERNAL.logging(why))
}

fn described(name: &str, auth: AuthMethod) -> ClientMetadata<'_> {
    ClientMetadata {
        client_name: name,
        redirect_uris: &[],
        grant_types: &GRANT_TYPES,
        auth,
        keys: &[],
        jwks_uri: None,
        scope: "",
        client_uri: None,
        logo_uri: None,
        tos_uri: None,
        policy_uri: None,
        contacts: &[],
        software_id: Some(SOFTWARE),
        software_version: None,
        dpop_bound: false,
        others: None,
    }
}
