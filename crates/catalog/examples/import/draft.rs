//! One app file in the making.

use std::collections::BTreeMap;

use crate::exchange::{self, KeyExchange};
use crate::facts::Facts;
use crate::hosts::Names;
use crate::oauth::{self, OAuth1, OAuth2};
use crate::requests::{self, Proxy};
use crate::words;

/// Lists that name an app, times three, is its weight; what was looked at by hand begins at 60.
const POPULARITY_MAX: usize = 59;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    OAuth2,
    OAuth1,
    /// OAuth 2 without a browser, with the user's own client.
    ClientCredentials,
    /// Keys that are swapped for a token.
    KeyExchange,
    Keys,
    Basic,
    None,
}

impl Kind {
    pub(crate) fn has_token(self) -> bool {
        !matches!(self, Self::Keys | Self::Basic | Self::None)
    }
}

pub(crate) struct Draft {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub homepage: Option<String>,
    pub categories: Vec<&'static str>,
    pub popularity: usize,
    pub icon: Option<String>,
    pub purpose: String,
    pub kind: Kind,
    pub oauth2: Option<OAuth2>,
    pub oauth1: Option<OAuth1>,
    pub exchange: Option<KeyExchange>,
    pub fields: Vec<Field>,
    pub learned: BTreeMap<String, Learned>,
    pub verify: Option<String>,
    /// The field that names the account.
    pub identity: Option<String>,
    pub proxy: Option<Proxy>,
    pub confirmed: u32,
    /// Written where it is not what `confirmed` says.
    pub status: Option<&'static str>,
    pub missing: Vec<&'static str>,
    pub notes: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Field {
    pub name: String,
    pub secret: bool,
    pub optional: bool,
    pub options: Vec<String>,
    pub host: Option<Host>,
    /// What a whole host must end in.
    pub under: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Learned {
    pub from: &'static str,
    pub path: String,
    pub host: Option<Host>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// `label`, `name` or `url`.
    pub form: &'static str,
    pub under: Option<String>,
}

impl Draft {
    /// `None`: nothing is known but a name, or the kind cannot be written yet.
    pub(crate) fn of(facts: &Facts) -> Option<Self> {
        let kind = match facts.auth.kind.as_str() {
            "oauth2" => Kind::OAuth2,
            "oauth1" => Kind::OAuth1,
            "client_credentials" => Kind::ClientCredentials,
            "token_exchange" => Kind::KeyExchange,
            "basic" => Kind::Basic,
            "api_key" => Kind::Keys,
            "none" => Kind::None,
            _ => return None,
        };
        let mut draft = Self::face(facts, kind);
        let mut names = Names::of(facts, kind);
        match kind {
            Kind::OAuth2 => oauth::oauth2(facts, &mut names, &mut draft),
            Kind::OAuth1 => oauth::oauth1(facts, &mut names, &mut draft),
            Kind::ClientCredentials => exchange::client(facts, &mut names, &mut draft),
            Kind::KeyExchange => exchange::keys(facts, &mut names, &mut draft),
            _ => {}
        }
        requests::fill(facts, &mut names, &mut draft);
        draft.keys(facts, &names);
        draft.adopt(names);
        if facts.status == "recalled" {
            draft.missing.push("a source: the addresses are only remembered");
        }
        if draft.status.is_none() && !draft.missing.is_empty() {
            draft.confirmed = draft.confirmed.min(facts.confidence);
        }
        draft.is_worth_a_file(facts).then_some(draft)
    }

    fn face(facts: &Facts, kind: Kind) -> Self {
        let confirmed = facts.confidence.max(1);
        Self {
            slug: facts.slug.clone(),
            name: facts.name.split_whitespace().collect::<Vec<_>>().join(" "),
            description: words::description(facts),
            homepage: words::homepage(facts),
            categories: words::categories(facts),
            popularity: (facts.sources.len() * 3).min(POPULARITY_MAX),
            icon: facts.icon.clone(),
            purpose: words::purpose(facts),
            kind,
            oauth2: None,
            oauth1: None,
            exchange: None,
            fields: Vec::new(),
            learned: BTreeMap::new(),
            verify: None,
            identity: None,
            proxy: None,
            confirmed,
            // One list may say a thing twice, or be the only one that says all.
            status: (facts.status == "single_source" && confirmed >= 2).then_some("single_source"),
            missing: Vec::new(),
            notes: words::notes(facts),
        }
    }

    pub(crate) fn path(&self) -> String {
        let first = self.slug.chars().next().unwrap_or('_');
        format!("apps/{first}/{}.toml", self.slug)
    }

    pub(crate) fn is_oauth(&self) -> bool {
        matches!(self.kind, Kind::OAuth2 | Kind::OAuth1)
    }

    /// Whether requests carry a token, and not what the user entered.
    pub(crate) fn has_token(&self) -> bool {
        self.kind.has_token()
    }

    /// What is missing of an app with keys.
    fn keys(&mut self, facts: &Facts, names: &Names) {
        if !matches!(self.kind, Kind::Keys | Kind::Basic) {
            return;
        }
        if !names.fields.iter().any(|it| it.secret) {
            self.missing.push("which secret the user enters");
        }
        let placed = requests::is_placed(facts, names);
        let assumed = facts.fields.iter().any(|it| it.assumed);
        if !placed && (assumed || !requests::is_no_web_api(facts)) {
            self.missing.push("where the key goes in a request");
        }
    }

    fn adopt(&mut self, names: Names) {
        const NAMING: &[&str] = &[
            "email",
            "username",
            "user_name",
            "user",
            "login",
            "account_name",
            "subdomain",
            "workspace",
            "domain",
            "host",
            "account_id",
        ];
        self.fields = names.fields;
        self.learned = names.learned;
        if self.is_oauth() {
            self.forget_unused();
        }
        if !self.is_oauth() && self.kind != Kind::None {
            let plain =
                |it: &&&str| self.fields.iter().any(|field| field.name == ***it && !field.secret);
            self.identity = NAMING.iter().find(plain).map(|it| (*it).to_owned());
        }
    }

    /// Who signs in need not be asked for what no request uses.
    fn forget_unused(&mut self) {
        let mut text = format!("{:?}", self.verify);
        if let Some(it) = &self.oauth2 {
            text.push_str(&it.texts());
        }
        if let Some(it) = &self.oauth1 {
            text.push_str(&it.texts());
        }
        if let Some(it) = &self.proxy {
            text.push_str(&it.texts());
        }
        let used = |it: &Field| text.contains(&format!("${{{}}}", it.name));
        let unused: Vec<String> =
            self.fields.iter().filter(|it| !used(it)).map(|it| it.name.clone()).collect();
        self.fields.retain(used);
        if self.missing.is_empty() && !unused.is_empty() {
            let names = unused.join(", ");
            self.notes.push(format!("Some also keep with an account: {names}"));
        }
    }

    /// Somebody can connect, or what is there helps the next person who looks.
    fn is_worth_a_file(&self, facts: &Facts) -> bool {
        if self.kind == Kind::None {
            return self.proxy.is_some();
        }
        self.missing.is_empty()
            || facts.proxy.base_url.is_some()
            || facts.auth.authorization_url.is_some()
            || facts.auth.token_url.is_some()
            || facts.homepage_source.as_deref() == Some("listed")
            || facts.fields.iter().any(|it| !it.assumed)
    }

    /// Leaves out what the check refuses. `false`: it cannot be left out, or is already.
    pub(crate) fn give_up(&mut self, key: &str) -> bool {
        let oauth2 = self.oauth2.as_mut();
        match (key.split('.').next().unwrap_or_default(), oauth2) {
            ("verify", _) => self.verify.take().is_some(),
            ("identity", _) => self.identity.take().is_some(),
            ("homepage", _) => self.homepage.take().is_some(),
            ("learned", _) => {
                let name = key.split('.').nth(1).unwrap_or_default();
                self.learned.remove(name).is_some()
            }
            ("proxy", _) => {
                self.verify = None;
                let Some(proxy) = self.proxy.take() else { return false };
                self.notes.extend(proxy.note("cannot be written in a file yet"));
                true
            }
            ("key_exchange", _) => self.exchange.take().is_some_and(|_| {
                self.missing.push("an exchange of keys that holds together");
                true
            }),
            ("oauth2", Some(it)) => match key.split('.').nth(1) {
                Some("revocation") => it.revocation_url.take().is_some(),
                Some("scopes") => !std::mem::take(&mut it.scopes).is_empty(),
                Some("authorization_params") => {
                    !std::mem::take(&mut it.authorization_params).is_empty()
                }
                Some("token_params") => !std::mem::take(&mut it.token_params).is_empty(),
                Some("token_headers") => !std::mem::take(&mut it.token_headers).is_empty(),
                Some("refresh_url") => it.refresh_url.take().is_some(),
                _ => {
                    self.oauth2 = None;
                    self.missing.push("addresses to sign in that hold together");
                    true
                }
            },
            _ => false,
        }
    }
}
