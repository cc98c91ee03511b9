//! Documents of servers and of resources. The first line is the issuer or resource that was asked;
//! the document follows.

use grantkeep_oauth::discovery::{
    Fetched, Hosts, Place, Policy, ResourceMetadata, ServerMetadata, issuer_url, resource_urls,
    server_urls,
};
use grantkeep_oauth::endpoint::check;

use super::line;

const PLACES: [Place; 8] = [
    Place::Authorization,
    Place::Token,
    Place::Revocation,
    Place::Introspection,
    Place::Push,
    Place::Device,
    Place::Registration,
    Place::UserInfo,
];

pub fn run(data: &[u8]) {
    let (asked, body) = line(data);
    let Ok(asked) = std::str::from_utf8(asked) else { return };
    let fetched = Fetched { status: 200, content_type: Some("application/json"), body };
    let policy = |hosts| Policy { hosts, allow_loopback_http: false };
    if let Ok(it) = ServerMetadata::read(asked, &fetched, &policy(Hosts::Any)) {
        assert_eq!(it.issuer, asked);
        let host = issuer_url(asked, false).expect("it was read").host_str().map(str::to_owned);
        let near = ServerMetadata::read(asked, &fetched, &policy(Hosts::Issuer));
        for place in PLACES {
            for url in [it.place(place, false), it.place(place, true)].into_iter().flatten() {
                let parsed = check(url, false).expect("every address is checked");
                let same = parsed.host_str() == host.as_deref();
                assert!(near.is_err() || same, "{url} is at another host");
            }
        }
        assert_eq!(it.moved(&it), Vec::<&str>::new());
    }
    if let Ok(it) = ResourceMetadata::read(asked, &fetched, &policy(Hosts::Any)) {
        assert_eq!(it.resource.trim_end_matches('/'), asked.trim_end_matches('/'));
        assert!(it.authorization_servers.iter().all(|it| issuer_url(it, false).is_ok()));
    }
    assert_at_home(asked);
}

/// Documents are asked for where the issuer or resource is, and nowhere else.
fn assert_at_home(asked: &str) {
    let servers = server_urls(asked, false).unwrap_or_default();
    let resources = resource_urls(asked, false).unwrap_or_default().into_iter().map(|it| it.url);
    for url in servers.into_iter().chain(resources) {
        let origin = check(asked, false).expect("it was taken").origin();
        let found = url::Url::parse(&url).expect("it is a URL");
        assert_eq!(found.origin(), origin);
        assert!(found.path().contains("/.well-known/"), "{url}");
    }
}
