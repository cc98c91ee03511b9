//! Reading what a client proves itself with: the other side of [`crate::assertion`] (RFC 7523 §3).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json;
use crate::key::PublicKey;

/// A longer assertion is not looked at. Bytes.
pub const ASSERTION_BYTES_MAX: usize = 8 * 1024;
/// The furthest end that is taken. Seconds from now.
pub const LIFE_S_MAX: i64 = 3_600;
/// How far the client's clock may be from ours, either way. Seconds.
pub const SKEW_S: i64 = 60;
/// Longest name of an assertion. Bytes.
const JTI_BYTES_MAX: usize = 255;
/// What an assertion may be called: a name of its own that no other JWT has (RFC 8725 §3.11), or as
/// RFC 7523 leaves it. It stands for nothing where it is absent.
const TYPES: [&str; 2] = ["client-authentication+jwt", "jwt"];

/// Who is to be proven, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub client_id: &'a str,
    /// Our own names: one of them must be the only audience, to the letter.
    pub audiences: &'a [&'a str],
    /// Seconds since 1970.
    pub now_s: i64,
}

/// An assertion that proves its client, if it was not used before.
#[derive(Debug, PartialEq, Eq)]
pub struct Proven {
    /// Must be taken once only until `forget_at_s`.
    pub jti: String,
    /// From this second on the assertion is refused for its age, by servers too whose clock is
    /// [`SKEW_S`] behind. Seconds since 1970.
    pub forget_at_s: i64,
}

/// Why an assertion proves nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// Anybody may have written it, so nobody is told more.
    #[error("it is no JWT of this client that was signed with a key of its own")]
    Unsigned,
    /// The holder of the key wrote it, so it may be told what to mend.
    #[error("{0}")]
    Claims(&'static str),
}

/// Whom the assertion says that it is of, without any proof: the `client_id` of a request may be
/// left out (RFC 7521 §4.2).
pub fn subject(assertion: &str) -> Option<String> {
    let mut parts = assertion.split('.');
    let claims = parts.nth(1).filter(|_| assertion.len() <= ASSERTION_BYTES_MAX)?;
    members(claims)?.get("sub")?.as_str().map(str::to_owned)
}

/// Judges an assertion by the client's own keys. With several of them it must say by `kid` which
/// one it means, and with one it may.
///
/// # Errors
/// [`Unproven::Claims`] only where the signature is a key's own.
pub fn verify(assertion: &str, keys: &[PublicKey], of: &Expected) -> Result<Proven, Unproven> {
    let claims = signed(assertion, keys).ok_or(Unproven::Unsigned)?;
    judged(&claims, of).map_err(Unproven::Claims)
}

/// The claims, if the signature is that of one of the keys.
fn signed(assertion: &str, keys: &[PublicKey]) -> Option<Map<String, Value>> {
    if assertion.len() > ASSERTION_BYTES_MAX {
        return None;
    }
    let (input, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = input.split_once('.')?;
    let header = members(header)?;
    let text = |name| header.get(name).map(|it| it.as_str().ok_or(())).transpose();
    let (typ, kid) = (text("typ").ok()?, text("kid").ok()?);
    let typ = typ.map(str::to_ascii_lowercase);
    let known =
        typ.is_none_or(|it| TYPES.contains(&it.strip_prefix("application/").unwrap_or(&it)));
    // What must be understood is not (RFC 7515 §4.1.11).
    if !known || header.contains_key("crit") {
        return None;
    }
    let key = match (kid, keys) {
        (None, [one]) => one,
        (None, _) => return None,
        (Some(kid), _) => keys.iter().find(|it| it.kid() == kid)?,
    };
    // The key says how it is verified, and the header has no choice (RFC 8725 §3.1).
    if header.get("alg")?.as_str()? != key.algorithm().as_str() {
        return None;
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let claims = members(claims)?;
    key.verifies(input.as_bytes(), &signature).then_some(claims)
}

fn members(part: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    json::read(&bytes, ASSERTION_BYTES_MAX).ok()
}

fn judged(claims: &Map<String, Value>, of: &Expected) -> Result<Proven, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(of.client_id) || text("sub") != Some(of.client_id) {
        return Err("`iss` and `sub` of the assertion must both be the client's id");
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(all)) if all.len() == 1 => all[0].as_str(),
        Some(it) => it.as_str(),
        None => None,
    };
    if !audience.is_some_and(|it| of.audiences.contains(&it)) {
        return Err("`aud` of the assertion must be this server's public origin, and nothing else");
    }
    let second = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(it) => whole(it).map(Some).ok_or("times of an assertion are seconds since 1970"),
    };
    let (from, made) = (second("nbf")?, second("iat")?);
    let end = second("exp")?.ok_or("the assertion has no `exp`")?;
    if end.saturating_add(SKEW_S) <= of.now_s {
        return Err("the assertion has expired; check the client's clock");
    }
    if end > of.now_s + LIFE_S_MAX + SKEW_S {
        return Err("`exp` of the assertion is more than an hour ahead");
    }
    if [from, made].into_iter().flatten().any(|it| it > of.now_s + SKEW_S) {
        return Err("the assertion is of the future (`iat`, `nbf`); check the client's clock");
    }
    if made.is_some_and(|it| it > end) {
        return Err("the assertion ends before it begins (`iat`, `exp`)");
    }
    let jti = text("jti").filter(|it| (1..=JTI_BYTES_MAX).contains(&it.len()));
    let jti = jti.ok_or("the assertion needs a `jti` of its own, at most 255 bytes")?;
    Ok(Proven { jti: jti.to_owned(), forget_at_s: end.saturating_add(2 * SKEW_S) })
}

/// A `NumericDate` (RFC 7519 §2) may have a fraction, which is dropped.
fn whole(value: &Value) -> Option<i64> {
    /// Within these a number is exact; beyond them no time makes sense.
    const MOST: f64 = 9.0e15;
    let fraction = || value.as_f64().filter(|it| it.abs() < MOST);
    #[expect(clippy::cast_possible_truncation, reason = "it is within bounds, and cut on purpose")]
    value.as_i64().or_else(|| fraction().map(|it| it.floor() as i64))
}

#[cfg(test)]
mod tests;
