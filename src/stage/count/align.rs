//! Catching up must not open hundreds of windows: partitions that are far ahead wait for the slowest.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::Timestamp;

/// A partition may be ahead of the slowest by at least this much.
const MIN_LEAD: Duration = Duration::from_mins(2);

/// A partition that nothing was heard of, or that nobody got ahead with, for this long is not waited for: longer than a dead
/// instance's partitions need to come to another, which is a session and what its open transaction holds up, or than a
/// flush, or than a busy machine may rest. It costs nothing where windows are closed in time: there partitions are not as
/// far ahead as [`MIN_LEAD`] by then.
pub(super) const STUCK: Duration = Duration::from_secs(30);

/// Records of a partition that are read at once.
const BATCH: RangeInclusive<usize> = 64..=MAX_BATCH;
/// Few enough that a rebalance or a flush does not wait, enough to pay for the call.
pub(super) const MAX_BATCH: usize = 4096;

/// How far partitions may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alignment {
    lead: Duration,
    /// What a partition that was not heard of may hold: the slowest until then, or the lowest stream time seen.
    unheard: Option<Timestamp>,
    /// The slowest of those that are waited for. No partition is read further ahead of it than `lead`.
    slowest: Option<Timestamp>,
}

impl Alignment {
    /// For rules with these intervals.
    pub(super) fn new(intervals: impl Iterator<Item = Duration>) -> Self {
        let longest = intervals.max().unwrap_or_default();
        Self {
            lead: (longest * 2).max(MIN_LEAD),
            unheard: None,
            slowest: None,
        }
    }

    /// Learns the stream time of every partition, of all instances, and whether others should wait for it: not for
    /// one that is idle, at its end, or without a leader. The last would make the others blind.
    ///
    /// Who counts what is not known after a rebalance, until it is told again. That lets nobody read on beyond what was
    /// known before, however many rebalances follow each other.
    pub(super) fn update(
        &mut self,
        partitions: impl Iterator<Item = (Option<Timestamp>, bool)> + Clone,
    ) {
        let holding = partitions.clone().filter(|(_, holds_others)| *holds_others);
        let some_unheard = holding.clone().any(|(time, _)| time.is_none());
        let lowest = || partitions.filter_map(|(time, _)| time).min();
        let so_far = self.unheard.or(self.slowest);
        self.unheard = so_far.or_else(lowest).filter(|_| some_unheard);
        self.slowest = holding.filter_map(|(time, _)| time.or(self.unheard)).min();
    }

    /// Whether there is somebody to wait for. Before the first records there is not, and a tick later a partition may have
    /// read hours.
    pub(super) const fn is_set(&self) -> bool {
        self.slowest.is_some()
    }

    /// Whether a partition with this stream time has to wait.
    pub(super) fn is_ahead(&self, stream_time: Option<Timestamp>) -> bool {
        match (stream_time, self.slowest) {
            (Some(time), Some(slowest)) => time > slowest.plus(self.lead),
            _ => false,
        }
    }
}

/// How many records of a partition are read at once: fewer where they span much time, so that a partition does not run
/// away between two looks at the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    most: usize,
}

impl Pace {
    /// Of a partition that nothing is known of.
    pub(super) const fn new() -> Self {
        Self {
            most: *BATCH.start(),
        }
    }

    /// Records at most.
    pub(super) const fn most(self) -> usize {
        self.most
    }

    /// Learns that reading `records` moved stream time from `before` to `after`.
    pub(super) fn read(
        &mut self,
        records: usize,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
        alignment: &Alignment,
    ) {
        let step = alignment.lead / 4;
        let too_far = |before: Timestamp| after.is_some_and(|after| after > before.plus(step));
        if before.is_some_and(too_far) {
            self.most = (self.most / 2).max(*BATCH.start());
        } else if records == self.most {
            self.most = (self.most * 2).min(*BATCH.end());
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

    #[test]
    fn rebalances_one_after_another_let_nobody_read_on() {
        // 10 is the slowest, which another instance counts; ours is as far ahead as it may be.
        let mut alignment = aligned(1, &[(at(12), true), (at(10), true)]);
        for _ in 0..5 {
            alignment.update([(at(13), true), (None, true)].into_iter());
            assert!(alignment.is_ahead(at(13)), "nothing is told");
            assert!(!alignment.is_ahead(at(12)));
            alignment.update([(at(13), true), (at(10), true)].into_iter());
            assert!(alignment.is_ahead(at(13)), "it is where it was");
        }
        alignment.update([(at(13), true), (at(11), true)].into_iter());
        assert!(!alignment.is_ahead(at(13)));
        // All that was waited for is read; then something new comes.
        alignment.update([(at(40), false)].into_iter());
        alignment.update([(at(40), true), (None, true)].into_iter());
        assert!(!alignment.is_ahead(at(41)));
        assert!(alignment.is_ahead(at(43)));
    }

    /// Records read at once in a partition with this many a minute, once its pace has settled.
    fn settled(records_a_minute: i64) -> usize {
        let alignment = aligned(1, &[]);
        let mut pace = Pace::new();
        let mut read = 0;
        let time = |read: i64| Some(Timestamp::from_millis(read * 60_000 / records_a_minute));
        for _ in 0..50 {
            let records = pace.most();
            let next = read + records as i64;
            pace.read(records, time(read), time(next), &alignment);
            read = next;
        }
        pace.most()
    }

    #[test]
    fn a_batch_spans_at_most_half_of_the_lead_unless_it_is_small() {
        assert_eq!(settled(1_000_000), MAX_BATCH);
        assert_eq!(settled(1), *BATCH.start());
        for rate in [200, 1_000, 5_000] {
            let minutes = settled(rate) as f64 / rate as f64;
            assert!((0.25..=1.0).contains(&minutes), "{rate}: {minutes} minutes");
        }
    }
}
