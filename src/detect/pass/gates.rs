//! What a gate lets through in one window.

use super::{GroupTotal, Sums};
use crate::rule::Gate;

/// A gate's groups with their totals.
#[derive(Debug)]
pub(super) struct Gates<'a> {
    gate: &'a Gate,
    totals: Vec<Sums>,
}

impl<'a> Gates<'a> {
    pub(super) fn new(gate: &'a Gate) -> Self {
        Self {
            totals: vec![Sums::default(); gate.groups().len()],
            gate,
        }
    }

    /// Adds what lies in a scope entry and a longest place.
    pub(super) fn add(&mut self, place: u32, entry: Option<usize>, sums: &Sums) {
        if let Some(group) = self.gate.group(place, entry) {
            self.totals[group].add(sums);
        }
    }

    /// Whether nothing is to be reported there.
    pub(super) fn is_closed(&self, place: u32, entry: Option<usize>) -> bool {
        self.gate.group(place, entry).is_some_and(|group| {
            let total = &self.totals[group];
            let mut limits = self.gate.groups()[group].1.iter();
            !limits.any(|limit| total.get(limit.metric.dimension()) > limit.volume)
        })
    }

    /// The group there, with its total.
    pub(super) fn group(&self, place: u32, entry: Option<usize>) -> Option<GroupTotal> {
        let group = self.gate.group(place, entry)?;
        Some(GroupTotal {
            group,
            total: self.totals[group],
        })
    }
}
