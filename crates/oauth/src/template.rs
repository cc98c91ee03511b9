//! `${name}` in the URLs, headers and texts of an app's file.
//!
//! `${name}` stands for a value. `${base64(...)}` is the base64 of what is inside, which may hold
//! text and further `${name}`: `${base64(${user}:${password})}`. An unknown name is an error and
//! never an empty text.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::Secret;
use crate::answer::Members;
use crate::encode::strict;
use crate::endpoint::{self, EndpointError};

/// Characters in one label and in a whole host name (RFC 1035 §2.3.4).
const LABEL_CHARS_MAX: usize = 63;
const HOST_CHARS_MAX: usize = 253;
/// Characters of a template, and of what comes out of it.
const TEXT_CHARS_MAX: usize = 65_536;

/// Gives the value of a name, or `None` if there is no such name.
pub type Lookup<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// Why a template cannot be filled. Holds names, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("`${{` is never closed")]
    Open,
    #[error("`{0}` is not a name: lower-case letters, digits and `_`")]
    Name(String),
    #[error("there is no value for `{0}`")]
    Unknown(String),
    #[error("the value of `{0}` cannot be part of a host name")]
    Host(String),
    #[error("the value of `{0}` cannot be part of a path")]
    Path(String),
    #[error("a scheme, user name or port cannot come from a value")]
    Misplaced,
    #[error("too long")]
    TooLong,
    #[error("the URL is not acceptable: {0}")]
    Endpoint(#[from] EndpointError),
}

/// Fills a text or header value. Values are put in as they are; whether a header can hold them is
/// checked where the request is made.
pub fn fill_text(template: &str, lookup: &Lookup) -> Result<Secret, TemplateError> {
    fill(template, lookup, &mut |_, value| Ok(value.to_owned())).map(Secret::from)
}

/// Fills every text in a JSON value; names stay as they are. A value stays one text, whatever
/// characters it has.
pub fn fill_json(template: &Value, lookup: &Lookup) -> Result<Members, TemplateError> {
    Ok(match template {
        Value::String(text) => {
            let filled = fill_text(text, lookup)?;
            Members::new(Value::String(filled.expose().to_owned()))
        }
        Value::Array(items) => {
            let items = items.iter().map(|it| fill_json(it, lookup).map(Members::into_value));
            Members::new(Value::Array(items.collect::<Result<_, _>>()?))
        }
        Value::Object(members) => {
            let filled = members
                .iter()
                .map(|(name, it)| Ok((name.clone(), fill_json(it, lookup)?.into_value())));
            Members::new(Value::Object(filled.collect::<Result<_, TemplateError>>()?))
        }
        other => Members::new(other.clone()),
    })
}

/// Fills a URL so that values cannot change where it leads.
///
/// In the host a value must be a sequence of DNS labels; if it is the whole template up to the
/// path (`${instance_url}/x`), an `https` origin of such labels. In path, query and fragment it is
/// percent-encoded, and cannot make a `.` or `..` segment.
///
/// # Errors
/// Any value that would lead elsewhere; also a result that is not `https`, or plain `http` to a
/// loopback address unless `allow_loopback_http` is set.
pub fn fill_url(
    template: &str,
    lookup: &Lookup,
    allow_loopback_http: bool,
) -> Result<Zeroizing<String>, TemplateError> {
    let (origin, rest) = split(template, lookup, allow_loopback_http)?;
    let path = fill(rest, lookup, &mut |_, value| Ok(strict(value)))?;
    let url = Zeroizing::new(format!("{}{}", *origin, *path));
    if url.len() > TEXT_CHARS_MAX {
        return Err(TemplateError::TooLong);
    }
    let parsed = endpoint::check(&url, allow_loopback_http)?;
    // What was checked as text must be what the parser sees; its own rules for hosts are wider.
    if parsed.origin() != endpoint::check(&origin, allow_loopback_http)?.origin() {
        return Err(TemplateError::Misplaced);
    }
    // The same with a value that is no dots: what has more dots than that has them from a value.
    let plain = fill(rest, lookup, &mut |_, _| Ok("x".to_owned()))?;
    if dot_segments(&path) > dot_segments(&plain) {
        return Err(TemplateError::Path(first_name(rest)));
    }
    Ok(url)
}

/// Whether a value may stand for a host or a part of one: labels of letters, digits and inner
/// hyphens, joined by single dots. No scheme, port, path, user name, and no address in numbers.
pub fn is_host_labels(value: &str) -> bool {
    let label = |it: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=LABEL_CHARS_MAX).contains(&it.len())
            && it.bytes().all(inner)
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    value.len() <= HOST_CHARS_MAX && value.split('.').all(label)
}

/// The origin, filled, and the rest of the template, not filled.
fn split<'a>(
    template: &'a str,
    lookup: &Lookup,
    allow_loopback_http: bool,
) -> Result<(Zeroizing<String>, &'a str), TemplateError> {
    if template.starts_with("${") {
        return whole_origin(template, lookup, allow_loopback_http);
    }
    let (scheme, after) = template.split_once("://").ok_or(EndpointError::NotUrl)?;
    if scheme.contains("${") {
        return Err(TemplateError::Misplaced);
    }
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    let filled = fill(host, lookup, &mut |name, value| {
        let value = value.trim_end_matches('.');
        if is_host_labels(value) {
            Ok(value.to_ascii_lowercase())
        } else {
            Err(TemplateError::Host(name.to_owned()))
        }
    })?;
    if host.contains("${") && !is_public_name(&filled) {
        return Err(TemplateError::Host(first_name(host)));
    }
    let port = port.map(|it| format!(":{it}")).unwrap_or_default();
    Ok((Zeroizing::new(format!("{scheme}://{}{port}", *filled)), rest))
}

/// `${instance_url}/rest`: the value is a whole origin, `https://name` and nothing more.
fn whole_origin<'a>(
    template: &'a str,
    lookup: &Lookup,
    allow_loopback_http: bool,
) -> Result<(Zeroizing<String>, &'a str), TemplateError> {
    let inside = &template[2..];
    let end = inside.find('}').ok_or(TemplateError::Open)?;
    let (name, rest) = (&inside[..end], &inside[end + 1..]);
    let value = value_of(name, lookup)?;
    let refused = || TemplateError::Host(name.to_owned());
    if !(rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
        return Err(TemplateError::Misplaced);
    }
    let origin = value.strip_suffix('/').unwrap_or(value);
    let parsed = endpoint::check(origin, allow_loopback_http).map_err(|_| refused())?;
    let host = origin.strip_prefix("https://").unwrap_or_default();
    let loopback = allow_loopback_http && parsed.origin().ascii_serialization() == origin;
    if loopback && parsed.scheme() == "http" || is_host_labels(host) && is_public_name(host) {
        return Ok((Zeroizing::new(origin.to_ascii_lowercase()), rest));
    }
    Err(refused())
}

/// A name with at least one dot that no parser takes for an IP address.
fn is_public_name(host: &str) -> bool {
    let parsed = Url::parse(&format!("https://{host}/"));
    let found = parsed.as_ref().map(Url::host);
    let name = matches!(found, Ok(Some(Host::Domain(it))) if it == host.to_ascii_lowercase());
    name && is_host_labels(host) && host.contains('.')
}

fn first_name(template: &str) -> String {
    let inside = template.split_once("${").map_or("", |it| it.1);
    inside.split('}').next().unwrap_or_default().to_owned()
}

/// How many segments of a path are `.` or `..`, in any spelling.
fn dot_segments(rest: &str) -> usize {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |it: &&str| {
        let it = it.to_ascii_lowercase().replace("%2e", ".");
        it == "." || it == ".."
    };
    path.split('/').filter(is_dots).count()
}

/// What is to be put in for a value, given its name.
type Put<'a> = dyn FnMut(&str, &str) -> Result<String, TemplateError> + 'a;

fn fill(
    template: &str,
    lookup: &Lookup,
    put: &mut Put,
) -> Result<Zeroizing<String>, TemplateError> {
    if template.len() > TEXT_CHARS_MAX {
        return Err(TemplateError::TooLong);
    }
    let mut out = Zeroizing::new(String::with_capacity(template.len() + 128));
    let mut rest = template;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = closing(inside).ok_or(TemplateError::Open)?;
        let body = &inside[..end];
        let value = match body.strip_prefix("base64(").and_then(|it| it.strip_suffix(')')) {
            Some(argument) => {
                let plain = fill(argument, lookup, &mut |_, value| Ok(value.to_owned()))?;
                let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*plain));
                Zeroizing::new(put(body, &encoded)?)
            }
            None => Zeroizing::new(put(body, value_of(body, lookup)?)?),
        };
        out.push_str(&value);
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    if out.len() > TEXT_CHARS_MAX {
        return Err(TemplateError::TooLong);
    }
    Ok(out)
}

fn value_of<'a>(name: &str, lookup: &Lookup<'a>) -> Result<&'a str, TemplateError> {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    let begins = name.starts_with(|it: char| it.is_ascii_lowercase());
    if !begins || !name.bytes().all(fits) {
        return Err(TemplateError::Name(name.chars().take(LABEL_CHARS_MAX).collect()));
    }
    lookup(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))
}

/// The place of the `}` that closes what is open at the start.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, bytes) = (0_usize, text.as_bytes());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'$' if bytes.get(at + 1) == Some(&b'{') => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
