//! OAuth 1.0a (RFC 5849): sign a request, and the three steps that give a token.

mod base;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

pub use base::base_string;

use crate::answer::{BODY_BYTES_MAX, Response};
use crate::authorize::joined;
use crate::encode::{cleaned, form_pairs, strict};
use crate::key::{self, KeyError, SigningKey};
use crate::request::{Method, Params, Request, RequestError};
use crate::{Secret, endpoint};

/// What is kept of an error message. Characters.
const MESSAGE_CHARS_MAX: usize = 256;

/// RFC 5849 §3.4. RSA-SHA1 is not offered: nothing that we build on signs with SHA-1 any more.
#[derive(Debug, Clone, Copy)]
pub enum SignatureMethod<'a> {
    HmacSha1,
    /// Not in the RFC; as HMAC-SHA1 with the other hash.
    HmacSha256,
    /// Not in the RFC; as RSA-SHA1 (§3.4.3) with the other hash. The secrets are not used.
    RsaSha256(&'a SigningKey),
    /// The secrets themselves: over TLS only.
    Plaintext,
}

/// A registration at the server, and what makes one request unique. `nonce` must be fresh for each
/// request of one second (RFC 5849 §3.3); 16 random bytes are enough.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    pub consumer_key: &'a str,
    pub consumer_secret: &'a Secret,
    pub method: SignatureMethod<'a>,
    pub realm: Option<&'a str>,
    pub nonce: &'a str,
    /// Seconds since 1970.
    pub timestamp_s: i64,
    pub allow_loopback_http: bool,
}

/// A request token or an access token, with the secret that signs for it.
#[derive(Debug)]
pub struct Token {
    pub token: Secret,
    pub secret: Secret,
    /// What else the server said: `user_id`, `screen_name`.
    pub others: Params,
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub method: Method,
    pub url: &'a str,
    /// The body's parameters if, and only if, it is a form (RFC 5849 §3.4.1.3.1).
    pub form: &'a [(&'a str, &'a str)],
}

impl Signer<'_> {
    /// The value of `Authorization` for any request (RFC 5849 §3.5.1). The URL is sent as it is.
    pub fn authorization(
        &self,
        target: &Target,
        token: Option<&Token>,
    ) -> Result<Secret, RequestError> {
        self.signed(target, token, &[])
    }

    /// The same with a hash of the body, for servers that want one and bodies that are no form
    /// (OAuth Request Body Hash, draft 4, §3.2).
    pub fn authorization_with_body(
        &self,
        target: &Target,
        token: Option<&Token>,
        body: &[u8],
    ) -> Result<Secret, RequestError> {
        let hash = BASE64_STANDARD.encode(digest(self.method.hash(), body));
        self.signed(target, token, &[("oauth_body_hash", &hash)])
    }

    /// The request for a request token (§2.1). `callback` is our address with which the user comes
    /// back, byte for byte.
    pub fn request_token(&self, url: &str, callback: &str) -> Result<Request, RequestError> {
        self.request(url, None, ("oauth_callback", callback))
    }

    /// The request that exchanges a verified request token for an access token (§2.3).
    pub fn access_token(
        &self,
        url: &str,
        token: &Token,
        verifier: &Secret,
    ) -> Result<Request, RequestError> {
        self.request(url, Some(token), ("oauth_verifier", verifier.expose()))
    }

    fn request(
        &self,
        url: &str,
        token: Option<&Token>,
        extra: (&str, &str),
    ) -> Result<Request, RequestError> {
        let target = Target { method: Method::Post, url, form: &[] };
        let authorization = self.signed(&target, token, &[extra])?;
        let mut request = Request {
            method: Method::Post,
            url: Zeroizing::new(url.to_owned()),
            headers: Vec::new(),
            body: None,
        };
        request.add_header("authorization", authorization.expose())?;
        request.add_header("accept", "*/*")?;
        // Some servers answer 411 to a POST without a length.
        request.body = Some(Secret::new(""));
        Ok(request)
    }

    fn signed(
        &self,
        target: &Target,
        token: Option<&Token>,
        extra: &[(&str, &str)],
    ) -> Result<Secret, RequestError> {
        let url = endpoint::check(target.url, self.allow_loopback_http)?;
        let timestamp = self.timestamp_s.to_string();
        let mut oauth = vec![
            ("oauth_consumer_key", self.consumer_key),
            ("oauth_nonce", self.nonce),
            ("oauth_signature_method", self.method.as_str()),
            ("oauth_timestamp", &timestamp),
        ];
        oauth.extend(token.map(|it| ("oauth_token", it.token.expose())));
        oauth.extend(extra);
        oauth.push(("oauth_version", "1.0"));
        let all: Vec<_> = oauth.iter().chain(target.form).copied().collect();
        let base = base_string(target.method, &url, &all);
        let token_secret = token.map_or("", |it| it.secret.expose());
        let signature = self.method.sign(&base, self.consumer_secret.expose(), token_secret)?;
        oauth.push(("oauth_signature", &signature));
        Ok(header(self.realm, &oauth))
    }
}

/// The parameters of a body that are signed: those of a form and of nothing else (RFC 5849
/// §3.4.1.3.1).
pub fn form_params(content_type: &str, body: &[u8]) -> Vec<(String, String)> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Vec::new();
    }
    url::form_urlencoded::parse(body).into_owned().collect()
}

impl SignatureMethod<'_> {
    fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::RsaSha256(_) => "RSA-SHA256",
            Self::Plaintext => "PLAINTEXT",
        }
    }

    /// What hashes a body: the same as in the signature.
    fn hash(self) -> &'static Algorithm {
        match self {
            Self::HmacSha1 | Self::Plaintext => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 | Self::RsaSha256(_) => &SHA256,
        }
    }

    /// RFC 5849 §3.4.2 to §3.4.4; the key is the same for all but RSA.
    fn sign(self, base: &str, consumer: &str, token: &str) -> Result<Zeroizing<String>, KeyError> {
        let key = Zeroizing::new(format!("{}&{}", strict(consumer), strict(token)));
        let algorithm = match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::RsaSha256(key) => {
                let signature = key.sign(key::Algorithm::Rs256, base.as_bytes())?;
                return Ok(Zeroizing::new(BASE64_STANDARD.encode(signature)));
            }
            Self::Plaintext => return Ok(key),
        };
        let key = hmac::Key::new(algorithm, key.as_bytes());
        Ok(Zeroizing::new(BASE64_STANDARD.encode(hmac::sign(&key, base.as_bytes()))))
    }
}

fn header(realm: Option<&str>, pairs: &[(&str, &str)]) -> Secret {
    let mut out = Zeroizing::new(String::from("OAuth "));
    if let Some(realm) = realm {
        // A quoted text, not percent-encoded (RFC 5849 §3.5.1, RFC 9110 §5.6.4).
        let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
        out.extend(["realm=\"", &realm, "\", "]);
    }
    for (at, (name, value)) in pairs.iter().enumerate() {
        let glue = if at == 0 { "" } else { ", " };
        let value = Zeroizing::new(strict(value));
        out.extend([glue, name, "=\"", &value, "\""]);
    }
    Secret::from(out)
}

/// The address to which the browser is sent (RFC 5849 §2.2), with parameters of the app's file.
pub fn authorize_url(
    endpoint: &str,
    request_token: &Secret,
    params: &Params,
    allow_loopback_http: bool,
) -> Result<String, RequestError> {
    let url = endpoint::check(endpoint, allow_loopback_http)?;
    let reserved = |name: &str| name.to_ascii_lowercase().starts_with("oauth_");
    let own = url.query_pairs().map(|(name, _)| name.into_owned());
    if let Some(name) = params.keys().cloned().chain(own).find(|it| reserved(it)) {
        return Err(RequestError::Reserved(name));
    }
    let token = ("oauth_token", request_token.expose());
    let params = params.iter().map(|(name, value)| (&**name, &**value));
    Ok(joined(endpoint, &form_pairs([token].into_iter().chain(params))))
}

/// Why there is no token. Holds none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OneError {
    /// The server said no: the consumer is wrong, or the user has taken the grant back.
    #[error("refused with status {status}: {message}")]
    Refused { status: u16, message: String },
    /// The server may answer later.
    #[error("the server is not able to answer now (status {status})")]
    Transient { status: u16 },
    #[error("the answer has no token in it")]
    Malformed,
    /// A server of before 1.0a, which cannot be told who began (RFC 5849 §2.1).
    #[error("the server did not confirm the callback")]
    CallbackNotConfirmed,
}

/// Reads the answer to [`Signer::request_token`]. The callback must be confirmed.
pub fn read_request_token(response: &Response) -> Result<Token, OneError> {
    let mut token = read(response)?;
    match token.others.remove("oauth_callback_confirmed") {
        Some(it) if it.eq_ignore_ascii_case("true") => Ok(token),
        _ => Err(OneError::CallbackNotConfirmed),
    }
}

/// Reads the answer to [`Signer::access_token`].
pub fn read_access_token(response: &Response) -> Result<Token, OneError> {
    read(response)
}

fn read(response: &Response) -> Result<Token, OneError> {
    let status = response.status;
    if matches!(status, 408 | 425 | 429 | 500..) {
        return Err(OneError::Transient { status });
    }
    if response.body.len() > BODY_BYTES_MAX {
        return Err(OneError::Malformed);
    }
    let text = std::str::from_utf8(response.body).map_err(|_| OneError::Malformed)?.trim();
    if !(200..300).contains(&status) {
        let message = cleaned(text, MESSAGE_CHARS_MAX);
        return Err(OneError::Refused { status, message });
    }
    let mut others = Params::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()).into_owned() {
        if others.insert(name, value).is_some() {
            return Err(OneError::Malformed);
        }
    }
    let mut secret = |name| {
        let text = others.remove(name).map(Zeroizing::new);
        text.filter(|it| !it.is_empty()).map(Secret::from).ok_or(OneError::Malformed)
    };
    let (token, secret) = (secret("oauth_token")?, secret("oauth_token_secret")?);
    Ok(Token { token, secret, others })
}

#[cfg(test)]
mod tests;
