//! Which addresses may be connected to.
//!
//! Source: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::Config;

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// IPv4 networks that are not the public internet.
const BLOCKED_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];

/// The only part of IPv6 that is given out as global unicast. All else is blocked.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Networks within [`GLOBAL_V6`] that are not the public internet: Teredo, ORCHID and other
/// protocol assignments, documentation. `5f00::/16`, `fc00::/7` and the like lie outside it.
const BLOCKED_V6: [Ipv6Net; 3] =
    [v6(0x2001, 0, 0, 23), v6(0x2001, 0x0db8, 0, 32), v6(0x3fff, 0, 0, 20)];

/// 6to4: the IPv4 address that packets really go to follows the prefix (RFC 3056).
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// NAT64: the IPv4 address that packets really go to stands at the end (RFC 6052, RFC 8215).
const NAT64: [Ipv6Net; 2] = [v6(0x0064, 0xff9b, 0, 96), v6(0x0064, 0xff9b, 1, 48)];

/// What the operator allows beyond the public internet.
#[derive(Clone)]
pub(super) struct Policy(Arc<Rules>);

struct Rules {
    allow: Vec<IpNet>,
    allow_http: bool,
    loopback: bool,
    open: bool,
    /// Where this server itself listens.
    own: Vec<SocketAddr>,
}

impl Rules {
    fn is_own(&self, ip: IpAddr, port: u16) -> bool {
        let listeners = self.own.iter().filter(|it| it.port() == port);
        let mut ips = listeners.map(|it| canonical(it.ip()));
        ips.any(|it| it == ip || (it.is_unspecified() && is_this_machine(ip)))
    }
}

impl Policy {
    pub(super) fn new(config: &Config) -> Self {
        let own = [Some(config.listen), config.metrics_listen];
        Self(Arc::new(Rules {
            allow: config.egress_allow.clone(),
            allow_http: config.egress_allow_http,
            loopback: config.egress_allow_loopback,
            open: false,
            own: own.into_iter().flatten().filter(|it| it.port() != 0).collect(),
        }))
    }

    /// Everything is allowed: the operator chose the one URL that is called.
    pub(super) fn open() -> Self {
        Self(Arc::new(Rules {
            allow: Vec::new(),
            allow_http: true,
            loopback: true,
            open: true,
            own: Vec::new(),
        }))
    }

    /// Whether a development set-up may call services on this machine.
    pub(super) fn loopback(&self) -> bool {
        self.0.loopback
    }

    /// Whether plain http is ever allowed; to which addresses, [`Policy::check`] says.
    pub(super) fn may_use_http(&self) -> bool {
        self.0.open || self.0.loopback || self.0.allow_http
    }

    /// Why `address` must not be connected to, for the operator's log.
    pub(super) fn check(&self, address: SocketAddr, https: bool) -> Result<(), &'static str> {
        let rules = &self.0;
        if rules.open {
            return Ok(());
        }
        let ip = canonical(address.ip());
        if rules.is_own(ip, address.port()) {
            return Err("this server listens there itself");
        }
        let loopback = rules.loopback && ip.is_loopback();
        let listed = rules.allow.iter().any(|it| it.contains(&ip));
        let may_use_http = loopback || (listed && rules.allow_http);
        if !https && !may_use_http {
            return Err("plain http is not allowed there");
        }
        match inner(ip) {
            // A listed translator must still not lead to what is not listed.
            Some(inner) if listed => self.check(SocketAddr::new(inner, address.port()), true),
            _ if loopback || listed => Ok(()),
            _ if is_blocked(ip) => Err("the address is not on the public internet"),
            _ => Ok(()),
        }
    }
}

/// Whether one of this machine's interfaces has the address: the kernel lets nobody take another's.
fn is_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

/// IPv4 written as IPv6 (`::ffff:a.b.c.d`) is IPv4.
fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The IPv4 address behind a translating one.
fn inner(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(ip) = ip else { return None };
    let octets = ip.octets();
    let at = |start: usize| {
        let four = [octets[start], octets[start + 1], octets[start + 2], octets[start + 3]];
        Some(IpAddr::V4(Ipv4Addr::from(four)))
    };
    if SIX_TO_FOUR.contains(&ip) {
        return at(2);
    }
    NAT64.iter().any(|it| it.contains(&ip)).then(|| at(12)).flatten()
}

fn is_blocked(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => BLOCKED_V4.iter().any(|it| it.contains(&ip)),
        IpAddr::V6(ip) => {
            let named = BLOCKED_V6.iter().any(|it| it.contains(&ip));
            let inner_blocked =
                SIX_TO_FOUR.contains(&ip) && inner(ip.into()).is_none_or(is_blocked);
            !GLOBAL_V6.contains(&ip) || named || inner_blocked
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(pairs: &[(&str, &str)]) -> Policy {
        Policy::new(&Config::from_pairs(pairs).unwrap())
    }

    fn allows(policy: &Policy, ip: &str) -> bool {
        policy.check(SocketAddr::new(ip.parse().unwrap(), 443), true).is_ok()
    }

    #[test]
    fn e03_every_special_network_is_blocked_at_both_ends_and_its_neighbours_are_not() {
        let strict = policy(&[]);
        let networks = [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "255.255.255.255/32",
            "::/128",
            "::1/128",
            "::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ];
        for network in networks {
            let network: IpNet = network.parse().unwrap();
            for ip in [network.network(), network.broadcast()] {
                assert!(!allows(&strict, &ip.to_string()), "{ip} of {network}");
            }
        }
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
        ];
        for ip in public {
            assert!(allows(&strict, ip), "{ip} is public");
        }
    }

    #[test]
    fn e03_an_ipv4_address_inside_an_ipv6_one_is_judged_itself() {
        let strict = policy(&[]);
        for (ip, allowed) in [
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("::ffff:8.8.8.8", true),
            ("::127.0.0.1", false),
            ("2002:7f00:0001::", false),
            ("2002:a9fe:a9fe::1", false),
            ("2002:0808:0808::1", true),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::808:808", false),
        ] {
            assert_eq!(allows(&strict, ip), allowed, "{ip}");
        }
        let translating = policy(&[("egress_allow", "64:ff9b::/96")]);
        assert!(allows(&translating, "64:ff9b::808:808"));
        assert!(!allows(&translating, "64:ff9b::7f00:1"));
        assert!(!allows(&translating, "64:ff9b::a9fe:a9fe"));
    }

    #[test]
    fn e03_only_the_listed_networks_are_opened() {
        let listed = policy(&[("egress_allow", "10.1.0.0/16, fd00:1::/64")]);
        assert!(allows(&listed, "10.1.2.3"));
        assert!(allows(&listed, "::ffff:10.1.2.3"));
        assert!(allows(&listed, "fd00:1::9"));
        assert!(!allows(&listed, "10.2.0.1"));
        assert!(!allows(&listed, "127.0.0.1"));
        assert!(!allows(&listed, "fd00:2::9"));
    }

    #[test]
    fn e03_this_server_never_calls_its_own_listener() {
        let own = policy(&[
            ("listen", "127.0.0.1:8080"),
            ("dev", "true"),
            ("egress_allow_loopback", "true"),
        ]);
        let at = |text: &str| own.check(text.parse().unwrap(), false);
        assert!(at("127.0.0.1:8080").is_err());
        assert!(at("[::ffff:127.0.0.1]:8080").is_err());
        assert!(at("127.0.0.1:8081").is_ok());
    }

    #[test]
    fn e03_a_listener_on_all_addresses_is_its_own_at_each_of_them() {
        // Which of this machine's addresses would be used; nothing is sent.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let outer = socket.connect("1.1.1.1:53").and_then(|()| socket.local_addr());
        for listen in ["0.0.0.0:8080", "[::]:8080"] {
            let own = policy(&[
                ("listen", listen),
                ("public_url", "https://connect.example"),
                ("egress_allow", "0.0.0.0/0, ::/0"),
            ]);
            let at = |ip: &str, port: u16| {
                own.check(SocketAddr::new(ip.parse().unwrap(), port), true).is_ok()
            };
            for ip in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"] {
                assert!(!at(ip, 8080), "{ip}");
                assert!(at(ip, 8081), "{ip}");
            }
            if let Ok(outer) = &outer {
                assert!(!at(&outer.ip().to_string(), 8080), "{outer}");
            }
            assert!(at("203.0.113.7", 8080), "another machine's");
        }
    }

    #[test]
    fn e04_plain_http_needs_a_flag_and_a_listed_address() {
        let check = |pairs: &[(&str, &str)], ip: &str| {
            policy(pairs).check(SocketAddr::new(ip.parse().unwrap(), 80), false).is_ok()
        };
        assert!(!check(&[], "1.1.1.1"));
        assert!(!check(&[("egress_allow", "10.0.0.0/8")], "10.0.0.1"));
        let flag = [("egress_allow", "10.0.0.0/8"), ("egress_allow_http", "true")];
        assert!(check(&flag, "10.0.0.1"));
        assert!(!check(&flag, "1.1.1.1"));
    }
}
