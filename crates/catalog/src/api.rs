//! How an app's own API is called: where, with which headers, and what it says about the account.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where requests go and how they are signed. Texts may hold `${...}`, see [`crate::placeholders`].
/// A header or query parameter that names a field without a value is left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// A relative target is joined to this. No slash at the end.
    pub base_url: String,
    /// More hosts that may get the credential: exact, or `*.example.com` for everything under it.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Set on every request, last, so that nobody can replace them.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Added to every request's query; removed from logs.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Set in the body of requests that have one, form or JSON.
    #[serde(default)]
    pub body: BTreeMap<String, String>,
    /// Requests are signed the way of AWS.
    pub aws4: Option<crate::ways::Aws4>,
    /// Sent unless the caller sends its own: versions (`Notion-Version`), kinds of answer.
    #[serde(default)]
    pub default_headers: BTreeMap<String, String>,
    /// Answer headers that tell how much may still be asked, in lower case.
    #[serde(default)]
    pub rate_limit_headers: Vec<String>,
}

/// A request that proves that a credential works. Sent with the proxy's headers and query; its own
/// `headers` come after them and replace those of the same name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    #[serde(default)]
    pub method: Method,
    pub url: String,
    /// Sent with `Content-Type: application/json`, unless `headers` says otherwise.
    pub body: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub expect: Expect,
}

/// What a good answer looks like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub status: Vec<u16>,
    /// A path that must hold `true`: APIs that answer 200 to everything (`ok` at Slack).
    pub truthy: Option<String>,
    /// A path that must hold something: GraphQL answers 200 with `errors`.
    pub present: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Post,
    Put,
    Delete,
}

/// How the account gets its name and its stable subject: dotted paths, numbers for places in lists;
/// `field:NAME` is a field of the account, asked or learnt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub from: IdentityFrom,
    /// The request, with `from = "request"`.
    pub request: Option<Verify>,
    /// The first of these that holds a text or number is the account's name.
    #[serde(default)]
    pub name: Vec<String>,
    /// All of these, joined by `:`, never change for this account and belong to no other.
    #[serde(default)]
    pub subject: Vec<String>,
}

/// Whose answer the paths are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityFrom {
    /// The answer of the app's `verify` request.
    Verify,
    /// The answer of `identity.request`.
    Request,
    /// The token endpoint's answer.
    TokenAnswer,
    /// The fields the user gave; paths are field names.
    Fields,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: vec![200], truthy: None, present: None }
    }
}
