//! Partitions that other instances count: how far they are, so that ours do not run away from them. No Kafka in here.
//!
//! Why from committed offsets: a flush commits its task's stream time with the offset, so that one request to the group's
//! coordinator tells where everybody is, at most one flush ago, and it holds after any failure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::align::STUCK;
use crate::partial::SourceId;
use crate::time::Timestamp;

/// How often others are asked about.
const EVERY: Duration = Duration::from_secs(1);
/// The same while a partition of ours waits.
const WAITING: Duration = Duration::from_millis(200);

/// What is known of a partition that another instance counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) source: SourceId,
    /// The committed offset, if there is one.
    pub(super) offset: Option<i64>,
    pub(super) stream_time: Option<Timestamp>,
    pub(super) idle: bool,
    /// The partition's end, if its leader told.
    pub(super) end: Option<i64>,
}

/// Which assignment a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// What is known of one.
#[derive(Debug)]
struct Known {
    told: Told,
    /// When the offset was first seen as it is.
    moved: Instant,
}

/// All that others count.
#[derive(Debug)]
pub(super) struct Others {
    known: HashMap<SourceId, Known>,
    /// Since when nothing was told. Until then others are taken to be where ours begin.
    unknown_since: Option<Instant>,
    asked: Option<Instant>,
    /// How often all was forgotten: what was asked before that is not worth an answer.
    forgotten: u64,
}

impl Others {
    /// Nothing is known yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            known: HashMap::new(),
            unknown_since: Some(now),
            asked: None,
            forgotten: 0,
        }
    }

    /// The assignment has changed: who counts what has to be asked again, at once.
    pub(super) fn forget(&mut self, now: Instant) {
        *self = Self {
            forgotten: self.forgotten + 1,
            ..Self::new(now)
        };
    }

    /// Goes with a question, and comes back with its answer.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.forgotten)
    }

    /// Whether it is time to ask, which is then taken to be done. `waiting`: a partition of ours waits for others.
    pub(super) fn is_due(&mut self, now: Instant, waiting: bool) -> bool {
        let pause = if waiting { WAITING } else { EVERY };
        let due = self.asked.is_none_or(|asked| now >= asked + pause);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// Takes an answer in. What it does not name is nobody else's.
    pub(super) fn learn(&mut self, now: Instant, told: Vec<Told>) {
        self.unknown_since = None;
        let mut before = std::mem::take(&mut self.known);
        let entry = |mut told: Told| {
            let mut moved = now;
            if let Some(before) = before.remove(&told.source) {
                if before.told.offset == told.offset {
                    moved = before.moved;
                }
                // One answer that did not come in time says nothing.
                told.end = told.end.or(before.told.end);
            }
            (told.source.clone(), Known { told, moved })
        };
        self.known = told.into_iter().map(entry).collect();
    }

    /// Stream times, and whether ours should wait for them: not for one that is idle, read to its end, or that nobody
    /// gets ahead with, be its leader gone or its instance.
    pub(super) fn partitions(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (Option<Timestamp>, bool)> + Clone {
        let lately = move |since: Instant| now.duration_since(since) < STUCK;
        let unknown = self.unknown_since.map(|since| (None, lately(since)));
        let known = self.known.values().map(move |known| {
            let Told {
                offset, end, idle, ..
            } = known.told;
            // A leader that has not told the end yet is busy, or gone: then nothing moves.
            let has_records = end.is_none_or(|end| offset.is_none_or(|o| o < end));
            let holds = !idle && has_records && lately(known.moved);
            (known.told.stream_time, holds)
        });
        unknown.into_iter().chain(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(partition: i32) -> SourceId {
        SourceId {
            topic: "flows".into(),
            partition,
        }
    }

    fn told(offset: Option<i64>, end: Option<i64>) -> Told {
        Told {
            source: source(1),
            offset,
            stream_time: offset.map(Timestamp::from_millis),
            idle: false,
            end,
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Whether ours wait for the only other partition.
    fn holds(others: &Others, now: Instant) -> bool {
        others.partitions(now).any(|(_, holds)| holds)
    }

    #[test]
    fn ours_wait_for_a_partition_with_records_that_gets_ahead() {
        let start = Instant::now();
        let mut others = Others::new(start);
        for second in 0..100 {
            let now = start + s(second);
            others.learn(now, vec![told(Some(second as i64), Some(1000))]);
            assert!(holds(&others, now), "second {second}");
        }
    }

    #[test]
    fn ours_do_not_wait_for_what_is_idle_read_or_stuck() {
        let start = Instant::now();
        let mut others = Others::new(start);
        let idle = Told {
            idle: true,
            ..told(Some(5), Some(9))
        };
        for free in [idle, told(Some(9), Some(9))] {
            let mut others = Others::new(start);
            others.learn(start, vec![free.clone()]);
            assert!(!holds(&others, start), "{free:?}");
        }
        others.learn(start, vec![told(Some(5), Some(9))]);
        others.learn(start + s(10), vec![told(Some(5), None)]);
        assert!(holds(&others, start + s(10)), "its end was told before");
        others.learn(start + s(30), vec![told(Some(5), None)]);
        assert!(!holds(&others, start + s(30)), "its leader is gone");
        others.learn(start + s(31), vec![told(Some(6), None)]);
        assert!(holds(&others, start + s(31)), "it is not: it moves");
        others.learn(start + s(32), vec![told(Some(6), Some(9))]);
        others.learn(start + s(60), vec![told(Some(6), Some(12))]);
        assert!(holds(&others, start + s(60)));
        assert!(!holds(&others, start + s(61)), "its instance is stuck");
        others.learn(start + s(62), vec![told(Some(7), Some(12))]);
        assert!(holds(&others, start + s(62)), "it moves again");
    }

    #[test]
    fn ours_wait_for_a_partition_that_nobody_has_committed_yet_or_whose_end_is_not_known() {
        let start = Instant::now();
        for unknown in [told(None, Some(9)), told(None, None)] {
            let mut others = Others::new(start);
            others.learn(start, vec![unknown]);
            let all: Vec<_> = others.partitions(start).collect();
            assert_eq!(all, [(None, true)]);
            assert!(!holds(&others, start + s(30)), "nothing moves");
        }
    }

    #[test]
    fn others_are_unknown_after_a_rebalance_but_not_for_ever() {
        let start = Instant::now();
        let mut others = Others::new(start);
        assert!(holds(&others, start + s(29)));
        assert!(!holds(&others, start + s(30)));
        others.learn(start, Vec::new());
        assert!(!holds(&others, start));
        let ticket = others.ticket();
        others.forget(start + s(10));
        assert!(holds(&others, start + s(11)));
        assert_ne!(
            others.ticket(),
            ticket,
            "what was asked before is about others"
        );
    }

    #[test]
    fn it_is_asked_more_often_while_ours_wait() {
        let start = Instant::now();
        let asked = |waiting| {
            let mut others = Others::new(start);
            let times = (0..100).map(|n| start + s(10) * n / 100);
            times.filter(|t| others.is_due(*t, waiting)).count()
        };
        assert_eq!((asked(false), asked(true)), (10, 50));
        let mut others = Others::new(start);
        assert!(others.is_due(start, false));
        assert!(!others.is_due(start + WAITING, false));
        assert!(others.is_due(start + WAITING, true), "it begins to wait");
    }
}
