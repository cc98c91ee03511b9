//! How the app's API is called: base, credential, and the request that proves it.

use std::collections::BTreeMap;

use crate::draft::{Draft, Kind};
use crate::facts::{Facts, Table, texts};
use crate::hosts::{Names, Role, Why};

/// Names of fields of things that are reached otherwise than by a web API: databases, file servers.
const SERVERS: &[&str] = &[
    "host",
    "hostname",
    "server",
    "port",
    "database",
    "connection_string",
    "bucket",
    "endpoint",
    "private_key",
    "project_id",
];

#[derive(Default)]
pub(crate) struct Proxy {
    pub base_url: String,
    pub hosts: Vec<String>,
    pub headers: BTreeMap<String, String>,
    pub query: BTreeMap<String, String>,
    pub body: BTreeMap<String, String>,
    pub default_headers: BTreeMap<String, String>,
    pub rate_limit_headers: Vec<String>,
}

impl Proxy {
    /// Everything that may name a field.
    pub(crate) fn texts(&self) -> String {
        let tables = [&self.headers, &self.query, &self.body, &self.default_headers];
        format!("{} {tables:?}", self.base_url)
    }

    /// Where the credential goes, for an app whose API cannot be called from here.
    pub(crate) fn note(&self, why: &str) -> Option<String> {
        if self.headers.values().any(|it| it.contains("${oauth_access_token}")) {
            return Some(format!("The API's address {why}."));
        }
        let place = |(name, _): (&String, &String)| name.clone();
        let header = self.headers.iter().next().map(place).map(|it| format!("header {it}"));
        let query = self.query.iter().next().map(place).map(|it| format!("query parameter {it}"));
        let body = self.body.iter().next().map(place).map(|it| format!("body member {it}"));
        let place = header.or(query).or(body)?;
        Some(format!("The credential goes into the {place}; the API's address {why}."))
    }
}

pub(crate) fn fill(facts: &Facts, names: &mut Names, draft: &mut Draft) {
    let mut proxy = placed(facts, names);
    let base = facts.proxy.base_url.as_deref();
    match base.map(|it| names.url(it, Role::Api)) {
        None => {
            draft.notes.extend(proxy.note("is not known"));
            return;
        }
        Some(Err(Why::OpenHost)) => {
            draft.notes.extend(proxy.note("leaves the end of its host open"));
            return;
        }
        Some(Err(Why::Unwritable)) => {
            let plain = base.is_some_and(|it| it.starts_with("http://"));
            let why = if plain { "is plain http" } else { "cannot be written in a file yet" };
            draft.notes.extend(proxy.note(why));
            return;
        }
        Some(Ok(url)) => proxy.base_url = url,
    }
    if crate::hosts::is_for_tests(&proxy.base_url) {
        draft.notes.push("The API's address seems to be that of a test system.".to_owned());
    }
    let open = draft.kind == Kind::None || is_placed(facts, names) || draft.has_token();
    if !open {
        draft.notes.push(format!("The API is at {}", proxy.base_url));
        return;
    }
    let has_credential = draft.kind == Kind::None
        || draft.has_token()
        || !(proxy.headers.is_empty() && proxy.query.is_empty() && proxy.body.is_empty())
        || proxy.base_url.contains("${");
    if !has_credential {
        draft.notes.push(format!("The API is at {}", proxy.base_url));
        return;
    }
    for host in &facts.proxy.other_hosts {
        let host = host.trim_start_matches("https://").trim_end_matches('/').to_lowercase();
        if !host.contains(['$', '/', ':']) && !proxy.hosts.contains(&host) {
            proxy.hosts.push(host);
        }
    }
    verify(facts, names, draft, &mut proxy);
    if draft.kind.has_token()
        && draft.kind != Kind::OAuth1
        && !proxy.texts().contains("${oauth_access_token}")
    {
        let bearer = "Bearer ${oauth_access_token}".to_owned();
        proxy.headers.entry("authorization".to_owned()).or_insert(bearer);
        draft.notes.push("That the API takes the token as a bearer is assumed.".to_owned());
    }
    draft.proxy = Some(proxy);
}

/// The credential's place, without a base URL.
fn placed(facts: &Facts, names: &mut Names) -> Proxy {
    let mut proxy = Proxy {
        query: mapped(&facts.proxy.query, names),
        body: mapped(&facts.proxy.body, names),
        ..Proxy::default()
    };
    for (name, value) in mapped(&facts.proxy.headers, names) {
        let name = name.to_lowercase();
        if value.contains("${") {
            proxy.headers.insert(name, value);
        } else if !matches!(name.as_str(), "content-type" | "user-agent") && !value.contains('@') {
            proxy.default_headers.insert(name, value);
        }
    }
    proxy.headers.retain(|name, _| name != "cookie" && name != "host");
    proxy.rate_limit_headers =
        facts.rate_limit_headers.iter().map(|it| it.to_lowercase()).collect();
    proxy
}

fn mapped(table: &Table, names: &mut Names) -> BTreeMap<String, String> {
    let text = |(name, value): (&str, String)| {
        let value = names.text(&value, false).ok()?;
        Some((name.to_owned(), value))
    };
    texts(table).filter_map(text).collect()
}

/// Whether the place of a secret field is known: a header, the query, the body or the path.
pub(crate) fn is_placed(facts: &Facts, names: &Names) -> bool {
    let all = texts(&facts.proxy.headers)
        .filter(|(name, _)| !matches!(*name, "cookie" | "host"))
        .chain(texts(&facts.proxy.query))
        .chain(texts(&facts.proxy.body))
        .map(|(_, it)| it)
        .chain(facts.proxy.base_url.clone());
    let places: Vec<String> = all.collect();
    let named = |name: &str| {
        places.iter().any(|it| {
            grantkeep_catalog::placeholders::names(it)
                .unwrap_or_default()
                .iter()
                .any(|used| crate::hosts::snake(used).as_deref() == Some(name))
        })
    };
    names.fields.iter().any(|it| it.secret && named(&it.name))
}

/// A database or a file server: the product's code takes the fields and knows what to do.
pub(crate) fn is_no_web_api(facts: &Facts) -> bool {
    facts.proxy.base_url.is_none()
        && facts.fields.len() >= 2
        && facts.fields.iter().any(|it| SERVERS.contains(&it.name.as_str()))
}

/// The request that proves a credential, where it is a plain GET to the API.
fn verify(facts: &Facts, names: &mut Names, draft: &mut Draft, proxy: &mut Proxy) {
    let Some(verify) = facts.verify.as_ref().filter(|it| it.method == "GET") else { return };
    let fields = names.fields.len();
    let Ok(url) = names.url(&verify.url, Role::Api) else { return };
    if names.fields.len() > fields {
        // It needs what nobody is asked for.
        names.fields.truncate(fields);
        return;
    }
    let (Some(host), Some(base)) = (host(&url), host(&proxy.base_url)) else { return };
    if host != base {
        let ending = |it: &str| it.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>();
        if host.contains('$') || base.contains('$') || ending(host) != ending(base) {
            return;
        }
        if !proxy.hosts.iter().any(|it| it == host) {
            proxy.hosts.push(host.to_owned());
        }
    }
    draft.verify = Some(url);
}

fn host(url: &str) -> Option<&str> {
    url.strip_prefix("https://").unwrap_or(url).split(['/', '?']).next()
}
