//! Filling in `${name}` and `${base64(..)}` in the texts of an app's file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use grantkeep_vault::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Looks a value up by its name.
pub type Values<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// Why a text cannot be filled in. Names the placeholder, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    #[error("there is no value for `{0}`")]
    Missing(String),
    #[error("the value for `{0}` cannot stand in a host name")]
    NotAHost(String),
    #[error("a placeholder is not closed")]
    Malformed,
}

/// The text with every placeholder replaced, as it is. For headers and bodies.
pub fn fill(text: &str, values: &Values<'_>) -> Result<Secret, Unfilled> {
    let mut out = String::with_capacity(text.len() + 64);
    each(text, &mut out, &mut |name, out| {
        out.push_str(values(name).ok_or_else(|| Unfilled::Missing(name.to_owned()))?);
        Ok(())
    })?;
    Ok(Secret::new(out))
}

/// The same for an address: after the host, values are percent-encoded; before, they must be (part
/// of) a host, so that no value can lead the request elsewhere.
pub fn fill_url(text: &str, values: &Values<'_>) -> Result<Secret, Unfilled> {
    let mut out = String::with_capacity(text.len() + 64);
    each(text, &mut out, &mut |name, out| {
        let value = values(name).ok_or_else(|| Unfilled::Missing(name.to_owned()))?;
        if past_host(out) {
            out.extend(utf8_percent_encode(value, STRICT));
        } else if fits_host(value, out.is_empty()) {
            out.push_str(value);
        } else {
            return Err(Unfilled::NotAHost(name.to_owned()));
        }
        Ok(())
    })?;
    Ok(Secret::new(out))
}

/// Whether what was written so far goes beyond the authority of a URL.
fn past_host(out: &str) -> bool {
    out.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
}

/// `whole`: the value begins the text, and may bring its own scheme and path.
fn fits_host(value: &str, whole: bool) -> bool {
    let value = if whole { value.strip_prefix("https://").unwrap_or(value) } else { value };
    let (host, path) =
        if whole { value.split_once('/').unwrap_or((value, "")) } else { (value, "") };
    let in_host = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'.';
    let in_path = |it: u8| in_host(it) || matches!(it, b'_' | b'~' | b'/');
    !host.is_empty()
        && host.bytes().all(in_host)
        && path.bytes().all(in_path)
        && !path.split('/').any(|it| it == "..")
}

type Put<'p> = dyn FnMut(&str, &mut String) -> Result<(), Unfilled> + 'p;

fn each(text: &str, out: &mut String, put: &mut Put<'_>) -> Result<(), Unfilled> {
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = closing(inside).ok_or(Unfilled::Malformed)?;
        let body = &inside[..end];
        if let Some(argument) = body.strip_prefix("base64(").and_then(|it| it.strip_suffix(')')) {
            let mut plain = String::new();
            each(argument, &mut plain, put)?;
            out.push_str(&BASE64_STANDARD.encode(Secret::new(plain).expose()));
        } else {
            put(body, out)?;
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(())
}

/// The place of the `}` that closes what is open at the start.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
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
mod tests {
    use super::*;

    fn values(name: &str) -> Option<&'static str> {
        match name {
            "sub" => Some("acme"),
            "key" => Some("a/b?c=1&d"),
            "base" => Some("https://acme.example/v1"),
            "evil" => Some("evil.com/"),
            "user" => Some("user@evil.com"),
            _ => None,
        }
    }

    #[test]
    fn values_are_put_in_and_encoded() {
        let header = fill("Basic ${base64(${sub}:${key})}!", &values).unwrap();
        assert_eq!(header.expose(), format!("Basic {}!", BASE64_STANDARD.encode("acme:a/b?c=1&d")));
        let url = |text| fill_url(text, &values).map(|it| it.expose().to_owned());
        assert_eq!(url("https://${sub}.x.com/a").unwrap(), "https://acme.x.com/a");
        assert_eq!(url("https://x.com/${key}").unwrap(), "https://x.com/a%2Fb%3Fc%3D1%26d");
        assert_eq!(url("${base}/me").unwrap(), "https://acme.example/v1/me");
    }

    #[test]
    fn row_48_no_value_leads_to_another_host() {
        let url = |text| fill_url(text, &values).map(|it| it.expose().to_owned());
        assert_eq!(url("https://${evil}.x.com"), Err(Unfilled::NotAHost("evil".into())));
        assert_eq!(url("https://${user}.x.com"), Err(Unfilled::NotAHost("user".into())));
        assert_eq!(url("${user}/x"), Err(Unfilled::NotAHost("user".into())));
        assert_eq!(url("https://${nobody}.x.com"), Err(Unfilled::Missing("nobody".into())));
        assert_eq!(url("https://${sub.x.com"), Err(Unfilled::Malformed));
    }
}
