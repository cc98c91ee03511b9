//! Where a call goes. Its target is judged as the parser reads it, and never leaves the app's own
//! hosts.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};
use grantkeep_catalog::Proxy;
use url::{Host, Url};

use crate::error::{self, Error, Result};

/// Characters of a target.
const TARGET_CHARS_MAX: usize = 8_192;

/// Takes both alphabets once the one is turned into the other, with padding and without.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads the wire's form of a target: base64 in either alphabet.
///
/// # Errors
/// [`error::INVALID_TARGET`].
pub(super) fn decode(text: &str) -> Result<String> {
    let turned = |it: u8| match it {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    };
    let text: Vec<u8> = text.bytes().map(turned).collect();
    let bytes = DECODER.decode(text).ok();
    bytes.and_then(|it| String::from_utf8(it).ok()).ok_or_else(|| {
        error::INVALID_TARGET.saying("The target in the path must be a URL or a path in base64.")
    })
}

/// A target as the caller wrote it, read.
pub(crate) enum Aim {
    /// Below the app's base URL.
    Relative(String),
    Absolute(Url),
}

impl Aim {
    /// # Errors
    /// [`error::INVALID_TARGET`]; [`error::SCHEME_NOT_ALLOWED`] for anything but a web address;
    /// [`error::HOST_NOT_ALLOWED`] for a path that a parser takes for a host.
    pub fn read(text: &str) -> Result<Self> {
        // What the parser would drop from a URL is dropped from a path too (WHATWG URL, basic URL
        // parser, steps 1 to 3).
        let ends = |it: char| it <= ' ';
        let clean: String =
            text.trim_matches(ends).chars().filter(|it| !"\t\n\r".contains(*it)).collect();
        if clean.is_empty() || clean.len() > TARGET_CHARS_MAX || clean.chars().any(char::is_control)
        {
            return Err(error::INVALID_TARGET.into());
        }
        match scheme(&clean) {
            Some("https" | "http") => {
                let url = Url::parse(&clean).map_err(|_| Error::from(error::INVALID_TARGET))?;
                Ok(Self::Absolute(without_last_dot(url)?))
            }
            Some(_) => Err(error::SCHEME_NOT_ALLOWED.into()),
            None if clean.starts_with(['/', '\\']) && clean[1..].starts_with(['/', '\\']) => {
                Err(error::HOST_NOT_ALLOWED.saying("A path begins with one slash, not with two."))
            }
            None if clean.contains('#') => Err(fragment()),
            None => Ok(Self::Relative(clean)),
        }
    }

    /// Refuses, before any secret is opened, what the app's file alone shows to be wrong.
    pub fn screen(&self, proxy: &Proxy) -> Result<()> {
        let Self::Absolute(url) = self else { return Ok(()) };
        let listed = proxy.hosts.iter().any(|it| is_listed(it, url));
        if !listed && !may_be_base(&proxy.base_url, url) {
            return Err(elsewhere(url));
        }
        // A base with plain http is the development profile's, and compared when it is known.
        if url.scheme() != "https" && !proxy.base_url.starts_with("http:") {
            return Err(error::SCHEME_NOT_ALLOWED.into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(error::INVALID_TARGET.saying("The target must not hold a user name."));
        }
        if url.fragment().is_some() { Err(fragment()) } else { Ok(()) }
    }

    /// The URL to call. `base` is the app's base URL with the account's own values in it.
    ///
    /// # Errors
    /// As of [`Aim::screen`], with all that is known now.
    pub fn resolve(&self, proxy: &Proxy, base: &str) -> Result<Url> {
        let own = Url::parse(base).map_err(|_| error::INTERNAL.logging("a base URL is none"))?;
        let Self::Absolute(url) = self else { return self.below(base, &own) };
        self.screen(proxy)?;
        let at_base = url.host_str() == own.host_str() && url.port() == own.port();
        if !at_base && !proxy.hosts.iter().any(|it| is_listed(it, url)) {
            return Err(elsewhere(url));
        }
        if url.scheme() != "https" && url.scheme() != own.scheme() {
            return Err(error::SCHEME_NOT_ALLOWED.into());
        }
        Ok(url.clone())
    }

    fn below(&self, base: &str, own: &Url) -> Result<Url> {
        let Self::Relative(path) = self else { return Err(error::INVALID_TARGET.into()) };
        let glue = if path.starts_with(['/', '\\', '?']) { "" } else { "/" };
        let url = Url::parse(&format!("{base}{glue}{path}"));
        let url = url.map_err(|_| Error::from(error::INVALID_TARGET))?;
        let same = url.scheme() == own.scheme()
            && url.host_str() == own.host_str()
            && url.port() == own.port();
        // The base ends where a path begins, so this cannot be. It is judged all the same.
        if same && url.username().is_empty() { Ok(url) } else { Err(elsewhere(&url)) }
    }
}

fn fragment() -> Error {
    error::INVALID_TARGET.saying("The target must not hold a fragment (`#`).")
}

/// The scheme, in lower case where it is one that we know.
fn scheme(text: &str) -> Option<&str> {
    let (name, _) = text.split_once(':')?;
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"+-.".contains(&it);
    let begins = name.bytes().next().is_some_and(|it| it.is_ascii_alphabetic());
    if !begins || !name.bytes().all(fits) {
        return None;
    }
    let known = ["https", "http"].into_iter().find(|it| it.eq_ignore_ascii_case(name));
    Some(known.unwrap_or(name))
}

/// `api.example.com.` is `api.example.com`, said with a dot.
fn without_last_dot(mut url: Url) -> Result<Url> {
    let bare = match url.host_str() {
        Some(host) => host.strip_suffix('.').map(str::to_owned),
        None => return Err(error::INVALID_TARGET.into()),
    };
    if let Some(bare) = bare {
        url.set_host(Some(&bare)).map_err(|_| Error::from(error::INVALID_TARGET))?;
    }
    Ok(url)
}

/// Whether an entry of the app's file names this host and port: `api.example.com`,
/// `*.example.com`, and in development `127.0.0.1:3000`.
fn is_listed(entry: &str, url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    if let Some(parent) = entry.strip_prefix("*.") {
        let below = host.len().checked_sub(parent.len()).map(|at| host.split_at(at));
        return url.port().is_none()
            && matches!(url.host(), Some(Host::Domain(_)))
            && below.is_some_and(|(label, rest)| {
                rest.eq_ignore_ascii_case(parent) && label.len() > 1 && label.ends_with('.')
            });
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => {
            (name, port.parse().ok())
        }
        _ => (entry, None),
    };
    name.eq_ignore_ascii_case(host) && url.port() == port
}

/// Whether the host can be that of the base URL, as far as the part shows that is not the
/// account's.
fn may_be_base(template: &str, url: &Url) -> bool {
    let name = matches!(url.host(), Some(Host::Domain(it)) if it.contains('.'));
    if template.starts_with("${") {
        return name || url.scheme() == "http";
    }
    let Some((_, after)) = template.split_once("://") else { return false };
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let (Some(first), Some(last)) = (authority.find("${"), authority.rfind('}')) else {
        return is_listed(authority, url);
    };
    let end = authority[last + 1..].split(':').next().unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    name && host.starts_with(&authority[..first]) && host.ends_with(end)
}

/// Nothing is sent there. What is no name at all is said to be that.
fn elsewhere(url: &Url) -> Error {
    let inside = match url.host() {
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost") || name.ends_with(".localhost")
        }
        _ => true,
    };
    if inside { error::ADDRESS_NOT_ALLOWED.into() } else { error::HOST_NOT_ALLOWED.into() }
}

#[cfg(test)]
mod tests;
