//! Ways in without a browser: a client of the user's own, and keys that are swapped for a token.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::facts::{Facts, texts};
use crate::hosts::{Names, Role};
use crate::oauth::{self, OAuth2};

pub(crate) struct KeyExchange {
    pub url: String,
    pub get: bool,
    pub json: bool,
    pub headers: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
    pub token: String,
    pub expires_in: Option<String>,
    pub lifetime_s: Option<u64>,
}

/// The user's own secret goes to the token URL, so it may be an installation of his own.
pub(crate) fn client(facts: &Facts, names: &mut Names, draft: &mut Draft) {
    let auth = &facts.auth;
    if auth.mtls {
        draft.missing.push("certificates for clients, which cannot be written yet");
    }
    for name in ["client_id", "client_secret"] {
        if names.field(name).is_none() {
            draft.missing.push("the fields client_id and client_secret");
            return;
        }
    }
    let Some(token_url) = url(facts, names, draft) else { return };
    let separator = oauth::separator(facts, draft);
    draft.oauth2 = Some(OAuth2 {
        token_url,
        basic: auth.token_request_auth.as_deref() == Some("basic"),
        json: auth.body_format.as_deref() == Some("json"),
        scopes: oauth::scopes(&auth.default_scopes, &separator),
        separator,
        token_params: oauth::params(&auth.token_params, names),
        token_headers: oauth::headers(&auth.token_headers, names),
        ..OAuth2::default()
    });
    if auth.token_request_auth.is_none() {
        draft.notes.push("No list says how the client proves itself; `post` is assumed.".into());
    }
}

pub(crate) fn keys(facts: &Facts, names: &mut Names, draft: &mut Draft) {
    let auth = &facts.auth;
    let paths = &auth.token_response.paths;
    let Some(url) = url(facts, names, draft) else { return };
    if paths.token.is_empty() {
        draft.missing.push("where the token lies in the answer");
        return;
    }
    let mut tables = [BTreeMap::new(), BTreeMap::new()];
    for (table, made) in [&auth.token_headers, &auth.token_params].into_iter().zip(&mut tables) {
        for (name, value) in texts(table).filter(|(name, _)| *name != "content-type") {
            let Ok(value) = names.text(&value, false) else {
                draft.missing.push("a value that has to be computed");
                return;
            };
            made.insert(name.to_owned(), value);
        }
    }
    let [headers, params] = tables;
    let seconds = paths.token_expiration_strategy.as_deref() == Some("expireIn");
    draft.exchange = Some(KeyExchange {
        url,
        get: auth.token_request_method.as_deref() == Some("GET"),
        json: auth.body_format.as_deref() == Some("json"),
        headers,
        params,
        token: paths.token.clone(),
        expires_in: paths.token_expiration.clone().filter(|_| seconds),
        lifetime_s: auth.refresh.token_lifetime_ms.map(|it| it / 1_000),
    });
}

fn url(facts: &Facts, names: &mut Names, draft: &mut Draft) -> Option<String> {
    let url = facts.auth.token_url.as_deref().and_then(|it| names.url(it, Role::Api).ok());
    if url.is_none() {
        draft.missing.push("a token URL");
    }
    url
}
