//! What a flow keeps to itself until it ends, sealed under the user's key.

use std::collections::BTreeMap;

use grantkeep_vault::{OwnerKey, Place, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Flow;
use super::device::Device;
use super::fields::Typed;
use crate::apps::Carried;
use crate::error::{self, Result};
use crate::keys::unreadable;

/// Bytes reserved before writing, so that growing leaves few copies behind.
const BYTES_EXPECTED: usize = 1_024;

/// Open only between reading and use.
#[derive(Default)]
pub(super) struct Kept {
    /// PKCE (RFC 7636 section 4.1).
    pub verifier: Option<Secret>,
    /// A device flow (RFC 8628): the code, and when to ask again.
    pub device: Option<Device>,
    /// The key to which the tokens will be bound (RFC 9449).
    pub dpop_key: Option<Secret>,
    /// OAuth 1.0a: what the provider calls the flow.
    pub request_token: Option<Secret>,
    /// OAuth 1.0a: what signs beside it.
    pub request_secret: Option<Secret>,
    /// The client that the person entered for himself.
    pub client: Option<Carried>,
    /// What the person typed before.
    pub fields: BTreeMap<String, Secret>,
    /// What the browser brought back, while the product's backend is asked who it is: the code, or
    /// in OAuth 1.0a the verifier.
    pub returned: Option<Secret>,
    /// Further parameters of the callback, held with it.
    pub others: BTreeMap<String, String>,
    /// The account's name, of a filled form that is held.
    pub name: Option<String>,
}

#[derive(Serialize)]
struct Writing<'a> {
    verifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_key: Option<&'a str>,
    request_token: Option<&'a str>,
    request_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a Carried>,
    fields: BTreeMap<&'a str, &'a str>,
    returned: Option<&'a str>,
    others: &'a BTreeMap<String, String>,
    name: Option<&'a str>,
}

#[derive(Deserialize)]
struct Reading {
    verifier: Option<String>,
    device: Option<Device>,
    dpop_key: Option<String>,
    request_token: Option<String>,
    request_secret: Option<String>,
    client: Option<Carried>,
    fields: BTreeMap<String, String>,
    returned: Option<String>,
    #[serde(default)]
    others: BTreeMap<String, String>,
    name: Option<String>,
}

impl Kept {
    pub fn of(fields: Typed) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Self { fields, ..Self::default() }
    }

    /// The value of a field, for the app's addresses.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(Secret::expose)
    }

    pub fn seal(&self, key: &OwnerKey, flow: &Flow) -> Result<Vec<u8>> {
        let writing = Writing {
            verifier: self.verifier.as_ref().map(Secret::expose),
            device: self.device.as_ref(),
            dpop_key: self.dpop_key.as_ref().map(Secret::expose),
            request_token: self.request_token.as_ref().map(Secret::expose),
            request_secret: self.request_secret.as_ref().map(Secret::expose),
            client: self.client.as_ref(),
            fields: self.fields.iter().map(|(name, it)| (name.as_str(), it.expose())).collect(),
            returned: self.returned.as_ref().map(Secret::expose),
            others: &self.others,
            name: self.name.as_deref(),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(BYTES_EXPECTED));
        serde_json::to_writer(&mut *plain, &writing)
            .map_err(|_| error::INTERNAL.logging("a flow's secrets could not be written"))?;
        Ok(key.seal(&place(flow), &plain))
    }

    /// # Errors
    /// [`error::DECRYPT_FAILED`], for an ended flow too.
    pub fn open(key: &OwnerKey, flow: &Flow) -> Result<Self> {
        let plain = key.open(&place(flow), &flow.sealed).map_err(unreadable)?;
        // Serde's own message could repeat a value.
        let read: Reading = serde_json::from_slice(plain.expose())
            .map_err(|_| error::DECRYPT_FAILED.logging("a flow's secrets are in no known form"))?;
        Ok(Self {
            verifier: read.verifier.map(Secret::new),
            device: read.device,
            dpop_key: read.dpop_key.map(Secret::new),
            request_token: read.request_token.map(Secret::new),
            request_secret: read.request_secret.map(Secret::new),
            client: read.client,
            fields: read.fields.into_iter().map(|(name, it)| (name, Secret::new(it))).collect(),
            returned: read.returned.map(Secret::new),
            others: read.others,
            name: read.name,
        })
    }
}

fn place(flow: &Flow) -> Place<'_> {
    Place {
        project: flow.tenant.project.as_str(),
        environment: flow.tenant.environment.as_str(),
        table: "connect_flows",
        record: flow.id.as_str(),
        column: "sealed",
        version: 1,
    }
}
