//! The authorization part of an app.

use super::{Checks, is_day};
use crate::auth::{
    Auth, ClientAuth, GrantLife, OAuth1, OAuth2, Reuse, Revocation, RevocationPlace, Rotation,
    RotationClass, Scopes,
};
use crate::fields::LearnedFrom;
use crate::placeholders;
use crate::ways::ClientFrom;

/// No server is known that ends grants sooner or keeps them longer, in seconds.
const GRANT_S_MIN: u64 = 86_400;
const GRANT_S_MAX: u64 = 10 * 366 * 86_400;
/// Parameters of the authorization request that are ours to set (RFC 6749 §4.1.1, RFC 7636 §4.3).
const OWN_PARAMS: &[&str] = &[
    "response_type",
    "request",
    "request_uri",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "refresh_token",
];

/// Seconds that a code may live; the standard recommends ten minutes at most (RFC 6749 §4.1.2).
const CODE_LIFE_S: std::ops::RangeInclusive<u32> = 10..=3_600;

impl Checks<'_> {
    pub(super) fn auth(&mut self) {
        let app = self.app;
        match &app.auth {
            Auth::OAuth2(oauth2) => self.oauth2(oauth2),
            Auth::OAuth1(oauth1) => self.oauth1(oauth1),
            Auth::KeyExchange(exchange) => {
                self.key_exchange(exchange);
            }
            Auth::Keys | Auth::Basic => {
                if app.is_connectable() && !app.fields.iter().any(crate::Field::is_secret) {
                    self.error("fields", "no secret is asked for", "Add a password field.");
                }
                self.learns_no_token();
            }
            Auth::None => self.learns_no_token(),
            Auth::Incomplete(_) => {}
        }
    }

    fn learns_no_token(&mut self) {
        let needs_oauth = |it: &crate::Learned| {
            matches!(it.from, LearnedFrom::TokenAnswer | LearnedFrom::Callback)
        };
        if self.app.learned.values().any(needs_oauth) {
            let fix = "Use from = \"verify\" or \"identity\".";
            self.error("learned", "this app has no token answer and no callback", fix);
        }
    }

    fn oauth2(&mut self, oauth2: &OAuth2) {
        self.flow(oauth2);
        if !oauth2.authorization_url.is_empty() {
            self.url("oauth2.authorization_url", &oauth2.authorization_url, &[]);
        }
        self.url("oauth2.token_url", &oauth2.token_url, &[]);
        if oauth2.client == ClientFrom::Registered && oauth2.client_auth != ClientAuth::None {
            self.secret_goes_home("oauth2.token_url", &oauth2.token_url);
        }
        let others = [
            ("oauth2.refresh_url", &oauth2.refresh_url),
            ("oauth2.device_authorization_url", &oauth2.device_authorization_url),
            ("oauth2.par_url", &oauth2.par_url),
            ("oauth2.mtls_token_url", &oauth2.mtls_token_url),
            ("oauth2.issuer", &oauth2.issuer),
            ("oauth2.console_url", &oauth2.console_url),
        ];
        for (key, url) in others {
            if let Some(url) = url {
                self.url(key, url, &[]);
            }
        }
        if oauth2.code_life_s.is_some_and(|it| !CODE_LIFE_S.contains(&it)) {
            let fix = "Give seconds from 10 to 3600, or leave it out where it is not documented.";
            self.error("oauth2.code_life_s", "no life that a code has", fix);
        }
        if !oauth2.pkce && oauth2.pkce_reason.as_deref().is_none_or(|it| it.trim().is_empty()) {
            let fix =
                "Say why in pkce_reason, or leave pkce on: servers ignore what they do not know.";
            self.error("oauth2.pkce", "off without a reason", fix);
        }
        if oauth2.pkce && oauth2.pkce_reason.is_some() {
            self.error("oauth2.pkce_reason", "a reason, but pkce is on", "Remove it.");
        }
        if oauth2.client_auth == ClientAuth::None && !oauth2.pkce {
            self.error("oauth2.client_auth", "a public client without PKCE", "Turn pkce on.");
        }
        if oauth2.iss_required && oauth2.issuer.is_none() {
            self.error("oauth2.iss_required", "no issuer to compare with", "Add `issuer`.");
        }
        self.known_before(oauth2);
        let tables = [
            ("oauth2.authorization_params", &oauth2.authorization_params),
            ("oauth2.token_params", &oauth2.token_params),
            ("oauth2.refresh_params", &oauth2.refresh_params),
        ];
        for (key, params) in tables {
            for (name, value) in params {
                if OWN_PARAMS.contains(&name.as_str()) {
                    self.error(key, format!("`{name}` is set by us"), "Remove it.");
                }
                self.names(key, value, &[]);
            }
        }
        for (name, value) in &oauth2.token_headers {
            self.header("oauth2.token_headers", name, value, &["oauth_client_secret"]);
        }
        self.scopes("oauth2.scopes", &oauth2.scopes);
        self.rotation(&oauth2.rotation, oauth2.refresh);
        self.grant(&oauth2.grant, oauth2.refresh);
        if let Some(revocation) = &oauth2.revocation {
            self.revocation(revocation, oauth2);
        }
    }

    /// What is learnt later cannot stand in an earlier request.
    fn known_before(&mut self, it: &OAuth2) {
        if !it.flow.redirects() {
            return;
        }
        let page = it.authorization_params.values().chain([&it.authorization_url]);
        let page = page.map(|text| ("the consent page", text, [LearnedFrom::Field; 2]));
        let exchange = it.token_params.values().chain([&it.token_url]);
        let exchange = exchange
            .map(|text| ("the exchange", text, [LearnedFrom::Field, LearnedFrom::Callback]));
        for (what, text, from) in page.chain(exchange) {
            for name in placeholders::names(text).unwrap_or_default() {
                let learned = self.app.learned.get(name);
                if self.app.field(name).is_none()
                    && learned.is_some_and(|it| !from.contains(&it.from))
                {
                    let wrong = format!("`{name}` is not known yet at {what}");
                    self.error("oauth2", wrong, "Ask the user for it in [[fields]].");
                }
            }
        }
    }

    fn oauth1(&mut self, oauth1: &OAuth1) {
        self.url("oauth1.request_token_url", &oauth1.request_token_url, &[]);
        self.url("oauth1.authorize_url", &oauth1.authorize_url, &[]);
        self.url("oauth1.access_token_url", &oauth1.access_token_url, &[]);
        if let Some(url) = &oauth1.console_url {
            self.url("oauth1.console_url", url, &[]);
        }
        self.scopes("oauth1.scopes", &oauth1.scopes);
    }

    fn scopes(&mut self, table: &str, scopes: &Scopes) {
        if scopes.separator.is_empty() {
            self.error(&format!("{table}.separator"), "empty", "Write a space or a comma.");
        }
        let lists = [("default", scopes.default.as_slice()), ("always", &scopes.always)];
        let lists = lists.into_iter().chain(scopes.profiles.iter());
        let mut narrower: Option<(&str, &[String])> = None;
        for (name, list) in lists {
            let key = format!("{table}.{name}");
            for (at, scope) in list.iter().enumerate() {
                if scope.is_empty() || scope.contains(scopes.separator.as_str()) {
                    self.error(&key, format!("`{scope}` is not one scope"), "Split it.");
                }
                if list[..at].contains(scope) {
                    self.error(&key, format!("`{scope}` stands there twice"), "Remove one.");
                }
            }
            if matches!(name, "default" | "always") {
                continue;
            }
            if let Some((less, few)) = narrower {
                for scope in few.iter().filter(|it| !list.contains(it)) {
                    let wrong = format!("`{scope}` of {less} is missing");
                    let fix = "A wider profile holds all of a narrower one.";
                    self.error(&format!("{table}.profiles.{name}"), wrong, fix);
                }
            }
            narrower = Some((name, list));
        }
        for scope in scopes.asked() {
            if !scopes.words.contains_key(scope) {
                let wrong = format!("`{scope}` has no words");
                self.warn(&format!("{table}.words"), wrong, "Say what it lets one do.");
            }
        }
    }

    fn rotation(&mut self, rotation: &Rotation, refresh: bool) {
        let key = "oauth2.rotation";
        let unknown = rotation.checked_on.is_empty();
        if !unknown && !refresh {
            self.error(key, "a rotation, but refresh = false", "Remove one of them.");
        }
        if unknown {
            if refresh {
                let fix = "Find out what becomes of a used refresh token.";
                self.warn(key, "unknown, so the strictest is assumed", fix);
            }
            return;
        }
        if !is_day(&rotation.checked_on) {
            self.error(key, "checked_on is not a day", "Write YYYY-MM-DD.");
        }
        if rotation.source.trim().is_empty() {
            self.error(key, "no source", "Say who says so.");
        }
        let right = match (rotation.class, rotation.grace_s) {
            (RotationClass::P3, Some(grace)) => grace >= 1_800,
            (RotationClass::P4, Some(grace)) => (61..1_800).contains(&grace),
            (RotationClass::P5, Some(grace)) => (1..=60).contains(&grace),
            (RotationClass::P6 | RotationClass::P7, grace) => grace.unwrap_or(0) == 0,
            (_, grace) => grace.is_none() && rotation.class < RotationClass::P3,
        };
        if !right {
            let fix = "P3: 1800 s and more, P4: 61 to 1799, P5: 1 to 60, others: none.";
            self.error(key, "class and grace_s disagree", fix);
        }
        if (rotation.class == RotationClass::P7) != (rotation.reuse == Reuse::Family) {
            let fix = "P7, and no other class, goes with reuse = \"family\".";
            self.error(key, "class and reuse disagree", fix);
        }
    }

    fn grant(&mut self, grant: &GrantLife, refresh: bool) {
        let key = "oauth2.grant";
        let lives = [grant.idle_s, grant.life_s];
        if lives.iter().all(Option::is_none) {
            if !grant.source.is_empty() || !grant.checked_on.is_empty() {
                self.error(key, "a source and no life", "Write idle_s or life_s, or nothing.");
            }
            return;
        }
        if !refresh {
            self.error(key, "a grant's life, but refresh = false", "Remove one of them.");
        }
        if lives.into_iter().flatten().any(|it| !(GRANT_S_MIN..=GRANT_S_MAX).contains(&it)) {
            self.error(key, "a life below a day or above ten years", "Write it in seconds.");
        }
        if grant.source.trim().is_empty() || !is_day(&grant.checked_on) {
            self.error(key, "no source, or no day", "Say who says so, and YYYY-MM-DD.");
        }
    }

    fn revocation(&mut self, revocation: &Revocation, oauth2: &OAuth2) {
        let key = "oauth2.revocation";
        self.url(key, &revocation.url, placeholders::REVOCATION);
        let names = placeholders::names(&revocation.url).unwrap_or_default();
        if names.contains(&"token") != (revocation.place == RevocationPlace::Path) {
            self.error(key, "`${token}` and place disagree", "Both, or neither: place = \"path\".");
        }
        if revocation.place == RevocationPlace::Bearer
            && revocation.client_auth.is_some_and(|it| it != ClientAuth::None)
        {
            let fix = "Use client_auth = \"none\" with a bearer token.";
            self.error(key, "two credentials in one request", fix);
        }
        if !oauth2.refresh && revocation.token == crate::RevokedToken::Refresh {
            let fix = "Write token = \"access\".";
            self.error(key, "sends a refresh token, but there is none", fix);
        }
        for (name, value) in &revocation.headers {
            self.header(key, name, value, placeholders::REVOCATION);
        }
        for value in revocation.params.values() {
            self.names(key, value, placeholders::REVOCATION);
        }
    }
}
