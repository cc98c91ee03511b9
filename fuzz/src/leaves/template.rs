//! A template, and on the next line the value of every name in it. Whatever the value, the URL
//! leads where the template says (P-02).

use grantkeep_oauth::template::{fill_text, fill_url};
use url::Url;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (template, value) = text.split_once('\n').unwrap_or((text, "acme"));
    let _ = fill_text(template, &|_| Some(value));
    let fill = |value: &str| fill_url(template, &|_| Some(value), false);
    let Ok(filled) = fill(value) else { return };
    let url = read(&filled);
    assert_eq!(url.scheme(), "https");
    assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
    if template.starts_with("${") {
        assert_eq!(url.origin(), read(value).origin());
        assert_eq!(url.port(), None);
    } else {
        assert_host(template, value, &url);
    }
    // A plain value gives the same number of segments and parameters as any other.
    let plain = if template.starts_with("${") { "https://a.example" } else { "a" };
    if let Ok(plain) = fill(plain) {
        let shape = |it: &Url| {
            let query = it.query().map(|it| it.matches('&').count());
            (it.path().matches('/').count(), query)
        };
        assert_eq!(shape(&url), shape(&read(&plain)), "{filled:?} and {plain:?}");
    }
}

/// What stands in the host around the value is in the URL's host too, and at its end.
fn assert_host(template: &str, value: &str, url: &Url) {
    let (_, after) = template.split_once("://").expect("it was filled");
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((before, _)) = authority.split_once("${") else {
        let meant = read(&format!("https://{authority}"));
        assert_eq!(url.origin(), meant.origin());
        return;
    };
    let (_, tail) = authority.rsplit_once('}').expect("it was closed");
    let (end, port) = tail.split_once(':').unwrap_or((tail, "443"));
    let end = if tail.is_empty() { value.trim_end_matches('.') } else { end };
    let host = url.host_str().expect("it has a host");
    assert!(host.starts_with(&before.to_ascii_lowercase()), "{host} for {template}");
    assert!(host.ends_with(&end.to_ascii_lowercase()), "{host} for {template}");
    assert!(matches!(url.host(), Some(url::Host::Domain(_))), "{host} is an address");
    assert_eq!(url.port_or_known_default(), port.parse().ok().or(Some(443)), "{url}");
}

fn read(url: &str) -> Url {
    Url::parse(url).expect("what was filled is a URL")
}
