//! When a partition is idle: confirmed silence, never mere absence of records. No Kafka in here.
//!
//! Why by asking for the end: an end-of-partition event comes once, and says nothing about a leader
//! that went away since; statistics do not tell when a partition last answered. So a partition that
//! has been quiet for a while has its leader asked for its end, several times a second, all partitions
//! of a leader in one request.

use std::time::{Duration, Instant};

use super::align::STUCK;
use crate::time::Timestamp;

/// A partition without a record for this long has its leader asked.
const QUIET: Duration = Duration::from_millis(300);
/// An answer is good for this long.
const FRESH: Duration = Duration::from_secs(1);
/// Without an answer for this long the leader counts as gone, and the clock starts again.
const GONE: Duration = Duration::from_secs(3);

/// What is known of one partition's silence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// Last record.
    last_record: Instant,
    /// Last record, assignment, error or absence of the leader: what `idle_timeout` runs from.
    clock: Instant,
    /// Stream time at the last record or start; what idle advances begin with.
    anchor: Option<(Timestamp, Instant)>,
    /// When the leader was last asked with an answer.
    answered: Option<Instant>,
    /// When it was last asked and its answer was our position.
    at_end: Option<Instant>,
    /// Records between our position and the end, by the last answer.
    behind: u64,
}

/// What a partition's silence comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not idle.
    Active,
    /// Idle, with stream time moved on to this; `None` if there never was a record.
    Idle(Option<Timestamp>),
}

impl Silence {
    /// Just assigned, with the stream time that was committed.
    pub(super) fn new(now: Instant, stream_time: Option<Timestamp>) -> Self {
        Self {
            last_record: now,
            clock: now,
            anchor: stream_time.map(|t| (t, now)),
            answered: None,
            at_end: None,
            behind: 0,
        }
    }

    /// Records came; `stream_time` is what it is after them.
    pub(super) fn record(&mut self, now: Instant, stream_time: Option<Timestamp>) {
        self.last_record = now;
        self.clock = now;
        self.anchor = stream_time.map(|t| (t, now));
        self.at_end = None;
    }

    /// Something went wrong.
    pub(super) fn error(&mut self, now: Instant) {
        self.clock = now;
        self.at_end = None;
    }

    /// Whether the leader should be asked.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        now.duration_since(self.last_record) >= QUIET
    }

    /// The leader, asked at `asked`, answered `end`; we have read up to `position`.
    pub(super) fn answer(&mut self, asked: Instant, end: i64, position: i64) {
        // A record is an answer, too.
        let last = self
            .answered
            .map_or(self.last_record, |a| a.max(self.last_record));
        if asked > last + GONE {
            // Nobody answered for a while: the leader was away, and may have missed records.
            self.clock = self.clock.max(asked);
        }
        self.answered = Some(asked);
        self.behind = u64::try_from(end - position).unwrap_or(0);
        self.at_end = (end <= position).then_some(asked);
    }

    /// Records not read yet, by the last answer.
    pub(super) fn lag(&self) -> Option<u64> {
        self.answered.map(|_| self.behind)
    }

    /// Whether others should wait for this partition: it has records, and its leader is there.
    pub(super) fn is_catching_up(&self, now: Instant) -> bool {
        let recent = |at: Instant| now.duration_since(at) < STUCK;
        let answers = recent(self.last_record) || self.answered.is_some_and(recent);
        answers && self.at_end.is_none()
    }

    /// Whether it is idle, and how far its stream time has moved.
    pub(super) fn verdict(&self, now: Instant, idle_timeout: Duration) -> Verdict {
        let confirmed = self
            .at_end
            .is_some_and(|at| now.duration_since(at) < FRESH && at >= self.last_record);
        if !confirmed || now.duration_since(self.clock) < idle_timeout {
            return Verdict::Active;
        }
        let advanced = self
            .anchor
            .map(|(time, at)| time.plus(now.duration_since(at)));
        Verdict::Idle(advanced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn t(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn silence_is_idle_only_after_the_timeout_and_a_fresh_answer() {
        let start = Instant::now();
        let mut silence = Silence::new(start, None);
        silence.record(start + s(1.0), Some(t(5000)));
        for at in [3.5, 6.0, 8.5, 10.5] {
            silence.answer(start + s(at), 7, 7);
        }
        assert_eq!(silence.verdict(start + s(10.9), TIMEOUT), Verdict::Active);
        let idle = silence.verdict(start + s(11.0), TIMEOUT);
        assert_eq!(idle, Verdict::Idle(Some(t(15_000))));
        // The answer has grown old.
        assert_eq!(silence.verdict(start + s(11.6), TIMEOUT), Verdict::Active);
    }

    #[test]
    fn stream_time_moves_at_the_wall_clocks_pace_from_the_last_record() {
        let start = Instant::now();
        let mut silence = Silence::new(start, Some(t(1000)));
        for second in 1..40 {
            silence.answer(start + s(f64::from(second)), 7, 7);
        }
        let idle = silence.verdict(start + s(39.5), TIMEOUT);
        assert_eq!(idle, Verdict::Idle(Some(t(40_500))));
    }

    #[test]
    fn a_partition_that_never_had_a_record_is_idle_without_a_time() {
        let start = Instant::now();
        let mut silence = Silence::new(start, None);
        (1..=10).for_each(|at| silence.answer(start + s(f64::from(at)), 0, 0));
        assert_eq!(
            silence.verdict(start + s(10.1), TIMEOUT),
            Verdict::Idle(None)
        );
    }

    #[test]
    fn records_behind_the_position_are_not_silence() {
        let start = Instant::now();
        let mut silence = Silence::new(start, None);
        silence.answer(start + s(10.0), 8, 7);
        assert_eq!(silence.verdict(start + s(10.1), TIMEOUT), Verdict::Active);
        assert_eq!(silence.lag(), Some(1));
        assert!(silence.is_catching_up(start + s(10.1)));
    }

    #[test]
    fn the_clock_starts_again_when_the_leader_was_away_or_failed() {
        let start = Instant::now();
        let mut silence = Silence::new(start, None);
        silence.answer(start + s(1.0), 7, 7);
        silence.answer(start + s(12.0), 7, 7);
        assert_eq!(silence.verdict(start + s(12.1), TIMEOUT), Verdict::Active);
        assert!(!silence.is_catching_up(start + s(12.1)));

        let mut failed = Silence::new(start, None);
        failed.error(start + s(9.0));
        failed.answer(start + s(11.0), 7, 7);
        assert_eq!(failed.verdict(start + s(11.1), TIMEOUT), Verdict::Active);
    }

    #[test]
    fn nobody_waits_for_a_partition_whose_leader_is_gone() {
        let start = Instant::now();
        let mut silence = Silence::new(start, Some(t(0)));
        silence.record(start, Some(t(0)));
        assert!(silence.is_catching_up(start + s(29.0)));
        assert!(!silence.is_catching_up(start + s(30.0)));
    }

    #[test]
    fn a_record_after_the_question_makes_the_answer_worthless() {
        let start = Instant::now();
        let mut silence = Silence::new(start, None);
        silence.record(start + s(1.0), Some(t(1)));
        silence.answer(start + s(0.9), 7, 7);
        assert_eq!(silence.verdict(start + s(1.1), s(0.05)), Verdict::Active);
    }
}
