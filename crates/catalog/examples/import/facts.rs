//! The list of facts as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Headers, parameters: a name to a text, sometimes to a number or a boolean.
pub(crate) type Table = BTreeMap<String, Value>;

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub slug: String,
    pub name: String,
    pub domain: Option<String>,
    pub homepage: Option<String>,
    pub homepage_source: Option<String>,
    pub categories: Vec<String>,
    /// `confirmed`, `single_source`, `incomplete`, `type_only` or `recalled`.
    pub status: String,
    pub confidence: u32,
    pub confirmed_by: Option<String>,
    pub auth: AuthFacts,
    pub fields: Vec<FieldFacts>,
    pub proxy: ProxyFacts,
    pub verify: Option<VerifyFacts>,
    pub rate_limit_headers: Vec<String>,
    pub icon: Option<String>,
    /// Only how many there are counts here.
    pub sources: Vec<String>,
    pub alternatives: Vec<Alternative>,
    pub conflicts: Vec<Conflict>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuthFacts {
    #[serde(rename = "type")]
    pub kind: String,
    pub authorization_url: Option<String>,
    pub token_url: Option<String>,
    pub request_url: Option<String>,
    pub refresh_url: Option<String>,
    pub revocation_url: Option<String>,
    pub signature_method: Option<String>,
    pub scope_separator: Option<String>,
    pub default_scopes: Vec<String>,
    pub authorization_params: Table,
    pub token_params: Table,
    pub token_headers: Table,
    pub token_request_auth: Option<String>,
    pub token_request_auth_assumed: bool,
    pub body_format: Option<String>,
    pub token_request_method: Option<String>,
    /// Some list sends it on purpose.
    pub pkce: bool,
    /// `false`: known to break.
    pub pkce_tolerated: Option<bool>,
    pub connection_fields: Vec<AskedFacts>,
    pub param_renames: Table,
    pub token_response: AnswerFacts,
    pub refresh: RefreshFacts,
    pub mtls: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RefreshFacts {
    pub params: Table,
    pub token_lifetime_ms: Option<u64>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AnswerFacts {
    pub paths: PathFacts,
    pub access_token_path: Option<String>,
    pub metadata: Vec<String>,
    pub callback_query_metadata: Vec<String>,
}

/// Where things lie in the answer to an exchange of keys.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PathFacts {
    pub token: String,
    pub token_expiration: Option<String>,
    /// `expireIn`: a number of seconds; `expireAt`: a moment, in a form that nobody tells.
    pub token_expiration_strategy: Option<String>,
}

/// Something asked before connecting, or learnt by it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AskedFacts {
    pub name: String,
    pub secret: bool,
    pub required: bool,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    #[serde(rename = "enum")]
    pub choices: Vec<String>,
    pub from: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldFacts {
    pub name: String,
    pub secret: bool,
    pub optional: bool,
    /// Nobody says that there is such a field.
    pub assumed: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProxyFacts {
    pub base_url: Option<String>,
    pub headers: Table,
    pub headers_source: Option<String>,
    pub query: Table,
    pub body: Table,
    pub other_hosts: Vec<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VerifyFacts {
    pub method: String,
    pub url: String,
}

/// Another way into the same app.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Alternative {
    #[serde(rename = "type")]
    pub kind: String,
    pub sources: Vec<String>,
    pub authorization_url: Option<String>,
    pub token_url: Option<String>,
    pub headers: Table,
    pub base_url: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Conflict {
    pub field: String,
    pub value: Value,
}

pub(crate) fn read(text: &str) -> Result<Vec<Facts>, String> {
    let line = |(at, line): (usize, &str)| {
        let value: Value =
            serde_json::from_str(line).map_err(|why| format!("line {}: {why}", at + 1))?;
        serde_json::from_value(without_nulls(value))
            .map_err(|why| format!("line {}: {why}", at + 1))
    };
    text.lines().enumerate().filter(|(_, it)| !it.trim().is_empty()).map(line).collect()
}

/// `null` says the same as no key at all.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, it)| !it.is_null())
                .map(|(key, it)| (key, without_nulls(it)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

impl Facts {
    /// An app with keys whose users may sign in by OAuth too is two apps: `acme` and `acme_oauth`.
    pub(crate) fn second_ways(&self) -> Option<Self> {
        if self.auth.kind == "oauth2" || self.slug.ends_with("_oauth") {
            return None;
        }
        let way = self.alternatives.iter().find(|it| {
            it.kind == "oauth2" && it.authorization_url.is_some() && it.token_url.is_some()
        })?;
        let confidence = u32::try_from(way.sources.len()).unwrap_or(1);
        Some(Self {
            slug: format!("{}_oauth", self.slug),
            name: format!("{} (OAuth)", self.name),
            status: if confidence >= 2 { "confirmed" } else { "single_source" }.to_owned(),
            confidence,
            sources: way.sources.clone(),
            auth: AuthFacts {
                kind: "oauth2".to_owned(),
                authorization_url: way.authorization_url.clone(),
                token_url: way.token_url.clone(),
                token_request_auth_assumed: true,
                ..AuthFacts::default()
            },
            proxy: ProxyFacts {
                base_url: way.base_url.clone().or_else(|| self.proxy.base_url.clone()),
                headers: way.headers.clone(),
                ..ProxyFacts::default()
            },
            fields: Vec::new(),
            verify: None,
            alternatives: Vec::new(),
            conflicts: Vec::new(),
            ..self.clone()
        })
    }
}

/// The table's entries that are texts, numbers or booleans, as texts.
pub(crate) fn texts(table: &Table) -> impl Iterator<Item = (&str, String)> {
    table.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(it) => it.clone(),
            Value::Bool(it) => it.to_string(),
            Value::Number(it) => it.to_string(),
            _ => return None,
        };
        Some((name.as_str(), text))
    })
}
