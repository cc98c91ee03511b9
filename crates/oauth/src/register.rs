//! Clients that register themselves (RFC 7591), their care (RFC 7592), and clients that are known
//! by a document about them.

pub mod document;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::answer::{self, BODY_BYTES_MAX, Failure, Malformed, Members, Response, Rules};
use crate::discovery::AuthMethod;
use crate::key::{KeyError, SigningKey};
use crate::request::{Method, Params, Request, RequestError};
use crate::token::add_headers;
use crate::{Secret, endpoint, json};

/// Characters of a client's id that is believed.
const CLIENT_ID_CHARS_MAX: usize = 2_048;

/// What a client says of itself (RFC 7591 §2). Empty texts and lists are left out.
#[derive(Debug, Clone, Copy)]
pub struct ClientMetadata<'a> {
    pub client_name: &'a str,
    pub redirect_uris: &'a [&'a str],
    /// `response_types` follows from them.
    pub grant_types: &'a [&'a str],
    pub auth: AuthMethod,
    /// The keys of `private_key_jwt` and of request objects: their public halves are sent, unless
    /// `jwks_uri` says where they lie (RFC 7591 §2: never both).
    pub keys: &'a [&'a SigningKey],
    pub jwks_uri: Option<&'a str>,
    pub scope: &'a str,
    pub client_uri: Option<&'a str>,
    pub logo_uri: Option<&'a str>,
    pub tos_uri: Option<&'a str>,
    pub policy_uri: Option<&'a str>,
    pub contacts: &'a [&'a str],
    pub software_id: Option<&'a str>,
    pub software_version: Option<&'a str>,
    /// RFC 9449 §5.2
    pub dpop_bound: bool,
    /// What else a server wants; replaces nothing of the above.
    pub others: Option<&'a Map<String, Value>>,
}

impl ClientMetadata<'_> {
    fn members(&self) -> Result<Map<String, Value>, KeyError> {
        let text = |it: &str| (!it.is_empty()).then(|| Value::from(it));
        let list = |it: &[&str]| (!it.is_empty()).then(|| Value::from(it.to_vec()));
        let code = self.grant_types.contains(&"authorization_code");
        let jwks = if self.jwks_uri.is_none() { self.jwks()? } else { None };
        let pairs = [
            ("client_name", text(self.client_name)),
            ("redirect_uris", list(self.redirect_uris)),
            ("grant_types", list(self.grant_types)),
            ("response_types", Some(if code { vec!["code"] } else { vec![] }.into())),
            ("token_endpoint_auth_method", Some(self.auth.as_str().into())),
            ("token_endpoint_auth_signing_alg", self.algorithm().map(Value::from)),
            ("jwks", jwks),
            ("jwks_uri", self.jwks_uri.and_then(text)),
            ("scope", text(self.scope)),
            ("client_uri", self.client_uri.and_then(text)),
            ("logo_uri", self.logo_uri.and_then(text)),
            ("tos_uri", self.tos_uri.and_then(text)),
            ("policy_uri", self.policy_uri.and_then(text)),
            ("contacts", list(self.contacts)),
            ("software_id", self.software_id.and_then(text)),
            ("software_version", self.software_version.and_then(text)),
            ("dpop_bound_access_tokens", self.dpop_bound.then(|| true.into())),
        ];
        let mut members = self.others.cloned().unwrap_or_default();
        for (name, value) in pairs {
            members.extend(value.map(|it| (name.to_owned(), it)));
        }
        Ok(members)
    }

    fn algorithm(&self) -> Option<&'static str> {
        match self.auth {
            AuthMethod::PrivateKeyJwt => Some(self.keys.first()?.algorithms().first()?.as_str()),
            AuthMethod::ClientSecretJwt => Some("HS256"),
            _ => None,
        }
    }

    /// RFC 7517 §5.
    fn jwks(&self) -> Result<Option<Value>, KeyError> {
        let keys = self.keys.iter().map(|it| it.published_jwk().map(Value::Object));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let members = [("keys".to_owned(), Value::from(keys))].into_iter().collect();
        Ok((!self.keys.is_empty()).then_some(Value::Object(members)))
    }
}

/// Where a server registers clients.
#[derive(Debug, Clone, Copy)]
pub struct Registrar<'a> {
    pub url: &'a str,
    /// Handed out beforehand by some servers (RFC 7591 §3), or the one of the registration itself
    /// (RFC 7592 §2).
    pub token: Option<&'a Secret>,
    pub allow_loopback_http: bool,
}

impl Registrar<'_> {
    /// The request for a new registration (RFC 7591 §3.1).
    pub fn create(&self, client: &ClientMetadata) -> Result<Request, RequestError> {
        self.request(Method::Post, Some(client.members()?))
    }

    /// What is registered (RFC 7592 §2.1). The URL is [`Registered::management_url`], here and in
    /// the next two.
    pub fn read(&self) -> Result<Request, RequestError> {
        self.request(Method::Get, None)
    }

    /// Replaces what is registered (RFC 7592 §2.2). A secret is not sent: the server keeps it.
    pub fn update(&self, client: &ClientMetadata, id: &str) -> Result<Request, RequestError> {
        let mut members = client.members()?;
        members.insert("client_id".to_owned(), id.into());
        self.request(Method::Put, Some(members))
    }

    /// Ends the registration (RFC 7592 §2.3): 204 if it is done.
    pub fn delete(&self) -> Result<Request, RequestError> {
        self.request(Method::Delete, None)
    }

    fn request(
        &self,
        method: Method,
        members: Option<Map<String, Value>>,
    ) -> Result<Request, RequestError> {
        endpoint::check(self.url, self.allow_loopback_http)?;
        let url = Zeroizing::new(self.url.to_owned());
        let mut request = Request { method, url, headers: Vec::new(), body: None };
        if let Some(token) = self.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
            request.add_header("authorization", &bearer)?;
        }
        if let Some(members) = members {
            request.add_header("content-type", "application/json")?;
            request.body = Some(Secret::new(Value::Object(members).to_string()));
        }
        add_headers(&mut request, &Params::new())?;
        Ok(request)
    }
}

/// A registration, as the server made it.
#[derive(Debug)]
pub struct Registered {
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// Milliseconds since 1970. `None`: never, or there is no secret.
    pub secret_expires_at_ms: Option<i64>,
    /// The way that the server settled on; it may be another than was asked for.
    pub auth: AuthMethod,
    /// Where the registration is cared for, and with what; both or none (RFC 7592 §3).
    pub management_url: Option<String>,
    pub management_token: Option<Secret>,
    /// Members that the server registered otherwise than they were asked for (RFC 7591 §3.2.1).
    pub changed: Vec<String>,
    pub members: Members,
}

/// Reads the answer to a registration or its change (RFC 7591 §3.2, RFC 7592 §3).
///
/// # Errors
/// Also an answer without one of our redirect URIs, or with a way of authentication that we do not
/// know or cannot follow: with such a registration no flow could end well.
pub fn read(
    asked: &ClientMetadata,
    response: &Response,
    now_ms: i64,
    allow_loopback_http: bool,
) -> Result<Registered, Failure> {
    let missing = |name| Failure::Malformed(Malformed::Missing(name));
    if let Some(failure) = answer::failure_in(&Rules::default(), response, now_ms) {
        return Err(failure);
    }
    // Read once more, and strictly: which of two secrets is meant cannot be known.
    let given = json::read(response.body, BODY_BYTES_MAX).map_err(|_| missing("client_id"))?;
    let members = Members::new(Value::Object(given));
    let fits = |it: &String| {
        (1..=CLIENT_ID_CHARS_MAX).contains(&it.len())
            && it.bytes().all(|it| (b' '..0x7f).contains(&it))
    };
    let client_secret = answer::secret(&members, "client_secret");
    let auth = match members.text("token_endpoint_auth_method") {
        Some(name) => AuthMethod::from_name(&name),
        None => Some(asked.auth),
    };
    let auth = auth.ok_or(missing("token_endpoint_auth_method"))?;
    if auth.is_symmetric() && client_secret.is_none() {
        return Err(missing("client_secret"));
    }
    if !keeps_redirects(asked, &members) {
        return Err(missing("redirect_uris"));
    }
    let expires_s = members.get("client_secret_expires_at").and_then(Value::as_i64);
    let url = members.text("registration_client_uri");
    let url = url.filter(|it| endpoint::check(it, allow_loopback_http).is_ok());
    let token = answer::secret(&members, "registration_access_token");
    let (management_url, management_token) = url.zip(token).unzip();
    let asked = asked.members().map_err(|_| missing("jwks"))?;
    Ok(Registered {
        client_id: members.text("client_id").filter(fits).ok_or(missing("client_id"))?,
        secret_expires_at_ms: expires_s
            .filter(|it| *it > 0 && client_secret.is_some())
            .map(|it| it.saturating_mul(1_000)),
        client_secret,
        auth,
        management_url,
        management_token,
        changed: changed(&asked, &members),
        members,
    })
}

fn keeps_redirects(asked: &ClientMetadata, members: &Members) -> bool {
    let Some(kept) = members.get("redirect_uris") else { return true };
    let kept = kept.as_array().map(Vec::as_slice).unwrap_or_default();
    asked.redirect_uris.iter().all(|uri| kept.iter().any(|it| it == uri))
}

/// What the server leaves out counts as taken: many answer with less than they must.
fn changed(asked: &Map<String, Value>, given: &Members) -> Vec<String> {
    let differs = |name: &str, value: &Value| {
        given.value().get(name).is_some_and(|it| words(name, it) != words(name, value))
    };
    let changed = asked.iter().filter(|(name, value)| differs(name, value));
    changed.map(|(name, _)| name.clone()).collect()
}

/// A value in a form in which the order of lists and scopes does not count.
fn words(name: &str, value: &Value) -> Vec<String> {
    let mut words = match value {
        Value::Array(items) => items.iter().map(Value::to_string).collect(),
        Value::String(text) if name == "scope" => {
            text.split_whitespace().map(str::to_owned).collect()
        }
        other => vec![other.to_string()],
    };
    words.sort();
    words
}

#[cfg(test)]
mod tests;
