//! The prefix pass as its definition says it: maps over all prefixes of all lengths, and a look at
//! every leaf for every question. Shares nothing with the real one but the types of its result.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Input, LargestLeaf, MaskedPrefix, Outcome, Over, Question, Rates, Sums};
use crate::net::{Addr, AddrBits, Family, Prefix};
use crate::partial::Sampling;
use crate::rule::{Dimension, Mode};

/// A leaf with all that is known of it.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    addr: Addr,
    /// Its entry, and the shortest length looked at there.
    group: Option<(Option<usize>, u8)>,
    sums: [u64; 3],
    rates: (u64, u32, u32),
}

type Key = (Option<usize>, Prefix);

struct World<'a> {
    question: &'a Question<'a>,
    resolution: [u8; 2],
    leaves: Vec<Leaf>,
}

/// What the pass should say.
pub(super) fn outcome(q: &Question<'_>, v4: Input<'_, u32>, v6: Input<'_, u128>) -> Outcome {
    let mut world = World {
        question: q,
        resolution: [v4.resolution, v6.resolution],
        leaves: Vec::new(),
    };
    world.load(v4);
    world.load(v6);
    let results: Vec<BTreeMap<Key, u128>> = (0..q.limits.len()).map(|i| world.result(i)).collect();
    let keys: BTreeSet<Key> = results.iter().flat_map(|r| r.keys().copied()).collect();
    let silent = world.silent(&results[world.masking()]);
    let mut findings: Vec<Finding> = keys
        .iter()
        .map(|key| world.finding(*key, &keys, &results, &silent))
        .collect();
    let dimension = q.limits[0].metric.dimension();
    findings.sort_by_key(|f| (std::cmp::Reverse(f.volume.get(dimension)), f.prefix));
    let found = findings.len();
    findings.truncate(q.max_alerts);
    findings.sort_by_key(|f| f.prefix);
    Outcome {
        cut: (found - findings.len()) as u64,
        findings,
        masked: most(silent.iter().map(|(key, bytes)| (key.1, *bytes))),
        total: world.sums(|_| true),
        leaves: world.leaves.len() as u64,
    }
}

fn most(silent: impl Iterator<Item = (Prefix, u128)>) -> Option<MaskedPrefix> {
    let mut all: Vec<_> = silent.filter(|(_, bytes)| *bytes > 0).collect();
    all.sort_by_key(|(p, bytes)| (std::cmp::Reverse(*bytes), std::cmp::Reverse(p.length()), *p));
    all.first().map(|(prefix, bytes)| MaskedPrefix {
        prefix: *prefix,
        bytes: *bytes,
    })
}

impl World<'_> {
    fn load<A: AddrBits>(&mut self, input: Input<'_, A>) {
        let l = input.leaves;
        for i in 0..l.addr.len() {
            let addr = l.addr[i].to_addr();
            let rates = match &l.sampling {
                Sampling::Uniform(0) => (l.bytes[i], 0, 0),
                Sampling::Uniform(n) => (l.bytes[i] / u64::from(*n), *n, *n),
                Sampling::ByLeaf {
                    raw_bytes,
                    min_rate,
                    max_rate,
                } => (raw_bytes[i], min_rate[i], max_rate[i]),
            };
            self.leaves.push(Leaf {
                addr,
                group: self.group(Prefix::new(addr, input.resolution)),
                sums: [l.bytes[i], l.packets[i], l.flows[i]],
                rates,
            });
        }
    }

    fn group(&self, leaf: Prefix) -> Option<(Option<usize>, u8)> {
        let Some(scope) = self.question.scope else {
            return Some((None, 0));
        };
        let around = scope
            .iter()
            .enumerate()
            .filter(|(_, e)| e.prefix.covers(leaf));
        if let Some((i, e)) = around.max_by_key(|(_, e)| e.prefix.length()) {
            return Some((Some(i), e.prefix.length()));
        }
        let inside = scope.iter().position(|e| leaf.covers(e.prefix))?;
        Some((Some(inside), leaf.length()))
    }

    fn resolution(&self, family: Family) -> u8 {
        self.resolution[usize::from(family == Family::V6)]
    }

    /// Whether a length is looked at in a family, scope aside.
    fn looked_at(&self, family: Family, length: u8) -> bool {
        let resolution = self.resolution(family);
        let set = self.question.lengths(family);
        length <= resolution
            && (set.contains(length)
                || length == resolution && (resolution..=family.bits()).any(|l| set.contains(l)))
    }

    fn sums(&self, of: impl Fn(&Leaf) -> bool) -> Sums {
        let mut sums = Sums::default();
        for leaf in self.leaves.iter().filter(|l| of(l)) {
            sums.bytes += u128::from(leaf.sums[0]);
            sums.packets += u128::from(leaf.sums[1]);
            sums.flows += u128::from(leaf.sums[2]);
        }
        sums
    }

    fn inside(leaf: &Leaf, (entry, prefix): Key) -> bool {
        leaf.group.is_some_and(|(e, _)| e == entry) && prefix.contains(leaf.addr)
    }

    /// All prefixes looked at that hold a leaf, longest first.
    fn prefixes(&self) -> Vec<Key> {
        let mut keys = BTreeSet::new();
        for leaf in &self.leaves {
            let Some((entry, floor)) = leaf.group else {
                continue;
            };
            let family = leaf.addr.family();
            let lengths = (floor..=family.bits()).filter(|l| self.looked_at(family, *l));
            keys.extend(lengths.map(|l| (entry, Prefix::new(leaf.addr, l))));
        }
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|(_, p)| std::cmp::Reverse(p.length()));
        keys
    }

    /// Volume outside the prefixes of `reported` that lie strictly inside.
    fn outside(&self, key: Key, reported: impl Iterator<Item = Key>) -> Sums {
        let inside: Vec<Key> = reported.filter(|r| strictly_inside(*r, key)).collect();
        self.sums(|l| Self::inside(l, key) && !inside.iter().any(|r| Self::inside(l, *r)))
    }

    /// The result of one metric: reported prefixes with what exceeded the limit.
    fn result(&self, limit: usize) -> BTreeMap<Key, u128> {
        let limit = &self.question.limits[limit];
        let dimension = limit.metric.dimension();
        let volume = |key: Key| self.sums(|l| Self::inside(l, key)).get(dimension);
        let mut reported: BTreeMap<Key, u128> = BTreeMap::new();
        for key in self.prefixes() {
            let (_, prefix) = key;
            let inside = || reported.keys().filter(|r| strictly_inside(**r, key));
            let value = match self.question.mode {
                Mode::MostSpecific if inside().next().is_some() => continue,
                Mode::MostSpecific => volume(key),
                Mode::Discounted => self.outside(key, reported.keys().copied()).get(dimension),
                Mode::All => {
                    let range = self.question.lengths(prefix.family()).is_range();
                    if range && inside().any(|r| volume(*r) == volume(key)) {
                        continue;
                    }
                    volume(key)
                }
            };
            if value > limit.volume(prefix.family())[usize::from(prefix.length())] {
                reported.insert(key, value);
            }
        }
        reported
    }

    fn masking(&self) -> usize {
        let limits = self.question.limits.iter();
        limits
            .map(|l| l.metric.dimension())
            .position(|d| d == Dimension::Bytes)
            .unwrap_or(0)
    }

    fn silent(&self, result: &BTreeMap<Key, u128>) -> BTreeMap<Key, u128> {
        self.prefixes()
            .into_iter()
            .filter(|key| !result.contains_key(key))
            .filter(|key| result.keys().any(|r| strictly_inside(*r, *key)))
            .map(|key| (key, self.outside(key, result.keys().copied()).bytes))
            .collect()
    }

    fn finding(
        &self,
        key: Key,
        keys: &BTreeSet<Key>,
        results: &[BTreeMap<Key, u128>],
        silent: &BTreeMap<Key, u128>,
    ) -> Finding {
        let (entry, prefix) = key;
        let leaves: Vec<&Leaf> = self
            .leaves
            .iter()
            .filter(|l| Self::inside(l, key))
            .collect();
        let most_bytes = leaves.iter().map(|l| l.sums[0]).max().expect("a leaf");
        let largest = leaves
            .iter()
            .filter(|l| l.sums[0] == most_bytes)
            .min_by_key(|l| l.addr)
            .expect("a leaf");
        Finding {
            prefix,
            entry,
            over: results
                .iter()
                .enumerate()
                .filter_map(|(limit, r)| r.get(&key).map(|v| Over { limit, volume: *v }))
                .collect(),
            volume: self.sums(|l| Self::inside(l, key)),
            conditioned: (self.question.mode == Mode::Discounted)
                .then(|| self.outside(key, keys.iter().copied())),
            hosts: leaves.len() as u64,
            largest: LargestLeaf {
                prefix: Prefix::new(largest.addr, self.resolution(prefix.family())),
                bytes: most_bytes,
                packets: largest.sums[1],
            },
            rates: Rates {
                min: leaves.iter().map(|l| l.rates.1).min().expect("a leaf"),
                max: leaves.iter().map(|l| l.rates.2).max().expect("a leaf"),
                raw_bytes: leaves.iter().map(|l| u128::from(l.rates.0)).sum(),
            },
            masked: most(
                silent
                    .iter()
                    .filter(|(around, _)| strictly_inside(key, **around))
                    .map(|(around, bytes)| (around.1, *bytes)),
            ),
        }
    }
}

fn strictly_inside(inner: Key, outer: Key) -> bool {
    inner.0 == outer.0 && inner.1 != outer.1 && outer.1.covers(inner.1)
}
