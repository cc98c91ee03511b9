//! From a draft to the text of its file, in the order in which files are kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::CHECKED_ON;
use crate::draft::{Draft, Field, Host, Kind};
use crate::exchange::KeyExchange;
use crate::oauth::{OAuth1, OAuth2};
use crate::requests::Proxy;
use crate::words;

/// Columns of a list on one line, at most.
const LINE_COLUMNS_MAX: usize = 96;

pub(crate) fn text(draft: &Draft) -> String {
    let mut out = String::new();
    pair(&mut out, "slug", &draft.slug);
    pair(&mut out, "name", &draft.name);
    pair(&mut out, "description", &draft.description);
    if let Some(homepage) = &draft.homepage {
        pair(&mut out, "homepage", homepage);
    }
    list(&mut out, "categories", &draft.categories);
    let _ = writeln!(out, "popularity = {}", draft.popularity);
    if let Some(icon) = &draft.icon {
        pair(&mut out, "icon", icon);
    }
    pair(&mut out, "purpose", &draft.purpose);
    pair(
        &mut out,
        "auth",
        match draft.kind {
            Kind::OAuth2 | Kind::ClientCredentials => "oauth2",
            Kind::OAuth1 => "oauth1",
            Kind::KeyExchange => "key_exchange",
            Kind::Keys => "keys",
            Kind::Basic => "basic",
            Kind::None => "none",
        },
    );
    for field in &draft.fields {
        self::field(&mut out, field, &draft.name);
    }
    if let Some(it) = &draft.oauth2 {
        oauth2(&mut out, it);
    }
    if let Some(it) = &draft.oauth1 {
        oauth1(&mut out, it);
    }
    if let Some(it) = &draft.exchange {
        exchange(&mut out, it);
    }
    for (name, learned) in &draft.learned {
        let _ = write!(out, "\n[learned.{name}]\n");
        pair(&mut out, "from", learned.from);
        pair(&mut out, "path", &learned.path);
        host(&mut out, learned.host.as_ref());
    }
    if let Some(url) = &draft.verify {
        out.push_str("\n[verify]\n");
        pair(&mut out, "url", url);
    }
    if let Some(name) = &draft.identity {
        out.push_str("\n[identity]\nfrom = \"fields\"\n");
        list(&mut out, "name", &[name]);
    }
    if let Some(it) = &draft.proxy {
        proxy(&mut out, it);
    }
    evidence(&mut out, draft);
    out
}

fn field(out: &mut String, field: &Field, app: &str) {
    out.push_str("\n[[fields]]\n");
    pair(out, "name", &field.name);
    pair(out, "label", &words::label(&field.name));
    let lines = field.secret
        && ["private_key", "cert", "assertion", "service_account", "pem"]
            .iter()
            .any(|it| field.name.contains(it));
    if !field.options.is_empty() {
        pair(out, "kind", "select");
    } else if lines {
        out.push_str("kind = \"multiline\"\nsecret = true\n");
    } else if field.secret {
        pair(out, "kind", "password");
    }
    if let Some(help) = words::help(&field.name, field.secret, app) {
        pair(out, "help", &help);
    }
    if field.optional {
        out.push_str("optional = true\n");
    }
    if !field.options.is_empty() {
        let options: Vec<String> = field
            .options
            .iter()
            .map(|it| format!("    {{ value = {0}, label = {0} }},\n", quoted(it)))
            .collect();
        let _ = writeln!(out, "options = [\n{}]", options.concat());
    }
    host(out, field.host.as_ref());
}

fn host(out: &mut String, host: Option<&Host>) {
    let Some(host) = host else { return };
    let _ = match &host.under {
        Some(under) => {
            writeln!(out, "host = {{ form = {:?}, under = [{}] }}", host.form, quoted(under))
        }
        None => writeln!(out, "host = {{ form = {:?} }}", host.form),
    };
}

fn oauth2(out: &mut String, oauth2: &OAuth2) {
    out.push_str("\n[oauth2]\n");
    if oauth2.authorization_url.is_empty() {
        out.push_str("flow = \"client_credentials\"\nclient = \"fields\"\n");
    } else {
        pair(out, "authorization_url", &oauth2.authorization_url);
    }
    pair(out, "token_url", &oauth2.token_url);
    if let Some(url) = &oauth2.refresh_url {
        pair(out, "refresh_url", url);
    }
    pair(out, "client_auth", if oauth2.basic { "basic" } else { "post" });
    if oauth2.json {
        pair(out, "body_format", "json");
    }
    if let Some(reason) = oauth2.pkce_reason {
        out.push_str("pkce = false\n");
        pair(out, "pkce_reason", reason);
    }
    table(out, "oauth2.authorization_params", &oauth2.authorization_params);
    table(out, "oauth2.token_params", &oauth2.token_params);
    table(out, "oauth2.refresh_params", &oauth2.refresh_params);
    table(out, "oauth2.token_headers", &oauth2.token_headers);
    table(out, "oauth2.param_names", &oauth2.param_names);
    if oauth2.separator != " " || !oauth2.scopes.is_empty() {
        out.push_str("\n[oauth2.scopes]\n");
        if oauth2.separator != " " {
            pair(out, "separator", &oauth2.separator);
        }
        if !oauth2.scopes.is_empty() {
            list(out, "default", &oauth2.scopes);
        }
    }
    if let Some(path) = &oauth2.access_token {
        out.push_str("\n[oauth2.answer]\n");
        pair(out, "access_token", path);
    }
    if let Some(url) = &oauth2.revocation_url {
        out.push_str("\n[oauth2.revocation]\n");
        pair(out, "url", url);
    }
}

fn oauth1(out: &mut String, oauth1: &OAuth1) {
    out.push_str("\n[oauth1]\n");
    pair(out, "request_token_url", &oauth1.request_token_url);
    pair(out, "authorize_url", &oauth1.authorize_url);
    pair(out, "access_token_url", &oauth1.access_token_url);
    if oauth1.plaintext {
        pair(out, "signature_method", "PLAINTEXT");
    }
}

fn exchange(out: &mut String, exchange: &KeyExchange) {
    out.push_str("\n[key_exchange]\n");
    if exchange.get {
        pair(out, "method", "GET");
    }
    pair(out, "url", &exchange.url);
    if exchange.json {
        pair(out, "body_format", "json");
    }
    pair(out, "token", &exchange.token);
    if let Some(path) = &exchange.expires_in {
        pair(out, "expires_in", path);
    }
    if let Some(seconds) = exchange.lifetime_s {
        let _ = writeln!(out, "lifetime_s = {seconds}");
    }
    table(out, "key_exchange.headers", &exchange.headers);
    table(out, "key_exchange.params", &exchange.params);
}

fn proxy(out: &mut String, proxy: &Proxy) {
    out.push_str("\n[proxy]\n");
    pair(out, "base_url", &proxy.base_url);
    if !proxy.hosts.is_empty() {
        list(out, "hosts", &proxy.hosts);
    }
    if !proxy.rate_limit_headers.is_empty() {
        list(out, "rate_limit_headers", &proxy.rate_limit_headers);
    }
    table(out, "proxy.headers", &proxy.headers);
    table(out, "proxy.query", &proxy.query);
    table(out, "proxy.body", &proxy.body);
    table(out, "proxy.default_headers", &proxy.default_headers);
}

fn evidence(out: &mut String, draft: &Draft) {
    out.push_str("\n[evidence]\n");
    let _ = writeln!(out, "confirmed = {}", draft.confirmed);
    if let Some(status) = draft.status.filter(|_| draft.missing.is_empty()) {
        pair(out, "status", status);
    }
    pair(out, "checked_on", CHECKED_ON);
    if !draft.missing.is_empty() {
        list(out, "missing", &draft.missing);
    }
    if !draft.notes.is_empty() {
        list(out, "notes", &draft.notes);
    }
}

fn table(out: &mut String, name: &str, table: &BTreeMap<String, String>) {
    if table.is_empty() {
        return;
    }
    let _ = write!(out, "\n[{name}]\n");
    for (name, value) in table {
        let bare = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let name = if name.chars().all(bare) { name.clone() } else { quoted(name) };
        pair(out, &name, value);
    }
}

fn pair(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {}", quoted(value));
}

fn list(out: &mut String, key: &str, values: &[impl AsRef<str>]) {
    let values: Vec<String> = values.iter().map(|it| quoted(it.as_ref())).collect();
    let line = format!("{key} = [{}]", values.join(", "));
    if line.len() <= LINE_COLUMNS_MAX {
        let _ = writeln!(out, "{line}");
    } else {
        let lines: Vec<String> = values.iter().map(|it| format!("    {it},\n")).collect();
        let _ = writeln!(out, "{key} = [\n{}]", lines.concat());
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
