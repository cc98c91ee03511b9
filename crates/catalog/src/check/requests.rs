//! The requests of an app: proxy, verify, identity.

use super::Checks;
use super::urls::split;
use crate::api::{Identity, IdentityFrom, Proxy, Verify};
use crate::auth::Auth;
use crate::fields::{LearnedFrom, is_host};
use crate::placeholders;

/// Headers that the HTTP layer writes, or that would change where a request ends (RFC 9110 §7.6.1).
const FORBIDDEN_HEADERS: &[&str] = &[
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "proxy-authorization",
    "proxy-connection",
    "cookie",
];

impl Checks<'_> {
    pub(super) fn requests(&mut self) {
        let app = self.app;
        if let Some(proxy) = &app.proxy {
            self.proxy(proxy);
        }
        if let Some(verify) = &app.verify {
            self.request("verify", verify);
        }
        if let Some(identity) = &app.identity {
            self.identity(identity);
        }
        if app.verify.is_none() && app.learned.values().any(|it| it.from == LearnedFrom::Verify) {
            self.error("learned", "reads the answer of verify, but there is none", "Add [verify].");
        }
        let identity_learns = app.learned.values().any(|it| it.from == LearnedFrom::Identity);
        let asks = app
            .identity
            .as_ref()
            .is_some_and(|it| matches!(it.from, IdentityFrom::Verify | IdentityFrom::Request));
        if identity_learns && !asks {
            let fix = "Give [identity] from = \"verify\" or \"request\".";
            self.error("learned", "reads the identity's answer, but nothing is asked", fix);
        }
        if app.identity.is_none() && !matches!(app.auth, Auth::None) {
            let fix = "Say how the account gets its name.";
            self.warn("identity", "accounts of this app have no name", fix);
        }
        if app.verify.is_none() && matches!(app.auth, Auth::Keys | Auth::Basic) {
            self.warn("verify", "wrong keys are found late", "Add a request that proves a key.");
        }
    }

    fn proxy(&mut self, proxy: &Proxy) {
        let app = self.app;
        self.url("proxy.base_url", &proxy.base_url, &[]);
        if proxy.base_url.ends_with('/') {
            self.error("proxy.base_url", "ends with a slash", "Remove it.");
        }
        for host in &proxy.hosts {
            let name = host.strip_prefix("*.").unwrap_or(host);
            let loopback = self.options.allow_loopback && is_loopback(name);
            if !is_host(name) && !loopback {
                let fix = "Write api.example.com, or *.example.com.";
                self.error("proxy.hosts", format!("`{host}` is not a host"), fix);
            }
        }
        let mut injected: Vec<&str> = Vec::new();
        for (name, value) in proxy.headers.iter().chain(&proxy.default_headers) {
            self.header("proxy.headers", name, value, &[]);
            injected.extend(placeholders::names(value).unwrap_or_default());
        }
        for (key, values) in [("proxy.query", &proxy.query), ("proxy.body", &proxy.body)] {
            for value in values.values() {
                self.names(key, value, &[]);
                injected.extend(placeholders::names(value).unwrap_or_default());
            }
        }
        if let Some(aws4) = &proxy.aws4 {
            self.aws4(aws4);
            injected.extend(placeholders::names(&aws4.secret_access_key).unwrap_or_default());
        }
        injected.extend(placeholders::names(&proxy.base_url).unwrap_or_default());
        let secret = |name: &&str| {
            *name == "oauth_access_token"
                || app.field(name).is_some_and(crate::Field::is_secret)
                || app.learned.get(*name).is_some_and(|it| it.secret)
        };
        let signs = matches!(app.auth, Auth::OAuth1(_) | Auth::None);
        if app.is_connectable() && !signs && !injected.iter().any(secret) {
            let fix = "Put the credential into headers, query or body.";
            self.error("proxy", "no credential is added to requests", fix);
        }
        for header in &proxy.rate_limit_headers {
            if *header != header.to_ascii_lowercase() {
                self.error("proxy.rate_limit_headers", "capital letters", "Use lower case.");
            }
        }
    }

    fn identity(&mut self, identity: &Identity) {
        match (identity.from, &identity.request) {
            (IdentityFrom::Request, Some(request)) => self.request("identity.request", request),
            (IdentityFrom::Request, None) => {
                self.error("identity.request", "missing", "Add the request.");
            }
            (_, Some(_)) => {
                self.error("identity.request", "not used", "Write from = \"request\".");
            }
            (IdentityFrom::Verify, None) if self.app.verify.is_none() => {
                self.error("identity.from", "there is no verify request", "Add [verify].");
            }
            (IdentityFrom::Fields, None) => {
                for name in identity.name.iter().chain(&identity.subject) {
                    if self.app.field(name).is_none_or(crate::Field::is_secret) {
                        let wrong = format!("`{name}` is not a field, or a secret one");
                        self.error("identity", wrong, "Name a plain field.");
                    }
                }
            }
            _ => {}
        }
        for path in identity.name.iter().chain(&identity.subject) {
            let Some(name) = path.strip_prefix("field:") else { continue };
            let learned = self.app.learned.get(name).is_some_and(|it| !it.secret);
            if !learned && self.app.field(name).is_none_or(crate::Field::is_secret) {
                let wrong = format!("`{path}` is not a field of the account, or a secret one");
                self.error("identity", wrong, "Name a plain field.");
            }
        }
        if identity.name.is_empty() && identity.subject.is_empty() {
            self.error("identity", "neither name nor subject", "Say where they lie.");
        }
    }

    /// A request that carries the credential: it may only go where the proxy may go.
    fn request(&mut self, key: &str, request: &Verify) {
        self.url(key, &request.url, &[]);
        for (name, value) in &request.headers {
            self.header(key, name, value, &[]);
        }
        if let Some(body) = &request.body {
            self.names(key, body, &[]);
        }
        if request.expect.status.is_empty() {
            self.error(&format!("{key}.expect"), "no status is good", "Name one.");
        }
        let Some(proxy) = &self.app.proxy else {
            return self.error(key, "no [proxy] says how it is signed", "Add [proxy].");
        };
        let host = split(&request.url).map(|it| it.authority);
        let base = split(&proxy.base_url).map(|it| it.authority);
        let Some(host) = host else { return };
        let listed = |it: &String| match it.strip_prefix("*.") {
            Some(end) => host.strip_suffix(end).is_some_and(|it| it.ends_with('.')),
            None => host == it || host.split(':').next() == Some(it),
        };
        if base != Some(host) && !proxy.hosts.iter().any(listed) {
            let wrong = format!("`{host}` is not one of the proxy's hosts");
            self.error(key, wrong, "Add it to proxy.hosts, or use the base's host.");
        }
    }

    pub(super) fn header(&mut self, key: &str, name: &str, value: &str, more: &[&str]) {
        let token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        if name.is_empty() || !name.bytes().all(token) {
            self.error(key, format!("`{name}` is not a header"), "Correct its name.");
        }
        if FORBIDDEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            self.error(key, format!("`{name}` may not be set"), "Remove it.");
        }
        if value.chars().any(char::is_control) {
            self.error(key, format!("`{name}` holds a control character"), "Remove it.");
        }
        self.names(key, value, more);
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    matches!(name, "localhost" | "127.0.0.1") || host.starts_with("[::1]")
}
