//! The parts of a file that say how to sign in.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::facts::{Facts, Table, texts};
use crate::hosts::{Names, Role, Why};

/// Parameters that belong to the protocol; the program sets them.
const OWN: &[&str] = &[
    "grant_type",
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "refresh_token",
    "nonce",
    "request",
    "request_uri",
    "scope",
];

#[derive(Default)]
pub(crate) struct OAuth2 {
    /// Empty where the client asks for itself.
    pub authorization_url: String,
    pub token_url: String,
    pub refresh_url: Option<String>,
    pub basic: bool,
    pub json: bool,
    pub pkce_reason: Option<&'static str>,
    pub separator: String,
    pub scopes: Vec<String>,
    pub authorization_params: BTreeMap<String, String>,
    pub token_params: BTreeMap<String, String>,
    pub refresh_params: BTreeMap<String, String>,
    pub token_headers: BTreeMap<String, String>,
    pub param_names: BTreeMap<String, String>,
    pub access_token: Option<String>,
    pub revocation_url: Option<String>,
}

impl OAuth2 {
    /// Everything that may name a field.
    pub(crate) fn texts(&self) -> String {
        let tables = [&self.authorization_params, &self.token_params, &self.refresh_params];
        let urls = [&self.refresh_url, &self.revocation_url];
        format!(
            "{} {} {urls:?} {tables:?} {:?}",
            self.authorization_url, self.token_url, self.token_headers
        )
    }
}

impl OAuth1 {
    pub(crate) fn texts(&self) -> String {
        format!("{} {} {}", self.request_token_url, self.authorize_url, self.access_token_url)
    }
}

pub(crate) struct OAuth1 {
    pub request_token_url: String,
    pub authorize_url: String,
    pub access_token_url: String,
    pub plaintext: bool,
}

pub(crate) fn oauth2(facts: &Facts, names: &mut Names, draft: &mut Draft) {
    let auth = &facts.auth;
    let authorization =
        url(auth.authorization_url.as_deref(), names, draft, "an authorization URL");
    let token = url(auth.token_url.as_deref(), names, draft, "a token URL");
    let (Some(authorization_url), Some(token_url)) = (authorization, token) else {
        for (what, url) in [("authorization", &auth.authorization_url), ("token", &auth.token_url)]
        {
            if let Some(url) = url {
                draft.notes.push(format!("The {what} URL as far as it is known: {url}"));
            }
        }
        return;
    };
    if auth.mtls {
        draft.missing.push("certificates for clients, which cannot be written yet");
    }
    let separator = separator(facts, draft);
    let breaks = auth.pkce_tolerated == Some(false) && !auth.pkce;
    let asked = |names: &mut Names, url: &Option<String>| {
        url.as_deref().and_then(|it| names.url(it, Role::SignIn).ok())
    };
    draft.oauth2 = Some(OAuth2 {
        refresh_url: asked(names, &auth.refresh_url).filter(|it| *it != token_url),
        authorization_url,
        token_url,
        basic: auth.token_request_auth.as_deref() == Some("basic"),
        json: auth.body_format.as_deref() == Some("json"),
        pkce_reason: breaks.then_some("Known to break requests at this server."),
        scopes: scopes(&auth.default_scopes, &separator),
        separator,
        authorization_params: params(&auth.authorization_params, names),
        token_params: params(&auth.token_params, names),
        refresh_params: params(&auth.refresh.params, names),
        token_headers: headers(&auth.token_headers, names),
        param_names: renames(&auth.param_renames),
        access_token: auth.token_response.access_token_path.clone(),
        revocation_url: asked(names, &auth.revocation_url),
    });
    if auth.revocation_url.is_some() {
        draft.notes.push("That a revocation goes as RFC 7009 says is assumed.".to_owned());
    }
    if facts.proxy.headers_source.as_deref() == Some("default") {
        draft.notes.push("That the API takes the token as a bearer is assumed.".to_owned());
    }
    if !auth.default_scopes.is_empty() {
        draft.notes.push("The scopes are what other integrations ask for.".to_owned());
    }
}

pub(crate) fn oauth1(facts: &Facts, names: &mut Names, draft: &mut Draft) {
    let auth = &facts.auth;
    let request = url(auth.request_url.as_deref(), names, draft, "a request token URL");
    let authorize = url(auth.authorization_url.as_deref(), names, draft, "an authorization URL");
    let access = url(auth.token_url.as_deref(), names, draft, "an access token URL");
    if let (Some(request_token_url), Some(authorize_url), Some(access_token_url)) =
        (request, authorize, access)
    {
        draft.oauth1 = Some(OAuth1 {
            request_token_url,
            authorize_url,
            access_token_url,
            plaintext: auth.signature_method.as_deref() == Some("PLAINTEXT"),
        });
    }
}

fn url(
    written: Option<&str>,
    names: &mut Names,
    draft: &mut Draft,
    what: &'static str,
) -> Option<String> {
    let Some(written) = written else {
        draft.missing.push(what);
        return None;
    };
    match names.url(written, Role::SignIn) {
        Ok(url) => Some(url),
        Err(Why::OpenHost) => {
            let open = "which host: a user must not choose where the client's secret goes";
            if !draft.missing.contains(&open) {
                draft.missing.push(open);
            }
            None
        }
        Err(Why::Unwritable) => {
            draft.missing.push(what);
            None
        }
    }
}

pub(crate) fn separator(facts: &Facts, draft: &mut Draft) -> String {
    match facts.auth.scope_separator.as_deref() {
        // Both are a space by the time that it stands in a URL.
        Some("%20" | "+") => {
            draft.notes.push("The list writes an encoded space between scopes.".to_owned());
            " ".to_owned()
        }
        Some(other) if !other.is_empty() => other.to_owned(),
        _ => {
            draft.notes.push("No list says what stands between scopes; a space is assumed.".into());
            " ".to_owned()
        }
    }
}

pub(crate) fn scopes(list: &[String], separator: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for scope in list.iter().flat_map(|it| it.split(separator)).flat_map(str::split_whitespace) {
        if !scope.contains("${") && !found.iter().any(|it| it == scope) {
            found.push(scope.to_owned());
        }
    }
    found
}

pub(crate) fn params(table: &Table, names: &mut Names) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, value) in texts(table) {
        if OWN.contains(&name) {
            continue;
        }
        if let Ok(value) = names.text(&value, false) {
            found.insert(name.to_owned(), value);
        }
    }
    found
}

pub(crate) fn headers(table: &Table, names: &mut Names) -> BTreeMap<String, String> {
    let mut found = params(table, names);
    found.retain(|name, _| !matches!(name.as_str(), "content-type" | "authorization"));
    found
}

fn renames(table: &Table) -> BTreeMap<String, String> {
    texts(table)
        .map(|(name, other)| (name.trim_end_matches('='), other.trim_end_matches('=').to_owned()))
        .filter(|(_, other)| !other.is_empty())
        .map(|(name, other)| (name.to_owned(), other))
        .collect()
}
