use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::Secret;
use crate::endpoint::EndpointError;
use crate::key::KeyError;
use crate::resource::ResourceError;
use crate::template::TemplateError;

/// Parameters or headers from an app's file or a tenant's settings.
pub type Params = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    const ALL: [Self; 7] =
        [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Head, Self::Options];

    /// Upper case only: methods are told apart by case (RFC 9110 §9.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// A request to be sent as it is, without following redirects. Header names are lower-case.
/// Wiped when dropped; `Debug` shows the method and the host only.
pub struct Request {
    pub method: Method,
    pub url: Zeroizing<String>,
    pub headers: Vec<(String, Secret)>,
    pub body: Option<Secret>,
}

impl Request {
    /// The value of a header, given its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.expose())
    }

    /// Sets a header of our own or of the app. The first one set stays.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) -> Result<(), RequestError> {
        let name = name.to_ascii_lowercase();
        let token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        let text = |it: u8| it == b'\t' || (b' '..0x7f).contains(&it);
        let framing = ["host", "content-length", "transfer-encoding", "connection"];
        if name.is_empty() || !name.bytes().all(token) || framing.contains(&name.as_str()) {
            return Err(RequestError::HeaderName(name));
        }
        if !value.bytes().all(text) {
            return Err(RequestError::HeaderValue(name));
        }
        if self.header(&name).is_none() {
            self.headers.push((name, Secret::new(value)));
        }
        Ok(())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = url::Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(|it| it.host_str()).unwrap_or("?");
        write!(f, "Request({} {host})", self.method.as_str())
    }
}

/// Why no request can be made from what was given. Always a fault of settings, never of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the address is not acceptable: {0}")]
    Endpoint(#[from] EndpointError),
    #[error("the parameter `{0}` may not be set from outside")]
    Reserved(String),
    #[error("`{0}` is no header that may be set")]
    HeaderName(String),
    #[error("the value of the header `{0}` has characters that a header cannot hold")]
    HeaderValue(String),
    #[error("this way of client authentication needs a client secret")]
    NoClientSecret,
    #[error("two ways of client authentication at once")]
    TwoAuthentications,
    #[error(transparent)]
    Resource(#[from] ResourceError),
    #[error("the request cannot be signed: {0}")]
    Key(#[from] KeyError),
    #[error("a template in it: {0}")]
    Template(#[from] TemplateError),
}
