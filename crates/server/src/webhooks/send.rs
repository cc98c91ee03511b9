//! Posting one letter: signed, through the one way out, with everything bounded.

use std::time::Duration;

use bytes::Bytes;
use grantkeep_oauth::answer::retry_after_s;
use grantkeep_vault::Secret;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use tokio::time::Instant;

use super::schedule::RETRY_AFTER_MS_MAX;
use super::sign;
use crate::app::App;
use crate::clock::iso;
use crate::egress::{EgressError, Failure, Limits};
use crate::ids::MessageId;
use crate::tenant::Tenant;

/// From connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What is read of an answer. Bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What is posted, the same at every try.
pub(super) struct Letter<'a> {
    pub tenant: &'a Tenant,
    pub message: &'a MessageId,
    pub body: &'a [u8],
    /// Of an event: what emitted it, and for which user.
    pub emitted: Option<(&'a str, &'a str)>,
}

/// What came back. Only the status says whether it was taken.
pub(super) struct Answer {
    pub status: StatusCode,
    /// As asked for by `Retry-After`, bounded.
    pub wait_ms: Option<i64>,
    pub body: Vec<u8>,
}

/// Posts to `url`, which is judged once more. Redirects are answers.
pub(super) async fn send(
    app: &App,
    url: &str,
    letter: &Letter<'_>,
    secrets: &[Secret],
) -> Result<Answer, EgressError> {
    let now_ms = app.clock.now_ms();
    let uri = app.egress.check_tenant_url(url)?;
    let unsent = |why: &str| EgressError::unsent(Failure::Protocol, why);
    let mut request = Request::post(uri)
        .body(
            Full::new(Bytes::copy_from_slice(letter.body)).map_err(|it| match it {}).boxed_unsync(),
        )
        .map_err(|_| unsent("the request cannot be made"))?;
    for (name, value) in headers(letter, secrets, now_ms) {
        // What has no place in a header (another alphabet in a user's id) goes as its bytes.
        let value = HeaderValue::from_bytes(value.as_bytes());
        let value = value.map_err(|_| unsent("a header cannot be made"))?;
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let deadline = Instant::now() + TIMEOUT;
    let limits = Limits {
        answer_bytes_max: ANSWER_BYTES_MAX,
        first_byte_timeout: TIMEOUT,
        total_timeout: TIMEOUT,
        ..app.egress.limits()
    };
    let response = app.egress.stream(request, limits.for_tenant_url()).await?;
    let (head, incoming) = response.into_parts();
    let asked = head.headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok());
    let asked_s = asked.and_then(|it| retry_after_s(it, now_ms));
    let wait_ms = asked_s.map(|it| {
        i64::try_from(it).unwrap_or(i64::MAX).saturating_mul(1_000).min(RETRY_AFTER_MS_MAX)
    });
    Ok(Answer { status: head.status, wait_ms, body: read(incoming, deadline).await })
}

/// Reads what there is, up to the limits. That more would come, or that it breaks off, changes
/// nothing of the status.
async fn read(mut incoming: Incoming, deadline: Instant) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(deadline, incoming.frame()).await {
        let Ok(data) = frame.into_data() else { continue };
        let room = ANSWER_BYTES_MAX - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if body.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    body
}

fn headers(letter: &Letter<'_>, secrets: &[Secret], now_ms: i64) -> Vec<(&'static str, String)> {
    let at_s = now_ms.div_euclid(1_000);
    let id = letter.message.as_str();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("Grantkeep/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at_s.to_string()),
        ("x-pd-signature", sign::older(secrets, at_s, letter.body)),
        ("x-pd-timestamp", iso(now_ms)),
        ("x-pd-project-id", letter.tenant.project.as_str().to_owned()),
        ("x-pd-environment", letter.tenant.environment.as_str().to_owned()),
    ];
    if let Some(signature) = sign::standard(secrets, id, at_s, letter.body) {
        headers.push(("webhook-signature", signature));
    }
    let user = match letter.emitted {
        Some((emitter, user)) => {
            headers.push(("x-pd-emitter-id", emitter.to_owned()));
            Some(user.to_owned())
        }
        None => external_user(letter.body).filter(|it| !it.chars().any(char::is_control)),
    };
    headers.extend(user.map(|it| ("x-pd-external-user-id", it)));
    headers
}

/// The product's own id of the user, if the news is about an account.
fn external_user(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let places = ["/account/external_id", "/data/account/external_id"];
    let mut found = places.iter().filter_map(|it| body.pointer(it)?.as_str());
    found.next().map(str::to_owned)
}
