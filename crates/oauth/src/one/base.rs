//! The text that is signed (RFC 5849 §3.4.1).

use url::Url;
use zeroize::Zeroizing;

use crate::encode::strict;
use crate::request::Method;

/// The signature base string: method, address without query, and all parameters in order.
///
/// `params` are the protocol's own and those of a form body; the query's are read from the URL.
pub fn base_string(method: Method, url: &Url, params: &[(&str, &str)]) -> Zeroizing<String> {
    let params = normalized(url, params);
    let address = strict(&address(url));
    Zeroizing::new(format!("{}&{address}&{}", method.as_str(), strict(&params)))
}

/// §3.4.1.2: scheme and host in lower case, a port only if it is not the scheme's own. The parser
/// has done both.
fn address(url: &Url) -> String {
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// §3.4.1.3.2: encoded first, then sorted by name and then by value, as bytes.
fn normalized(url: &Url, params: &[(&str, &str)]) -> Zeroizing<String> {
    let encoded = |name: &str, value: &str| (strict(name), Zeroizing::new(strict(value)));
    let mut pairs: Vec<_> = url.query_pairs().map(|(name, value)| encoded(&name, &value)).collect();
    pairs.extend(params.iter().map(|(name, value)| encoded(name, value)));
    pairs.sort_by(|one, other| (&one.0, &*one.1).cmp(&(&other.0, &*other.1)));
    let mut out = Zeroizing::new(String::with_capacity(512));
    for (name, value) in &pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}
