//! What an account grants, as it is sealed: one JSON object under the user's key, for exactly one
//! version of one row.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantkeep_vault::{OwnerKey, Place, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Account, Credentials};
use crate::app::App;
use crate::error::{self, Result};
use crate::keys::unreadable;

/// Bytes reserved before writing, so that growing leaves few copies behind.
const BYTES_EXPECTED: usize = 4_096;

/// Everything under the seal.
#[derive(Default)]
pub(super) struct Contents {
    pub credentials: Credentials,
    /// The person's stable id at the provider. Compared on reconnect, and shown as `oauth_uid`.
    pub subject: Option<String>,
    /// The refresh token before the last one, kept for providers that honour it for a while.
    pub former_refresh_token: Option<Secret>,
}

#[derive(Serialize)]
struct Writing<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    fields: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Reading {
    access_token: Option<String>,
    refresh_token: Option<String>,
    former_refresh_token: Option<String>,
    token_secret: Option<String>,
    dpop_key: Option<String>,
    subject: Option<String>,
    fields: BTreeMap<String, String>,
}

/// Writes the contents as bytes to be sealed.
pub(super) fn pack(contents: &Contents) -> Result<Zeroizing<Vec<u8>>> {
    let credentials = &contents.credentials;
    let writing = Writing {
        access_token: credentials.access_token.as_ref().map(Secret::expose),
        refresh_token: credentials.refresh_token.as_ref().map(Secret::expose),
        former_refresh_token: contents.former_refresh_token.as_ref().map(Secret::expose),
        token_secret: credentials.token_secret.as_ref().map(Secret::expose),
        dpop_key: credentials.dpop_key.as_ref().map(Secret::expose),
        subject: contents.subject.as_deref(),
        fields: credentials.fields.iter().map(|(name, it)| (name.as_str(), it.expose())).collect(),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_EXPECTED));
    serde_json::to_writer(&mut *bytes, &writing)
        .map_err(|_| error::INTERNAL.logging("credentials could not be written"))?;
    Ok(bytes)
}

/// Reads what [`pack`] wrote.
pub(super) fn unpack(bytes: &[u8]) -> Result<Contents> {
    // Serde's own message could repeat a value.
    let read: Reading = serde_json::from_slice(bytes)
        .map_err(|_| error::DECRYPT_FAILED.logging("sealed credentials are not in a known form"))?;
    Ok(Contents {
        credentials: Credentials {
            access_token: read.access_token.map(Secret::new),
            refresh_token: read.refresh_token.map(Secret::new),
            token_secret: read.token_secret.map(Secret::new),
            dpop_key: read.dpop_key.map(Secret::new),
            fields: read.fields.into_iter().map(|(name, it)| (name, Secret::new(it))).collect(),
        },
        subject: read.subject,
        former_refresh_token: read.former_refresh_token.map(Secret::new),
    })
}

/// Seals `contents` for the row as it will be written.
pub(super) fn seal(key: &OwnerKey, account: &Account, contents: &Contents) -> Result<Vec<u8>> {
    Ok(key.seal(&place(account), &pack(contents)?))
}

/// # Errors
/// [`error::DECRYPT_FAILED`], with an alert for the operator, when the row was altered or the
/// user's key is gone.
pub(super) async fn open(app: &App, account: &Account) -> Result<Contents> {
    let key = user_key(app, account).await?;
    open_with(&key, account)
}

pub(super) fn open_with(key: &OwnerKey, account: &Account) -> Result<Contents> {
    unpack(key.open(&place(account), &account.sealed).map_err(unreadable)?.expose())
}

/// The key of the account's user. Asked for before a transaction, so that none waits for a second
/// connection.
pub(super) async fn user_key(app: &App, account: &Account) -> Result<Arc<OwnerKey>> {
    if let Some(wrapped) = &account.wrapped_key {
        return app.keys.unwrap_user(&account.tenant, &account.user, wrapped).map(Arc::new);
    }
    app.keys.user(&app.db, &account.tenant, &account.user).await
}

fn place(account: &Account) -> Place<'_> {
    Place {
        project: account.tenant.project.as_str(),
        environment: account.tenant.environment.as_str(),
        table: "accounts",
        record: account.id.as_str(),
        column: "sealed",
        version: account.version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_whole() {
        let fields = [("api_key", "k\"\n\u{e9}"), ("subdomain", "acme")];
        let contents = Contents {
            credentials: Credentials {
                access_token: Some(Secret::new("a")),
                refresh_token: Some(Secret::new("r2")),
                token_secret: None,
                dpop_key: Some(Secret::new("d")),
                fields: fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
                    .collect(),
            },
            subject: Some("T1:U2".into()),
            former_refresh_token: Some(Secret::new("r1")),
        };
        let read = unpack(&pack(&contents).unwrap()).unwrap();
        let text = |it: &Option<Secret>| it.as_ref().map(|it| it.expose().to_owned());
        assert_eq!(text(&read.credentials.access_token).as_deref(), Some("a"));
        assert_eq!(text(&read.credentials.refresh_token).as_deref(), Some("r2"));
        assert_eq!(text(&read.credentials.token_secret), None);
        assert_eq!(text(&read.former_refresh_token).as_deref(), Some("r1"));
        assert_eq!(read.subject.as_deref(), Some("T1:U2"));
        for (name, value) in fields {
            assert_eq!(read.credentials.fields[name].expose(), value);
        }
    }

    #[test]
    fn l_01_a_broken_form_is_not_repeated_in_the_error() {
        let error =
            unpack(br#"{"access_token": 5, "fields": {"api_key": "s3cret"}}"#).err().unwrap();
        assert_eq!(error.kind().code, "decrypt_failed");
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}
