//! Which addresses may be contacted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use portolan_shared::model::{in_block, meanings_of_address, never_contacted};

/// A block of addresses, such as `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressBlock {
    first: IpAddr,
    prefix: u8,
}

/// A text that is no block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressBlockError {
    /// It cannot be read.
    #[error("expected an address or a block of addresses, such as 10.0.0.0/8 or fd00::/8")]
    Form,
    /// The address is not the first of the block.
    #[error("has bits behind its prefix: such a block begins at {0}")]
    Bits(IpAddr),
}

impl AddressBlock {
    fn has(&self, address: IpAddr) -> bool {
        in_block(self.first, self.prefix, address)
    }
}

impl FromStr for AddressBlock {
    type Err = AddressBlockError;

    fn from_str(text: &str) -> Result<Self, AddressBlockError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| AddressBlockError::Form)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let digits = |prefix: &&str| !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            None => longest,
            Some(prefix) => Some(prefix)
                .filter(digits)
                .and_then(|prefix| prefix.parse().ok())
                .filter(|prefix| *prefix <= longest)
                .ok_or(AddressBlockError::Form)?,
        };
        let first = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        if first == address {
            Ok(Self { first, prefix })
        } else {
            Err(AddressBlockError::Bits(first))
        }
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Whether an address may be contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// It belongs to the Internet.
    Public,
    /// It is an exception that the server's settings make.
    Exception,
    /// No.
    Refused,
}

/// Whether an address may be contacted, with these exceptions. One that stands for others may if all of them may.
pub(super) fn permission(address: IpAddr, exceptions: &[AddressBlock]) -> Permission {
    if never_contacted(address).is_some() {
        return Permission::Refused;
    }
    let is_exception = |address: IpAddr| exceptions.iter().any(|block| block.has(address));
    let meanings = meanings_of_address(address);
    if is_exception(address) || meanings.iter().all(|meaning| is_exception(*meaning)) {
        Permission::Exception
    } else if !in_block(LOCAL_NAT64.0, LOCAL_NAT64.1, address)
        && meanings
            .into_iter()
            .all(|meaning| is_public(meaning) || is_exception(meaning))
    {
        Permission::Public
    } else {
        Permission::Refused
    }
}

/// What a network translates for itself (RFC 8215): where that leads is its own affair, whatever it stands for.
const LOCAL_NAT64: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0)), 48);

/// Blocks of IPv4 that are not of the Internet: the registry of special-purpose addresses (RFC 6890), multicast and what is reserved.
const SPECIAL_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];
/// What of IPv6 is of the Internet.
const GLOBAL_V6: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// Except for protocols (Teredo among them) and documentation.
const SPECIAL_V6: [([u16; 8], u8); 3] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

fn is_public(address: IpAddr) -> bool {
    let within = |(first, prefix): ([u16; 8], u8)| in_block(Ipv6Addr::from(first).into(), prefix, address);
    match address {
        IpAddr::V4(_) => !SPECIAL_V4
            .into_iter()
            .any(|(first, prefix)| in_block(Ipv4Addr::from(first).into(), prefix, address)),
        IpAddr::V6(_) => within(GLOBAL_V6) && !SPECIAL_V6.into_iter().any(within),
    }
}
