//! Addresses and prefixes, as numbers.
//!
//! An IPv4-mapped IPv6 address (`::ffff:0:0/96`) *is* the IPv4 address: it folds on the way in,
//! so that one host has one key whatever its exporter writes.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4, 32-bit addresses.
    V4,
    /// IPv6, 128-bit addresses.
    V6,
}

impl Family {
    /// Both families, in the order in which results are written.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Address length in bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// `ipv4` or `ipv6`, the name in configuration, alerts and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// One address, as a number in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addr {
    /// IPv4.
    V4(u32),
    /// IPv6, never IPv4-mapped when built by [`Addr::from_bytes`] or [`Addr::from_ip`].
    V6(u128),
}

impl Addr {
    /// Reads 4 or 16 network-order bytes; any other length is `None`. Folds IPv4-mapped addresses.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(four) = <[u8; 4]>::try_from(bytes) {
            return Some(Self::V4(u32::from_be_bytes(four)));
        }
        let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
        Some(Self::fold(u128::from_be_bytes(sixteen)))
    }

    /// Converts a standard address. Folds IPv4-mapped addresses.
    pub fn from_ip(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::fold(v6.to_bits()),
        }
    }

    const fn fold(bits: u128) -> Self {
        if bits >> 32 == 0xffff {
            Self::V4(bits as u32)
        } else {
            Self::V6(bits)
        }
    }

    /// The family of this address.
    pub const fn family(self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6(_) => Family::V6,
        }
    }

    /// The standard library's form.
    pub const fn to_ip(self) -> IpAddr {
        match self {
            Self::V4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            Self::V6(bits) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

/// The number behind an address of one family: what leaf columns hold and prefix passes compare.
pub trait AddrBits: Copy + Ord + Eq + Hash + fmt::Debug + Send + Sync + 'static {
    /// The family whose addresses this number holds.
    const FAMILY: Family;
    /// Address length in bits.
    const BITS: u8 = Self::FAMILY.bits();
    /// Length of the longest common prefix, `0..=BITS`.
    fn common_prefix_len(self, other: Self) -> u8;
    /// Clears all bits after the first `len`.
    #[must_use]
    fn truncate(self, len: u8) -> Self;
    /// The last address that shares the first `len` bits.
    #[must_use]
    fn last_of(self, len: u8) -> Self;
    /// As an [`Addr`].
    fn to_addr(self) -> Addr;
    /// Widened to 128 bits, value unchanged.
    fn to_u128(self) -> u128;
    /// The low bits of `wide`.
    fn from_u128(wide: u128) -> Self;
}

macro_rules! addr_bits {
    ($int:ty, $family:expr, $variant:path) => {
        impl AddrBits for $int {
            const FAMILY: Family = $family;
            fn common_prefix_len(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }
            fn truncate(self, len: u8) -> Self {
                debug_assert!(len <= Self::BITS as u8);
                if len == 0 {
                    0
                } else {
                    self & (<$int>::MAX << (<Self as AddrBits>::BITS - len))
                }
            }
            fn last_of(self, len: u8) -> Self {
                debug_assert!(len <= Self::BITS as u8);
                if len == <Self as AddrBits>::BITS {
                    self
                } else {
                    self | (<$int>::MAX >> len)
                }
            }
            fn to_addr(self) -> Addr {
                $variant(self)
            }
            fn to_u128(self) -> u128 {
                u128::from(self)
            }
            fn from_u128(wide: u128) -> Self {
                wide as Self
            }
        }
    };
}
addr_bits!(u32, Family::V4, Addr::V4);
// `u128::from(u128)` is the identity; the macro keeps both families to one text.
#[allow(clippy::useless_conversion)]
mod wide {
    use super::{Addr, AddrBits, Family};
    addr_bits!(u128, Family::V6, Addr::V6);
}

/// A prefix: an address and a length in bits.
///
/// Invariant: bits after `len` are zero, and `len` is at most the family's address length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    addr: Addr,
    len: u8,
}

impl Prefix {
    /// Clears the host bits of `addr`. `len` above the address length counts as the address length.
    pub fn new(addr: Addr, len: u8) -> Self {
        let len = len.min(addr.family().bits());
        let addr = match addr {
            Addr::V4(bits) => Addr::V4(bits.truncate(len)),
            Addr::V6(bits) => Addr::V6(bits.truncate(len)),
        };
        Self { addr, len }
    }

    /// The first address.
    pub const fn addr(self) -> Addr {
        self.addr
    }

    /// The prefix length in bits.
    pub const fn length(self) -> u8 {
        self.len
    }

    /// The family of its addresses.
    pub const fn family(self) -> Family {
        self.addr.family()
    }

    /// Whether `addr` lies inside.
    pub fn contains(self, addr: Addr) -> bool {
        match (self.addr, addr) {
            (Addr::V4(a), Addr::V4(b)) => a.common_prefix_len(b) >= self.len,
            (Addr::V6(a), Addr::V6(b)) => a.common_prefix_len(b) >= self.len,
            _ => false,
        }
    }

    /// Whether `other` is this prefix or lies inside it.
    pub fn covers(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.addr)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

impl From<ipnet::IpNet> for Prefix {
    /// An IPv4-mapped IPv6 prefix of length 96 or more folds to IPv4.
    fn from(net: ipnet::IpNet) -> Self {
        let addr = Addr::from_ip(net.addr());
        let len = net.prefix_len();
        match (net, addr) {
            (ipnet::IpNet::V6(_), Addr::V4(_)) if len >= 96 => Self::new(addr, len - 96),
            (ipnet::IpNet::V6(v6), Addr::V4(_)) => Self::new(Addr::V6(v6.addr().to_bits()), len),
            _ => Self::new(addr, len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_address_folds_to_ipv4() {
        let mut bytes = [0u8; 16];
        bytes[10] = 0xff;
        bytes[11] = 0xff;
        bytes[12..].copy_from_slice(&[192, 0, 2, 1]);
        assert_eq!(Addr::from_bytes(&bytes), Addr::from_bytes(&[192, 0, 2, 1]));
        assert_eq!(Addr::from_bytes(&[]), None);
        assert_eq!(Addr::from_bytes(&[1, 2, 3]), None);
    }

    #[test]
    fn truncation_at_both_ends() {
        assert_eq!(u32::MAX.truncate(0), 0);
        assert_eq!(u32::MAX.truncate(32), u32::MAX);
        assert_eq!(u128::MAX.truncate(128), u128::MAX);
        assert_eq!(0u32.last_of(0), u32::MAX);
        assert_eq!(0u128.last_of(128), 0);
        assert_eq!(5u32.common_prefix_len(5), 32);
    }

    #[test]
    fn the_empty_ipv6_prefix_prints_as_ipv6() {
        assert_eq!(Prefix::new(Addr::V6(1), 0).to_string(), "::/0");
        assert_eq!(
            Prefix::new(Addr::V4(0x0a00_0001), 30).to_string(),
            "10.0.0.0/30"
        );
    }
}
