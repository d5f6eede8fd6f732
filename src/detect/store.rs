//! One window's leaves of one family: sorted runs, merged lazily.
//!
//! Invariant: each run but the first is more than twice as long as the next, and all but the first
//! together hold less than a quarter of its rows. So at most 1.25 rows are kept per distinct
//! address (of 28 bytes for IPv4 where all flows were sampled alike, of 44 otherwise), and a
//! row is copied a few times only. Merging the first run takes up to half of its memory more meanwhile.
//!
//! Above `max` distinct addresses the leaves are folded to the longest length L at which they fit.
//! The number of distinct prefixes of a length only grows as deltas come, so L never passes below
//! what the whole set needs: at the end it depends on the set alone, not on its order.

use super::columns::{fitting_length, fold, shrink};
use crate::net::AddrBits;
use crate::partial::{LeavesOf, merge};

/// The leaves of one window and family.
#[derive(Debug)]
pub(super) struct Store<A> {
    runs: Vec<LeavesOf<A>>,
    length: u8,
    max: usize,
}

impl<A: AddrBits> Store<A> {
    /// An empty store that keeps at most `max` leaves apart, and at least one.
    pub(super) fn new(max: usize) -> Self {
        Self {
            runs: Vec::new(),
            length: A::BITS,
            max: max.max(1),
        }
    }

    /// Adds a delta's leaves.
    pub(super) fn add(&mut self, mut leaves: LeavesOf<A>) {
        if leaves.is_empty() {
            return;
        }
        if self.length < A::BITS {
            fold(&mut leaves, self.length);
        }
        self.runs.push(leaves);
        while self.is_uneven() {
            self.merge_last();
        }
        self.fit();
    }

    /// Everything, as one set of leaves, and the length they are kept at.
    pub(super) fn settle(&mut self) -> (&LeavesOf<A>, u8) {
        while self.runs.len() > 1 {
            self.merge_last();
        }
        self.fit();
        if self.runs.is_empty() {
            self.runs.push(LeavesOf::empty());
        }
        self.runs[0].normalise();
        (&self.runs[0], self.length)
    }

    /// Rows held; an address that is in several runs counts several times.
    pub(super) fn rows(&self) -> usize {
        self.runs.iter().map(LeavesOf::len).sum()
    }

    fn is_uneven(&self) -> bool {
        let [first, rest @ ..] = self.runs.as_slice() else {
            return false;
        };
        let tail: usize = rest.iter().map(LeavesOf::len).sum();
        let small = |pair: &[LeavesOf<A>]| pair[1].len() * 2 >= pair[0].len();
        let last = &self.runs[self.runs.len().saturating_sub(2)..];
        !rest.is_empty() && (tail * 4 >= first.len() || small(last))
    }

    fn merge_last(&mut self) {
        if let (Some(b), Some(a)) = (self.runs.pop(), self.runs.pop()) {
            let mut sum = merge(a, b);
            let rows = sum.len();
            shrink(&mut sum, rows);
            self.runs.push(sum);
        }
    }

    /// Folds every run, as later deltas will be, when the first has too many rows.
    fn fit(&mut self) {
        if self.runs.first().is_some_and(|r| r.len() > self.max) {
            self.length = fitting_length(&self.runs[0].addr, self.length, self.max);
            for run in &mut self.runs {
                fold(run, self.length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partial::Sampling;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Bytes before sampling, a rate, and whether it came multiplied.
    type Row = (u64, u32, bool);

    /// A delta out of distinct addresses.
    fn delta(rows: &BTreeMap<u32, Row>) -> LeavesOf<u32> {
        let scaled = |(raw, rate, came): &Row| {
            let factor = if *came { 1 } else { (*rate).max(1) };
            raw.saturating_mul(u64::from(factor))
        };
        let mut leaves = LeavesOf {
            addr: rows.keys().copied().collect(),
            bytes: rows.values().map(scaled).collect(),
            packets: vec![1; rows.len()],
            flows: vec![1; rows.len()],
            sampling: Sampling::ByLeaf {
                raw_bytes: rows.values().map(|r| r.0).collect(),
                min_rate: rows.values().map(|r| r.1).collect(),
                max_rate: rows.values().map(|r| r.1).collect(),
            },
        };
        leaves.normalise();
        leaves
    }

    fn deltas() -> impl Strategy<Value = Vec<BTreeMap<u32, Row>>> {
        let raw = prop_oneof![8 => 0u64..100, 1 => Just(u64::MAX / 2)];
        let addr = (0u32..4, 0u32..32).prop_map(|(high, low)| high << 20 | low);
        let sampled = || (0u32..3, any::<bool>());
        let rows = prop::collection::btree_map(addr, (raw, sampled()), 0..20);
        // In half of the deltas all flows were sampled alike.
        let delta = (rows, prop::option::of(sampled())).prop_map(|(rows, alike)| {
            let row = |(addr, (raw, own))| {
                let (rate, came) = alike.unwrap_or(own);
                (addr, (raw, rate, came))
            };
            rows.into_iter().map(row).collect()
        });
        prop::collection::vec(delta, 0..12)
    }

    proptest! {
        #[test]
        fn leaves_and_resolution_depend_on_the_set_alone(
            (deltas, shuffled) in deltas().prop_flat_map(|d| (Just(d.clone()), Just(d).prop_shuffle())),
            settle_after in 0usize..12,
            max in 1usize..40,
        ) {
            let mut a = Store::new(max);
            for d in &deltas {
                a.add(delta(d));
            }
            let mut b = Store::new(max);
            for (i, d) in shuffled.iter().enumerate() {
                b.add(delta(d));
                if i == settle_after {
                    b.settle();
                }
            }
            prop_assert_eq!(a.settle(), b.settle());

            let all: BTreeSet<u32> = deltas.iter().flat_map(|d| d.keys().copied()).collect();
            let distinct = |l: u8| all.iter().map(|x| x.truncate(l)).collect::<BTreeSet<_>>().len();
            let longest = (0..=32).rev().find(|l| distinct(*l) <= max).expect("one at length 0");
            let (leaves, length) = a.settle();
            prop_assert_eq!(length, longest);
            prop_assert_eq!(leaves.len(), distinct(longest));
            let flows: usize = deltas.iter().map(BTreeMap::len).sum();
            prop_assert_eq!(leaves.flows.iter().sum::<u64>(), flows as u64);
        }
    }

    #[test]
    fn rows_stay_within_five_quarters_of_the_addresses() {
        let mut store = Store::new(usize::MAX);
        let mut seen = BTreeSet::new();
        let mut random = 1u32;
        for _ in 0..400 {
            let rows = (0..50).map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((random >> 8) % 3000, (1, 1, false))
            });
            let rows: BTreeMap<u32, Row> = rows.collect();
            seen.extend(rows.keys().copied());
            store.add(delta(&rows));
            assert!(store.rows() * 4 <= seen.len() * 5, "{} rows", store.rows());
        }
        assert!(seen.len() > 2500);
    }

    #[test]
    fn a_large_set_is_not_copied_for_each_small_delta_and_small_ones_become_few() {
        let rows = |first: u32, n: u32| (first..first + n).map(|a| (a, (1, 1, false))).collect();
        let mut store = Store::new(usize::MAX);
        store.add(delta(&rows(0, 1000)));
        for i in 0..24 {
            store.add(delta(&rows(i, 10)));
            assert_eq!(store.runs[0].len(), 1000, "after {i}");
            assert!(
                (2..=6).contains(&store.runs.len()),
                "{i}: {}",
                store.runs.len()
            );
        }
    }
}
