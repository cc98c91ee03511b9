//! For whom tokens are: resource indicators (RFC 8707).

use url::Url;

/// How many a request may name.
pub const RESOURCES_MAX: usize = 32;
/// Bytes of one.
const RESOURCE_BYTES_MAX: usize = 2_048;

/// Why a resource cannot be named. Always a fault of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    #[error("a resource is not an absolute URI")]
    NotAbsolute,
    #[error("a resource has a fragment")]
    Fragment,
    #[error("a resource is not written as it would be compared: lower-case host, no dot segments")]
    NotCanonical,
    #[error("more than {RESOURCES_MAX} resources, or one longer than {RESOURCE_BYTES_MAX} bytes")]
    TooMany,
}

/// Checks one: an absolute URI without a fragment (RFC 8707 §2), and in the form in which servers
/// compare it (RFC 3986 §6.2.2), because most compare bytes. It is sent as it is. A URI that is no
/// URL (`urn:...`) goes as well.
pub fn check(resource: &str) -> Result<(), ResourceError> {
    let odd = |it: u8| it <= b' ' || it == b'\\' || it >= 0x7f;
    if resource.len() > RESOURCE_BYTES_MAX {
        return Err(ResourceError::TooMany);
    }
    if resource.contains('#') {
        return Err(ResourceError::Fragment);
    }
    if resource.bytes().any(odd) {
        return Err(ResourceError::NotAbsolute);
    }
    let parsed = Url::parse(resource).map_err(|_| ResourceError::NotAbsolute)?;
    // The parser adds the `/` of an empty path; with and without it are both in use.
    let written = parsed.as_str();
    let same = written == resource || written.strip_suffix('/') == Some(resource);
    if !same || !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(ResourceError::NotCanonical);
    }
    Ok(())
}

pub(crate) fn check_all(resources: &[&str]) -> Result<(), ResourceError> {
    if resources.len() > RESOURCES_MAX {
        return Err(ResourceError::TooMany);
    }
    resources.iter().try_for_each(|it| check(it))
}

/// The resource that stands for an address: without fragment, query kept, host in lower case, no
/// `/` alone as a path.
pub fn canonical(url: &str) -> Result<String, ResourceError> {
    let mut parsed = Url::parse(url).map_err(|_| ResourceError::NotAbsolute)?;
    parsed.set_fragment(None);
    let bare = parsed.path() == "/" && parsed.query().is_none();
    let text = parsed.as_str();
    let text = if bare { text.strip_suffix('/').unwrap_or(text) } else { text };
    check(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn d_03_a_resource_is_absolute_and_has_no_fragment() {
        for good in [
            "https://mcp.example",
            "https://mcp.example/",
            "https://mcp.example:8443/server/mcp",
            "https://mcp.example/mcp?tenant=1",
            "urn:example:cooperation-context",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("mcp.example", ResourceError::NotAbsolute),
            ("/mcp", ResourceError::NotAbsolute),
            ("", ResourceError::NotAbsolute),
            ("https://mcp.example/a b", ResourceError::NotAbsolute),
            ("https://mcp.example/#", ResourceError::Fragment),
            ("https://mcp.example/x#y", ResourceError::Fragment),
            ("HTTPS://mcp.example/x", ResourceError::NotCanonical),
            ("https://MCP.example/x", ResourceError::NotCanonical),
            ("https://mcp.example:443/x", ResourceError::NotCanonical),
            ("https://mcp.example/a/../x", ResourceError::NotCanonical),
            ("https://u@mcp.example/x", ResourceError::NotCanonical),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
        assert_eq!(check_all(&["urn:a"; RESOURCES_MAX + 1]), Err(ResourceError::TooMany));
    }

    #[test]
    fn d_03_the_canonical_form_of_an_address() {
        for (given, expected) in [
            ("https://MCP.Example:443", "https://mcp.example"),
            ("https://mcp.example/#x", "https://mcp.example"),
            ("https://mcp.example/a/./b/#x", "https://mcp.example/a/b/"),
            ("https://mcp.example/?a=b", "https://mcp.example/?a=b"),
        ] {
            assert_eq!(canonical(given).as_deref(), Ok(expected));
        }
    }

    proptest! {
        #[test]
        fn d_03_canonical_is_accepted(url in "https://[a-z]{1,9}\\.example/[ -~]{0,30}") {
            if let Ok(canonical) = canonical(&url) {
                prop_assert_eq!(check(&canonical), Ok(()));
            }
        }
    }
}
