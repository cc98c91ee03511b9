//! How an app behaves, with its names, hosts and scopes taken away.
//!
//! Two apps behave alike when nothing in what is sent to them, and in how their answers are read,
//! differs in kind: then what is true of one is true of the other, and it is enough to try out one
//! of them. What the name of a header is makes no difference; that the credential stands in a
//! header, and not in `Authorization`, does.

mod grants;
mod shape;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::{Identity, IdentityFrom, Method, Verify};
use crate::app::App;
use crate::auth::{Auth, OAuth1, SignatureMethod};
use crate::fields::{Field, FieldKind, HostForm, HostRule, Learned, LearnedFrom};
use crate::ways::{Aws4, KeyExchange};

/// Everything about an app that changes a request or the reading of an answer, as short phrases.
/// What is as the standards have it goes without saying.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Behaviour(Vec<String>);

/// Apps that behave alike.
#[derive(Clone, Debug)]
pub struct Kind {
    pub behaviour: Behaviour,
    /// Never empty; the most popular ones first.
    pub apps: Vec<Arc<App>>,
}

impl Kind {
    /// The app that stands for them all.
    pub fn app(&self) -> &Arc<App> {
        &self.apps[0]
    }
}

/// The distinct behaviours among these apps, those that many share first. Apps that nobody can
/// connect yet are left out.
pub fn kinds(apps: impl IntoIterator<Item = Arc<App>>) -> Vec<Kind> {
    let mut found: BTreeMap<Behaviour, Vec<Arc<App>>> = BTreeMap::new();
    for app in apps.into_iter().filter(|it| it.is_connectable()) {
        found.entry(Behaviour::of(&app)).or_default().push(app);
    }
    let mut kinds: Vec<Kind> =
        found.into_iter().map(|(behaviour, apps)| Kind { behaviour, apps }).collect();
    for kind in &mut kinds {
        kind.apps.sort_by(|a, b| (b.popularity, &a.slug).cmp(&(a.popularity, &b.slug)));
    }
    kinds.sort_by(|a, b| (b.apps.len(), &a.behaviour).cmp(&(a.apps.len(), &b.behaviour)));
    kinds
}

impl Behaviour {
    pub fn of(app: &App) -> Self {
        let mut seen = Seen { app, phrases: Vec::new() };
        seen.auth();
        // The kind comes first; what follows has no order of its own.
        seen.phrases[1..].sort();
        seen.part(Seen::fields);
        seen.part(Seen::requests);
        seen.part(Seen::proxy);
        Self(seen.phrases)
    }

    pub fn phrases(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(", "))
    }
}

/// One look at one app.
struct Seen<'a> {
    app: &'a App,
    phrases: Vec<String>,
}

impl Seen<'_> {
    /// Notes a phrase, once.
    fn say(&mut self, phrase: impl Into<String>) {
        let phrase = phrase.into();
        if !self.phrases.contains(&phrase) {
            self.phrases.push(phrase);
        }
    }

    fn say_if(&mut self, is_so: bool, phrase: &str) {
        if is_so {
            self.say(phrase);
        }
    }

    /// Notes the phrases of one part, whatever their order in the file.
    fn part(&mut self, look: impl FnOnce(&mut Self)) {
        let from = self.phrases.len();
        look(self);
        self.phrases[from..].sort();
    }

    fn auth(&mut self) {
        let app = self.app;
        match &app.auth {
            Auth::OAuth2(it) => self.oauth2(it),
            Auth::OAuth1(it) => self.oauth1(it),
            Auth::KeyExchange(it) => self.key_exchange(it),
            Auth::Keys => self.say("keys"),
            Auth::Basic => self.say("user and password"),
            Auth::None => self.say("no credential"),
            Auth::Incomplete(_) => self.say("not known"),
        }
    }

    fn oauth1(&mut self, it: &OAuth1) {
        self.say("OAuth 1.0a");
        match it.signature_method {
            SignatureMethod::HmacSha1 => {}
            SignatureMethod::HmacSha256 => self.say("HMAC-SHA256"),
            SignatureMethod::Plaintext => self.say("PLAINTEXT"),
        }
        self.pairs("consent page", &it.authorization_params);
        self.say_if(!it.scopes.asked().is_empty(), "scopes");
        for url in [&it.request_token_url, &it.authorize_url, &it.access_token_url] {
            self.url("server", url);
        }
    }

    fn key_exchange(&mut self, it: &KeyExchange) {
        self.say("keys swapped for a token");
        self.say(format!("swap by {}", it.method.as_str()));
        if !it.params.is_empty() {
            self.say(format!("swap in {}", grants::format(it.body_format)));
        }
        self.url("swap", &it.url);
        self.headers("swap header", &it.headers);
        self.pairs("swap query", &it.query);
        self.pairs("swap body", &it.params);
        self.say_if(it.params.keys().any(|it| it.contains('.')), "swap body nested");
        let place = match it.token.as_str() {
            header if header.starts_with("header:") => "in a header",
            "body" => "the whole body",
            path if path.contains('.') => "nested",
            _ => "a member",
        };
        self.say(format!("session token {place}"));
        if it.expires_in.is_some() {
            self.say(format!("session ends, told in {}", grants::unit(it.expires_unit)));
        }
        self.say_if(it.lifetime_s.is_some(), "session lives for a fixed time");
        self.say_if(it.error.is_some(), "swap error in a good answer");
    }

    fn fields(&mut self) {
        let app = self.app;
        for field in &app.fields {
            self.field(field);
        }
        for (name, learned) in &app.learned {
            self.learned(name, learned);
        }
    }

    fn field(&mut self, it: &Field) {
        match it.kind {
            FieldKind::Text | FieldKind::Password | FieldKind::Number => {}
            FieldKind::Select => self.say("field: choice"),
            FieldKind::Checkbox => self.say("field: on or off"),
            FieldKind::Multiline => self.say("field: several lines"),
            FieldKind::Json => self.say("field: JSON"),
            FieldKind::ConnectionString => self.say("field: connection string"),
        }
        self.say_if(it.optional, "field: optional");
        self.say_if(it.default.is_some(), "field: default");
        if let Some(rule) = &it.host {
            self.host_rule("field", rule);
        }
    }

    fn learned(&mut self, name: &str, it: &Learned) {
        let from = match it.from {
            LearnedFrom::TokenAnswer => "the token answer",
            LearnedFrom::Callback => "the callback",
            LearnedFrom::Verify => "verify",
            LearnedFrom::Identity => "identity",
            LearnedFrom::Field => "a field",
        };
        let nested =
            if it.from != LearnedFrom::Field && it.path.contains('.') { ", nested" } else { "" };
        self.say(format!("learnt from {from}{nested}"));
        self.say_if(it.secret, "learnt secret");
        self.say_if(self.app.field(name).is_some(), "asked or learnt");
        if let Some(rule) = &it.host {
            self.host_rule("learnt", rule);
        }
    }

    fn host_rule(&mut self, whose: &str, rule: &HostRule) {
        let form = match rule.form {
            HostForm::Label => "label",
            HostForm::Name => "host name",
            HostForm::Url => "origin",
        };
        let bound = if rule.under.is_empty() { "" } else { " under a suffix" };
        self.say(format!("{whose}: {form}{bound}"));
    }

    fn requests(&mut self) {
        let app = self.app;
        if let Some(verify) = &app.verify {
            self.say("verify");
            self.request("verify", verify);
        }
        if let Some(identity) = &app.identity {
            self.identity(identity);
        }
    }

    fn request(&mut self, what: &str, it: &Verify) {
        if it.method != Method::Get {
            self.say(format!("{what} by {}", it.method.as_str()));
        }
        self.url(what, &it.url);
        self.headers(&format!("{what} header"), &it.headers);
        if let Some(body) = &it.body {
            let filled = if body.contains("${") { " with values" } else { "" };
            self.say(format!("{what} body{filled}"));
        }
        self.say_if(it.expect.status != [200], &format!("{what} status"));
        self.say_if(it.expect.truthy.is_some(), &format!("{what} says true"));
        self.say_if(it.expect.present.is_some(), &format!("{what} holds something"));
    }

    fn identity(&mut self, it: &Identity) {
        let from = match it.from {
            IdentityFrom::Verify => "verify",
            IdentityFrom::Request => "a request",
            IdentityFrom::TokenAnswer => "the token answer",
            // Nothing is sent or read for that.
            IdentityFrom::Fields => return,
        };
        for (what, paths) in [("name", &it.name), ("subject", &it.subject)] {
            let of_fields = |path: &String| path.starts_with("field:");
            let Some(first) = paths.first() else { continue };
            let several = if paths.len() > 1 { ", several" } else { "" };
            let nested = if paths.iter().any(|it| it.contains('.')) { ", nested" } else { "" };
            let mixed = if paths.iter().any(of_fields) { ", a field" } else { "" };
            let from = if of_fields(first) && paths.len() == 1 { "a field" } else { from };
            self.say(format!("{what} from {from}{several}{nested}{mixed}"));
        }
        if let Some(request) = &it.request {
            self.request("identity", request);
        }
    }

    fn proxy(&mut self) {
        let app = self.app;
        let Some(it) = &app.proxy else { return };
        self.headers("header", &it.headers);
        self.headers("default header", &it.default_headers);
        self.pairs("query", &it.query);
        self.pairs("body", &it.body);
        self.url("API", &it.base_url);
        if let Some(aws4) = &it.aws4 {
            self.aws4(aws4);
        }
    }

    fn aws4(&mut self, it: &Aws4) {
        self.say("signed as AWS wants it");
        self.say_if(!it.session_token.is_empty(), "AWS session token");
        self.say_if(it.region.is_some(), "AWS region given");
        self.say_if(it.service.is_some(), "AWS service given");
    }
}

#[cfg(test)]
mod tests;
