//! Which addresses may be connected to (pure).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Reach;

/// Whether a client that reaches so far may connect to an address.
pub(super) fn allows(reach: Reach, address: IpAddr) -> bool {
    let public = match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    };
    match reach {
        Reach::Public => public,
        Reach::Laptop => public || address.is_loopback(),
    }
}

/// All but IANA's IPv4 Special-Purpose Address Registry (RFC 6890), multicast (RFC 5771) and what is reserved.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match a {
        // This network, private, loopback; multicast, reserved, broadcast.
        0 | 10 | 127 | 224..=255 => false,
        // Carriers' NAT, which some clouds have their metadata in.
        100 => !(64..=127).contains(&b),
        // Link-local, which is where instance metadata is (169.254.169.254).
        169 => b != 254,
        // Private.
        172 => !(16..=31).contains(&b),
        // Protocol assignments, documentation, relays of 6to4, private.
        192 => !matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)),
        // Benchmarks, documentation.
        198 => !matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) != (0, 113),
        _ => true,
    }
}

/// Global unicast (`2000::/3`, RFC 4291) but for what of it is special, so no loopback, no unique local address (instance
/// metadata is at `fd00:ec2::254`), no link-local one, no multicast, and none that has an IPv4 address in it: mapped
/// (`::ffff:0:0/96`), NAT64 (`64:ff9b::/96`, `64:ff9b:1::/48`), 6to4 (`2002::/16`), Teredo (`2001::/32`).
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments, Teredo and ORCHID among them; documentation; 6to4.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x2002, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: [&str; 10] = [
        "1.1.1.1",
        "9.255.255.255",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001::200e",
    ];

    const OTHERS: [&str; 38] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:10.0.0.1",
        "::ffff:1.1.1.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ];

    fn allowed(reach: Reach, addresses: &[&'static str]) -> Vec<&'static str> {
        addresses.iter().copied().filter(|address| allows(reach, address.parse().unwrap())).collect()
    }

    #[test]
    fn public_addresses_are_reached() {
        assert_eq!(allowed(Reach::Public, &PUBLIC), PUBLIC);
        assert_eq!(allowed(Reach::Laptop, &PUBLIC), PUBLIC);
    }

    #[test]
    fn no_other_address_is_reached_on_a_laptop_neither() {
        assert_eq!(allowed(Reach::Public, &OTHERS), [""; 0]);
        assert_eq!(allowed(Reach::Laptop, &OTHERS), [""; 0]);
    }

    #[test]
    fn a_laptop_reaches_itself_and_a_deployment_does_not() {
        const OWN: [&str; 3] = ["127.0.0.1", "127.255.255.254", "::1"];
        assert_eq!(allowed(Reach::Laptop, &OWN), OWN);
        assert_eq!(allowed(Reach::Public, &OWN), [""; 0]);
        assert_eq!(allowed(Reach::Laptop, &["::ffff:127.0.0.1"]), [""; 0]);
    }
}
