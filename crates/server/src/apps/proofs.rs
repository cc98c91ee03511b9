//! What a client proves itself with: its secret, and a private key with its public half and
//! certificate. Sealed for one version of the client, and opened for a request alone.

use grantkeep_oauth::key::{KeyError, SigningKey};
use grantkeep_oauth::{self as oauth};
use grantkeep_vault::{OwnerKey, Place, Secret};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::{Edit, OAuthApp};
use crate::app::App;
use crate::error::{self, Error, Result};
use crate::keys::unreadable;

/// Characters of a key's name.
const KEY_ID_CHARS_MAX: usize = 200;
/// Bytes of a certificate with its chain, as PEM.
const CERTIFICATE_BYTES_MAX: usize = 32 * 1024;
/// Certificates in a chain.
const CHAIN_LENGTH_MAX: usize = 8;

const SECRET: &str = "client_secret";
const KEY: &str = "private_key";

/// The client's secret, for a request to the provider and nothing else.
///
/// # Errors
/// [`error::DECRYPT_FAILED`].
pub async fn oauth_app_secret(app: &App, client: &OAuthApp) -> Result<Option<Secret>> {
    open(app, client, SECRET, client.sealed_secret.as_deref()).await
}

/// The client's private key under its name, likewise.
///
/// # Errors
/// [`error::DECRYPT_FAILED`].
pub async fn oauth_app_key(app: &App, client: &OAuthApp) -> Result<Option<SigningKey>> {
    let Some(text) = open(app, client, KEY, client.sealed_key.as_deref()).await? else {
        return Ok(None);
    };
    let key = SigningKey::read(&oauth::Secret::new(text.expose()));
    // It was read when it was written.
    let key = key.map_err(|why| error::DECRYPT_FAILED.logging(why))?;
    Ok(Some(match &client.key_id {
        Some(name) => key.with_kid(name),
        None => key,
    }))
}

/// The text of the client's private key, to be carried to another installation.
///
/// # Errors
/// [`error::DECRYPT_FAILED`].
pub(super) async fn oauth_app_key_text(app: &App, client: &OAuthApp) -> Result<Option<Secret>> {
    open(app, client, KEY, client.sealed_key.as_deref()).await
}

/// The certificate and its private key, both PEM, for connections in which the client shows it
/// (RFC 8705).
///
/// # Errors
/// [`error::DECRYPT_FAILED`].
pub async fn oauth_app_certificate(
    app: &App,
    client: &OAuthApp,
) -> Result<Option<(String, Secret)>> {
    let key = open(app, client, KEY, client.sealed_key.as_deref()).await?;
    Ok(client.client_certificate.clone().zip(key))
}

async fn open(
    app: &App,
    client: &OAuthApp,
    column: &'static str,
    sealed: Option<&[u8]>,
) -> Result<Option<Secret>> {
    let Some(sealed) = sealed else { return Ok(None) };
    let key = app.keys.project(&app.db, &client.project).await?;
    key.open_text(&place(client, column), sealed).map(Some).map_err(unreadable)
}

fn place<'a>(client: &'a OAuthApp, column: &'static str) -> Place<'a> {
    Place {
        project: client.project.as_str(),
        environment: "",
        table: "oauth_apps",
        record: client.id.as_str(),
        column,
        version: client.version,
    }
}

/// Secrets of a client's next version, open until they are sealed.
pub(super) struct Proofs {
    secret: Option<Secret>,
    key: Option<Secret>,
}

impl Proofs {
    /// What the client has after an edit. The seal is bound to the row's version, so what is kept
    /// is opened too. Notes on the client what anybody may know of the key.
    ///
    /// # Errors
    /// [`error::INVALID_FIELD`], with the field's name in `details.field`.
    pub async fn after(app: &App, client: &mut OAuthApp, edit: &mut Edit) -> Result<Self> {
        let given = |it: &mut Option<Secret>| it.take().filter(|it| !it.is_empty());
        let secret = match given(&mut edit.client_secret) {
            Some(secret) => Some(secret),
            None => oauth_app_secret(app, client).await?,
        };
        let fresh = match (given(&mut edit.private_key), edit.generate_key) {
            (Some(_), true) => {
                return Err(bad(KEY, "Give a key, or have one made: not both."));
            }
            (Some(key), false) => Some(key),
            (None, true) => Some(generated()?),
            (None, false) => None,
        };
        if fresh.is_some() {
            // A name belongs to one key.
            client.key_id = None;
        }
        let key = match fresh {
            Some(key) => Some(key),
            None => open(app, client, KEY, client.sealed_key.as_deref()).await?,
        };
        if let Some(name) = edit.key_id.take().filter(|it| !it.is_empty()) {
            client.key_id = Some(key_id(name)?);
        }
        if let Some(certificate) = edit.client_certificate.take() {
            client.client_certificate = certificate.filter(|it| !it.trim().is_empty());
        }
        match &key {
            Some(key) => publish(client, key)?,
            None if client.key_id.is_some() => {
                return Err(bad("key_id", "There is no key that could have this name."));
            }
            None => {}
        }
        if let Some(certificate) = &client.client_certificate {
            check_certificate(certificate, key.as_ref())?;
        }
        Ok(Self { secret, key })
    }

    /// A secret and nothing else.
    pub fn of_secret(secret: Option<Secret>) -> Self {
        Self { secret, key: None }
    }

    /// Seals for the client's version.
    pub fn seal(self, key: &OwnerKey, client: &mut OAuthApp) {
        let sealed = |secret: Option<Secret>, column| {
            let place = place(client, column);
            secret.map(|it| key.seal(&place, it.expose().as_bytes()))
        };
        let (secret, private) = (sealed(self.secret, SECRET), sealed(self.key, KEY));
        client.sealed_secret = secret;
        client.sealed_key = private;
    }

    pub fn is_empty(&self) -> bool {
        self.secret.is_none() && self.key.is_none()
    }
}

fn generated() -> Result<Secret> {
    let (_, pem) = SigningKey::generate().map_err(|why| error::INTERNAL.logging(why))?;
    Ok(Secret::new(pem.expose()))
}

fn key_id(name: String) -> Result<String> {
    let good =
        name.chars().count() <= KEY_ID_CHARS_MAX && name.chars().all(|it| it.is_ascii_graphic());
    if good {
        return Ok(name);
    }
    Err(bad("key_id", "A key's name has up to 200 characters of printable ASCII, without spaces."))
}

/// Reads the key, and notes its public half under its name.
fn publish(client: &mut OAuthApp, text: &Secret) -> Result<()> {
    let wrong = |why: KeyError| bad(KEY, format!("The private key cannot be used: {why}."));
    let key = SigningKey::read(&oauth::Secret::new(text.expose())).map_err(wrong)?;
    let key = match &client.key_id {
        Some(name) => key.with_kid(name),
        None => key,
    };
    let public = key.published_jwk().map_err(wrong)?;
    client.key_id = public.get("kid").and_then(|it| it.as_str()).map(str::to_owned);
    client.public_jwk = Some(serde_json::Value::Object(public).to_string());
    Ok(())
}

/// A certificate is of use only with its own key, and a mistake here would be found at the first
/// user's sign-in.
fn check_certificate(pem: &str, key: Option<&Secret>) -> Result<()> {
    let wrong = |why: &'static str| bad("client_certificate", why);
    if pem.len() > CERTIFICATE_BYTES_MAX {
        return Err(wrong("The certificate with its chain has more than 32 KiB."));
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.ok().filter(|it| (1..=CHAIN_LENGTH_MAX).contains(&it.len()));
    let chain = chain.ok_or_else(|| {
        wrong("This is not a certificate: it must be PEM, the client's own first, up to eight.")
    })?;
    let key = key.ok_or_else(|| wrong("A certificate needs its private key: send both."))?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| wrong("With a certificate, the private key must be PEM."))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|_| {
        wrong("The certificate is of another key. Send certificate and private key together.")
    })?;
    Ok(())
}

fn bad(field: &str, why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    error::INVALID_FIELD.saying(why).with(json!({ "field": field }))
}
