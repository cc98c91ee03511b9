//! Signing as OAuth 1.0a wants it (RFC 5849): while connecting, and for every call after that.

use grantkeep_catalog::{OAuth1, SignatureMethod as Habit};
use grantkeep_oauth::one::{SignatureMethod, Signer, Target, Token};
use grantkeep_oauth::{self as oauth, RequestError};
use grantkeep_vault::{Secret, token};

use super::{OAuthApp, oauth_app_secret};
use crate::app::App;
use crate::error::Result;

/// Random bytes that make a signed request unlike every other of the same second.
const NONCE_BYTES: usize = 16;

/// A registration at a provider, opened to sign with.
pub struct Consumer {
    key: String,
    secret: oauth::Secret,
}

impl Consumer {
    /// # Errors
    /// [`crate::error::DECRYPT_FAILED`].
    pub async fn open(app: &App, client: &OAuthApp) -> Result<Self> {
        let secret = oauth_app_secret(app, client).await?;
        let secret = secret.as_ref().map_or("", Secret::expose);
        Ok(Self { key: client.client_id.clone(), secret: oauth::Secret::new(secret) })
    }

    /// A fresh nonce for [`Consumer::signer`].
    pub fn nonce() -> Secret {
        token::base64url("", NONCE_BYTES)
    }

    pub fn signer<'a>(&'a self, app: &App, habits: &OAuth1, nonce: &'a Secret) -> Signer<'a> {
        Signer {
            consumer_key: &self.key,
            consumer_secret: &self.secret,
            method: match habits.signature_method {
                Habit::HmacSha1 => SignatureMethod::HmacSha1,
                Habit::HmacSha256 => SignatureMethod::HmacSha256,
                Habit::Plaintext => SignatureMethod::Plaintext,
            },
            realm: None,
            nonce: nonce.expose(),
            timestamp_s: app.clock.now_ms() / 1_000,
            allow_loopback_http: app.config.egress_allow_loopback,
        }
    }

    /// The `Authorization` of a request to the app's API (section 3.5.1), good for one sending.
    pub fn authorization(
        &self,
        app: &App,
        habits: &OAuth1,
        (access, secret): (&Secret, &Secret),
        target: &Target<'_>,
    ) -> Result<oauth::Secret, RequestError> {
        let nonce = Self::nonce();
        let token = Token {
            token: oauth::Secret::new(access.expose()),
            secret: oauth::Secret::new(secret.expose()),
            others: oauth::Params::new(),
        };
        self.signer(app, habits, &nonce).authorization(target, Some(&token))
    }
}
