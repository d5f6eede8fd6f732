//! From the hits of each metric to findings.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::gates::Gates;
use super::group::{Groups, Span, bits, groups};
use super::lengths::Lengths;
use super::masked::{self, Around};
use super::stack::{self, Answer, Branch, Hit, Row, Silent};
use super::{Finding, Input, LargestLeaf, MaskedPrefix, Over, Question, Rates, Sums};
use crate::detect::columns;
use crate::net::{AddrBits, Prefix};
use crate::partial::LeavesOf;
use crate::rule::{Dimension, Mode, NOWHERE};

/// A prefix that is in the result of some metric.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) prefix: Prefix,
    group: usize,
    place: u32,
    over: Vec<Over>,
    pub(super) volume: Sums,
    conditioned: Option<Sums>,
    hosts: u64,
}

/// What all groups with one floor have in common.
struct Floor {
    lengths: Lengths,
    /// By limit: no prefix outside every override is over it with at most this volume.
    least: Vec<u128>,
}

impl Floor {
    fn new<A: AddrBits>(question: &Question<'_>, floor: u8, resolution: u8) -> Self {
        let lengths = Lengths::new(question.lengths(A::FAMILY), floor, resolution);
        let limits = question.limits.iter().enumerate();
        let least = limits.map(|(i, limit)| {
            let usual = lengths.least_limit(limit.volume(A::FAMILY));
            question.eased(i, usual)
        });
        Self {
            least: least.collect(),
            lengths,
        }
    }
}

/// One family's part of a pass.
pub(super) struct Family<'a, A> {
    pub(super) input: Input<'a, A>,
    groups: Groups,
    floors: BTreeMap<u8, Floor>,
    /// By group.
    silent: Vec<Vec<Silent<A>>>,
    /// By group, then address, shorter first.
    pub(super) found: Vec<Found>,
    /// By group: where its part of `found` is.
    found_of: Vec<Range<usize>>,
    pub(super) total: Sums,
}

impl<'a, A: AddrBits> Family<'a, A> {
    pub(super) fn new(question: &Question<'_>, input: Input<'a, A>) -> Self {
        let leaves = &input.leaves.addr;
        let places = question.places();
        let groups = groups(leaves, input.resolution, question.scope, places);
        Self {
            floors: BTreeMap::new(),
            silent: Vec::with_capacity(groups.len()),
            found: Vec::new(),
            found_of: Vec::new(),
            total: sums(input.leaves, 0..leaves.len()),
            groups,
            input,
        }
    }

    /// Adds this family's leaves to the groups of a gate.
    pub(super) fn add_to(&self, gates: &mut Gates<'_>) {
        for group in 0..self.groups.len() {
            let entry = self.groups.get(group).entry;
            for span in self.groups.spans(group) {
                let sums = sums(self.input.leaves, span.leaves.clone());
                gates.add(span.place, entry, &sums);
            }
        }
    }

    /// Finds what there is to find.
    pub(super) fn look(&mut self, question: &Question<'_>, gates: Option<&Gates<'_>>) {
        let mut stack = Vec::with_capacity(usize::from(A::BITS) + 1);
        let mut floors = BTreeMap::new();
        let resolution = self.input.resolution;
        for group in 0..self.groups.len() {
            let floor = self.groups.get(group).floor;
            let new = || Floor::new::<A>(question, floor, resolution);
            let floor = floors.entry(floor).or_insert_with(new);
            self.look_at(question, gates, group, floor, &mut stack);
        }
        self.floors = floors;
    }

    fn look_at(
        &mut self,
        question: &Question<'_>,
        gates: Option<&Gates<'_>>,
        group: usize,
        floor: &Floor,
        stack: &mut Vec<Branch<A>>,
    ) {
        let mut hits: Vec<(Hit<A>, usize)> = Vec::new();
        for (i, limit) in question.limits.iter().enumerate() {
            let asked = stack::Question {
                mode: question.mode,
                lengths: &floor.lengths,
                limits: limit.volume(A::FAMILY),
                least: floor.least[i],
                places: question.places(),
                asked: question,
                limit: i,
                gates: gates.map(|gates| (gates, self.groups.get(group).entry)),
                silent: i == question.masking_limit(),
            };
            let answer = self.walk(group, limit.metric.dimension(), &asked, stack);
            hits.extend(answer.hits.into_iter().map(|h| (h, i)));
            if i == question.masking_limit() {
                self.silent.push(answer.silent);
            }
        }
        hits.sort_unstable_by_key(|(h, limit)| (h.addr, h.length, *limit));
        let before = self.found.len();
        for same in hits.chunk_by(|(a, _), (b, _)| (a.addr, a.length) == (b.addr, b.length)) {
            let found = self.unite(question.mode, group, same);
            self.found.push(found);
        }
        if question.mode == Mode::Discounted {
            condition(&mut self.found[before..]);
        }
        self.found_of.push(before..self.found.len());
    }

    fn walk(
        &self,
        group: usize,
        dimension: Dimension,
        question: &stack::Question<'_>,
        stack: &mut Vec<Branch<A>>,
    ) -> Answer<A> {
        let leaves = self.input.leaves;
        let column = match dimension {
            Dimension::Bytes => &leaves.bytes,
            Dimension::Packets => &leaves.packets,
            Dimension::Flows => &leaves.flows,
        };
        let spans = self.groups.spans(group).iter();
        let rows = spans.flat_map(|span| {
            span.leaves.clone().map(|i| Row {
                addr: leaves.addr[i],
                place: span.place,
                volume: column[i],
                bytes: leaves.bytes[i],
            })
        });
        let floor = self.groups.get(group).floor;
        stack::walk(rows, self.input.resolution, floor, question, stack)
    }

    /// One finding out of the hits of one prefix, in the order of the limits.
    fn unite(&self, mode: Mode, group: usize, hits: &[(Hit<A>, usize)]) -> Found {
        let Hit {
            addr,
            length,
            place,
            ..
        } = hits[0].0;
        let mut volume = Sums::default();
        let mut hosts = 0;
        let leaves = &self.input.leaves.addr;
        for span in self.groups.inside(group, leaves, addr, length) {
            hosts += span.len() as u64;
            volume.add(&sums(self.input.leaves, span));
        }
        let over = hits.iter().map(|(hit, limit)| Over {
            limit: *limit,
            volume: match mode {
                Mode::Discounted => hit.conditioned,
                Mode::MostSpecific | Mode::All => hit.volume,
            },
        });
        Found {
            prefix: Prefix::new(addr.to_addr(), length),
            group,
            place,
            over: over.collect(),
            volume,
            conditioned: None,
            hosts,
        }
    }

    pub(super) fn hidden_most(&self) -> Option<MaskedPrefix> {
        self.silent
            .iter()
            .map(|s| masked::most(s))
            .fold(None, masked::better)
    }

    /// The open prefixes that are not among the findings.
    pub(super) fn quiet(
        &self,
        question: &Question<'_>,
        kept: &Kept,
        gates: Option<&Gates<'_>>,
    ) -> Vec<Finding> {
        let Some(open) = question.open else {
            return Vec::new();
        };
        let open = open.prefixes.union(open.also);
        let here = open.filter(|p| p.family() == A::FAMILY && p.length() <= self.input.resolution);
        let found: HashSet<Prefix> = self.found.iter().map(|f| f.prefix).collect();
        let here = here.filter(|p| !found.contains(p) || !kept.contains(**p));
        let by_address = self.groups.by_address();
        here.map(|prefix| self.quiet_one(question, *prefix, &by_address, gates))
            .collect()
    }

    fn quiet_one(
        &self,
        question: &Question<'_>,
        prefix: Prefix,
        by_address: &[&Span],
        gates: Option<&Gates<'_>>,
    ) -> Finding {
        let leaves = &self.input.leaves.addr;
        let (addr, length) = (bits::<A>(prefix.addr()), prefix.length());
        let group = self.groups.of(by_address, leaves, addr, length);
        let mut volume = Sums::default();
        let mut hosts = 0;
        for span in group
            .into_iter()
            .flat_map(|g| self.groups.inside(g, leaves, addr, length))
        {
            hosts += span.len() as u64;
            volume.add(&sums(self.input.leaves, span));
        }
        let conditioned = (question.mode == Mode::Discounted).then(|| {
            let found = group.map_or(&[][..], |g| &self.found[self.found_of[g].clone()]);
            outside(volume, prefix, found)
        });
        let places = question.places();
        let found = Found {
            prefix,
            group: group.unwrap_or(usize::MAX),
            place: places.map_or(NOWHERE, |places| places.around(prefix)),
            over: Vec::new(),
            volume,
            conditioned,
            hosts,
        };
        match group {
            Some(_) => self.finding(found, None, gates),
            None => absent(&found, question.entry(prefix), gates),
        }
    }

    /// The findings that were not cut, in address order.
    pub(super) fn findings(mut self, kept: &Kept, gates: Option<&Gates<'_>>) -> Vec<Finding> {
        let found = std::mem::take(&mut self.found);
        let silent = std::mem::take(&mut self.silent);
        let mut around: Vec<_> = silent
            .into_iter()
            .enumerate()
            .map(|(group, s)| Around::new(s, &self.floors[&self.groups.get(group).floor].lengths))
            .collect();
        let mut findings: Vec<Finding> = found
            .into_iter()
            .filter(|f| kept.contains(f.prefix))
            .map(|f| {
                let addr = bits::<A>(f.prefix.addr());
                let masked = around[f.group].of(addr, f.prefix.length());
                self.finding(f, masked, gates)
            })
            .collect();
        findings.sort_unstable_by_key(|f| f.prefix);
        findings
    }

    fn finding(
        &self,
        found: Found,
        masked: Option<MaskedPrefix>,
        gates: Option<&Gates<'_>>,
    ) -> Finding {
        let leaves = self.input.leaves;
        let addr = bits::<A>(found.prefix.addr());
        let mut rates = Rates {
            min: u32::MAX,
            max: 0,
            raw_bytes: 0,
        };
        let mut largest: Option<usize> = None;
        let length = found.prefix.length();
        let entry = self.groups.get(found.group).entry;
        let inside = self
            .groups
            .inside(found.group, &leaves.addr, addr, length)
            .flatten();
        for i in inside {
            let (raw, min, max) = columns::rates(leaves, i);
            rates.raw_bytes += u128::from(raw);
            rates.min = rates.min.min(min);
            rates.max = rates.max.max(max);
            if largest.is_none_or(|l| leaves.bytes[i] > leaves.bytes[l]) {
                largest = Some(i);
            }
        }
        let largest = largest.expect("a found prefix holds a leaf");
        Finding {
            prefix: found.prefix,
            entry,
            place: found.place,
            group: gates.and_then(|gates| gates.group(found.place, entry)),
            over: found.over,
            volume: found.volume,
            conditioned: found.conditioned,
            hosts: found.hosts,
            largest: LargestLeaf {
                prefix: Prefix::new(leaves.addr[largest].to_addr(), self.input.resolution),
                bytes: leaves.bytes[largest],
                packets: leaves.packets[largest],
            },
            rates,
            masked,
        }
    }
}

pub(super) fn sums<A>(leaves: &LeavesOf<A>, range: Range<usize>) -> Sums {
    let sum = |column: &[u64]| column[range.clone()].iter().copied().map(u128::from).sum();
    Sums {
        bytes: sum(&leaves.bytes),
        packets: sum(&leaves.packets),
        flows: sum(&leaves.flows),
    }
}

/// Subtracts from each prefix what the found prefixes directly inside it hold: as prefixes nest,
/// that is the union of all inside. `found` is in address order, shorter first.
fn condition(found: &mut [Found]) {
    let mut around: Vec<usize> = Vec::new();
    for i in 0..found.len() {
        let (prefix, volume) = (found[i].prefix, found[i].volume);
        while around
            .pop_if(|a| !found[*a].prefix.covers(prefix))
            .is_some()
        {}
        if let Some(outer) = around.last() {
            let outer = &mut found[*outer];
            outer
                .conditioned
                .get_or_insert(outer.volume)
                .subtract(&volume);
        }
        found[i].conditioned = Some(volume);
        around.push(i);
    }
}

/// A prefix of which nothing was seen.
fn absent(found: &Found, entry: Option<usize>, gates: Option<&Gates<'_>>) -> Finding {
    Finding {
        entry,
        place: found.place,
        group: gates.and_then(|gates| gates.group(found.place, entry)),
        ..Finding::unseen(found.prefix, found.conditioned.is_some())
    }
}

/// What of `volume`, which is that of `prefix`, lies in none of `found` inside it, which are in address
/// order, shorter first.
fn outside(mut volume: Sums, prefix: Prefix, found: &[Found]) -> Sums {
    let first = found.partition_point(|f| f.prefix <= prefix);
    let inside = found[first..].iter();
    let mut last: Option<Prefix> = None;
    for inner in inside.take_while(|f| prefix.covers(f.prefix)) {
        if last.is_none_or(|last| !last.covers(inner.prefix)) {
            volume.subtract(&inner.volume);
            last = Some(inner.prefix);
        }
    }
    volume
}

/// Which prefixes are kept.
pub(super) enum Kept {
    All,
    These(HashSet<Prefix>),
}

impl Kept {
    fn contains(&self, prefix: Prefix) -> bool {
        match self {
            Self::All => true,
            Self::These(kept) => kept.contains(&prefix),
        }
    }
}

/// Chooses what is kept when there is too much.
pub(super) fn cut(question: &Question<'_>, found: [&[Found]; 2]) -> Kept {
    let max = question.max_alerts;
    let count: usize = found.iter().map(|f| f.len()).sum();
    if count <= max {
        return Kept::All;
    }
    let dimension = question.limits[0].metric.dimension();
    let is_open = |prefix| {
        question
            .open
            .is_some_and(|open| open.prefixes.contains(&prefix))
    };
    let mut ranked: Vec<_> = found
        .into_iter()
        .flatten()
        .map(|f| {
            let rank = (is_open(f.prefix), f.volume.get(dimension));
            (std::cmp::Reverse(rank), f.prefix)
        })
        .collect();
    if max > 0 {
        ranked.select_nth_unstable(max - 1);
    }
    ranked.truncate(max);
    Kept::These(ranked.into_iter().map(|(_, p)| p).collect())
}
