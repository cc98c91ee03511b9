//! What is to become of a grant when the server does not give tokens.

use serde_json::Value;

use super::body::Unread;
use super::expiry::retry_after_s;
use super::{Members, Response, Rules};
use crate::encode::cleaned;

/// A server cannot make us wait longer than this. Seconds.
pub const RETRY_AFTER_S_MAX: u64 = 24 * 3_600;
/// What is kept of a code and of a description. Characters.
const CODE_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 256;

/// Codes that end this grant. The standard ones (RFC 6749 §5.2, RFC 6750 §3.1, `OpenID` Connect
/// Core §3.1.2.6), then those of single servers, each of which has one meaning only.
const GRANT: [&str; 17] = [
    "invalid_grant",
    "invalid_token",
    "access_denied",
    "interaction_required",
    "login_required",
    "consent_required",
    "expired_token",
    "bad_refresh_token",
    "bad_verification_code",
    "invalid_refresh_token",
    "token_expired",
    "token_revoked",
    "account_inactive",
    "invalid_code",
    "code_already_used",
    "code_expired",
    "invalid_auth",
];
/// Codes that say that our registration is wrong, which no user can mend by connecting again.
const CLIENT: [&str; 13] = [
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "redirect_uri_mismatch",
    "incorrect_client_credentials",
    "bad_client_secret",
    "invalid_client_id",
    "bad_client_id",
    "invalid_client_secret",
    "bad_redirect_uri",
    "invalid_redirect_uri",
    "application_suspended",
    "invalid_app_id",
];
const TRANSIENT: [&str; 11] = [
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "internal_error",
    "internal_server_error",
    "service_unavailable",
    "ratelimited",
    "rate_limited",
    "rate_limit_exceeded",
    "too_many_requests",
    "timeout",
];

/// Why there are no tokens, by what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The grant is gone: only its user can bring it back, by connecting again.
    #[error("the grant is gone: {0}")]
    Grant(ProviderError),
    /// The registration at the server is broken: every grant of it is affected, none is gone.
    #[error("the OAuth client is broken: {0}")]
    Client(ProviderError),
    /// The server may answer later; nothing is known about the grant. `retry_after_s` is what the
    /// server asks for, at most [`RETRY_AFTER_S_MAX`].
    #[error("the server is not able to answer now (status {status})")]
    Transient { status: u16, error: Option<ProviderError>, retry_after_s: Option<u64> },
    /// The server said no with a reason that has no known meaning. Neither the grant nor the client
    /// may be given up for it; try again, more and more seldom, and tell the operator.
    #[error("refused: {0}")]
    Refused(ProviderError),
    /// The server said yes, and then not what is needed.
    #[error("not a token answer: {0}")]
    Malformed(Malformed),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("no access token in it")]
    NoAccessToken,
    #[error("an unknown token type")]
    TokenType,
    #[error("more than {} bytes", super::BODY_BYTES_MAX)]
    TooLarge,
    #[error("a redirect")]
    Redirect,
    #[error("no usable `{0}` in it")]
    Missing(&'static str),
}

/// What the server said, as short printable text without anything that may be a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    pub status: u16,
    /// The server's own code, before any alias.
    pub code: String,
    pub description: Option<String>,
}

impl std::fmt::Display for ProviderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (status {})", self.code, self.status)?;
        self.description.iter().try_for_each(|it| write!(f, ": {it}"))
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Self::Malformed(Malformed::TooLarge),
            Unread::Unreadable => Self::Transient { status: 0, error: None, retry_after_s: None },
        }
    }
}

/// The failure in an answer, if it is one. The status speaks first where it says "not now", because
/// what else stands in such an answer is often made by something in between.
pub(super) fn find(
    rules: &Rules,
    response: &Response,
    members: Result<&Members, &Unread>,
    now_ms: i64,
) -> Option<Failure> {
    let status = response.status;
    let error = members.ok().and_then(|it| provider_error(rules, status, it));
    let transient = |error| {
        let asked = response.retry_after.and_then(|it| retry_after_s(it, now_ms));
        let retry_after_s = asked.map(|it| it.min(RETRY_AFTER_S_MAX));
        Some(Failure::Transient { status, error, retry_after_s })
    };
    if matches!(status, 408 | 425 | 429 | 500..) {
        return transient(error);
    }
    if matches!(status, 300..400) {
        return Some(Failure::Malformed(Malformed::Redirect));
    }
    if let Some(error) = error {
        let code = rules.errors.get(&error.code).unwrap_or(&error.code).to_ascii_lowercase();
        let is_in = |codes: &[&str]| codes.contains(&code.as_str());
        return match () {
            () if is_in(&GRANT) => Some(Failure::Grant(error)),
            () if is_in(&CLIENT) => Some(Failure::Client(error)),
            () if is_in(&TRANSIENT) => transient(Some(error)),
            () => Some(Failure::Refused(error)),
        };
    }
    match members {
        Err(Unread::TooLarge) => Some(Failure::Malformed(Malformed::TooLarge)),
        Err(Unread::Unreadable) => transient(None),
        Ok(_) if (200..300).contains(&status) => None,
        Ok(_) => Some(Failure::Refused(ProviderError {
            status,
            code: "unknown".to_owned(),
            description: None,
        })),
    }
}

/// The error in the members: at the app's own path or at the standard one, or a plain `ok: false`.
fn provider_error(rules: &Rules, status: u16, members: &Members) -> Option<ProviderError> {
    let places = [rules.error, "error"];
    let found = places.iter().find_map(|path| code(members.get(path)?));
    let said_no = || {
        let no = |path| members.get(path).is_some_and(|it| *it == Value::Bool(false));
        (no("ok") || no("success")).then(|| "unknown".to_owned())
    };
    let code = found.or_else(said_no)?;
    let descriptions = ["error_description", "error.message", "error_message", "message"];
    let description = descriptions.iter().find_map(|path| members.text(path));
    let description = description.map(|it| cleaned(&it, DESCRIPTION_CHARS_MAX));
    Some(ProviderError {
        status,
        code: cleaned(&code, CODE_CHARS_MAX),
        description: description.filter(|it| !it.is_empty()),
    })
}

/// A code as text. Zero, false and the empty text are how some say "no error".
fn code(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|it| !it.is_empty()),
        Value::Number(number) if number.as_f64() != Some(0.0) => Some(number.to_string()),
        Value::Bool(true) => Some("unknown".to_owned()),
        Value::Object(members) => {
            let names = ["code", "type", "status", "error", "message"];
            let inner = names.iter().find_map(|name| code(members.get(*name)?));
            inner.or_else(|| (!members.is_empty()).then(|| "unknown".to_owned()))
        }
        Value::Array(items) => items.first().and_then(code),
        _ => None,
    }
}
