//! Who is really calling: the peer, or whom a trusted proxy says it speaks for.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

/// The address of the client, for limits and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

const FORWARDED_FOR: &str = "x-forwarded-for";

/// What proxies say about a request. Taken out of every request, so that nobody believes it twice.
const FORWARDING: [&str; 12] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded",
    FORWARDED_FOR,
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Whether `peer` is a proxy of the operator.
pub(super) fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    trusted.iter().any(|it| it.contains(&peer))
}

/// The nearest address on the way here that is not a trusted proxy. From an untrusted peer the
/// header counts for nothing.
pub(super) fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> ClientIp {
    let mut client = peer.to_canonical();
    let said = headers.get_all(FORWARDED_FOR);
    let hops: Vec<&str> =
        said.iter().filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(',')).collect();
    for hop in hops.into_iter().rev() {
        let Some(before) = address(hop.trim()).filter(|_| is_trusted(client, trusted)) else {
            break;
        };
        client = before;
    }
    ClientIp(client)
}

/// Takes out what the outside says about where a request comes from.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in FORWARDING {
        headers.remove(name);
    }
    // With underscores a name slips past filters, and some gateways read it as the real one.
    let disguised = |it: &HeaderName| {
        let name = it.as_str();
        name.contains('_') && FORWARDING.contains(&name.replace('_', "-").as_str())
    };
    let names: Vec<HeaderName> = headers.keys().filter(|it| disguised(it)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok();
    parsed
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|it| it.ip()))
        .map(|it: IpAddr| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(peer: &str, said: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        client_ip(peer.parse().unwrap(), &headers, &trusted).0.to_string()
    }

    #[test]
    fn a10_only_trusted_proxies_are_believed() {
        assert_eq!(client("192.0.2.7", &["1.2.3.4"]), "192.0.2.7");
        assert_eq!(client("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("::ffff:10.0.0.1", &["1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(client("fd00::1", &["[2001:db8::9]:443"]), "2001:db8::9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a10_what_the_client_itself_put_in_front_is_not_believed() {
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.9.9.9"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, nonsense, 10.2.2.2"]), "10.2.2.2");
    }

    #[test]
    fn a10_every_spelling_is_taken_out() {
        let mut headers = HeaderMap::new();
        for name in ["x-forwarded-for", "x_forwarded_for", "X-Real-IP", "forwarded", "x-kept"] {
            headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), "1".parse().unwrap());
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }

    proptest! {
        #[test]
        fn a10_no_header_makes_an_untrusted_peer_another(value in "[ -~]{0,60}") {
            prop_assert_eq!(client("192.0.2.7", &[&value]), "192.0.2.7");
            // From a trusted one it is an address that the header holds, or the proxy's own.
            let told = client("10.0.0.1", &[&value]);
            prop_assert!(told == "10.0.0.1" || told.parse::<IpAddr>().is_ok());
        }

        #[test]
        fn a10_the_last_hop_before_ours_counts_whatever_stands_in_front(front in "[ -~]{0,60}") {
            let value = format!("{front}, 1.2.3.4, 10.9.9.9");
            prop_assert_eq!(client("10.0.0.1", &[&value]), "1.2.3.4");
        }
    }
}
