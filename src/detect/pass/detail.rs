//! From the hits of each metric to findings.

use std::collections::HashSet;
use std::ops::Range;

use super::group::{Group, bits, groups};
use super::lengths::Lengths;
use super::masked::{self, Around};
use super::stack::{self, Answer, Hit, Row, Silent};
use super::{Finding, Input, LargestLeaf, MaskedPrefix, Over, Question, Rates, Sums};
use crate::detect::columns;
use crate::net::{AddrBits, Prefix};
use crate::partial::LeavesOf;
use crate::rule::{Dimension, Mode};

/// A prefix that is in the result of some metric.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) prefix: Prefix,
    group: usize,
    over: Vec<Over>,
    pub(super) volume: Sums,
    conditioned: Option<Sums>,
    hosts: u64,
}

/// One family's part of a pass.
pub(super) struct Family<'a, A> {
    pub(super) input: Input<'a, A>,
    groups: Vec<Group>,
    lengths: Vec<Lengths>,
    /// By group.
    silent: Vec<Vec<Silent<A>>>,
    /// By group, then address, shorter first.
    pub(super) found: Vec<Found>,
    pub(super) total: Sums,
}

impl<'a, A: AddrBits> Family<'a, A> {
    pub(super) fn look(question: &Question<'_>, input: Input<'a, A>) -> Self {
        let leaves = &input.leaves.addr;
        let groups = groups(leaves, input.resolution, question.scope);
        let mut this = Self {
            lengths: Vec::with_capacity(groups.len()),
            silent: Vec::with_capacity(groups.len()),
            found: Vec::new(),
            total: sums(input.leaves, 0..leaves.len()),
            groups,
            input,
        };
        for group in 0..this.groups.len() {
            this.look_at(question, group);
        }
        this
    }

    fn look_at(&mut self, question: &Question<'_>, group: usize) {
        let floor = self.groups[group].floor;
        let set = question.lengths(A::FAMILY);
        let lengths = Lengths::new(set, floor, self.input.resolution);
        let mut hits: Vec<(Hit<A>, usize)> = Vec::new();
        for (i, limit) in question.limits.iter().enumerate() {
            let answer = self.walk(
                group,
                limit.metric.dimension(),
                &stack::Question {
                    mode: question.mode,
                    lengths: &lengths,
                    limits: limit.volume(A::FAMILY),
                    silent: i == question.masking_limit(),
                },
            );
            hits.extend(answer.hits.into_iter().map(|h| (h, i)));
            if i == question.masking_limit() {
                self.silent.push(answer.silent);
            }
        }
        self.lengths.push(lengths);
        hits.sort_unstable_by_key(|(h, limit)| (h.addr, h.length, *limit));
        let before = self.found.len();
        for same in hits.chunk_by(|(a, _), (b, _)| (a.addr, a.length) == (b.addr, b.length)) {
            let found = self.unite(question.mode, group, same);
            self.found.push(found);
        }
        if question.mode == Mode::Discounted {
            condition(&mut self.found[before..]);
        }
    }

    fn walk(
        &self,
        group: usize,
        dimension: Dimension,
        question: &stack::Question<'_>,
    ) -> Answer<A> {
        let leaves = self.input.leaves;
        let column = match dimension {
            Dimension::Bytes => &leaves.bytes,
            Dimension::Packets => &leaves.packets,
            Dimension::Flows => &leaves.flows,
        };
        let group = &self.groups[group];
        let rows = group.spans.iter().cloned().flatten().map(|i| Row {
            addr: leaves.addr[i],
            volume: column[i],
            bytes: leaves.bytes[i],
        });
        stack::walk(rows, self.input.resolution, group.floor, question)
    }

    /// One finding out of the hits of one prefix, in the order of the limits.
    fn unite(&self, mode: Mode, group: usize, hits: &[(Hit<A>, usize)]) -> Found {
        let Hit { addr, length, .. } = hits[0].0;
        let mut volume = Sums::default();
        let mut hosts = 0;
        for span in self.groups[group].inside(&self.input.leaves.addr, addr, length) {
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

    /// The findings that were not cut, in address order.
    pub(super) fn findings(mut self, kept: &Kept) -> Vec<Finding> {
        let found = std::mem::take(&mut self.found);
        let silent = std::mem::take(&mut self.silent);
        let mut around: Vec<_> = silent
            .into_iter()
            .zip(&self.lengths)
            .map(|(s, l)| Around::new(s, l))
            .collect();
        let mut findings: Vec<Finding> = found
            .into_iter()
            .filter(|f| kept.contains(f.prefix))
            .map(|f| {
                let addr = bits::<A>(f.prefix.addr());
                let masked = around[f.group].of(addr, f.prefix.length());
                self.finding(f, masked)
            })
            .collect();
        findings.sort_unstable_by_key(|f| f.prefix);
        findings
    }

    fn finding(&self, found: Found, masked: Option<MaskedPrefix>) -> Finding {
        let leaves = self.input.leaves;
        let group = &self.groups[found.group];
        let addr = bits::<A>(found.prefix.addr());
        let mut rates = Rates {
            min: u32::MAX,
            max: 0,
            raw_bytes: 0,
        };
        let mut largest: Option<usize> = None;
        for i in group
            .inside(&leaves.addr, addr, found.prefix.length())
            .flatten()
        {
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
            entry: group.entry,
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
    let mut ranked: Vec<_> = found
        .into_iter()
        .flatten()
        .map(|f| (std::cmp::Reverse(f.volume.get(dimension)), f.prefix))
        .collect();
    if max > 0 {
        ranked.select_nth_unstable(max - 1);
    }
    ranked.truncate(max);
    Kept::These(ranked.into_iter().map(|(_, p)| p).collect())
}
