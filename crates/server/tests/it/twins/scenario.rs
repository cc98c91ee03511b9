//! The life of one account at its twin.

use std::collections::BTreeMap;

use grantkeep::apps::{self, Edit};
use grantkeep_catalog::{App, Auth, ClientAuth, Flow, Learned};
use grantkeep_simulator::{Twin, TwinCalls};
use grantkeep_vault::Secret;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::connect::browser::{Browser, Page};
use crate::world::{World, read};

pub struct Scenario<'a> {
    pub world: &'a World,
    pub app: &'a App,
    pub twin: &'a Twin,
}

impl Scenario<'_> {
    /// The whole of it, with a form that is filled, and with one of which all is left out that may
    /// be.
    pub async fn run(&self) {
        if self.app.needs_client() {
            self.enter_client().await;
        }
        self.live(true).await;
        if self.twin.has_optional_fields() {
            self.live(false).await;
        }
    }

    /// Connect, hand out, use, refresh twice, use again, delete. Each is so many requests and no
    /// more.
    pub async fn live(&self, all: bool) {
        let form = self.twin.form(all);
        let before = self.twin.calls();
        let id = if self.is_device() {
            self.connect_by_device().await
        } else if self.redirects() {
            self.refused_first(&form).await;
            self.connect_by_browser(&form).await
        } else {
            self.connect_by_form(&form).await
        };
        self.is_healthy_and_named(&id).await;
        self.is_handed_out(&id).await;
        self.is_used(&id).await;
        if self.renews() {
            for _ in 0..2 {
                self.refresh(&id).await;
                self.is_handed_out(&id).await;
            }
            self.is_used(&id).await;
        }
        self.delete(&id).await;
        self.count_calls(&before);
    }

    pub async fn enter_client(&self) {
        let client = self.twin.client();
        let own_key = self.twin.private_key();
        let signs = self
            .app
            .oauth2()
            .is_some_and(|it| it.client_auth == ClientAuth::PrivateKeyJwt || it.request_object);
        let edit = Edit {
            client_id: Some(client.id),
            client_secret: Some(Secret::new(client.secret)),
            private_key: own_key.map(Secret::new),
            generate_key: signs && own_key.is_none(),
            ..Edit::default()
        };
        let world = self.world;
        let made = apps::create_oauth_app(&world.app, &world.project.id, &self.app.slug, edit);
        let made = made.await.unwrap();
        self.twin.register(&made.redirect_uri(&world.app));
        if let Some(jwk) = &made.public_jwk {
            self.twin.register_key(jwk);
        }
    }

    fn is_device(&self) -> bool {
        self.app.oauth2().is_some_and(|it| it.flow == Flow::DeviceCode)
    }

    fn is_installed(&self) -> bool {
        self.app.oauth2().is_some_and(|it| it.flow == Flow::Installation)
    }

    fn redirects(&self) -> bool {
        match &self.app.auth {
            Auth::OAuth2(it) => it.flow.redirects(),
            Auth::OAuth1(_) => true,
            _ => false,
        }
    }

    /// Whether there is anything to refresh.
    fn renews(&self) -> bool {
        match &self.app.auth {
            Auth::OAuth2(it) if it.flow == Flow::AuthorizationCode || self.is_device() => {
                it.refresh
            }
            Auth::OAuth2(_) | Auth::KeyExchange(_) => true,
            _ => false,
        }
    }

    /// Each of the app's own words for an error is understood, whatever status comes with it.
    async fn refused_first(&self, form: &BTreeMap<String, String>) {
        let Some(oauth2) = self.app.oauth2() else { return };
        let own_place = (oauth2.answer.error != "error").then_some("invalid_grant");
        let own_words = oauth2.answer.errors.keys().map(String::as_str);
        for word in own_words.chain(own_place) {
            let browser = Browser::new(self.world);
            let page = browser.page(&self.token().await, &self.app.slug).await;
            self.twin.refuse_next(word);
            let status = self.walk(&browser, &page, form).await;
            assert_eq!(status["state"], "failed", "refused with `{word}`: {status}");
            let meant = oauth2.answer.errors.get(word).map_or(word, String::as_str);
            let code = match meant {
                "invalid_grant" => "provider_refused",
                "invalid_client" | "unauthorized_client" => "oauth_client_refused",
                _ => continue,
            };
            assert_eq!(status["code"], code, "refused with `{word}`: {status}");
            // Whose meaning is known is not told in the app's own words.
            let said = status["error"].as_str().unwrap();
            assert!(!said.contains("ordered"), "`{word}` is not understood: {status}");
        }
    }

    async fn token(&self) -> String {
        self.world.connect_token(&self.app.slug).await
    }

    async fn connect_by_browser(&self, form: &BTreeMap<String, String>) -> String {
        let browser = Browser::new(self.world);
        let page = browser.page(&self.token().await, &self.app.slug).await;
        let status = self.walk(&browser, &page, form).await;
        assert_eq!(status["state"], "done", "{status}");
        status["account_id"].as_str().unwrap().to_owned()
    }

    /// From the click to the way back; gives what the page is told then.
    async fn walk(
        &self,
        browser: &Browser<'_>,
        page: &Page<'_>,
        form: &BTreeMap<String, String>,
    ) -> Value {
        let started = page.start_with(json!(form)).await;
        let reply = browser.submit(&started).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "not sent to the consent page");
        let address = reply.headers["location"].to_str().unwrap();
        let back = self.twin.approve(address);
        let back = back.unwrap_or_else(|why| panic!("the consent page refused: {why}"));
        browser.visit(&back).await;
        page.status(&started.flow).await
    }

    /// The code is shown, and typed on the app's page; until then the window asks, as often as it
    /// may. The clocks are turned.
    async fn connect_by_device(&self) -> String {
        let browser = Browser::new(self.world);
        let page = browser.page(&self.token().await, &self.app.slug).await;
        let started = page.start().await;
        let reply = browser.submit(&started).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "not sent to the page with the code");
        let window = reply.headers["location"].to_str().unwrap().to_owned();
        let polls = self.twin.calls().polls;
        let asked = || self.twin.calls().polls - polls;
        let look = async || browser.visit(&window).await.text;
        let shown = look().await;
        assert!(shown.contains("WDJB-MJHT"), "the code is not shown: {shown}");
        assert_eq!(asked(), 0, "asked before the interval was over");
        self.world.later(5_000);
        // However many pages are loaded at once, one of them asks.
        tokio::join!(look(), look(), look());
        assert_eq!(asked(), 1, "authorization_pending");
        self.twin.slow_down();
        self.world.later(5_000);
        look().await;
        assert_eq!(asked(), 2, "slow_down");
        // From now on five seconds more (RFC 8628 section 3.5).
        self.world.later(5_000);
        look().await;
        assert_eq!(asked(), 2, "asked as often as before");
        self.twin.decide_device("WDJB-MJHT", true).unwrap();
        self.world.later(5_000);
        tokio::join!(look(), look());
        assert_eq!(asked(), 3);
        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");
        status["account_id"].as_str().unwrap().to_owned()
    }

    async fn connect_by_form(&self, form: &BTreeMap<String, String>) -> String {
        let browser = Browser::new(self.world);
        let page = browser.page(&self.token().await, &self.app.slug).await;
        let reply = page.call("account", json!({ "fields": form })).await;
        assert_eq!(reply.status, 200, "the form is not taken: {}", reply.text);
        reply.json()["account_id"].as_str().unwrap().to_owned()
    }

    async fn is_healthy_and_named(&self, id: &str) {
        let account = self.world.get(&self.path(id, "")).await.json();
        assert_eq!(account["healthy"], true, "{account}");
        assert_eq!(account["app"]["name_slug"], self.app.slug.as_str());
        assert_eq!(account["missing_scopes"], json!([]), "{account}");
        if let Some(name) = self.twin.account_name() {
            assert_eq!(account["name"], name, "the account's name");
        }
    }

    /// The credentials are the ones that the app gave, and what is learnt is among them.
    async fn is_handed_out(&self, id: &str) {
        let reply = self.world.get(&self.path(id, "?include_credentials=true")).await;
        assert_eq!(reply.status, 200, "not handed out: {}", reply.text);
        let account = reply.json();
        let credentials = &account["credentials"];
        let token = credentials["oauth_access_token"].as_str().map(str::to_owned);
        if self.app.oauth1().is_some() {
            // Its token is of no use without the secret; what signs by both is.
            assert_ne!(token, self.twin.access_token());
            assert!(credentials["oauth_signer_uri"].is_string(), "{credentials}");
        } else {
            assert_eq!(token, self.twin.access_token(), "the access token");
        }
        let asked = self.app.fields.iter().map(|it| &it.name);
        // What stands where the token itself stands is the token.
        let tokens = self.app.oauth2().map(|it| &it.answer.access_token);
        let is_token = |it: &Learned| tokens.is_some_and(|paths| paths.contains(&it.path));
        let learned = self.app.learned.iter().filter(|(_, it)| !is_token(it));
        for name in asked.chain(learned.map(|(name, _)| name)) {
            let value = credentials[name].as_str().map(str::to_owned);
            assert_eq!(value, self.twin.value(name), "`{name}`");
        }
        let ends = self.twin.ends();
        assert_eq!(account["expires_at"].is_string(), ends, "the end: {}", account["expires_at"]);
    }

    /// A call through the proxy reaches the app with the credential. With a body, where the
    /// credential goes there.
    async fn is_used(&self, id: &str) {
        let Some(proxy) = &self.app.proxy else { return };
        let user = &self.app.slug;
        let path = format!("/proxy?account_id={id}&external_user_id={user}");
        let url = format!("{}{}", self.world.url, self.world.path(&path));
        let http = &self.world.http;
        let request = if proxy.body.is_empty() {
            http.get(url)
        } else {
            http.post(url).json(&json!({ "twin": "twin" }))
        };
        let request = request.bearer_auth(&self.world.project.key);
        let request = request.header("x-pd-environment", "development");
        let reply = read(request.header("x-grantkeep-target", "/twin")).await;
        assert_eq!(reply.status, 200, "a call through the proxy: {}", reply.text);
    }

    async fn refresh(&self, id: &str) {
        let former = self.twin.access_token();
        let reply = self.world.post(&self.path(id, "/refresh"), json!({})).await;
        assert_eq!(reply.status, 200, "not refreshed: {}", reply.text);
        assert_eq!(reply.json()["healthy"], true, "{}", reply.text);
        assert_ne!(self.twin.access_token(), former, "no new token");
    }

    async fn delete(&self, id: &str) {
        let reply = self.world.delete(&self.path(id, "")).await;
        assert_eq!(reply.status, 204, "{}", reply.text);
        let said = reply.headers.get("x-grantkeep-revocation").map(|it| it.to_str().unwrap());
        let revoked = if self.can_be_revoked() { "revoked" } else { "unsupported" };
        assert_eq!(said.unwrap_or("unsupported"), revoked, "the revocation");
        assert_eq!(self.twin.is_revoked(), self.can_be_revoked(), "revoked at the app");
    }

    fn can_be_revoked(&self) -> bool {
        self.app.oauth2().is_some_and(|it| it.revocation.is_some())
    }

    fn count_calls(&self, before: &TwinCalls) {
        let now = self.twin.calls();
        let renewals = if self.renews() { 2 } else { 0 };
        let by_token = (self.redirects() || self.is_device()) && !self.is_installed();
        let refused = match self.app.oauth2() {
            Some(it) if by_token => {
                it.answer.errors.len() + usize::from(it.answer.error != "error")
            }
            _ => 0,
        };
        let exchanges = match &self.app.auth {
            Auth::OAuth1(_) => 2,
            Auth::OAuth2(_) if by_token || self.is_installed() => 1 + refused as u64,
            _ => 0,
        };
        let again = self.renews() && !by_token;
        let seen = [
            ("exchanges", now.exchange - before.exchange, exchanges),
            ("refreshes", now.refresh - before.refresh, if by_token { renewals } else { 0 }),
            ("other requests for tokens", now.again - before.again, if again { 3 } else { 0 }),
            (
                "pushed requests",
                now.pushed - before.pushed,
                u64::from(self.app.oauth2().is_some_and(|it| it.par_url.is_some())),
            ),
            ("questions", now.check - before.check, u64::from(self.is_installed())),
            ("revocations", now.revoke - before.revoke, u64::from(self.can_be_revoked())),
        ];
        for (what, counted, expected) in seen {
            assert_eq!(counted, expected, "the number of {what}");
        }
    }

    fn path(&self, id: &str, rest: &str) -> String {
        self.world.path(&format!("/accounts/{id}{rest}"))
    }
}
