//! The ways in that are not the code flow.

use super::Checks;
use crate::auth::{ClientAuth, OAuth2};
use crate::fields::{Field, FieldKind, LearnedFrom};
use crate::ways::{Aws4, ClientFrom, Flow, JwtGrant, KeyExchange, TokenExchange};

/// Seconds that a signed statement may be good for; Google takes an hour at most.
const STATEMENT_S: std::ops::RangeInclusive<u32> = 30..=3_600;

impl Checks<'_> {
    /// What a flow needs, and what it has no use for.
    pub(super) fn flow(&mut self, it: &OAuth2) {
        let tables = [
            ("authorization_url", !it.authorization_url.is_empty(), it.flow.redirects()),
            (
                "device_authorization_url",
                it.device_authorization_url.is_some(),
                it.flow == Flow::DeviceCode,
            ),
            ("jwt", it.jwt.is_some(), it.flow == Flow::JwtBearer),
            ("token_exchange", it.token_exchange.is_some(), it.flow == Flow::TokenExchange),
            ("installation", it.installation.is_some(), it.flow == Flow::Installation),
        ];
        for (name, present, wanted) in tables {
            let key = format!("oauth2.{name}");
            if wanted && !present {
                self.error(&key, "missing", "This flow needs it.");
            }
            if present && !wanted {
                self.error(&key, "not used by this flow", "Remove it, or correct `flow`.");
            }
        }
        if it.client == ClientFrom::None
            && !matches!(it.flow, Flow::JwtBearer | Flow::TokenExchange | Flow::Password)
        {
            let fix = "Write registered or fields.";
            self.error("oauth2.client", "this flow needs a client", fix);
        }
        if it.client == ClientFrom::Fields {
            self.own_client(it);
        }
        if it.client_auth == ClientAuth::Tls && it.mtls_token_url.is_none() {
            let fix = "Write mtls_token_url, the same as token_url if there is no other.";
            self.error("oauth2.mtls_token_url", "missing", fix);
        }
        for text in &it.resource {
            self.url("oauth2.resource", text, &[]);
        }
        if let Some(jwt) = &it.jwt {
            self.jwt(jwt);
        }
        if let Some(exchange) = &it.token_exchange {
            self.token_exchange(exchange);
        }
        if let Some(installation) = &it.installation
            && !self.app.learned.contains_key(&installation.param)
        {
            let fix = "Add [learned.NAME] from = \"callback\".";
            self.error("oauth2.installation.param", "is not learnt", fix);
        }
        if let Some(installation) = &it.installation {
            self.url("oauth2.installation.user_token_url", &installation.user_token_url, &[]);
            self.url("oauth2.installation.check_url", &installation.check_url, &[]);
        }
        if it.flow == Flow::Password {
            for name in ["username", "password"] {
                self.needs_field("oauth2.flow", name);
            }
        }
    }

    fn own_client(&mut self, it: &OAuth2) {
        if it.flow.redirects() {
            let fix = "A redirect URI is registered by an operator: write client = \"registered\".";
            self.error("oauth2.client", "the user's own, but he is redirected", fix);
        }
        self.needs_field("oauth2.client", "client_id");
        if matches!(it.client_auth, ClientAuth::PrivateKeyJwt | ClientAuth::Tls) {
            let fix = "Use basic, post, client_secret_jwt or none.";
            self.error("oauth2.client_auth", "needs a key that users are not asked for", fix);
        }
    }

    fn needs_field(&mut self, key: &str, name: &str) {
        if self.app.field(name).is_none() {
            let wrong = format!("there is no field `{name}`");
            self.error(key, wrong, "Add it to [[fields]].");
        }
    }

    fn jwt(&mut self, it: &JwtGrant) {
        let key = "oauth2.jwt";
        let texts = [&it.key, &it.issuer, &it.subject, &it.audience];
        for text in texts.into_iter().chain(&it.key_id).chain(it.claims.values()) {
            self.names(key, text, &[]);
        }
        if !STATEMENT_S.contains(&it.life_s) {
            self.error("oauth2.jwt.life_s", "not 30 to 3600 seconds", "Write 3600 or less.");
        }
        for name in ["iss", "sub", "aud", "exp", "iat", "jti"] {
            if it.claims.contains_key(name) {
                self.error("oauth2.jwt.claims", format!("`{name}` is set by us"), "Remove it.");
            }
        }
    }

    fn token_exchange(&mut self, it: &TokenExchange) {
        let key = "oauth2.token_exchange";
        for text in [&it.subject_token].into_iter().chain(&it.actor_token).chain(&it.audience) {
            self.names(key, text, &[]);
        }
        if it.actor_token.is_some() != it.actor_token_type.is_some() {
            self.error(key, "an actor without its type", "Write both, or neither.");
        }
    }

    pub(super) fn key_exchange(&mut self, it: &KeyExchange) {
        let key = "key_exchange";
        self.url("key_exchange.url", &it.url, &[]);
        for (name, value) in &it.headers {
            self.header(key, name, value, &[]);
        }
        for value in it.query.values().chain(it.params.values()) {
            self.names(key, value, &[]);
        }
        if it.token.trim().is_empty() {
            self.error("key_exchange.token", "no path", "Say where the token lies.");
        }
        if !self.app.fields.iter().any(Field::is_secret) {
            self.error("fields", "no secret is asked for", "Add a password field.");
        }
    }

    pub(super) fn aws4(&mut self, it: &Aws4) {
        let texts = [&it.access_key_id, &it.secret_access_key, &it.session_token];
        for text in texts.into_iter().chain(&it.region).chain(&it.service) {
            self.names("proxy.aws4", text, &[]);
        }
    }

    /// What is learnt from a field is a member of a JSON field.
    pub(super) fn learned_from_fields(&mut self) {
        let app = self.app;
        for (name, learned) in &app.learned {
            if learned.from != LearnedFrom::Field {
                continue;
            }
            let field = learned.path.split('.').next().and_then(|it| app.field(it));
            if field.is_none_or(|it| it.kind != FieldKind::Json) || !learned.path.contains('.') {
                let fix = "Write path = \"FIELD.MEMBER\" with a field of kind json.";
                self.error(&format!("learned.{name}"), "is not in a JSON field", fix);
            }
        }
    }
}
