//! A caller of the server, as the product's code is one: an API key, and credentials asked for.

use std::time::Duration;

use bytes::Bytes;
use grantkeep::config::Config;
use grantkeep::egress::{Egress, Limits, Ports};
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use hyper::http::request::Builder;
use serde_json::Value;

use crate::trouble::{Doing, Result};

/// Longer than a server lets a caller wait for another process.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Who asks, and whom.
#[derive(Clone)]
pub struct Outside {
    egress: Egress,
    /// Of the server, without a slash at the end.
    url: String,
    project: String,
    key: String,
}

/// What came of asking for an account's credentials.
#[derive(Clone, Debug)]
pub enum Said {
    /// The access token.
    Token(String),
    /// The account is dead, for this reason.
    Dead(String),
    /// Not now; after so many seconds perhaps. The code says why.
    Later { code: String, seconds: u64 },
    /// An answer that this caller should never get.
    Wrong(String),
    /// No answer: the connection broke, or was never made.
    Nothing,
}

impl Outside {
    pub fn new(url: &str, project: &str, key: &str) -> Result<Self> {
        let config = Config::from_pairs(&[]).doing("the caller's settings")?;
        let egress = Egress::for_operator(&config).doing("the caller")?;
        let [url, project, key] = [url, project, key].map(str::to_owned);
        Ok(Self { egress, url, project, key })
    }

    /// The same caller at another server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The account's credentials, fresh enough to be used.
    pub async fn vend(&self, account: &str) -> Said {
        let path = format!("accounts/{account}?include_credentials=true");
        let url = format!("{}/v1/connect/{}/{path}", self.url, self.project);
        let Some((status, wait_s, body)) = self.get(&url).await else { return Said::Nothing };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let code = text(&body["code"]);
        match (status, code.as_str()) {
            (200, _) => match body["credentials"]["oauth_access_token"].as_str() {
                Some(token) => Said::Token(token.to_owned()),
                None => Said::Wrong("no access token among the credentials".to_owned()),
            },
            (409, "reauth_required") => Said::Dead(text(&body["details"]["reason"])),
            (502 | 503, _) => Said::Later { code, seconds: wait_s },
            _ => Said::Wrong(format!("{status} {code}")),
        }
    }

    pub async fn is_ready(&self) -> bool {
        let url = format!("{}/readyz", self.url);
        self.get(&url).await.is_some_and(|(status, ..)| status == 200)
    }

    /// Sends JSON to a path of the project. Nothing: no answer came.
    pub async fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}/v1/connect/{}/{path}", self.url, self.project);
        let request = Request::post(url).header(CONTENT_TYPE, "application/json");
        let (status, _, answer) = self.send(request, Bytes::from(body.to_string())).await?;
        Some((status, serde_json::from_slice(&answer).unwrap_or_default()))
    }

    /// What stands at a path of the project. Nothing: no answer, or no good one.
    pub async fn look(&self, path: &str) -> Option<Value> {
        let url = format!("{}/v1/connect/{}/{path}", self.url, self.project);
        let (status, _, answer) = self.get(&url).await?;
        (status == 200).then(|| serde_json::from_slice(&answer).unwrap_or_default())
    }

    async fn get(&self, url: &str) -> Option<(u16, u64, Bytes)> {
        self.send(Request::get(url), Bytes::new()).await
    }

    async fn send(&self, request: Builder, body: Bytes) -> Option<(u16, u64, Bytes)> {
        let request = request
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header("x-pd-environment", "development")
            .body(Full::new(body))
            .ok()?;
        let limits = Limits {
            answer_bytes_max: ANSWER_BYTES_MAX,
            first_byte_timeout: ANSWER_TIMEOUT,
            total_timeout: ANSWER_TIMEOUT,
            ports: Ports::Any,
        };
        let answer = self.egress.send(request, limits).await.ok()?;
        let wait = answer.headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok());
        let wait_s = wait.and_then(|it| it.parse().ok()).unwrap_or(1);
        Some((answer.status.as_u16(), wait_s, answer.body))
    }
}
