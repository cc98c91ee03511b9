//! What goes wrong, said twice: once for the caller, once for the log.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// On every error of this server, with its code: an app's answers that pass through never have it.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("x-grantkeep-error");

/// A kind of failure: its HTTP status, its stable code, and what the caller is told by default.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub status: u16,
    pub code: &'static str,
    pub text: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:literal $code:literal $text:literal;)*) => {
        $(pub const $name: Kind = Kind { status: $status, code: $code, text: $text };)*
        /// Every kind, for the reference and its test.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    INVALID_REQUEST = 400 "invalid_request" "The request cannot be understood.";
    INVALID_JSON = 400 "invalid_json" "The body is not valid JSON.";
    INVALID_TYPE = 400 "invalid_type" "A field has the wrong type.";
    APP_INCOMPLETE = 400 "app_incomplete"
        "Too little is known of this app to connect it. Add a file of your own for it.";
    INVALID_PARAMETER = 400 "invalid_parameter"
        "A query parameter has a value that is not allowed.";
    INVALID_LIMIT = 400 "invalid_limit" "`limit` must be a whole number from 1 to 100.";
    INVALID_CURSOR = 400 "invalid_cursor" "The cursor is not one that this list gave out.";
    INVALID_ENVIRONMENT = 400 "invalid_environment"
        "Send the header X-PD-Environment once, as `development` or `production`.";
    INVALID_EXTERNAL_USER = 400 "invalid_external_user_id"
        "`external_user_id` must be 1 to 250 visible characters.";
    INVALID_ORIGIN = 400 "invalid_origin"
        "Each allowed origin must be scheme://host[:port] with https (http only for loopback).";
    INVALID_EXPIRES_IN = 400 "invalid_expires_in"
        "`expires_in` must be a whole number of seconds from 1 to 14400.";
    INVALID_FIELD = 400 "invalid_field" "A field of the form cannot be used.";
    INVALID_DEFINITION = 400 "invalid_definition"
        "The app file cannot be used. `details.problems` names each problem, where it is, and what \
         to do about it.";
    DISCOVERY_FAILED = 400 "discovery_failed"
        "What stands at this URL cannot be made an app. `details.url` says where it failed.";
    SLUG_TAKEN = 400 "slug_taken" "An app of that name is there already. Choose another slug.";
    NAME_TAKEN = 400 "name_taken" "The stash has a file of that name. Choose another name.";
    DEVELOPMENT_USERS = 400 "too_many_development_users"
        "The environment `development` has as many external users as this project lets it have \
         (`development_users_max`). Delete one, raise the limit, or use `production`.";
    UNKNOWN_RATE_LIMIT = 400 "unknown_rate_limit"
        "The header x-pd-rate-limit names no rate limit of this project. Make one with POST \
         /v1/connect/rate_limits, or leave the header out.";
    TOO_MANY = 400 "too_many" "There are as many of these as are kept.";
    REDIRECT_NOT_ALLOWED = 400 "redirect_uri_not_allowed"
        "This redirect URI is not on the project's list. See `grantkeep project update --help`.";
    URL_NOT_ALLOWED = 400 "url_not_allowed" "This URL cannot be called from here.";
    INVALID_TARGET = 400 "invalid_target"
        "The target must be an https URL of the app, or a path that begins with a slash.";
    HEADER_NOT_ALLOWED = 400 "header_not_allowed" "This header cannot be sent to an app.";
    PROXY_UNAVAILABLE = 400 "proxy_unavailable"
        "Nothing can be sent to this app through the proxy: its file does not say how.";
    COMPONENT_BROKEN = 400 "component_broken"
        "The component's code cannot be loaded. `details.position` says where it fails, if that is \
         known.";
    ACCOUNT_NEEDED = 400 "account_needed"
        "The component needs an account that the user has not connected, or that was not named. \
         `details.connect_link_url` leads to where it can be connected.";
    WORKFLOW_BROKEN = 400 "workflow_broken"
        "The workflow's file cannot be used. `details` names the line or the field.";
    NO_RESPONSE = 400 "no_response" "No $.respond called in workflow";
    HOOK_FAILED = 400 "hook_failed"
        "A hook of the trigger's code failed. `details.observations` holds what it said.";
    CREDENTIALS_REFUSED = 400 "credentials_refused"
        "The app did not accept these credentials. Check them and try again.";
    OAUTH_CLIENT_MISSING = 400 "oauth_client_missing"
        "No OAuth client is configured for this app. Add one with `grantkeep oauth-app create`.";
    STATE_INVALID = 400 "state_invalid"
        "This sign-in was finished before, was open for too long, or never began here.";
    FLOW_NOT_STARTED_HERE = 400 "flow_not_started_here"
        "This sign-in began in another browser.";
    CONTEXT_MISMATCH = 400 "context_mismatch" "The answer belongs to another connection.";
    INVALID_TOKEN = 401 "invalid_token" "The bearer token is missing, unknown, expired or revoked.";
    WRONG_TOKEN_TYPE = 401 "wrong_token_type" "This kind of token does not open this endpoint.";
    CREDENTIALS_IN_URL = 401 "credentials_in_url"
        "Send credentials in the Authorization header, never in the URL. Rotate this one.";
    SCOPE_MISSING = 403 "scope_missing" "The token lacks a scope that this call needs.";
    SCOPE_NOT_GRANTED = 403 "scope_not_granted" "A scope cannot be wider than that of the caller.";
    HOST_NOT_ALLOWED = 403 "host_not_allowed"
        "The target's host is not one of the app's, so the credential is not sent there.";
    SCHEME_NOT_ALLOWED = 403 "scheme_not_allowed" "Credentials are sent to https URLs only.";
    ADDRESS_NOT_ALLOWED = 403 "address_not_allowed"
        "The target must be named by a public host name.";
    CALL_NOT_ALLOWED = 403 "call_not_allowed"
        "No rule of this client allows this call. See `grantkeep client create --help`.";
    ORIGIN_NOT_ALLOWED = 403 "origin_not_allowed" "This origin is not allowed for the token.";
    TICKET_INVALID = 403 "ticket_invalid"
        "This window was opened too long ago, or not by the connect page.";
    MUST_BE_EMBEDDED = 403 "must_be_embedded"
        "This page works only within a frame of the product's page.";
    LINKS_OFF = 403 "links_off" "The project does not allow connecting by a link.";
    ORIGINS_MISSING = 403 "origins_missing"
        "The connect token names no allowed origins, and the project asks for them.";
    APP_NOT_ALLOWED = 403 "app_not_allowed" "The connect token does not allow this app.";
    RUN_OVER = 403 "run_over" "The run has ended, so nothing more is sent for it.";
    FROZEN = 403 "frozen"
        "The operator has stopped handing out credentials for now. Nothing is lost; ask again once \
         that is over.";
    NOT_FOUND = 404 "not_found" "There is no such thing here.";
    APP_NOT_FOUND = 404 "app_not_found" "There is no such app.";
    CONNECT_TOKEN_UNKNOWN = 404 "connect_token_unknown" "There is no such connect token.";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed" "This path does not take that method.";
    REQUEST_TIMEOUT = 408 "request_timeout" "The body did not arrive in time.";
    USER_MISMATCH = 409 "user_mismatch"
        "Another user came back than the one whom the connect token was made for. Nothing was \
         connected, and the flow is over.";
    FLOW_USED = 409 "flow_used"
        "This flow was confirmed or refused before. Each can be confirmed once.";
    CONNECTION_FAILED = 409 "connection_failed" "The account could not be connected.";
    RUN_BUSY = 409 "run_busy"
        "The run does not wait just now, or has ended.";
    ACCOUNT_AMBIGUOUS = 409 "account_ambiguous"
        "The user has several accounts of the app, and the workflow's rule is `only`. Name one in \
         the step's props, or choose the rule `newest` or `oldest`.";
    REAUTH_REQUIRED = 409 "reauth_required"
        "The provider no longer accepts this grant. Let the user connect the account again.";
    NOTHING_TO_REFRESH = 409 "nothing_to_refresh"
        "There is nothing to refresh: what this account holds does not end, or cannot be renewed.";
    CHANGED_MEANWHILE = 409 "changed_meanwhile"
        "Somebody changed this meanwhile. Read it again, and change what is there now.";
    IN_USE = 409 "in_use" "This is still in use. Delete first what depends on it.";
    COMPONENT_IN_USE = 409 "component_in_use"
        "Triggers are made of this component, or workflows run it. `details` names them.";
    VERSION_TAKEN = 409 "version_taken"
        "That version was published with other content, and a version never changes.";
    ENDPOINTS_CHANGED = 409 "endpoints_changed"
        "Accounts or clients use this app, and the change would send their credentials to other \
         addresses (`details.moved`). If that is right, send `confirm_endpoint_change: true`.";
    OTHER_SERVER = 409 "other_server"
        "This names another authorization server than the one that knows the app's client, and a \
         client is never used at a server that does not know it. Discover it under another slug.";
    DIFFERENT_ACCOUNT = 409 "different_account"
        "Another account was signed in than the one being reconnected.";
    CONNECT_TOKEN_USED = 410 "connect_token_used" "This connect token was already used.";
    CONNECT_TOKEN_EXPIRED = 410 "connect_token_expired" "This connect token has expired.";
    PAGE_ENDED = 410 "page_ended" "This page was opened again elsewhere, or its time is over.";
    FLOW_EXPIRED = 410 "flow_expired" "The sign-in took too long and was ended. Start it again.";
    UNCONFIRMED = 410 "unconfirmed"
        "The flow was not confirmed in time, so nothing was connected. Start it again.";
    BODY_TOO_LARGE = 413 "body_too_large" "The body is larger than this endpoint takes.";
    URI_TOO_LONG = 414 "uri_too_long" "The path and query are longer than this server takes.";
    UNSUPPORTED_MEDIA = 415 "unsupported_media_type" "Send the body as application/json.";
    RATE_LIMITED = 429 "rate_limited" "Throttled";
    TOO_MANY_AT_ONCE = 429 "too_many_at_once"
        "As many calls as may be are under way for this account. Try again when one has ended.";
    TOO_MANY_RUNS = 429 "too_many_runs"
        "As many runs as may be are under way for this project. Try again when one has ended.";
    HEADERS_TOO_LARGE = 431 "headers_too_large"
        "There are too many header fields, or too large ones.";
    INTERNAL = 500 "internal" "Something failed here. The request id names it in the server's log.";
    DECRYPT_FAILED = 500 "decrypt_failed"
        "Stored credentials cannot be read. The operator was told.";
    NOT_IMPLEMENTED = 501 "not_implemented" "This endpoint is not built yet.";
    PROVIDER_BAD_ANSWER = 502 "provider_bad_response"
        "The app's server gave an answer that cannot be used.";
    UPSTREAM_UNREACHABLE = 502 "upstream_unreachable" "The app's server could not be reached.";
    UPSTREAM_TLS = 502 "upstream_tls" "The app's server could not prove that it is the app's.";
    UPSTREAM_PROTOCOL = 502 "upstream_protocol"
        "The app's server gave an answer that is not HTTP, or broke off. It may have acted on the \
         call.";
    UPSTREAM_TOO_LARGE = 502 "upstream_too_large" "The app's answer is larger than allowed.";
    SECRET_IN_RESPONSE = 502 "secret_in_response"
        "The app's answer held the credential, so it was withheld. The call was made.";
    SOURCE_FAILED = 502 "source_failed"
        "The trigger's code failed before it answered.";
    WORKFLOW_FAILED = 502 "workflow_failed"
        "A step of the workflow failed before any answered. `details.run_id` names the run.";
    TRIGGER_BUSY = 503 "trigger_busy"
        "A run of this trigger goes on for too long to wait for it. Try again when it has ended.";
    TRIGGER_PAUSED = 503 "trigger_paused"
        "This trigger is paused: it failed too often, and its product was told, or its component \
         was deleted.";
    CODE_UNAVAILABLE = 503 "code_unavailable"
        "This server cannot run code just now. `grantkeep doctor` tells its operator why.";
    STORE_UNAVAILABLE = 503 "store_unavailable" "The store cannot be reached. Try again shortly.";
    AUDIT_UNAVAILABLE = 503 "audit_unavailable"
        "The audit log cannot be written, so nothing was handed out. A change may have been made: \
         look before you ask for it again.";
    UPSTREAM_TIMEOUT = 504 "upstream_timeout"
        "The app's server did not answer in time. It may have acted on the call.";
    TIMED_OUT = 504 "timed_out" "The answer took too long. It may still have taken effect.";
    PROVIDER_UNAVAILABLE = 503 "provider_unavailable"
        "The app's server does not answer. Try again shortly.";
}

/// A failure on its way to the caller. Boxed, because success is the common case.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    text: Cow<'static, str>,
    details: Option<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    log: Option<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What only the operator is told.
    pub fn log(&self) -> Option<&str> {
        self.0.log.as_deref()
    }

    pub fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    /// Tells the caller something more exact. Must hold no secret and nothing that came unchecked
    /// from outside.
    #[must_use]
    pub fn saying(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.0.text = text.into();
        self
    }

    /// Machine-readable details for the caller.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to come back, as RFC 9110 section 10.2.3 wants it.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// For the operator's log only.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "callers hand over what they are done with")]
    pub fn logging(mut self, detail: impl ToString) -> Self {
        self.0.log = Some(detail.to_string());
        self
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            text: Cow::Borrowed(kind.text),
            details: None,
            headers: Vec::new(),
            log: None,
        }))
    }
}

impl Kind {
    /// See [`Error::saying`].
    pub fn saying(self, text: impl Into<Cow<'static, str>>) -> Error {
        Error::from(self).saying(text)
    }

    /// See [`Error::logging`].
    pub fn logging(self, detail: impl ToString) -> Error {
        Error::from(self).logging(detail)
    }
}

/// What PostgreSQL says of a text with U+0000, which it cannot store.
const NOT_IN_REPERTOIRE: &str = "22021";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let passes = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => true,
            sqlx::Error::Database(said) => said.code().is_some_and(|it| is_passing(&it)),
            _ => false,
        };
        if passes {
            return STORE_UNAVAILABLE.logging(&error).retry_after(1);
        }
        let state = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        if state.is_some_and(|it| it == NOT_IN_REPERTOIRE) {
            return INVALID_REQUEST.saying("A text holds U+0000, which cannot be stored.");
        }
        INTERNAL.logging(&error)
    }
}

/// Whether an engine's error says that it cannot just now, and nothing of the statement. SQLSTATE
/// has five characters; SQLite's numbers have fewer, and their last byte is the kind.
fn is_passing(code: &str) -> bool {
    if code.len() == 5 {
        // No connection, no resources, ended from outside (a time-out too), a lock, a deadlock, and
        // a server that only reads.
        return ["08", "53", "57"].iter().any(|it| code.starts_with(it))
            || ["55P03", "40001", "40P01", "25006"].contains(&code);
    }
    // Busy, locked, read-only, input or output, full, cannot open.
    code.parse::<u32>().is_ok_and(|it| [5, 6, 8, 10, 13, 14].contains(&(it & 0xff)))
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.0.text, self.0.kind.code)
    }
}

impl std::error::Error for Error {}

/// What every failure is told as.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub struct ErrorView {
    /// What happened, and what to do about it: for people, and free to change.
    error: Cow<'static, str>,
    /// What happened in one word, which does not change.
    code: &'static str,
    /// More about it, by `code`: the `field` that is wrong, for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Inner { kind, text, details, headers, log } = *self.0;
        // What is not built is nothing that the operator could mend.
        if kind.status >= 500 && kind.status != NOT_IMPLEMENTED.status {
            tracing::error!(code = kind.code, detail = log.as_deref(), "request failed");
        } else if let Some(detail) = log {
            tracing::info!(code = kind.code, detail, "request refused");
        }
        let body = ErrorView { error: text, code: kind.code, details };
        let status = StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(ERROR_HEADER, HeaderValue::from_static(kind.code));
        response.headers_mut().extend(headers);
        response
    }
}
