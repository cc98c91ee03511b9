//! The rule of a field that stands in a host. The first line is a digit for the rule; the value
//! follows. What the rule takes is the host that a URL with it leads to (P-02).

use grantkeep_catalog::{HostForm, HostRule};
use url::{Host, Url};

use super::{chosen, line};

const UNDER: [&str; 2] = [".zendesk.example", "shop.example"];

pub fn run(data: &[u8]) {
    let (first, rest) = line(data);
    let Ok(value) = std::str::from_utf8(rest) else { return };
    let form = *chosen(first.first(), &[HostForm::Label, HostForm::Name, HostForm::Url]);
    let free = HostRule { form, under: Vec::new() };
    let bound = HostRule { form, under: UNDER.map(str::to_owned).to_vec() };
    if bound.check(value).is_ok() {
        assert!(free.check(value).is_ok(), "the narrower rule takes more");
    }
    if free.check(value).is_err() {
        return;
    }
    let text = match form {
        HostForm::Label => format!("https://{value}.zendesk.example/"),
        HostForm::Name => format!("https://{value}/"),
        HostForm::Url => value.to_owned(),
    };
    // A name that no parser takes (a label that only looks like punycode) leads nowhere.
    let Ok(url) = Url::parse(&text) else { return };
    let Some(Host::Domain(host)) = url.host() else { panic!("{text:?} is an address") };
    let meant = text.trim_start_matches("https://").trim_end_matches('/').to_ascii_lowercase();
    assert_eq!(host, meant);
    assert_eq!((url.scheme(), url.port(), url.path()), ("https", None, "/"));
    assert_eq!((url.username(), url.query(), url.fragment()), ("", None, None));
    let under = host.ends_with(UNDER[0]) || host == UNDER[1];
    assert!(under || bound.check(value).is_err() || form == HostForm::Label, "{host}");
}
