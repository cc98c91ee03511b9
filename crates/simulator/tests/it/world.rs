//! A simulator and a client of it.

use std::net::SocketAddr;

use grantkeep_simulator::{Simulator, client_id, client_secret};
use reqwest::{Client, Response, redirect};
use serde_json::Value;
use url::Url;

pub const CALLBACK: &str = "http://127.0.0.1:9/callback";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Of [`VERIFIER`], from RFC 7636 appendix B.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct World {
    pub simulator: Simulator,
    pub http: Client,
}

/// A pair of tokens, as a client keeps it.
#[derive(Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl World {
    pub async fn new() -> Self {
        Self::of(Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap())
    }

    /// The providers that are one for each class.
    pub async fn classes() -> Self {
        Self::of(Simulator::start_classes(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap())
    }

    fn of(simulator: Simulator) -> Self {
        for provider in simulator.providers() {
            simulator.add_redirect_uri(provider, CALLBACK);
        }
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { simulator, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.base_url())
    }

    /// A sound authorization address; each of `changes` replaces a parameter, or drops it if empty.
    pub fn authorize_url(&self, provider: &str, changes: &[(&str, &str)]) -> String {
        let id = client_id(provider);
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", id.as_str()),
            ("redirect_uri", CALLBACK),
            ("state", "state-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for change in changes {
            pairs.retain(|(name, _)| *name != change.0);
            if !change.1.is_empty() {
                pairs.push(*change);
            }
        }
        let address = self.url(&format!("/{provider}/authorize"));
        Url::parse_with_params(&address, pairs).unwrap().into()
    }

    pub async fn get(&self, url: &str) -> Response {
        self.http.get(url).send().await.unwrap()
    }

    /// A code for Ada.
    pub fn code(&self, provider: &str) -> String {
        let back = self.simulator.approve(&self.authorize_url(provider, &[]), "ada").unwrap();
        query(&back, "code")
    }

    /// A request to the token endpoint, the client's secret in the body.
    pub async fn token(&self, provider: &str, form: &[(&str, &str)]) -> Response {
        self.try_token(provider, form).await.unwrap()
    }

    pub async fn try_token(
        &self,
        provider: &str,
        form: &[(&str, &str)],
    ) -> reqwest::Result<Response> {
        let (id, secret) = (client_id(provider), client_secret(provider));
        let mut pairs = vec![("client_id", id.as_str()), ("client_secret", secret.as_str())];
        pairs.extend(form);
        self.http.post(self.url(&format!("/{provider}/token"))).form(&pairs).send().await
    }

    pub async fn exchange(&self, provider: &str, code: &str) -> Response {
        self.token(provider, &exchange_form(code)).await
    }

    pub async fn connect(&self, provider: &str) -> Tokens {
        let answer = self.exchange(provider, &self.code(provider)).await;
        assert_eq!(answer.status(), 200);
        tokens(&json(answer).await)
    }

    pub async fn refresh(&self, provider: &str, token: &str) -> Response {
        self.token(provider, &refresh_form(token)).await
    }

    /// The refresh token after one more refresh; the one sent if none was given.
    pub async fn rotate(&self, provider: &str, token: &str) -> String {
        let answer = self.refresh(provider, token).await;
        assert_eq!(answer.status(), 200);
        let answer = json(answer).await;
        answer["refresh_token"].as_str().unwrap_or(token).to_owned()
    }

    /// The status of a call to the provider's API.
    pub async fn call(&self, provider: &str, access: &str) -> u16 {
        let url = self.url(&format!("/{provider}/api/me"));
        self.http.get(url).bearer_auth(access).send().await.unwrap().status().as_u16()
    }
}

pub fn exchange_form(code: &str) -> [(&'static str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub fn refresh_form(token: &str) -> [(&'static str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token)]
}

pub async fn json(answer: Response) -> Value {
    answer.json().await.unwrap()
}

pub fn tokens(answer: &Value) -> Tokens {
    Tokens {
        access: answer["access_token"].as_str().unwrap().to_owned(),
        refresh: answer["refresh_token"].as_str().unwrap().to_owned(),
    }
}

/// A query parameter of an address; empty if it is not there.
pub fn query(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    let found = url.query_pairs().find(|(it, _)| it == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

pub fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}
