//! Which addresses of an authorization server are acceptable.

use url::{Host, Url};

/// A URL longer than this is refused. Bytes.
const URL_BYTES_MAX: usize = 8_192;

/// Why an address is not acceptable. Does not hold the address, which may carry a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("not an absolute URL")]
    NotUrl,
    #[error("not https (plain http is for loopback addresses in development)")]
    NotHttps,
    #[error("a user name or password in the URL")]
    UserInfo,
    #[error("a fragment in the URL")]
    Fragment,
}

/// Checks an address: absolute, `https`, no user name, no fragment (RFC 6749 §3.1, §3.2).
///
/// To be called when an address is stored and again when it is used. `http` is accepted for a
/// loopback host if `allow_loopback_http` is set, which is for development only.
pub fn check(url: &str, allow_loopback_http: bool) -> Result<Url, EndpointError> {
    // The parser would drop tabs and line ends and turn `\` round: what it shows must be what is.
    let odd = |it: u8| it <= b' ' || it == b'\\' || it >= 0x7f;
    if url.len() > URL_BYTES_MAX || url.bytes().any(odd) {
        return Err(EndpointError::NotUrl);
    }
    let parsed = Url::parse(url).map_err(|_| EndpointError::NotUrl)?;
    let secure = match parsed.scheme() {
        "https" => true,
        "http" => allow_loopback_http && is_loopback(&parsed),
        _ => false,
    };
    // `https:host` and `https:///host` parse, but are not what anybody means to write.
    let (_, rest) = url.split_once(':').ok_or(EndpointError::NotUrl)?;
    if !secure {
        return Err(EndpointError::NotHttps);
    }
    if !rest.starts_with("//") || rest.starts_with("///") || parsed.host().is_none() {
        return Err(EndpointError::NotUrl);
    }
    let authority = rest[2..].split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(EndpointError::UserInfo);
    }
    if url.contains('#') {
        return Err(EndpointError::Fragment);
    }
    Ok(parsed)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn f_14_only_https_unless_loopback_is_allowed() {
        for (url, strict, loose) in [
            ("https://a.example/x?y=1", Ok(()), Ok(())),
            ("http://a.example/", Err(EndpointError::NotHttps), Err(EndpointError::NotHttps)),
            ("http://127.0.0.1:8000/x", Err(EndpointError::NotHttps), Ok(())),
            ("http://[::1]:8000/x", Err(EndpointError::NotHttps), Ok(())),
            ("http://localhost:8000/x", Err(EndpointError::NotHttps), Ok(())),
            (
                "http://localhost.evil.example/",
                Err(EndpointError::NotHttps),
                Err(EndpointError::NotHttps),
            ),
        ] {
            assert_eq!(check(url, false).map(drop), strict, "{url}");
            assert_eq!(check(url, true).map(drop), loose, "{url}");
        }
    }

    #[test]
    fn f_14_what_is_refused_in_every_mode() {
        for (url, expected) in [
            ("javascript:alert(1)", EndpointError::NotHttps),
            ("data:text/html,x", EndpointError::NotHttps),
            ("file:///etc/passwd", EndpointError::NotHttps),
            ("vbscript:x", EndpointError::NotHttps),
            ("//a.example/", EndpointError::NotUrl),
            ("/authorize", EndpointError::NotUrl),
            ("", EndpointError::NotUrl),
            ("https:a.example", EndpointError::NotUrl),
            ("https:///a.example", EndpointError::NotUrl),
            ("https:\\\\a.example", EndpointError::NotUrl),
            ("https://a.example\\@evil.example", EndpointError::NotUrl),
            ("https://a.exa\tmple/", EndpointError::NotUrl),
            (" https://a.example/", EndpointError::NotUrl),
            ("https://user@a.example/", EndpointError::UserInfo),
            ("https://@a.example/", EndpointError::UserInfo),
            ("https://a.example/#x", EndpointError::Fragment),
            ("https://a.example/#", EndpointError::Fragment),
        ] {
            assert_eq!(check(url, true).unwrap_err(), expected, "{url}");
        }
        let long = format!("https://a.example/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(check(&long, true).unwrap_err(), EndpointError::NotUrl);
    }

    proptest! {
        #[test]
        fn f_14_checking_never_panics(url in "(https?:)?/{0,3}\\PC{0,40}") {
            if let Ok(parsed) = check(&url, true) {
                prop_assert!(parsed.host().is_some());
            }
        }
    }
}
