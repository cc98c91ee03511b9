//! Sending a call, and sending it again where that helps and does no harm.

use std::sync::Arc;

use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use grantkeep_catalog::Proxy;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;
use url::Url;

use super::inject::Injection;
use super::retry::{self, Answered};
use super::sign::{Signer, Unsigned};
use super::upload::{Late, Load};
use super::{Asked, headers};
use crate::accounts;
use crate::app::App;
use crate::egress::{Body, Egress, EgressError, Failure, Limits, Ports};
use crate::error::{self, Error, Result};

/// A call, ready to be sent.
pub(super) struct Sending<'a> {
    pub app: &'a Arc<App>,
    pub asked: &'a Asked,
    pub proxy: &'a Proxy,
    /// Without what the app's file adds to its query.
    pub url: Url,
    pub injection: Injection,
    pub signer: Signer,
    pub load: Load,
    /// When all of it must have ended.
    pub end: Instant,
    pub ports: Ports,
    pub egress: Egress,
}

/// Why a sending brought no answer.
enum NoAnswer {
    Egress(EgressError),
    Late(Late),
    /// It could not be made.
    Ours(Error),
}

impl From<Error> for NoAnswer {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Sending<'_> {
    /// Sends it until there is an answer to pass on.
    pub async fn run(&mut self) -> Result<Response<Incoming>> {
        let (mut nth, mut proved, mut renewed, mut refused) = (0, false, false, false);
        loop {
            let outcome = self.once().await;
            let wait = match outcome {
                Ok(response) => {
                    let again = self.load.can_be_sent_again();
                    let said = self.signer.asks(&response);
                    if let Some(said) = said
                        && self.signer.wants_nonce(self.app, self.url.as_str(), said).await
                        && again
                        && !proved
                    {
                        proved = true;
                        continue;
                    }
                    if response.status() == StatusCode::UNAUTHORIZED && again && !renewed {
                        renewed = true;
                        if self.renew().await? {
                            continue;
                        }
                    }
                    match self.wait_after(&response, nth) {
                        Some(wait) => wait,
                        None => return Ok(response),
                    }
                }
                Err(NoAnswer::Egress(error)) => {
                    if error.was_refused() && self.load.can_be_sent_again() && !refused {
                        refused = true;
                        continue;
                    }
                    let wait = retry::wait_after(&error, nth, self.asked.may_repeat());
                    match wait.filter(|it| self.may_wait(nth, *it)) {
                        Some(wait) => wait,
                        None => return Err(self.told(&error)),
                    }
                }
                Err(NoAnswer::Late(late)) => return Err(too_late(late)),
                Err(NoAnswer::Ours(error)) => return Err(error),
            };
            tokio::time::sleep(wait).await;
            nth += 1;
        }
    }

    /// Gets another token, if there is one for the same place: whoever reconnected meanwhile may
    /// have done so at another instance of the app, or through another client.
    async fn renew(&mut self) -> Result<bool> {
        let newer = accounts::usable_after_refusal(self.app, &self.injection.usable).await?;
        let Some(newer) = newer else { return Ok(false) };
        let former = std::mem::replace(&mut self.injection.usable, newer);
        let client = &self.injection.usable.account.oauth_app;
        if *client == former.account.oauth_app && self.is_its_url() {
            return Ok(true);
        }
        self.injection.usable = former;
        Ok(false)
    }

    /// Whether the call would go to this URL if it were made anew.
    fn is_its_url(&self) -> bool {
        let base = self.injection.base(self.app, self.proxy);
        let url = base.and_then(|it| self.asked.aim.resolve(self.proxy, &it));
        url.is_ok_and(|it| it == self.url)
    }

    fn wait_after(&self, response: &Response<Incoming>, nth: u32) -> Option<std::time::Duration> {
        let answered = Answered {
            status: response.status(),
            headers: response.headers(),
            limits: &self.proxy.rate_limit_headers,
            now_ms: self.app.clock.now_ms(),
        };
        let wait = answered.wait(nth, self.asked.may_repeat());
        wait.filter(|it| self.may_wait(nth, *it))
    }

    fn may_wait(&self, nth: u32, wait: std::time::Duration) -> bool {
        nth < self.asked.retries
            && self.load.can_be_sent_again()
            && Instant::now() + wait < self.end
    }

    async fn once(&mut self) -> Result<Response<Incoming>, NoAnswer> {
        let config = &self.app.config;
        let left = self.end.saturating_duration_since(Instant::now());
        let limits = Limits {
            answer_bytes_max: config.proxy_answer_bytes_max,
            first_byte_timeout: left,
            total_timeout: left,
            ports: self.ports,
        };
        let request = self.request().await?;
        let watch = self.load.watch();
        let project = self.injection.usable.account.tenant.project.as_str();
        let asking = self.egress.stream_for(project, request, limits);
        let idle = config.proxy_idle_timeout_ms.duration();
        let first_byte = config.proxy_first_byte_timeout_ms.duration();
        tokio::select! {
            biased;
            outcome = asking => outcome.map_err(NoAnswer::Egress),
            late = watch.out_of_patience(idle, first_byte) => Err(NoAnswer::Late(late)),
        }
    }

    /// The request as it leaves, credential and all.
    async fn request(&mut self) -> Result<Request<Body>> {
        let whole = self.whole()?;
        let mut headers = self.asked.headers.clone();
        if self.load.is_empty() {
            headers.remove(CONTENT_TYPE);
            // Some servers answer 411 to a POST without a length.
            if matches!(self.asked.method, Method::POST | Method::PUT | Method::PATCH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        self.injection.headers(self.proxy, &mut headers)?;
        headers::complete(&mut headers);
        let url = self.injection.url(self.proxy, &self.url)?;
        let body = whole.clone().unwrap_or_default();
        let method = &self.asked.method;
        let mut unsigned = Unsigned { method, url: &url, headers: &mut headers, body: &body };
        self.signer.sign(self.app, &self.injection, &mut unsigned).await?;
        let uri: Uri = url.parse().map_err(|_| Error::from(error::INVALID_TARGET))?;
        let body = match whole {
            Some(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            None => self.load.take().ok_or_else(|| {
                error::INTERNAL.logging("a body was to be sent again that was not kept")
            })?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.asked.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The body with the app's members in it, where it had to be read.
    fn whole(&self) -> Result<Option<Bytes>> {
        match &self.load {
            Load::Whole(bytes) if self.proxy.body.is_empty() => Ok(Some(bytes.clone())),
            Load::Whole(bytes) => {
                let kind = self.asked.headers.get(CONTENT_TYPE);
                self.injection.body(self.proxy, kind, bytes).map(Some)
            }
            Load::Nothing | Load::Coming(..) => Ok(None),
        }
    }

    fn told(&self, error: &EgressError) -> Error {
        self.load.fault().map_or_else(|| told(error), closing)
    }
}

/// What the caller is told when there was no answer. Whether an address was refused, did not take
/// the connection or does not exist reads the same.
pub(crate) fn told(error: &EgressError) -> Error {
    let kind = match error.failure() {
        Failure::Tls => error::UPSTREAM_TLS,
        Failure::Timeout if error.maybe_sent() => error::UPSTREAM_TIMEOUT,
        Failure::Protocol if error.maybe_sent() => error::UPSTREAM_PROTOCOL,
        _ => error::UPSTREAM_UNREACHABLE,
    };
    kind.logging(error.detail())
}

fn too_late(late: Late) -> Error {
    match late {
        Late::App => error::UPSTREAM_TIMEOUT.into(),
        Late::Caller => closing(error::REQUEST_TIMEOUT.into()),
    }
}

/// The rest of the body would be taken for the next request.
fn closing(error: Error) -> Error {
    error.header(CONNECTION, HeaderValue::from_static("close"))
}
