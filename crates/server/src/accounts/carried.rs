//! An account as a line of an export: all of it, in the clear, as JSON. What each name means stands
//! in docs/guides/migrate.md.

use std::collections::BTreeMap;

use grantkeep_vault::Secret;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::seal::Contents;
use super::{Account, Credentials};
use crate::error::{self, Result};
use crate::json_line;

#[derive(Serialize)]
struct Writing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    environment: &'a str,
    external_user_id: &'a str,
    app: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth_client: Option<WritingClient<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    credentials: WritingCredentials<'a>,
    expires_at_ms: Option<i64>,
    scopes: &'a [String],
    missing_scopes: &'a [String],
    binding: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    keep_alive: bool,
    created_at_ms: i64,
    granted_at_ms: i64,
    last_refreshed_at_ms: Option<i64>,
}

#[derive(Serialize)]
struct WritingClient<'a> {
    id: &'a str,
    client_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WritingCredentials<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    former_refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_key: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'a str, &'a str>,
}

/// Adds the account's line, with its end.
pub(super) fn write(
    to: &mut Zeroizing<Vec<u8>>,
    account: &Account,
    contents: &Contents,
) -> Result<()> {
    let it = &contents.credentials;
    let credentials = WritingCredentials {
        access_token: it.access_token.as_ref().map(Secret::expose),
        refresh_token: it.refresh_token.as_ref().map(Secret::expose),
        former_refresh_token: contents.former_refresh_token.as_ref().map(Secret::expose),
        token_secret: it.token_secret.as_ref().map(Secret::expose),
        dpop_key: it.dpop_key.as_ref().map(Secret::expose),
        fields: it.fields.iter().map(|(name, it)| (name.as_str(), it.expose())).collect(),
    };
    let client_id = account.client_id.as_deref();
    let client = account.oauth_app.as_ref();
    let writing = Writing {
        kind: "account",
        id: account.id.as_str(),
        environment: account.tenant.environment.as_str(),
        external_user_id: &account.external_id,
        app: &account.app_slug,
        oauth_client: client.map(|id| WritingClient { id: id.as_str(), client_id }),
        name: account.name.as_deref(),
        subject: contents.subject.as_deref(),
        credentials,
        expires_at_ms: account.expires_at_ms,
        scopes: &account.scopes,
        missing_scopes: &account.missing_scopes,
        binding: account.binding.as_str(),
        status: account.health.as_str(),
        status_reason: account.health.reason(),
        error: account.health.text(),
        keep_alive: account.keep_alive,
        created_at_ms: account.created_at_ms,
        granted_at_ms: account.refreshing.granted_at_ms,
        last_refreshed_at_ms: account.last_refreshed_at_ms,
    };
    serde_json::to_writer(&mut **to, &writing)
        .map_err(|_| error::INTERNAL.logging("an account could not be written as a line"))?;
    to.push(b'\n');
    Ok(())
}

/// A line as it was given. What is left out is `None`; what is required, the importer says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    pub id: Option<String>,
    pub environment: Option<String>,
    pub external_user_id: Option<String>,
    pub app: Option<String>,
    pub oauth_client: Option<ClientName>,
    pub name: Option<String>,
    pub subject: Option<String>,
    #[serde(default)]
    credentials: ReadCredentials,
    pub expires_at_ms: Option<i64>,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub missing_scopes: Vec<String>,
    pub binding: Option<String>,
    pub status: Option<String>,
    pub status_reason: Option<String>,
    pub error: Option<String>,
    pub keep_alive: Option<bool>,
    pub created_at_ms: Option<i64>,
    pub granted_at_ms: Option<i64>,
    pub last_refreshed_at_ms: Option<i64>,
}

/// The OAuth client that a grant was made with, by our id of it or by the app's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientName {
    pub id: Option<String>,
    pub client_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadCredentials {
    access_token: Option<String>,
    refresh_token: Option<String>,
    former_refresh_token: Option<String>,
    token_secret: Option<String>,
    dpop_key: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

impl Line {
    /// # Errors
    /// Why it cannot be read, without a word of what it holds.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        json_line::read(bytes)
    }

    /// Takes the secrets out. An empty one is none.
    pub fn contents(&mut self) -> Contents {
        let it = std::mem::take(&mut self.credentials);
        let some = |it: Option<String>| it.filter(|it| !it.is_empty()).map(Secret::new);
        Contents {
            credentials: Credentials {
                access_token: some(it.access_token),
                refresh_token: some(it.refresh_token),
                token_secret: some(it.token_secret),
                dpop_key: some(it.dpop_key),
                fields: it.fields.into_iter().map(|(name, it)| (name, Secret::new(it))).collect(),
            },
            subject: self.subject.take(),
            former_refresh_token: some(it.former_refresh_token),
        }
    }
}
