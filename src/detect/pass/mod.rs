//! The prefix pass: a window's leaves → the prefixes to report.
//!
//! In: leaves sorted by address, of one resolution per family, and what a rule asks. Out: an
//! [`Outcome`] that is a pure function of both. Each metric is passed by itself, so silence and
//! discounting act within it; a prefix is found if it is in any metric's result. Sums are u128: 2^32
//! saturated leaves do not overflow them, and 2^64 do not fit into memory.
//!
//! Every found prefix is told once, in address order, shorter first. More than `max_alerts` are cut
//! to those with the largest volume in the dimension of the first metric; ties go to the prefix
//! that sorts first.
//!
//! Where an override names a prefix, its thresholds stand in for the rule's in it, at its own length
//! too, whatever lengths are looked at; and what lies in it is a group of its own, unless it counts in
//! parents.
//!
//! Where a gate has a group that is not over any of its limits, nothing is over a threshold in it.
//!
//! Masked is what the choice of prefixes hides: a prefix is *silent* when it is not in the result but
//! contains some that are, and hides the bytes outside those. The result is that of the first metric
//! in bytes or bits per second, or else of the first metric.

mod detail;
mod gates;
mod group;
mod lengths;
mod masked;
#[cfg(test)]
mod model;
mod open;
mod stack;
#[cfg(test)]
mod tests;

use self::gates::Gates;
pub use self::open::Open;
use crate::net::{Family, Prefix};
use crate::partial::LeavesOf;
use crate::rule::{
    Dimension, Gate, LengthSet, Limit, Mode, NOWHERE, Overrides, Places, Rule, ScopeEntry,
};

/// What a rule asks of a window.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Which prefixes over a limit are found.
    pub mode: Mode,
    /// IPv4 lengths looked at.
    pub lengths_v4: &'a LengthSet,
    /// IPv6 lengths looked at.
    pub lengths_v6: &'a LengthSet,
    /// At least one; each is asked by itself.
    pub limits: &'a [Limit],
    /// Sorted by prefix, without repeats. `None`: everything is one group.
    pub scope: Option<&'a [ScopeEntry]>,
    /// What is different in single prefixes.
    pub overrides: Option<&'a Overrides>,
    /// Groups that are to be over limits of their own.
    pub gate: Option<&'a Gate>,
    /// Prefixes with an open alert: their traffic is told in any case, and they are cut last.
    pub open: Option<Open<'a>>,
    /// The most findings to keep.
    pub max_alerts: usize,
}

impl<'a> Question<'a> {
    /// What `rule` asks.
    pub fn of(rule: &'a Rule) -> Self {
        Self {
            mode: rule.mode,
            lengths_v4: &rule.lengths_v4,
            lengths_v6: &rule.lengths_v6,
            limits: &rule.limits,
            scope: rule.scope.as_deref().map(crate::rule::Scope::entries),
            overrides: rule.overrides.as_deref(),
            gate: rule.gate.as_ref(),
            open: None,
            max_alerts: rule.max_alerts_per_window,
        }
    }

    const fn lengths(&self, family: Family) -> &'a LengthSet {
        match family {
            Family::V4 => self.lengths_v4,
            Family::V6 => self.lengths_v6,
        }
    }

    fn places(&self) -> Option<&'a Places> {
        self.overrides.map(Overrides::places)
    }

    /// The longest scope entry that covers a prefix.
    fn entry(&self, prefix: Prefix) -> Option<usize> {
        let entries = self.scope?;
        let mut around = (0..=prefix.length()).rev();
        around.find_map(|length| {
            let around = Prefix::new(prefix.addr(), length);
            entries.binary_search_by_key(&around, |e| e.prefix).ok()
        })
    }

    /// The metric whose result says what is masked.
    fn masking_limit(&self) -> usize {
        let in_bytes = |l: &Limit| l.metric.dimension() == Dimension::Bytes;
        self.limits.iter().position(in_bytes).unwrap_or(0)
    }
}

/// One family's leaves.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a, A> {
    /// Sorted, without repeats.
    pub leaves: &'a LeavesOf<A>,
    /// Bits of each address that count; the others are zero.
    pub resolution: u8,
}

/// Exact sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bytes, after sampling.
    pub bytes: u128,
    /// Packets, after sampling.
    pub packets: u128,
    /// Flow records.
    pub flows: u128,
}

impl Sums {
    /// The sum that decides a metric of dimension `dimension`.
    pub const fn get(&self, dimension: Dimension) -> u128 {
        match dimension {
            Dimension::Bytes => self.bytes,
            Dimension::Packets => self.packets,
            Dimension::Flows => self.flows,
        }
    }

    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.flows += other.flows;
    }

    fn subtract(&mut self, other: &Self) {
        self.bytes -= other.bytes;
        self.packets -= other.packets;
        self.flows -= other.flows;
    }
}

/// A limit that a prefix is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Position in the rule's limits.
    pub limit: usize,
    /// What is over it, in the metric's dimension per interval: the conditioned volume in
    /// discounted mode, else the volume.
    pub volume: u128,
}

/// The leaf with most bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargestLeaf {
    /// The leaf.
    pub prefix: Prefix,
    /// Its bytes.
    pub bytes: u64,
    /// Its packets.
    pub packets: u64,
}

/// Sampling behind a prefix. A rate of 0 is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Lowest rate.
    pub min: u32,
    /// Highest rate.
    pub max: u32,
    /// Bytes before multiplication.
    pub raw_bytes: u128,
}

/// A silent prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskedPrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// Bytes in it that are in no reported prefix.
    pub bytes: u128,
}

/// A gate's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupTotal {
    /// Position in the gate's groups.
    pub group: usize,
    /// Everything in the group, both families.
    pub total: Sums,
}

/// A found prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The prefix.
    pub prefix: Prefix,
    /// Position of its scope entry.
    pub entry: Option<usize>,
    /// The longest of [`Overrides::places`] that covers it, or [`NOWHERE`].
    pub place: u32,
    /// The gate's group that it is in.
    pub group: Option<GroupTotal>,
    /// The limits in whose result it is, in the order of the rule. Not empty in findings.
    pub over: Vec<Over>,
    /// Everything in it (in it and in its scope entry).
    pub volume: Sums,
    /// Discounted mode: what is in no other found prefix inside, of whatever metric.
    pub conditioned: Option<Sums>,
    /// Distinct leaves in it.
    pub hosts: u64,
    /// The leaf with most bytes in it; of several, the first.
    pub largest: LargestLeaf,
    /// Sampling behind its volume.
    pub rates: Rates,
    /// The silent prefix around it that hides most bytes; of several, the longest.
    pub masked: Option<MaskedPrefix>,
}

impl Finding {
    /// A prefix without traffic, as far as is known.
    pub fn unseen(prefix: Prefix, is_discounted: bool) -> Self {
        Self {
            prefix,
            entry: None,
            place: NOWHERE,
            group: None,
            over: Vec::new(),
            volume: Sums::default(),
            conditioned: is_discounted.then(Sums::default),
            hosts: 0,
            largest: LargestLeaf {
                prefix,
                bytes: 0,
                packets: 0,
            },
            rates: Rates {
                min: 1,
                max: 1,
                raw_bytes: 0,
            },
            masked: None,
        }
    }
}

/// What a window's leaves say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// In address order, shorter first; IPv4 before IPv6.
    pub findings: Vec<Finding>,
    /// Open prefixes, and others that are asked for, that are not in the findings, in address order. Not those longer than what was
    /// kept apart, of which nothing is known. `over` is empty.
    pub quiet: Vec<Finding>,
    /// How many more were found and cut.
    pub cut: u64,
    /// The silent prefix that hides most bytes; of several, the longest, then the lowest.
    pub masked: Option<MaskedPrefix>,
    /// Everything in the window, both families.
    pub total: Sums,
    /// Distinct leaves, both families.
    pub leaves: u64,
}

/// Finds the prefixes of a window.
pub fn pass(question: &Question<'_>, v4: Input<'_, u32>, v6: Input<'_, u128>) -> Outcome {
    let mut v4 = detail::Family::new(question, v4);
    let mut v6 = detail::Family::new(question, v6);
    let gates = question.gate.map(|gate| {
        let mut gates = Gates::new(gate);
        v4.add_to(&mut gates);
        v6.add_to(&mut gates);
        gates
    });
    v4.look(question, gates.as_ref());
    v6.look(question, gates.as_ref());
    let mut total = v4.total;
    total.add(&v6.total);
    let found = v4.found.len() + v6.found.len();
    let kept = detail::cut(question, [&v4.found, &v6.found]);
    let masked = masked::better(v4.hidden_most(), v6.hidden_most());
    let leaves = v4.input.leaves.addr.len() + v6.input.leaves.addr.len();
    let mut quiet = v4.quiet(question, &kept, gates.as_ref());
    quiet.extend(v6.quiet(question, &kept, gates.as_ref()));
    let mut findings = v4.findings(&kept, gates.as_ref());
    findings.extend(v6.findings(&kept, gates.as_ref()));
    Outcome {
        cut: (found - findings.len()) as u64,
        findings,
        quiet,
        masked,
        total,
        leaves: leaves as u64,
    }
}

/// What a window's leaves add up to, when nothing is to be found.
pub fn count(v4: Input<'_, u32>, v6: Input<'_, u128>) -> Outcome {
    let mut total = detail::sums(v4.leaves, 0..v4.leaves.len());
    total.add(&detail::sums(v6.leaves, 0..v6.leaves.len()));
    Outcome {
        total,
        leaves: (v4.leaves.len() + v6.leaves.len()) as u64,
        ..Outcome::default()
    }
}
