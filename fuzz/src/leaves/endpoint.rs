//! Addresses of authorization servers, as they stand in a file or in an operator's form.

use grantkeep_oauth::endpoint::check;
use url::Host;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let strict = check(text, false);
    let Ok(url) = check(text, true) else {
        assert!(strict.is_err(), "the stricter rule takes more");
        return;
    };
    assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
    let loopback = match url.host().expect("it has a host") {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    match url.scheme() {
        "https" => assert!(strict.is_ok()),
        "http" => assert!(loopback && strict.is_err()),
        other => panic!("{other} was taken"),
    }
    // What was checked is what a second reader sees.
    assert_eq!(check(url.as_str(), true).map(|it| it.origin()), Ok(url.origin()));
}
