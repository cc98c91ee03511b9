//! Answers of the token endpoint, in the forms in which servers really give them (RFC 6749 §5).

mod body;
mod expiry;
mod failure;
mod members;

use zeroize::Zeroizing;

use crate::Secret;
use crate::request::Params;

pub use expiry::ExpiresUnit;
pub use expiry::retry_after_s;
pub use failure::{Failure, Malformed, ProviderError, RETRY_AFTER_S_MAX};
pub use members::Members;

/// A body longer than this is refused. Bytes, after any decompression.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What was received. Redirects are not followed before.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    pub status: u16,
    /// Seconds or a date (RFC 9110 §10.2.3).
    pub retry_after: Option<&'a str>,
    pub body: &'a [u8],
}

/// Where things lie in an answer and what they mean. Paths are dotted, with numbers for places in
/// lists: `authed_user.access_token`.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub access_token: &'a str,
    pub refresh_token: &'a str,
    pub token_type: &'a str,
    pub scope: &'a str,
    pub expires_in: &'a str,
    pub expires_unit: ExpiresUnit,
    /// Seconds an access token lives when the answer does not say. `None`: until revoked.
    pub lifetime_s: Option<u64>,
    /// What stands between scopes; white space and commas are understood in any case.
    pub scope_separator: &'a str,
    /// Take any `token_type`: the server sends a word of its own.
    pub token_type_any: bool,
    /// The request carried a proof (RFC 9449 §5): tokens of the type `DPoP` are understood.
    pub dpop: bool,
    /// Where an error code lies, also in an answer with status 200.
    pub error: &'a str,
    /// The server's error codes to the standard ones (RFC 6749 §5.2).
    pub errors: &'a Params,
}

static NO_ERRORS: Params = Params::new();

/// The standard (RFC 6749 §5.1).
impl Default for Rules<'_> {
    fn default() -> Self {
        Self {
            access_token: "access_token",
            refresh_token: "refresh_token",
            token_type: "token_type",
            scope: "scope",
            expires_in: "expires_in",
            expires_unit: ExpiresUnit::Seconds,
            lifetime_s: None,
            scope_separator: " ",
            token_type_any: false,
            dpop: false,
            error: "error",
            errors: &NO_ERRORS,
        }
    }
}

/// Tokens, as a server gave them.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: Secret,
    /// `None`: the answer has none, or an empty one; the stored one stays in use (RFC 6749 §6).
    pub refresh_token: Option<Secret>,
    /// Milliseconds since 1970. `None`: good until revoked. At most ten years ahead.
    pub expires_at_ms: Option<i64>,
    /// `None`: the answer does not say, so what was asked for was granted (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
    /// As sent; `Bearer` in any case, or `DPoP` where that is understood, unless the app takes any
    /// type. A token that is `DPoP` must never be sent as `Bearer`.
    pub token_type: Option<String>,
    /// Of `OpenID` Connect; not verified here.
    pub id_token: Option<Secret>,
    /// The whole answer, for what else an app wants to keep of it.
    pub members: Members,
}

/// Reads an answer of the token endpoint. `now_ms` is when it was received.
///
/// # Errors
/// Says what is to become of the grant; see [`Failure`]. It never holds a token.
pub fn read(rules: &Rules, response: &Response, now_ms: i64) -> Result<Tokens, Failure> {
    let members = body::read(response);
    if let Some(failure) = failure::find(rules, response, members.as_ref(), now_ms) {
        return Err(failure);
    }
    // Without readable members `find` has found a failure; this keeps the types honest.
    let members = members.map_err(Failure::from)?;
    let access_token = secret(&members, rules.access_token);
    let access_token = access_token.ok_or(Failure::Malformed(Malformed::NoAccessToken))?;
    let token_type = members.text(rules.token_type).filter(|it| !it.is_empty());
    check_type(rules, token_type.as_deref())?;
    Ok(Tokens {
        access_token,
        refresh_token: secret(&members, rules.refresh_token),
        expires_at_ms: expiry::at_ms(rules, members.get(rules.expires_in), now_ms),
        scopes: scopes(rules, &members),
        token_type,
        id_token: secret(&members, "id_token"),
        members,
    })
}

/// The members of an answer that is no failure and has no tokens.
pub(crate) fn members(rules: &Rules, response: &Response, now_ms: i64) -> Result<Members, Failure> {
    let members = body::read(response);
    match failure::find(rules, response, members.as_ref(), now_ms) {
        Some(failure) => Err(failure),
        None => members.map_err(Failure::from),
    }
}

/// When something else than a token ends, told in seconds from now.
pub(crate) fn expires_at_ms(members: &Members, path: &str, now_ms: i64) -> Option<i64> {
    expiry::at_ms(&Rules::default(), members.get(path), now_ms)
}

/// When a token ends of which only the app's file says how long it lives.
pub(crate) fn lifetime_end_ms(rules: &Rules, now_ms: i64) -> Option<i64> {
    expiry::at_ms(rules, None, now_ms)
}

/// The failure in an answer of which no tokens are expected.
pub(crate) fn failure_in(rules: &Rules, response: &Response, now_ms: i64) -> Option<Failure> {
    failure::find(rules, response, body::read(response).as_ref(), now_ms)
}

pub(crate) fn secret(members: &Members, path: &str) -> Option<Secret> {
    let text = members.get(path)?.as_str()?.trim();
    (!text.is_empty()).then(|| Secret::from(Zeroizing::new(text.to_owned())))
}

/// A type that is not understood must not be used (RFC 6749 §7.1). Many servers send none.
fn check_type(rules: &Rules, token_type: Option<&str>) -> Result<(), Failure> {
    match token_type {
        None => Ok(()),
        Some(it) if rules.token_type_any || it.trim().eq_ignore_ascii_case("bearer") => Ok(()),
        Some(it) if rules.dpop && it.trim().eq_ignore_ascii_case("dpop") => Ok(()),
        Some(_) => Err(Failure::Malformed(Malformed::TokenType)),
    }
}

fn scopes(rules: &Rules, members: &Members) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    let mut add = |text: &str| {
        let separator = if rules.scope_separator.is_empty() { " " } else { rules.scope_separator };
        for part in text.split(separator) {
            let parts = part.split(|it: char| it == ',' || it.is_whitespace());
            for scope in parts.filter(|it| !it.is_empty()) {
                if !scopes.iter().any(|it| it == scope) {
                    scopes.push(scope.to_owned());
                }
            }
        }
    };
    match members.get(rules.scope)? {
        serde_json::Value::String(text) => add(text),
        serde_json::Value::Array(items) => items.iter().filter_map(|it| it.as_str()).for_each(add),
        _ => return None,
    }
    Some(scopes)
}

#[cfg(test)]
mod tests;
