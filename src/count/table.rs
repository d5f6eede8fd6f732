//! The hot spot: from an address to its counts.
//!
//! Nearly always one rate holds for all flows of a table. So the table takes the first flow's
//! sampling for its own, and an entry does without rates and raw bytes, which follow from it: 24
//! bytes for IPv4 and 40 for IPv6, key included. Other flows go into a second, wider set of entries
//! (40 and 56 bytes), and the two are merged when the table is flushed.
//!
//! Invariant: what a table gives does not depend on which flow came first.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::net::AddrBits;
use crate::partial::{LeavesOf, Sampling, merge_all};

use super::rows::{Amount, Narrow, Rows, Wide};

/// So many amounts are added in one go, once their rows are on the way.
const WAITING: usize = 128;

/// How flows were sampled whose rate and raw bytes follow from it.
#[derive(Clone, Copy, Debug)]
struct Sampled {
    rate: u32,
    /// Bytes per raw byte: the rate, or 1 where flows came multiplied.
    factor: u64,
}

impl Sampled {
    /// The sampling of one flow, for others to follow; the flow itself need not, if its bytes are
    /// no multiple at all.
    fn like(amount: &Amount) -> Self {
        let multiplied = Self {
            rate: amount.rate,
            factor: u64::from(amount.rate.max(1)),
        };
        let factor = if multiplied.fits(amount) {
            multiplied.factor
        } else {
            1
        };
        Self {
            factor,
            ..multiplied
        }
    }

    fn fits(self, amount: &Amount) -> bool {
        self.rate == amount.rate && amount.raw_bytes.checked_mul(self.factor) == Some(amount.bytes)
    }

    fn said(self) -> Sampling {
        if self.factor == u64::from(self.rate.max(1)) {
            Sampling::Uniform(self.rate)
        } else {
            Sampling::Normalized(self.rate)
        }
    }
}

/// Counts by address, of one rule, window and family since the last flush.
#[derive(Debug)]
pub(super) struct Table<A: Copy> {
    hasher: RandomState,
    sampled: Option<Sampled>,
    uniform: Rows<A, Narrow<A>>,
    mixed: Rows<A, Wide<A>>,
    /// Amounts on their way into rows: see [`WAITING`].
    waiting: Vec<(A, Amount)>,
}

impl<A: AddrBits> Table<A> {
    /// An empty table with room for so many addresses. Its hash is seeded by chance, so that
    /// nobody can choose addresses that collide; what it gives does not depend on the seed.
    pub(super) fn with_capacity(addresses: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            sampled: None,
            uniform: Rows::with_capacity(addresses),
            mixed: Rows::with_capacity(0),
            waiting: Vec::new(),
        }
    }

    /// Adds to an address.
    #[inline]
    pub(super) fn add(&mut self, addr: A, amount: &Amount) {
        self.waiting.push((addr, *amount));
        if self.waiting.len() == WAITING {
            self.settle();
        }
    }

    /// Puts waiting amounts into their rows.
    fn settle(&mut self) {
        let Some((_, first)) = self.waiting.first() else {
            return;
        };
        let sampled = *self.sampled.get_or_insert_with(|| Sampled::like(first));
        let hasher = &self.hasher;
        let mut hashes = [0; WAITING];
        let mut fetched = 0;
        for (hash, (addr, _)) in hashes.iter_mut().zip(&self.waiting) {
            *hash = hasher.hash_one(*addr);
            fetched ^= self.uniform.peek(*hash);
        }
        std::hint::black_box(fetched);
        for (hash, (addr, amount)) in hashes.into_iter().zip(self.waiting.drain(..)) {
            if sampled.fits(&amount) {
                self.uniform.add(hash, hasher, addr, &amount);
            } else {
                self.mixed.add(hash, hasher, addr, &amount);
            }
        }
    }

    /// How many entries are held: at least as many as addresses, and no bound on memory is missed
    /// by what waits.
    pub(super) fn len(&self) -> usize {
        self.uniform.len + self.mixed.len + self.waiting.len()
    }

    /// The counts as sorted columns.
    pub(super) fn into_leaves(mut self) -> LeavesOf<A> {
        self.settle();
        let sampled = self.sampled.unwrap_or(Sampled { rate: 0, factor: 1 });
        let uniform = self.uniform.into_sets(|_| sampled.said());
        let mixed = self.mixed.into_sets(|rows| Sampling::ByLeaf {
            raw_bytes: rows.iter().map(|row| row.raw_bytes).collect(),
            min_rate: rows.iter().map(|row| row.min_rate).collect(),
            max_rate: rows.iter().map(|row| row.max_rate).collect(),
        });
        merge_all(uniform.chain(mixed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn amount(raw: u64, rate: u32) -> Amount {
        Amount {
            bytes: raw * u64::from(rate.max(1)),
            packets: u64::from(rate.max(1)),
            flows: 1,
            raw_bytes: raw,
            rate,
        }
    }

    #[test]
    fn flows_sampled_alike_take_small_rows_whether_they_came_multiplied_or_not() {
        let multiplied = |raw| Amount {
            raw_bytes: raw * 10,
            ..amount(raw, 10)
        };
        for like in [|raw| amount(raw, 10), multiplied] {
            let mut table = Table::with_capacity(0);
            for addr in 0..3_u32 {
                table.add(addr, &like(100));
            }
            table.settle();
            let rows = (table.uniform.len, table.mixed.len);
            assert_eq!(rows, (3, 0));
        }
    }

    #[test]
    fn an_address_takes_one_row_until_its_numbers_are_full() {
        let mut table = Table::with_capacity(0);
        for rate in [1, 1, 2, 3] {
            table.add(7_u32, &amount(100, rate));
        }
        table.settle();
        let full = |table: &Table<u32>| (table.uniform.full.len(), table.mixed.full.len());
        assert_eq!((table.len(), full(&table)), (2, (0, 0)));
        let most = Amount {
            bytes: u64::MAX,
            raw_bytes: u64::MAX,
            ..amount(0, 1)
        };
        table.add(7, &most);
        table.settle();
        assert_eq!((table.len(), full(&table)), (2, (1, 0)));
    }

    proptest! {
        #[test]
        fn leaves_equal_a_sorted_map(
            flows in prop::collection::vec(
                (0..400_u128, 0..1000_u64, 0..3_u32, any::<bool>()), 0..1500),
            capacity in 0..100_usize,
        ) {
            let mut table = Table::with_capacity(capacity);
            let mut model = BTreeMap::<u128, (u64, u64, u64, u32, u32)>::new();
            for (addr, raw, rate, normalized) in flows {
                let mut amount = amount(raw, rate);
                if normalized {
                    amount.bytes = raw;
                }
                table.add(addr << 64, &amount);
                let row = model.entry(addr << 64).or_insert((0, 0, 0, u32::MAX, 0));
                row.0 += amount.bytes;
                row.1 += 1;
                row.2 += raw;
                row.3 = row.3.min(rate);
                row.4 = row.4.max(rate);
            }
            prop_assert!(table.len() >= model.len());
            let mut expected = LeavesOf {
                addr: model.keys().copied().collect(),
                bytes: model.values().map(|r| r.0).collect(),
                packets: vec![],
                flows: model.values().map(|r| r.1).collect(),
                sampling: Sampling::ByLeaf {
                    raw_bytes: model.values().map(|r| r.2).collect(),
                    min_rate: model.values().map(|r| r.3).collect(),
                    max_rate: model.values().map(|r| r.4).collect(),
                },
            };
            let got = table.into_leaves();
            expected.packets.clone_from(&got.packets);
            expected.normalise();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn a_table_grows_and_keeps_a_row_for_each_address() {
        let mut table = Table::with_capacity(0);
        for round in 0..2 {
            for addr in 0..100_000_u32 {
                table.add(addr.swap_bytes(), &amount(u64::from(addr), 1));
            }
            table.settle();
            assert_eq!(table.len(), 100_000, "in round {round}");
        }
        assert!(table.uniform.places.len() <= 1 << 18);
        let leaves = table.into_leaves();
        assert!(leaves.addr.is_sorted());
        let all = leaves.addr.iter().zip(&leaves.bytes);
        assert!({ all }.all(|(addr, bytes)| *bytes == 2 * u64::from(addr.swap_bytes())));
    }

    #[test]
    fn one_rate_is_said_once() {
        let mut table = Table::<u32>::with_capacity(4);
        table.add(2, &amount(10, 32));
        table.add(1, &amount(20, 32));
        assert_eq!(table.into_leaves().sampling, Sampling::Uniform(32));
    }

    #[test]
    fn bytes_beyond_64_bits_stop_at_the_limit_and_raw_bytes_do_not() {
        let large = Amount {
            raw_bytes: u64::MAX / 64,
            bytes: u64::MAX / 64 * 32,
            ..amount(0, 32)
        };
        // However the three come into tables, the sum is the same.
        let mut table = Table::<u32>::with_capacity(0);
        for _ in 0..3 {
            table.add(7, &large);
        }
        let single = || {
            let mut table = Table::<u32>::with_capacity(0);
            table.add(7, &large);
            table.into_leaves()
        };
        let leaves = table.into_leaves();
        assert_eq!(leaves.bytes, [u64::MAX]);
        assert_eq!(leaves, merge_all([single(), single(), single()]));
        let Sampling::ByLeaf { raw_bytes, .. } = leaves.sampling else {
            panic!("raw bytes no longer follow from bytes")
        };
        assert_eq!(raw_bytes, [u64::MAX / 64 * 3]);
    }

    #[test]
    fn flows_beyond_32_bits_are_exact() {
        let mut table = Table::<u32>::with_capacity(0);
        let many = Amount {
            flows: u32::MAX,
            ..amount(5, 2)
        };
        for _ in 0..3 {
            table.add(7, &many);
        }
        let leaves = table.into_leaves();
        assert_eq!(leaves.flows, [3 * u64::from(u32::MAX)]);
        assert_eq!(leaves.bytes, [30]);
        assert_eq!(leaves.sampling, Sampling::Uniform(2));
    }
}
