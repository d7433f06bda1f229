//! Ranges of IP addresses.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A range of IP addresses as a CIDR block (`203.0.113.0/24`, `2001:db8::/32`), or a single address. Bits behind the
/// prefix are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct AddressRange(IpNet);

impl AddressRange {
    /// From its text; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let net = text.parse().or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address))).ok()?;
        Some(Self(canonical(net.trunc())))
    }

    /// Whether the address is in it. One of IPv4 in IPv6's clothes is one of IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether all addresses of the other are in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

/// A block of IPv4-mapped addresses (RFC 4291, section 2.5.5.2) as the IPv4 block that it is.
fn canonical(net: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let IpNet::V6(six) = net else { return net };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(MAPPED));
    four.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok()).map_or(net, IpNet::V4)
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.0.to_string()
    }
}

impl TryFrom<String> for AddressRange {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an IP address, nor a CIDR block as in 203.0.113.0/24 or 2001:db8::/32")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> AddressRange {
        AddressRange::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn an_address_is_in_its_block_and_in_no_other() {
        for (block, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "127.0.0.1"),
            ("::/0", "2001:db8::1", "8.8.8.8"),
        ] {
            assert!(range(block).contains(inside.parse().unwrap()), "{inside} is not in {block}");
            assert!(!range(block).contains(outside.parse().unwrap()), "{outside} is in {block}");
        }
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        assert!(range("203.0.113.0/24").contains("::ffff:203.0.113.9".parse().unwrap()));
        assert_eq!(range("::ffff:203.0.113.0/120"), range("203.0.113.0/24"));
        assert_eq!(range("::ffff:203.0.113.9"), range("203.0.113.9/32"));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for bad in ["", "203.0.113", "203.0.113.0/33", "203.0.113.0/-1", "2001:db8::/129", "example.com", "1.2.3.4 "] {
            assert_eq!(AddressRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_block_covers_what_lies_within_it() {
        assert!(range("10.0.0.0/8").covers(&range("10.1.0.0/16")) && range("10.0.0.0/8").covers(&range("10.0.0.0/8")));
        assert!(!range("10.1.0.0/16").covers(&range("10.0.0.0/8")) && !range("::/0").covers(&range("10.0.0.0/8")));
    }

    proptest! {
        #[test]
        fn a_range_reads_back(address: IpAddr, prefix in 0..=128_u8) {
            // A block that is wider than all of IPv4's clothes is one of IPv6.
            prop_assume!(address == address.to_canonical());
            let text = format!("{address}/{}", prefix.min(if address.is_ipv4() { 32 } else { 128 }));
            let range = range(&text);
            prop_assert!(range.contains(address));
            prop_assert_eq!(AddressRange::parse(&String::from(range)), Some(range));
        }
    }
}
