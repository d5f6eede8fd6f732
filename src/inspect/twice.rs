//! Flows that more than one exporter saw, or one exporter on its way in and out.

use std::collections::{BTreeMap, HashMap};

use crate::flow::{Direction, Flow};
use crate::net::Addr;
use crate::time::Timestamp;

/// Flows remembered.
const MOST: usize = 200_000;
/// Pairs of exporters told apart.
const PAIRS: usize = 1_000;

type Tuple = (Addr, Addr, u32, u32, u32);

/// Where and when a flow was first seen.
#[derive(Clone, Copy, Debug)]
struct First {
    exporter: Addr,
    direction: Direction,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// What was seen more than once.
#[derive(Debug, Default)]
pub(super) struct Twice {
    first: HashMap<Tuple, First>,
    /// Flows with addresses and an exporter.
    pub(super) looked_at: u64,
    /// Of those, flows that another exporter had seen before, at the same time.
    pub(super) elsewhere: u64,
    /// Flows that the same exporter had seen in the other direction.
    pub(super) both_ways: u64,
    pairs: BTreeMap<(Addr, Addr), u64>,
}

impl Twice {
    pub(super) fn flow(&mut self, flow: &Flow<'_>) {
        let (Some(src), Some(dst), Some(exporter)) = (flow.src_addr, flow.dst_addr, flow.exporter)
        else {
            return;
        };
        self.looked_at += 1;
        let tuple = (src, dst, flow.proto, flow.src_port, flow.dst_port);
        let here = First {
            exporter,
            direction: flow.direction,
            from: flow.time_start.or(flow.time_end),
            to: flow.time_end.or(flow.time_start),
        };
        let Some(first) = self.first.get(&tuple) else {
            if self.first.len() < MOST {
                self.first.insert(tuple, here);
            }
            return;
        };
        if !first.overlaps(&here) {
            self.first.insert(tuple, here);
        } else if first.exporter != exporter {
            self.elsewhere += 1;
            let pair = (first.exporter.min(exporter), first.exporter.max(exporter));
            if self.pairs.len() < PAIRS || self.pairs.contains_key(&pair) {
                *self.pairs.entry(pair).or_default() += 1;
            }
        } else if are_opposite(first.direction, here.direction) {
            self.both_ways += 1;
        }
    }

    /// The pair of exporters that saw most of the same flows, and how many.
    pub(super) fn most(&self) -> Option<((Addr, Addr), u64)> {
        let most = self
            .pairs
            .iter()
            .max_by_key(|(pair, flows)| (**flows, std::cmp::Reverse(**pair)));
        most.map(|(pair, flows)| (*pair, *flows))
    }
}

impl First {
    /// Whether both may be about the same packets: their times meet, or are not known.
    fn overlaps(&self, other: &Self) -> bool {
        let before =
            |a: Option<Timestamp>, b: Option<Timestamp>| a.zip(b).is_some_and(|(a, b)| a < b);
        !before(self.to, other.from) && !before(other.to, self.from)
    }
}

const fn are_opposite(a: Direction, b: Direction) -> bool {
    matches!(
        (a, b),
        (Direction::Ingress, Direction::Egress) | (Direction::Egress, Direction::Ingress)
    )
}
