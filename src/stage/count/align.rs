//! Catching up must not open hundreds of windows: partitions that are far ahead wait for the slowest.

use std::time::Duration;

use crate::time::Timestamp;

/// A partition may be ahead of the slowest by at least this much.
const MIN_LEAD: Duration = Duration::from_mins(2);

/// How far partitions may be read. Of one process: all of its partitions share it directly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alignment {
    lead: Duration,
    /// The first stream time of this process: what a partition that was not heard of yet may hold.
    first: Option<Timestamp>,
    /// No partition is read beyond this stream time.
    horizon: Option<Timestamp>,
}

impl Alignment {
    /// For rules with these intervals.
    pub(super) fn new(intervals: impl Iterator<Item = Duration>) -> Self {
        let longest = intervals.max().unwrap_or_default();
        Self {
            lead: (longest * 2).max(MIN_LEAD),
            first: None,
            horizon: None,
        }
    }

    /// Learns the stream time of every partition, and whether others should wait for it: not for one
    /// that is idle, at its end, or without a leader. The last would make the others blind.
    pub(super) fn update(
        &mut self,
        partitions: impl Iterator<Item = (Option<Timestamp>, bool)> + Clone,
    ) {
        self.first = self
            .first
            .or_else(|| partitions.clone().find_map(|(time, _)| time));
        let first = self.first;
        self.horizon = partitions
            .filter(|(_, holds_others)| *holds_others)
            .filter_map(|(time, _)| time.or(first))
            .min()
            .map(|slowest| slowest.plus(self.lead));
    }

    /// Whether a partition with this stream time has to wait.
    pub(super) fn is_ahead(&self, stream_time: Option<Timestamp>) -> bool {
        match (stream_time, self.horizon) {
            (Some(time), Some(horizon)) => time > horizon,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(
        clippy::unnecessary_wraps,
        reason = "stream times are optional, and the tests read better so"
    )]
    fn at(minutes: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(minutes * 60_000))
    }

    fn aligned(minutes: u64, partitions: &[(Option<Timestamp>, bool)]) -> Alignment {
        let mut alignment = Alignment::new([Duration::from_mins(minutes)].into_iter());
        alignment.update(partitions.iter().copied());
        alignment
    }

    #[test]
    fn a_partition_far_ahead_of_the_slowest_waits_and_the_slowest_does_not() {
        let alignment = aligned(1, &[(at(10), true), (at(20), true)]);
        assert!(alignment.is_ahead(at(20)));
        assert!(!alignment.is_ahead(at(12)));
        assert!(!alignment.is_ahead(at(10)));
        assert!(!aligned(5, &[(at(10), true)]).is_ahead(at(20)));
    }

    #[test]
    fn nobody_waits_for_partitions_that_are_idle_at_their_end_or_gone() {
        let alignment = aligned(1, &[(at(10), false), (at(200), true)]);
        assert!(!alignment.is_ahead(at(200)));
        assert!(!aligned(1, &[(at(10), false)]).is_ahead(at(200)));
    }

    #[test]
    fn a_partition_that_was_not_heard_of_yet_holds_others_near_the_first_time_seen() {
        let mut alignment = aligned(1, &[(at(10), true), (None, true)]);
        alignment.update([(at(13), true), (None, true)].into_iter());
        assert!(alignment.is_ahead(at(13)));
        alignment.update([(at(13), true), (None, false)].into_iter());
        assert!(!alignment.is_ahead(at(13)));
    }
}
