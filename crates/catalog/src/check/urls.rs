//! URLs with placeholders: the scheme, and which part of them a user can decide.

use url::{Host, Url};

use super::Checks;
use crate::fields::{HostForm, HostRule, is_host};
use crate::placeholders;

/// Endings under which anybody can have a name, as far as apps use them.
const SHARED_ENDINGS: &[&str] = &[
    "co.uk", "org.uk", "com.au", "net.au", "com.br", "co.jp", "co.nz", "co.za", "co.in", "co.kr",
    "com.ar", "com.cn", "com.mx", "com.sg", "com.tr", "com.tw",
];

/// Stands for a placeholder while the shape of a URL is looked at.
const WORD: &str = "x0placeholder0x";

impl Checks<'_> {
    /// One URL: https, a real host, known names, and a host rule wherever a name can decide the
    /// host.
    pub(super) fn url(&mut self, key: &str, text: &str, more: &[&str]) {
        self.names(key, text, more);
        let Some(parts) = split(text) else {
            return self.error(key, "not a URL", "Write https:// and a host.");
        };
        for name in placeholders::names(text).unwrap_or_default() {
            let field = self.app.field(name);
            let missing = field.is_some_and(|it| it.optional && it.default.is_none());
            if missing && !self.app.learned.contains_key(name) {
                let wrong = format!("`{name}` may be missing");
                self.error(key, wrong, "Give the field a default, or make it required.");
            }
        }
        for name in placeholders::names(parts.authority).unwrap_or_default() {
            self.host_name(key, name, &parts);
        }
        // A whole origin in one placeholder: its rule says what it is.
        if parts.scheme.is_empty() {
            return;
        }
        let Some(flat) = placeholders::flattened(text, WORD) else { return };
        match Url::parse(&flat) {
            Ok(url) => self.parsed(key, &url),
            Err(why) => self.error(key, format!("not a URL: {why}"), "Write https:// and a host."),
        }
    }

    fn parsed(&mut self, key: &str, url: &Url) {
        let loopback = match url.host() {
            Some(Host::Domain(it)) => it == "localhost",
            Some(Host::Ipv4(it)) => it.is_loopback(),
            Some(Host::Ipv6(it)) => it.is_loopback(),
            None => false,
        };
        if loopback {
            if !self.options.allow_loopback {
                self.error(key, "a loopback address", "Use the app's public address.");
            }
            return;
        }
        if url.scheme() != "https" {
            self.error(key, "not https", "Begin with https://.");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            self.error(key, "a user, a password or an anchor", "Remove it.");
        }
        if url.port().is_some_and(|it| it != 443) {
            self.error(key, "a port", "Remove it: apps are reached at 443.");
        }
        let named = matches!(url.host(), Some(Host::Domain(it)) if it == WORD || is_host(it));
        if !named {
            self.error(key, "the host is not a name", "Write a host such as api.example.com.");
        }
    }

    /// Where the operator's client proves itself: no user may choose whose host that is.
    pub(super) fn secret_goes_home(&mut self, key: &str, text: &str) {
        let Some(parts) = split(text) else { return };
        let names = placeholders::names(parts.authority).unwrap_or_default();
        let [name] = names.as_slice() else { return };
        let rules = [
            self.app.field(name).filter(|it| it.options.is_empty()).map(|it| &it.host),
            self.app.learned.get(*name).filter(|it| it.from.is_users()).map(|it| &it.host),
        ];
        let open = |rule: &HostRule| rule.form != HostForm::Label && rule.under.is_empty();
        if rules.into_iter().flatten().flatten().any(open) {
            let wrong = format!("`{name}` may be any host, and the client's secret goes there");
            let fix = "Give its host rule `under`, or use client_auth = \"none\".";
            self.error(key, wrong, fix);
        }
    }

    /// A name that stands in the host must have a rule, and one that fits the place.
    fn host_name(&mut self, key: &str, name: &str, parts: &Parts<'_>) {
        let asked = self.app.field(name);
        let choices = asked.is_some_and(|it| !it.options.is_empty());
        let learned = self.app.learned.get(name);
        if asked.is_none() && learned.is_none() {
            return self.error(key, format!("`{name}` in a host"), "Only fields may be there.");
        }
        if choices {
            return;
        }
        let alone = parts.authority == format!("${{{name}}}");
        if !alone && !has_owner(parts.authority) {
            let wrong = format!("`{name}` decides whose host it is");
            self.error(key, wrong, "Write out the host's end, or give the field options.");
        }
        let rules: Vec<Option<HostRule>> =
            [asked.map(|it| it.host.clone()), learned.map(|it| it.host.clone())]
                .into_iter()
                .flatten()
                .collect();
        for rule in rules {
            let fits = match rule.as_ref().map(|it| it.form) {
                Some(HostForm::Label) => !alone,
                Some(HostForm::Name) => alone && !parts.scheme.is_empty(),
                Some(HostForm::Url) => alone && parts.scheme.is_empty(),
                None => false,
            };
            if !fits {
                let fix = format!(
                    "Give `{name}` host = {{ form = ... }}: label inside a host, name for a whole \
                     host, url for a whole origin."
                );
                self.error(key, format!("`{name}` decides the host without a fitting rule"), fix);
            }
        }
    }
}

/// Whether the last two labels are written out, so that they belong to somebody known; three under
/// an ending that many share.
fn has_owner(authority: &str) -> bool {
    let shared = SHARED_ENDINGS.iter().any(|it| authority.ends_with(&format!(".{it}")));
    let labels: Vec<&str> = authority.rsplit('.').collect();
    let needed = if shared { 3 } else { 2 };
    labels.len() >= needed && labels.iter().take(needed).all(|it| !it.contains("${"))
}

pub(super) struct Parts<'a> {
    /// `https`, or empty when the text begins with a placeholder that holds the whole origin.
    pub(super) scheme: &'a str,
    pub(super) authority: &'a str,
}

/// Scheme and authority of a URL with placeholders.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains("${") => (scheme, rest),
        _ if text.starts_with("${") => ("", text),
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    (!authority.is_empty()).then_some(Parts { scheme, authority })
}
