//! The habits of authorization servers.

use std::collections::BTreeSet;

use super::Seen;
use crate::api::Method;
use crate::auth::{
    BodyFormat, ClientAuth, ExpiresUnit, OAuth2, Reuse, Revocation, RevocationPlace, RevokedToken,
    TokenAnswer,
};
use crate::ways::{ClientFrom, Flow, JwtGrant, TokenExchange};

impl Seen<'_> {
    pub(super) fn oauth2(&mut self, it: &OAuth2) {
        self.say(match it.flow {
            Flow::AuthorizationCode => "code",
            Flow::ClientCredentials => "client credentials",
            Flow::JwtBearer => "signed statement",
            Flow::TokenExchange => "token for a token",
            Flow::DeviceCode => "device code",
            Flow::Installation => "installation",
            Flow::Password => "password grant",
        });
        match it.client {
            ClientFrom::Registered => {}
            ClientFrom::Fields => self.say("the user's own client"),
            ClientFrom::None => self.say("no client"),
        }
        self.say(client_auth(it.client_auth));
        self.say_if(it.client_assertion_audience.is_some(), "audience of its own");
        if let Some(alg) = it.client_signing_alg {
            self.say(format!("client signs {alg:?}"));
        }
        self.addresses(it);
        self.asking(it);
        self.scopes(it);
        self.answer(&it.answer);
        if it.refresh && it.flow.redirects() {
            self.say(format!("rotation {:?}", it.rotation.class));
            match it.rotation.reuse {
                Reuse::Ok => self.say("reuse is no harm"),
                Reuse::Deny | Reuse::Family => {}
            }
        }
        self.say_if(!it.refresh, "no refresh");
        if let Some(revocation) = &it.revocation {
            self.revocation(revocation);
        }
        self.proofs(it);
    }

    fn addresses(&mut self, it: &OAuth2) {
        self.url("consent page", &it.authorization_url);
        self.url("token endpoint", &it.token_url);
        let others = [
            ("refreshed elsewhere", &it.refresh_url),
            ("device endpoint", &it.device_authorization_url),
            ("request pushed", &it.par_url),
            ("token endpoint for certificates", &it.mtls_token_url),
        ];
        for (what, url) in others {
            if let Some(url) = url {
                self.say(what);
                self.url(what, url);
            }
        }
        if let Some(issuer) = &it.issuer {
            self.say(if it.iss_required { "issuer always told" } else { "issuer" });
            self.url("issuer", issuer);
        }
    }

    fn asking(&mut self, it: &OAuth2) {
        if it.token_method != Method::Post {
            self.say(format!("token by {}", it.token_method.as_str()));
        }
        if it.body_format != BodyFormat::Form {
            self.say(format!("token request in {}", format(it.body_format)));
        }
        self.say_if(!it.pkce && it.flow.redirects(), "no PKCE");
        self.say_if(it.code_life_s.is_some(), "life of codes known");
        self.pairs("consent page", &it.authorization_params);
        self.pairs("exchange", &it.token_params);
        self.pairs("refresh", &it.refresh_params);
        self.headers("token header", &it.token_headers);
        for name in it.param_names.keys() {
            self.say(format!("{name} renamed"));
        }
    }

    fn scopes(&mut self, it: &OAuth2) {
        let scopes = &it.scopes;
        if scopes.asked().is_empty() {
            return self.say("no scopes");
        }
        if scopes.separator != " " {
            self.say(format!("scopes by `{}`", scopes.separator));
        }
        self.say_if(scopes.param != "scope", "scopes renamed");
    }

    fn answer(&mut self, it: &TokenAnswer) {
        let places = [
            ("access_token", &it.access_token),
            ("refresh_token", &it.refresh_token),
            ("scope", &it.scope),
            ("expires_in", &it.expires_in),
        ];
        for (name, paths) in places {
            self.say_if(paths.len() > 1, &format!("{name} at one of several places"));
            for path in paths.iter().filter(|it| *it != name) {
                let place = if path.contains('.') { "nested" } else { "renamed" };
                self.say(format!("{name} {place}"));
            }
        }
        if it.expires_unit != ExpiresUnit::Seconds {
            self.say(format!("end told in {}", unit(it.expires_unit)));
        }
        self.say_if(it.lifetime_s.is_some(), "fixed life of tokens");
        self.say_if(it.token_type_any, "any token type");
        if it.error != "error" {
            let place = if it.error.contains('.') { "nested" } else { "renamed" };
            self.say(format!("error {place}"));
        }
        let meant: BTreeSet<&String> = it.errors.values().collect();
        for code in meant {
            self.say(format!("own word for {code}"));
        }
    }

    fn revocation(&mut self, it: &Revocation) {
        let token = match it.token {
            RevokedToken::Refresh => "refresh token",
            RevokedToken::Access => "access token",
        };
        let place = match it.place {
            RevocationPlace::Form => "form",
            RevocationPlace::Json => "JSON",
            RevocationPlace::Query => "query",
            RevocationPlace::Path => "path",
            RevocationPlace::Bearer => "header",
        };
        self.say(format!("revokes {token} in {place} by {}", it.method.as_str()));
        if let Some(auth) = it.client_auth {
            self.say(format!("revocation: {}", client_auth(auth)));
        }
        self.say_if(it.param != "token", "revoked token renamed");
        self.url("revocation", &it.url);
        self.pairs("revocation", &it.params);
        self.headers("revocation header", &it.headers);
    }

    fn proofs(&mut self, it: &OAuth2) {
        self.say_if(it.request_object, "request signed");
        self.say_if(it.dpop, "tokens bound to a key");
        self.say_if(!it.resource.is_empty(), "resource named");
        self.say_if(it.resource.len() > 1, "several resources");
        if let Some(jwt) = &it.jwt {
            self.statement(jwt);
        }
        if let Some(exchange) = &it.token_exchange {
            self.token_exchange(exchange);
        }
    }

    fn statement(&mut self, it: &JwtGrant) {
        self.say(format!("statement signed {:?}", it.alg));
        let texts = [("issuer", &it.issuer), ("subject", &it.subject), ("audience", &it.audience)];
        for (what, text) in texts {
            self.say(format!("statement {what}: {}", self.shape(text)));
        }
        self.say_if(it.key_id.is_some(), "statement names its key");
        self.say_if(it.scope_in_claims, "scopes in the statement");
        self.pairs("claim", &it.claims);
    }

    fn token_exchange(&mut self, it: &TokenExchange) {
        self.say_if(it.actor_token.is_some(), "actor token");
        self.say_if(it.requested_token_type.is_some(), "asks for a type of token");
        self.say_if(!it.audience.is_empty(), "audience named");
        self.say_if(it.audience.len() > 1, "several audiences");
    }
}

fn client_auth(it: ClientAuth) -> &'static str {
    match it {
        ClientAuth::Basic => "client in Basic",
        ClientAuth::Post => "client in the body",
        ClientAuth::None => "no client secret",
        ClientAuth::PrivateKeyJwt => "client signs with its key",
        ClientAuth::ClientSecretJwt => "client signs with its secret",
        ClientAuth::Tls => "client certificate",
    }
}

pub(super) fn format(it: BodyFormat) -> &'static str {
    match it {
        BodyFormat::Form => "a form",
        BodyFormat::Json => "JSON",
    }
}

pub(super) fn unit(it: ExpiresUnit) -> &'static str {
    match it {
        ExpiresUnit::Seconds => "seconds",
        ExpiresUnit::Milliseconds => "milliseconds",
        ExpiresUnit::EpochSeconds => "seconds since 1970",
    }
}
