//! Network addresses that nothing of this product ever connects to, whoever asks, and what addresses stand for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a connection to an address may reach: the address itself, or the IPv4 address that an IPv6 one stands for. That is so for the
/// mapped and compatible forms (RFC 4291), NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056).
///
/// Never empty, at most four. More than one come of the local prefix of NAT64, `64:ff9b:1::/48`: how a network divides it is its own
/// affair, so every way of RFC 6052 counts.
#[must_use]
pub fn meanings_of_address(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else {
        return vec![address];
    };
    let octets = v6.octets();
    let at = |places: [usize; 4]| IpAddr::V4(Ipv4Addr::from(places.map(|place| octets[place])));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![at([12, 13, 14, 15])],
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => vec![at([12, 13, 14, 15])],
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        [0x64, 0xff9b, 1, ..] => {
            // RFC 6052, section 2.2: octet 8 is left out. A reading in 0.0.0.0/8 is none: that prefix length is not in use.
            let readings = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
            let mut meanings: Vec<IpAddr> = readings
                .into_iter()
                .filter(|places| octets[places[0]] != 0)
                .map(at)
                .collect();
            if meanings.is_empty() {
                meanings.push(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            }
            meanings
        }
        _ => vec![address],
    }
}

/// The rule that forbids an address whatever a policy says: unspecified, link-local and multicast addresses, and the metadata services
/// of clouds, which hand out credentials. Loopback is not among them.
#[must_use]
pub fn never_contacted(address: IpAddr) -> Option<&'static str> {
    meanings_of_address(address).into_iter().find_map(forbidden)
}

/// The blocks behind [`never_contacted`]: first address, bits that count, and the rule. Metadata services beside those on link-local addresses
/// are those of Alibaba Cloud, Azure (`WireServer`) and Oracle Cloud; over IPv6, of Amazon EC2 and Google Cloud.
pub const NEVER_CONTACTED: [(IpAddr, u8, &str); 12] = [
    (v4(0, 0, 0, 0), 8, "address.unspecified"),
    (v4(169, 254, 0, 0), 16, "address.link_local"),
    (v4(224, 0, 0, 0), 4, "address.multicast"),
    (v4(255, 255, 255, 255), 32, "address.multicast"),
    (v4(100, 100, 100, 200), 32, "address.metadata"),
    (v4(168, 63, 129, 16), 32, "address.metadata"),
    (v4(192, 0, 0, 192), 32, "address.metadata"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0]), 128, "address.unspecified"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, "address.link_local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, "address.multicast"),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), 128, "address.metadata"),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]), 128, "address.metadata"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

/// Whether the first `prefix` bits of both addresses, which are of one family, are the same.
#[must_use]
pub fn in_block(first: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(prefix)
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(prefix)
        }
        _ => false,
    }
}

fn forbidden(address: IpAddr) -> Option<&'static str> {
    let mut blocks = NEVER_CONTACTED.iter();
    let block = blocks.find(|(first, prefix, _)| in_block(*first, *prefix, address));
    block.map(|(_, _, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t43_metadata_services_are_never_contacted_in_any_form() {
        for (never, rule) in [
            ("169.254.169.254", "address.link_local"),
            ("::ffff:169.254.169.254", "address.link_local"),
            ("::169.254.169.254", "address.link_local"),
            ("64:ff9b::a9fe:a9fe", "address.link_local"),
            ("2002:a9fe:a9fe::1", "address.link_local"),
            ("64:ff9b:1::a9fe:a9fe", "address.link_local"),
            ("64:ff9b:1:a9fe:a9:fe00::", "address.link_local"),
            ("64:ff9b:1:a9:fe:a9fe::", "address.link_local"),
            ("64:ff9b:1:0:a9:fea9:fe00:0", "address.link_local"),
            ("64:ff9b:1::", "address.unspecified"),
            ("100.100.100.200", "address.metadata"),
            ("168.63.129.16", "address.metadata"),
            ("64:ff9b::a83f:8110", "address.metadata"),
            ("192.0.0.192", "address.metadata"),
            ("fd00:ec2::254", "address.metadata"),
            ("fd20:ce::254", "address.metadata"),
            ("fe80::1", "address.link_local"),
            ("ff02::1", "address.multicast"),
            ("255.255.255.255", "address.multicast"),
            ("0.1.2.3", "address.unspecified"),
            ("::", "address.unspecified"),
        ] {
            assert_eq!(never_contacted(never.parse().unwrap()), Some(rule), "{never}");
        }
        for other in [
            "10.0.0.1",
            "8.8.8.8",
            "192.0.0.193",
            "fd20:ce::253",
            "64:ff9b:1::a00:1",
            "::1",
        ] {
            assert_eq!(never_contacted(other.parse().unwrap()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_address_means_something(bits: u128, v4: u32) {
            let embedded = Ipv4Addr::from_bits(v4);
            let mapped = IpAddr::V6(embedded.to_ipv6_mapped());
            prop_assert_eq!(meanings_of_address(mapped), [IpAddr::V4(embedded)]);
            let meanings = meanings_of_address(Ipv6Addr::from_bits(bits).into());
            prop_assert!((1..=4).contains(&meanings.len()));
        }
    }
}
