//! Protected resource metadata (RFC 9728 §2).

use super::{DiscoveryError, Fetched, Policy, Reader, document, issuer_url};

/// A resource's document, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceMetadata {
    pub resource: String,
    /// Issuers, in the resource's order.
    pub authorization_servers: Vec<String>,
    pub scopes: Option<Vec<String>>,
    /// Whether a token goes in `Authorization`; so it does where the resource does not say.
    pub bearer_header: bool,
    /// RFC 9728 §2: tokens must be bound to a key, or to a certificate.
    pub dpop_required: bool,
    pub tls_required: bool,
    pub dpop_algorithms: Vec<String>,
    /// As text; to be shown, never to be trusted.
    pub name: Option<String>,
}

impl ResourceMetadata {
    /// Reads the document for `resource`, which must name itself the same (RFC 9728 §3.3). A `/`
    /// alone as the path is the same as none: no request tells them apart.
    pub fn read(
        resource: &str,
        fetched: &Fetched,
        policy: &Policy,
    ) -> Result<Self, DiscoveryError> {
        let members = document(fetched)?;
        let from = Reader { members: &members, policy, issuer_host: None };
        let named = from.text("resource")?.ok_or(DiscoveryError::Missing("resource"))?;
        if !same(&named, resource) {
            return Err(DiscoveryError::ResourceDiffers);
        }
        let authorization_servers = from.list("authorization_servers")?.unwrap_or_default();
        for issuer in &authorization_servers {
            issuer_url(issuer, policy.allow_loopback_http)?;
        }
        let methods = from.list("bearer_methods_supported")?;
        Ok(Self {
            resource: named,
            authorization_servers,
            scopes: from.list("scopes_supported")?,
            bearer_header: methods.is_none_or(|it| it.iter().any(|it| it == "header")),
            dpop_required: from.flag("dpop_bound_access_tokens_required")?,
            tls_required: from.flag("tls_client_certificate_bound_access_tokens")?,
            dpop_algorithms: from.list("dpop_signing_alg_values_supported")?.unwrap_or_default(),
            name: from.text("resource_name")?,
        })
    }

    /// The server with our registration, if the resource still names it.
    pub fn check_server(&self, registered: &str) -> Result<(), DiscoveryError> {
        let named = self.authorization_servers.iter().any(|it| it == registered);
        if named { Ok(()) } else { Err(DiscoveryError::OtherServer) }
    }
}

fn same(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let (_, after) = text.split_once("://").unwrap_or_default();
        let alone = after.find('/').is_some_and(|at| at + 1 == after.len());
        if alone { text[..text.len() - 1].to_owned() } else { text.to_owned() }
    };
    bare(one) == bare(other)
}
