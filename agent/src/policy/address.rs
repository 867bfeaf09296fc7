//! Addresses: which are never contacted, which are private, and ranges of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use portolan_shared::model::{NEVER_CONTACTED, in_block, meanings_of_address, never_contacted};

/// A block of addresses in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    prefix: u8,
}

impl AddressRange {
    /// Whether the address is in it. An IPv4 address written as an IPv6 one is judged as what it stands for.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        meanings_of_address(address)
            .into_iter()
            .all(|meaning| self.contains_exactly(meaning))
    }

    /// Whether there is an address in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        in_block(self.first, self.prefix.min(other.prefix), other.first)
    }

    fn contains_exactly(&self, address: IpAddr) -> bool {
        in_block(self.first, self.prefix, address)
    }
}

/// Blocks of private addresses (RFC 1918, RFC 6598, RFC 4193), as `private` in a policy means them.
pub(super) const PRIVATE: [AddressRange; 5] = [
    AddressRange::v4([10, 0, 0, 0], 8),
    AddressRange::v4([172, 16, 0, 0], 12),
    AddressRange::v4([192, 168, 0, 0], 16),
    AddressRange::v4([100, 64, 0, 0], 10),
    AddressRange {
        first: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)),
        prefix: 7,
    },
];

/// Blocks that are never contacted, whatever a policy says.
pub(super) fn never() -> impl Iterator<Item = AddressRange> {
    NEVER_CONTACTED
        .into_iter()
        .map(|(first, prefix, _)| AddressRange { first, prefix })
}

impl AddressRange {
    const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Self {
        Self {
            first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    /// Whether it is a block of IPv4 addresses.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.first.is_ipv4()
    }
}

impl From<IpAddr> for AddressRange {
    /// The range of this address alone.
    fn from(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self {
            first: address,
            prefix,
        }
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is neither \"public\" nor \"private\" nor a range such as 10.0.0.0/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|bits| *bits <= longest)
                .ok_or_else(wrong)?,
            None => longest,
        };
        Ok(Self { first, prefix })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Which addresses a host may resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSet {
    /// Addresses of the Internet.
    pub public: bool,
    /// Addresses of private networks: RFC 1918, RFC 6598, unique local.
    pub private: bool,
    /// These.
    pub ranges: Vec<AddressRange>,
    /// The host is written as a loopback address or as `localhost`.
    pub loopback: bool,
}

impl AddressSet {
    /// Whether it has the address. The rule that refuses is named otherwise.
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if let Some(never) = never_contacted(address) {
            return Err(never);
        }
        meanings_of_address(address)
            .into_iter()
            .try_for_each(|meaning| self.check_exactly(meaning))
    }

    fn check_exactly(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.ranges.iter().any(|range| range.contains_exactly(address)) {
            return Ok(());
        }
        let (allowed, rule) = if address.is_loopback() {
            (self.loopback, "address.loopback")
        } else if is_private(address) {
            (self.private, "address.private")
        } else {
            (self.public, "address.public")
        };
        if allowed { Ok(()) } else { Err(rule) }
    }

    /// Whether the file permits loopback addresses for this host.
    #[must_use]
    pub fn has_loopback(&self) -> bool {
        self.loopback || self.ranges.iter().any(|range| range.first.is_loopback())
    }
}

impl fmt::Display for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.public, "public"),
            (self.private, "private"),
            (self.loopback, "loopback"),
        ];
        let mut parts: Vec<String> = words
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| (*word).to_owned())
            .collect();
        parts.extend(self.ranges.iter().map(ToString::to_string));
        f.write_str(&parts.join(", "))
    }
}

fn is_private(address: IpAddr) -> bool {
    PRIVATE.iter().any(|block| block.contains_exactly(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(words: &[&str]) -> AddressSet {
        AddressSet {
            public: words.contains(&"public"),
            private: words.contains(&"private"),
            loopback: words.contains(&"loopback"),
            ranges: words.iter().filter_map(|word| word.parse().ok()).collect(),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn t43_metadata_and_link_local_are_never_contacted_in_any_form() {
        let all = set(&["public", "private", "loopback", "0.0.0.0/0", "::/0"]);
        for never in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd20:ce::254",
            "64:ff9b:1::a9fe:a9fe",
        ] {
            assert!(all.check(ip(never)).is_err(), "{never}");
        }
    }

    #[test]
    fn private_and_loopback_need_permission() {
        let public = set(&["public"]);
        assert_eq!(public.check(ip("93.184.216.34")), Ok(()));
        for (address, rule) in [
            ("10.1.2.3", "address.private"),
            ("192.168.0.1", "address.private"),
            ("100.64.0.1", "address.private"),
            ("fd12::1", "address.private"),
            ("127.0.0.1", "address.loopback"),
            ("::1", "address.loopback"),
            ("::ffff:127.0.0.1", "address.loopback"),
            ("64:ff9b:1::a01:203", "address.private"),
            ("64:ff9b:1:a01:2:300:808:808", "address.private"),
        ] {
            assert_eq!(public.check(ip(address)), Err(rule), "{address}");
        }
        assert_eq!(set(&["10.0.0.0/8"]).check(ip("10.255.0.1")), Ok(()));
        assert_eq!(set(&["10.0.0.0/8"]).check(ip("::ffff:10.0.0.1")), Ok(()));
        assert_eq!(set(&["10.0.0.0/8"]).check(ip("11.0.0.1")), Err("address.public"));
        assert!(set(&["127.0.0.0/8"]).has_loopback());
    }

    proptest! {
        #[test]
        fn a_range_has_its_own_address_and_prefix_zero_has_all(bits: u32, other: u32, prefix in 0..=32_u8) {
            let (address, other) = (Ipv4Addr::from_bits(bits), Ipv4Addr::from_bits(other));
            let range: AddressRange = format!("{address}/{prefix}").parse().unwrap();
            prop_assert!(range.contains(address.into()));
            let everything: AddressRange = format!("{address}/0").parse().unwrap();
            prop_assert!(everything.contains(other.into()));
            let same = (bits ^ other.to_bits()).leading_zeros() >= u32::from(prefix);
            prop_assert_eq!(range.contains(other.into()), same);
            let alone = AddressRange::from(IpAddr::from(other));
            prop_assert_eq!((range.overlaps(&alone), alone.overlaps(&range)), (same, same));
            prop_assert!(everything.overlaps(&range) && !range.overlaps(&"::/0".parse().unwrap()));
        }
    }
}
