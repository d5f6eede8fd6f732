//! How long flows last, how late they come, and in what disorder.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::flow::Flow;
use crate::time::Timestamp;

use super::Place;
use super::spread::Spread;

/// `time.max_ahead` and `time.max_behind` as they are by default: what a time may differ from the record's.
const BOUNDS_MS: RangeInclusive<i64> = -60_000..=600_000;

/// The disorder of one of a flow's times: how far each flow is behind the newest before it in its partition.
#[derive(Debug, Default)]
pub(super) struct Disorder {
    newest: HashMap<i32, Timestamp>,
    pub(super) behind: Spread,
}

impl Disorder {
    fn flow(&mut self, partition: i32, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let newest = self.newest.entry(partition).or_insert(at);
        *newest = at.max(*newest);
        self.behind.add(difference(*newest, at));
    }
}

/// Of all flows.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// From a flow's start to its end.
    pub(super) duration: Spread,
    /// From a flow's end to the collector.
    pub(super) collection: Spread,
    /// From the collector to the record's timestamp.
    pub(super) delivery: Spread,
    /// Flows whose time of reception is so far from the record's that the defaults replace it.
    pub(super) out_of_bounds: u64,
    pub(super) by_received: Disorder,
    pub(super) by_end: Disorder,
}

impl Times {
    pub(super) fn flow(&mut self, place: Place, flow: &Flow<'_>) {
        let between = |spread: &mut Spread, from: Option<Timestamp>, to: Option<Timestamp>| {
            if let (Some(from), Some(to)) = (from, to) {
                spread.add(difference(to, from));
            }
        };
        between(&mut self.duration, flow.time_start, flow.time_end);
        between(&mut self.collection, flow.time_end, flow.time_received);
        between(&mut self.delivery, flow.time_received, place.timestamp);
        let is_out = |(from, to)| !BOUNDS_MS.contains(&difference(to, from));
        let out = flow.time_received.zip(place.timestamp).is_some_and(is_out);
        self.out_of_bounds += u64::from(out);
        // A flow without the time counts by its record's.
        let received = flow.time_received.or(place.timestamp);
        self.by_received.flow(place.partition, received);
        let end = flow.time_end.or(place.timestamp);
        self.by_end.flow(place.partition, end);
    }
}

const fn difference(later: Timestamp, earlier: Timestamp) -> i64 {
    later.as_millis().saturating_sub(earlier.as_millis())
}
