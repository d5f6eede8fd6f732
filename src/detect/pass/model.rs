//! The prefix pass as its definition says it: maps over all prefixes of all lengths, and a look at
//! every leaf for every question. Shares nothing with the real one but the types of its result.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding, GroupTotal, Input, LargestLeaf, MaskedPrefix, Outcome, Over, Question, Rates, Sums,
};
use crate::net::{Addr, AddrBits, Family, Prefix};
use crate::partial::Sampling;
use crate::rule::{Clear, Dimension, Metric, Mode, NOWHERE, Override};

/// A leaf with all that is known of it.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    addr: Addr,
    /// Its group, and the shortest length looked at there.
    group: Option<(Group, u8)>,
    sums: [u64; 3],
    rates: (u64, u32, u32),
}

/// A scope entry, and an override that counts apart.
type Group = (Option<usize>, Option<usize>);
type Key = (Group, Prefix);
/// A label, and the limits of each of its values, in volume per interval.
pub(super) type Gated = (String, BTreeMap<String, Vec<(Metric, u128)>>);

struct World<'a> {
    question: &'a Question<'a>,
    overrides: &'a [Override],
    interval_ms: u64,
    gate: Option<&'a Gated>,
    resolution: [u8; 2],
    leaves: Vec<Leaf>,
}

/// What the pass should say.
pub(super) fn outcome(
    q: &Question<'_>,
    (overrides, interval_ms, gate): (&[Override], u64, Option<&Gated>),
    v4: Input<'_, u32>,
    v6: Input<'_, u128>,
) -> Outcome {
    let mut world = World {
        question: q,
        overrides,
        interval_ms,
        gate,
        resolution: [v4.resolution, v6.resolution],
        leaves: Vec::new(),
    };
    world.load(v4);
    world.load(v6);
    let results: Vec<BTreeMap<Key, u128>> = (0..q.limits.len()).map(|i| world.result(i)).collect();
    let keys: BTreeSet<Key> = results.iter().flat_map(|r| r.keys().copied()).collect();
    let silent = world.silent(&results[world.masking()]);
    let quiet = |kept: &[Finding]| world.quiet(kept, &keys);
    let mut findings: Vec<Finding> = keys
        .iter()
        .map(|key| world.finding(*key, &keys, &results, &silent))
        .collect();
    let dimension = q.limits[0].metric.dimension();
    let is_open = |prefix| q.open.is_some_and(|open| open.prefixes.contains(&prefix));
    findings.sort_by_key(|f| {
        let rank = (is_open(f.prefix), f.volume.get(dimension));
        (std::cmp::Reverse(rank), f.prefix)
    });
    let found = findings.len();
    findings.truncate(q.max_alerts);
    findings.sort_by_key(|f| f.prefix);
    Outcome {
        cut: (found - findings.len()) as u64,
        quiet: quiet(&findings),
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
                Sampling::Normalized(n) => (l.bytes[i], *n, *n),
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

    fn group(&self, leaf: Prefix) -> Option<(Group, u8)> {
        let (entry, floor) = self.scoped(leaf)?;
        let apart = self
            .around(leaf)
            .find(|(_, o)| o.decides() && !o.count_in_parents);
        Some(match apart {
            Some((i, o)) if o.prefix.length() >= floor => ((entry, Some(i)), o.prefix.length()),
            _ => ((entry, None), floor),
        })
    }

    /// The overrides that decide and cover a prefix, with their position among those; longest first.
    fn around(&self, prefix: Prefix) -> impl Iterator<Item = (usize, &Override)> {
        let groups = |o: &Override| {
            self.gate
                .is_some_and(|(label, _)| o.labels.contains_key(label))
        };
        let deciding = self.overrides.iter().filter(|o| o.decides() || groups(o));
        let deciding = deciding.enumerate();
        let mut around: Vec<_> = deciding.filter(|(_, o)| o.prefix.covers(prefix)).collect();
        around.sort_by_key(|(_, o)| std::cmp::Reverse(o.prefix.length()));
        around.into_iter()
    }

    /// What an override says of a metric, by the length from which it holds.
    fn says(o: &Override, metric: Metric) -> BTreeMap<u8, Option<u64>> {
        if o.never {
            return BTreeMap::from([(o.prefix.length(), None)]);
        }
        let steps = o.steps.iter().filter(|(m, _)| *m == metric);
        let steps = steps.flat_map(|(_, steps)| steps);
        steps.map(|(from, value)| (*from, Some(*value))).collect()
    }

    /// The gate's group of a prefix in a scope entry.
    fn gated(&self, entry: Option<usize>, prefix: Prefix) -> Option<&str> {
        let (label, _) = self.gate?;
        let scope = entry.and_then(|e| Some(&self.question.scope?[e]));
        let entry = scope.map(|e| (e.prefix.length(), &e.labels));
        let overrides = self.overrides.iter().filter(|o| o.prefix.covers(prefix));
        let overrides = overrides.map(|o| (o.prefix.length(), &o.labels));
        let all = entry.into_iter().chain(overrides);
        let named = all.filter_map(|(length, labels)| Some((length, labels.get(label)?)));
        named
            .max_by_key(|(length, _)| *length)
            .map(|(_, name)| name.as_str())
    }

    /// Everything in a gate's group.
    fn group_total(&self, name: &str) -> Sums {
        self.sums(|l| {
            let leaf = Prefix::new(l.addr, self.resolution(l.addr.family()));
            l.group
                .is_some_and(|((entry, _), _)| self.gated(entry, leaf) == Some(name))
        })
    }

    /// The limit of a prefix: lower, maybe, where an alert is open.
    fn limit(&self, limit: usize, key: Key) -> u128 {
        let (usual, stated) = self.usual_limit(limit, key);
        let Some(open) = self.question.open else {
            return usual;
        };
        if usual == u128::MAX || !open.prefixes.contains(&key.1) {
            return usual;
        }
        let metric = self.question.limits[limit].metric;
        let clear = match open.clear {
            Clear::PerMille(share) => metric.volume_limit_times(stated, *share, open.interval_ms),
            Clear::Limits(limits) => limits
                .iter()
                .find(|l| l.metric == metric)
                .map_or(u128::MAX, |l| {
                    l.volume(key.1.family())[usize::from(key.1.length())]
                }),
        };
        usual.min(clear)
    }

    /// The limit of a prefix without an open alert, in volume per interval and as it is stated.
    fn usual_limit(&self, limit: usize, key: Key) -> (u128, u64) {
        let ((entry, _), prefix) = key;
        if let Some(name) = self.gated(entry, prefix) {
            let total = self.group_total(name);
            let limits = self.gate.and_then(|(_, limits)| limits.get(name));
            let mut limits = limits.into_iter().flatten();
            if !limits.any(|(metric, limit)| total.get(metric.dimension()) > *limit) {
                return (u128::MAX, 0);
            }
        }
        let limit = &self.question.limits[limit];
        for (_, o) in self.around(prefix) {
            let says = Self::says(o, limit.metric);
            if let Some((_, stated)) = says.range(..=prefix.length()).next_back() {
                return stated.map_or((u128::MAX, 0), |stated| {
                    (limit.metric.volume_limit(stated, self.interval_ms), stated)
                });
            }
        }
        let volume = limit.volume(prefix.family())[usize::from(prefix.length())];
        (volume, limit.stated(prefix.family(), prefix.length()))
    }

    /// The names of the gate's groups, sorted.
    fn names(&self) -> Vec<String> {
        let scope = self.question.scope.unwrap_or(&[]).iter().map(|e| &e.labels);
        let labels = scope.chain(self.overrides.iter().map(|o| &o.labels));
        let label = self.gate.map(|(label, _)| label);
        let names = labels.filter_map(|labels| labels.get(label?));
        names
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn scoped(&self, leaf: Prefix) -> Option<(Option<usize>, u8)> {
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

    fn inside(leaf: &Leaf, (group, prefix): Key) -> bool {
        leaf.group.is_some_and(|(g, _)| g == group) && prefix.contains(leaf.addr)
    }

    /// All prefixes looked at that hold a leaf, longest first. Those of overrides that state `metric`
    /// for themselves are looked at, too.
    fn prefixes(&self, metric: Option<Metric>) -> Vec<Key> {
        let mut keys = BTreeSet::new();
        for leaf in &self.leaves {
            let Some((group, floor)) = leaf.group else {
                continue;
            };
            let family = leaf.addr.family();
            let resolution = self.resolution(family);
            let own = |l: u8| {
                metric.is_some_and(|metric| {
                    let same = |o: &&Override| o.prefix == Prefix::new(leaf.addr, l) && !o.never;
                    let says = |o: &Override| Self::says(o, metric).contains_key(&l);
                    l <= resolution && self.overrides.iter().filter(same).any(says)
                })
            };
            let lengths = floor..=family.bits();
            let lengths = lengths.filter(|l| self.looked_at(family, *l) || own(*l));
            keys.extend(lengths.map(|l| (group, Prefix::new(leaf.addr, l))));
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
        let metric = self.question.limits[limit].metric;
        let dimension = metric.dimension();
        let volume = |key: Key| self.sums(|l| Self::inside(l, key)).get(dimension);
        let mut reported: BTreeMap<Key, u128> = BTreeMap::new();
        for key in self.prefixes(Some(metric)) {
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
            if value > self.limit(limit, key) {
                reported.insert(key, value);
            }
        }
        reported
    }

    /// Open prefixes that are not in `kept`, as far as their traffic was kept apart.
    fn quiet(&self, kept: &[Finding], keys: &BTreeSet<Key>) -> Vec<Finding> {
        let open = self.question.open.into_iter();
        let open = open.flat_map(|open| open.prefixes.union(open.also));
        let quiet = open.filter(|p| {
            p.length() <= self.resolution(p.family()) && kept.iter().all(|f| f.prefix != **p)
        });
        let finding = |prefix: &Prefix| {
            let inside = self.leaves.iter().filter(|l| prefix.contains(l.addr));
            let mut groups = inside.filter_map(|l| l.group);
            let group = groups.find(|(_, floor)| *floor <= prefix.length());
            if let Some((group, _)) = group {
                let mut quiet = self.finding((group, *prefix), keys, &[], &BTreeMap::new());
                quiet.masked = None;
                return quiet;
            }
            let scope = self.question.scope.into_iter().flatten().enumerate();
            let entry = scope.filter(|(_, e)| e.prefix.covers(*prefix));
            let entry = entry.max_by_key(|(_, e)| e.prefix.length()).map(|(i, _)| i);
            self.nothing(*prefix, entry)
        };
        quiet.map(finding).collect()
    }

    fn nothing(&self, prefix: Prefix, entry: Option<usize>) -> Finding {
        Finding {
            entry,
            place: self.place(prefix),
            group: self.group_of(entry, prefix),
            ..Finding::unseen(prefix, self.question.mode == Mode::Discounted)
        }
    }

    fn place(&self, prefix: Prefix) -> u32 {
        let longest = self.around(prefix).next();
        longest.map_or(NOWHERE, |(i, _)| i as u32)
    }

    fn group_of(&self, entry: Option<usize>, prefix: Prefix) -> Option<GroupTotal> {
        let name = self.gated(entry, prefix)?;
        Some(GroupTotal {
            group: self
                .names()
                .iter()
                .position(|n| n == name)
                .expect("it is one"),
            total: self.group_total(name),
        })
    }

    fn masking(&self) -> usize {
        let limits = self.question.limits.iter();
        limits
            .map(|l| l.metric.dimension())
            .position(|d| d == Dimension::Bytes)
            .unwrap_or(0)
    }

    fn silent(&self, result: &BTreeMap<Key, u128>) -> BTreeMap<Key, u128> {
        self.prefixes(None)
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
        let ((entry, _), prefix) = key;
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
            place: self.place(prefix),
            group: self.group_of(entry, prefix),
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
