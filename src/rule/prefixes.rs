//! Prefixes as an operator writes them, and longest match over many of them.

use std::fmt;

use ipnet::IpNet;
use prefix_trie::PrefixMap;

use crate::net::{Addr, AddrBits, Prefix};

/// Reads an address or a prefix. An address is a prefix of full length; host bits are an error,
/// since they are a slip more often than they are meant.
pub fn parse_prefix(text: &str) -> Result<Prefix, String> {
    let text = text.trim();
    let Some((addr, len)) = text.split_once('/') else {
        return parse_addr(text).map(|addr| Prefix::new(addr, addr.family().bits()));
    };
    let ip: std::net::IpAddr = addr.parse().map_err(|_| not_a_prefix(text))?;
    let max = if ip.is_ipv4() { 32 } else { 128 };
    let len: u32 = len.parse().map_err(|_| not_a_prefix(text))?;
    let net = u8::try_from(len)
        .ok()
        .and_then(|len| IpNet::new(ip, len).ok())
        .ok_or_else(|| format!("`{text}` has prefix length {len}, above {max}"))?;
    if net.trunc() != net {
        return Err(format!(
            "`{text}` has bits set after its length: the prefix is {}",
            net.trunc()
        ));
    }
    Ok(Prefix::from(net))
}

/// Reads one address.
pub(super) fn parse_addr(text: &str) -> Result<Addr, String> {
    text.parse()
        .map(Addr::from_ip)
        .map_err(|_| not_a_prefix(text))
}

fn not_a_prefix(text: &str) -> String {
    format!(
        "`{text}` is not an address or prefix, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
    )
}

/// A map from prefixes to values that answers by longest match.
#[derive(Clone)]
pub struct PrefixTable<T> {
    v4: PrefixMap<(u32, u8), T>,
    v6: PrefixMap<(u128, u8), T>,
}

impl<T> Default for PrefixTable<T> {
    fn default() -> Self {
        Self {
            v4: PrefixMap::default(),
            v6: PrefixMap::default(),
        }
    }
}

impl<T> PrefixTable<T> {
    /// Adds a prefix; gives back the value that it had before.
    pub fn insert(&mut self, prefix: Prefix, value: T) -> Option<T> {
        match prefix.addr() {
            Addr::V4(bits) => self.v4.insert((bits, prefix.length()), value),
            Addr::V6(bits) => self.v6.insert((bits, prefix.length()), value),
        }
    }

    /// The value of the longest prefix that holds `addr`.
    pub fn get(&self, addr: Addr) -> Option<&T> {
        match addr {
            Addr::V4(bits) => self.v4.get_lpm(&(bits, 32)).map(|(_, value)| value),
            Addr::V6(bits) => self.v6.get_lpm(&(bits, 128)).map(|(_, value)| value),
        }
    }

    /// The value of the longest prefix that is `prefix` or covers it.
    pub fn around(&self, prefix: Prefix) -> Option<&T> {
        let length = prefix.length();
        match prefix.addr() {
            Addr::V4(bits) => self.v4.get_lpm(&(bits, length)).map(|(_, value)| value),
            Addr::V6(bits) => self.v6.get_lpm(&(bits, length)).map(|(_, value)| value),
        }
    }
}

impl<T> fmt::Debug for PrefixTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixTable")
            .field("v4", &self.v4.len())
            .field("v6", &self.v6.len())
            .finish()
    }
}

/// A set of addresses, given by prefixes.
///
/// Without values there is no longest match to find, only one that matches: a binary search over
/// ranges, much faster than a walk down a trie (16 against 41 ns with 2,500 prefixes).
#[derive(Clone, Debug)]
pub struct PrefixSet {
    /// Invariant: sorted, none inside another.
    prefixes: Box<[Prefix]>,
    /// First and last address of each IPv4 prefix, in the same order.
    v4: Box<[(u32, u32)]>,
    /// First and last address of each IPv6 prefix, in the same order.
    v6: Box<[(u128, u128)]>,
}

impl PrefixSet {
    /// The addresses that any of `prefixes` holds.
    pub fn new(mut prefixes: Vec<Prefix>) -> Self {
        // Sorted by address, then length: whoever covers a prefix stands before it, with only
        // prefixes that it covers too in between.
        prefixes.sort_unstable();
        prefixes.dedup_by(|next, kept| kept.covers(*next));
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in &prefixes {
            match prefix.addr() {
                Addr::V4(first) => v4.push((first, first.last_of(prefix.length()))),
                Addr::V6(first) => v6.push((first, first.last_of(prefix.length()))),
            }
        }
        Self {
            prefixes: prefixes.into(),
            v4: v4.into(),
            v6: v6.into(),
        }
    }

    /// Whether one of the prefixes holds `addr`.
    #[inline]
    pub fn contains(&self, addr: Addr) -> bool {
        match addr {
            Addr::V4(bits) => in_ranges(&self.v4, bits),
            Addr::V6(bits) => in_ranges(&self.v6, bits),
        }
    }

    /// Whether one of the prefixes is `prefix` or covers it.
    pub fn covers(&self, prefix: Prefix) -> bool {
        let before = self.prefixes.partition_point(|held| *held <= prefix);
        // Sorted by address, then length, and none inside another: only the one right before can.
        before > 0 && self.prefixes[before - 1].covers(prefix)
    }

    /// The prefixes: sorted, none inside another.
    pub fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }
}

/// Whether one of the sorted, disjoint ranges holds `value`.
fn in_ranges<T: AddrBits>(ranges: &[(T, T)], value: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= value);
    behind > 0 && value <= ranges[behind - 1].1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix() -> impl Strategy<Value = Prefix> {
        prop_oneof![
            (any::<u8>(), 0u8..=32)
                .prop_map(|(low, len)| Prefix::new(Addr::V4(0x0a00_0000 | u32::from(low)), len)),
            (any::<u8>(), 0u8..=128)
                .prop_map(|(low, len)| Prefix::new(Addr::V6(1 << 100 | u128::from(low)), len)),
        ]
    }

    fn addr() -> impl Strategy<Value = Addr> {
        prop_oneof![
            any::<u8>().prop_map(|low| Addr::V4(0x0a00_0000 | u32::from(low))),
            any::<u32>().prop_map(Addr::V4),
            any::<u8>().prop_map(|low| Addr::V6(1 << 100 | u128::from(low))),
            any::<u128>().prop_map(Addr::V6),
        ]
    }

    proptest! {
        #[test]
        fn a_set_holds_exactly_what_its_prefixes_hold(
            prefixes in proptest::collection::vec(prefix(), 0..30),
            addrs in proptest::collection::vec(addr(), 1..30),
        ) {
            let set = PrefixSet::new(prefixes.clone());
            for addr in addrs {
                prop_assert_eq!(set.contains(addr), prefixes.iter().any(|p| p.contains(addr)));
            }
        }

        #[test]
        fn a_set_covers_exactly_what_one_of_its_prefixes_covers(
            prefixes in proptest::collection::vec(prefix(), 0..30),
            inside in proptest::collection::vec(prefix(), 1..30),
        ) {
            let set = PrefixSet::new(prefixes.clone());
            for prefix in inside {
                prop_assert_eq!(set.covers(prefix), prefixes.iter().any(|p| p.covers(prefix)));
            }
        }

        #[test]
        fn a_table_answers_with_the_longest_match(
            prefixes in proptest::collection::vec(prefix(), 0..30),
            addr in addr(),
        ) {
            let mut table = PrefixTable::default();
            for prefix in &prefixes {
                table.insert(*prefix, *prefix);
            }
            let longest = prefixes.iter().filter(|p| p.contains(addr)).max_by_key(|p| p.length());
            prop_assert_eq!(table.get(addr), longest);
        }
    }

    #[test]
    fn slips_in_a_prefix_are_named() {
        let message = |text| parse_prefix(text).expect_err("should have been refused");
        assert_eq!(
            message("10.0.0.1/8"),
            "`10.0.0.1/8` has bits set after its length: the prefix is 10.0.0.0/8"
        );
        assert_eq!(
            message("10.0.0.0/33"),
            "`10.0.0.0/33` has prefix length 33, above 32"
        );
        assert_eq!(
            message("2001:db8::/300"),
            "`2001:db8::/300` has prefix length 300, above 128"
        );
        assert!(message("10.0.0/8").contains("is not an address or prefix"));
        assert!(message("").contains("is not an address or prefix"));
        assert_eq!(
            parse_prefix("192.0.2.1").map(|p| p.to_string()),
            Ok("192.0.2.1/32".to_owned())
        );
        assert_eq!(
            parse_prefix("::ffff:192.0.2.0/120").map(|p| p.to_string()),
            Ok("192.0.2.0/24".to_owned())
        );
    }
}
