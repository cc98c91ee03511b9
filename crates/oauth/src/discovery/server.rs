//! Authorization server metadata (RFC 8414 §2, `OpenID` Connect Discovery §3).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{AuthMethod, DiscoveryError, Fetched, Policy, Reader, document, issuer_url};

/// Where a server is asked for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Authorization,
    Token,
    Revocation,
    Introspection,
    /// RFC 9126
    Push,
    /// RFC 8628
    Device,
    /// RFC 7591
    Registration,
    UserInfo,
}

impl Place {
    const ALL: [Self; 8] = [
        Self::Authorization,
        Self::Token,
        Self::Revocation,
        Self::Introspection,
        Self::Push,
        Self::Device,
        Self::Registration,
        Self::UserInfo,
    ];

    /// Its name in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization_endpoint",
            Self::Token => "token_endpoint",
            Self::Revocation => "revocation_endpoint",
            Self::Introspection => "introspection_endpoint",
            Self::Push => "pushed_authorization_request_endpoint",
            Self::Device => "device_authorization_endpoint",
            Self::Registration => "registration_endpoint",
            Self::UserInfo => "userinfo_endpoint",
        }
    }
}

/// What is known of PKCE (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    S256,
    /// The server says what it knows, and S256 is not in it.
    No,
    /// The server does not say. It may still work, but guards against nothing (RFC 9700 §2.1.1).
    Unknown,
}

/// A server's document, checked. Of lists that it may leave out, `None` is that it does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a statement of its own in the document")]
pub struct ServerMetadata {
    pub issuer: String,
    places: BTreeMap<Place, String>,
    /// The same for connections with a client certificate (RFC 8705 §5).
    mtls: BTreeMap<Place, String>,
    pub scopes: Option<Vec<String>>,
    /// `authorization_code` and `implicit` if the server does not say (RFC 8414 §2).
    pub grant_types: Vec<String>,
    response_types: Option<Vec<String>>,
    pkce: Option<Vec<String>>,
    /// At the token endpoint; `None` means `client_secret_basic` (RFC 8414 §2).
    pub auth_methods: Option<Vec<AuthMethod>>,
    pub auth_algorithms: Option<Vec<String>>,
    /// RFC 9126 §5: the browser may not carry the request itself.
    pub push_required: bool,
    /// RFC 9101 §10.5
    pub object_required: bool,
    pub object_algorithms: Option<Vec<String>>,
    /// RFC 9207 §3: an answer without `iss` is to be refused.
    pub sends_issuer: bool,
    /// RFC 9449 §5.1; empty if the server knows none of it.
    pub dpop_algorithms: Vec<String>,
    /// RFC 8705 §3.3
    pub tls_bound_tokens: bool,
    /// A client may be known by the address of a document about it.
    pub takes_client_documents: bool,
}

impl ServerMetadata {
    /// Reads the document of the server with this issuer, which must name itself the same,
    /// character by character (RFC 8414 §3.3). Every address in it is checked.
    pub fn read(issuer: &str, fetched: &Fetched, policy: &Policy) -> Result<Self, DiscoveryError> {
        let host = issuer_url(issuer, policy.allow_loopback_http)?;
        let issuer_host = host.host_str().map(str::to_owned);
        let members = document(fetched)?;
        let from = Reader { members: &members, policy, issuer_host };
        let named = from.text("issuer")?.ok_or(DiscoveryError::Missing("issuer"))?;
        if named != issuer {
            return Err(DiscoveryError::IssuerDiffers);
        }
        let grant_types = from.list("grant_types_supported")?;
        let default = || ["authorization_code", "implicit"].map(str::to_owned).to_vec();
        let auth_methods = from.list("token_endpoint_auth_methods_supported")?;
        // What is not known here is of no use.
        let known =
            |all: Vec<String>| all.iter().filter_map(|it| AuthMethod::from_name(it)).collect();
        Ok(Self {
            issuer: named,
            places: places(&from)?,
            mtls: mtls(&from)?,
            scopes: from.list("scopes_supported")?,
            grant_types: grant_types.unwrap_or_else(default),
            response_types: from.list("response_types_supported")?,
            pkce: from.list("code_challenge_methods_supported")?,
            auth_methods: auth_methods.map(known),
            auth_algorithms: from.list("token_endpoint_auth_signing_alg_values_supported")?,
            push_required: from.flag("require_pushed_authorization_requests")?,
            object_required: from.flag("require_signed_request_object")?,
            object_algorithms: from.list("request_object_signing_alg_values_supported")?,
            sends_issuer: from.flag("authorization_response_iss_parameter_supported")?,
            dpop_algorithms: from.list("dpop_signing_alg_values_supported")?.unwrap_or_default(),
            tls_bound_tokens: from.flag("tls_client_certificate_bound_access_tokens")?,
            takes_client_documents: from.flag("client_id_metadata_document_supported")?,
        })
    }

    /// Where to ask. `with_certificate`: over a connection with a client certificate, for which
    /// some servers have an address of its own (RFC 8705 §5).
    pub fn place(&self, place: Place, with_certificate: bool) -> Option<&str> {
        let alias = self.mtls.get(&place).filter(|_| with_certificate);
        alias.or_else(|| self.places.get(&place)).map(String::as_str)
    }

    pub fn pkce(&self) -> Pkce {
        match &self.pkce {
            Some(methods) if methods.iter().any(|it| it == "S256") => Pkce::S256,
            Some(_) => Pkce::No,
            None => Pkce::Unknown,
        }
    }

    /// Whether a user can be sent there for a code. `pkce_required`: a server that does not say
    /// that it knows S256 is refused, as it must be for MCP.
    pub fn check_code_flow(&self, pkce_required: bool) -> Result<(), DiscoveryError> {
        for place in [Place::Authorization, Place::Token] {
            self.place(place, false).ok_or(DiscoveryError::Missing(place.as_str()))?;
        }
        let code = self.response_types.as_ref().is_none_or(|it| it.iter().any(|it| it == "code"));
        if !code || !self.grant_types.iter().any(|it| it == "authorization_code") {
            return Err(DiscoveryError::Lacks("authorization_code"));
        }
        if pkce_required && self.pkce() != Pkce::S256 {
            return Err(DiscoveryError::Lacks("S256"));
        }
        if self.push_required && self.place(Place::Push, false).is_none() {
            return Err(DiscoveryError::Missing(Place::Push.as_str()));
        }
        Ok(())
    }

    /// What a newer document says otherwise, of what a registration relies on. While there is one,
    /// an operator must agree before credentials go to another address than before.
    pub fn moved(&self, newer: &Self) -> Vec<&'static str> {
        let mut moved = Vec::new();
        if self.issuer != newer.issuer {
            moved.push("issuer");
        }
        for place in Place::ALL {
            let other = |tls| self.place(place, tls) != newer.place(place, tls);
            if other(false) || other(true) {
                moved.push(place.as_str());
            }
        }
        moved
    }
}

fn places(from: &Reader) -> Result<BTreeMap<Place, String>, DiscoveryError> {
    let mut places = BTreeMap::new();
    for place in Place::ALL {
        places.extend(from.endpoint(place.as_str())?.map(|url| (place, url)));
    }
    Ok(places)
}

fn mtls(from: &Reader) -> Result<BTreeMap<Place, String>, DiscoveryError> {
    let name = "mtls_endpoint_aliases";
    match from.get(name) {
        None => Ok(BTreeMap::new()),
        Some(Value::Object(members)) => {
            places(&Reader { members, policy: from.policy, issuer_host: from.issuer_host.clone() })
        }
        Some(_) => Err(DiscoveryError::Wrong(name)),
    }
}
