//! When a flow happened, as far as its record can be believed.
//!
//! Invariant: a function of the record, the settings and the stream time before it alone, but for
//! the cap at the wall clock, which only records without a broker's timestamp meet.

use crate::time::Timestamp;

use super::settings::{EventTime, TimeConfig};

/// The times that a flow states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTimes {
    /// When the collector received it.
    pub received: Option<Timestamp>,
    /// When it began.
    pub start: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
}

/// The timestamp of a Kafka record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordTime {
    /// The timestamp; `None` in records older than the field.
    pub timestamp: Option<Timestamp>,
    /// Whether the broker set it. Otherwise the producer did, by the clock that may be wrong.
    pub log_append: bool,
}

/// An event time, and what was done to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInstant {
    /// The event time, never before 1970.
    pub at: Timestamp,
    /// The flow's time was out of bounds, and the record's replaced it.
    pub clamped: bool,
    /// The flow's or the record's time was beyond the wall clock + `max_ahead`, and was capped there.
    pub clock_ahead: bool,
}

impl TimeConfig {
    /// The event time of a flow. `None` when nothing states a time: neither the flow, nor its
    /// record, nor (`stream`) any record before it.
    pub fn event_instant(
        &self,
        flow: FlowTimes,
        record: RecordTime,
        stream: Option<Timestamp>,
        wall: Timestamp,
    ) -> Option<EventInstant> {
        let cap = if record.log_append && record.timestamp.is_some() {
            Timestamp::MAX
        } else {
            wall.plus(self.max_ahead)
        };
        let stated = usable(match self.event_time {
            EventTime::Received => flow.received,
            EventTime::End => flow.end,
            EventTime::Start => flow.start,
        });
        let recorded = usable(record.timestamp);
        let base = recorded.map(|at| at.min(cap));
        let chosen = match (stated, base) {
            (Some(at), Some(base)) if self.out_of_bounds(at, base) => base,
            (Some(at), _) => at,
            (None, base) => base
                .or(usable(flow.received))
                .or(usable(flow.end))
                .or(usable(flow.start))
                .or(stream)?,
        };
        Some(EventInstant {
            at: chosen.min(cap),
            clamped: stated.is_some_and(|at| at != chosen),
            clock_ahead: chosen > cap || recorded.is_some_and(|at| at > cap),
        })
    }

    fn out_of_bounds(&self, at: Timestamp, base: Timestamp) -> bool {
        at > base.plus(self.max_ahead)
            || self
                .max_behind
                .is_some_and(|behind| at < base.minus(behind))
    }
}

/// A time before 1970 is a fault of its writer, and counts as not stated.
fn usable(at: Option<Timestamp>) -> Option<Timestamp> {
    at.filter(|at| at.as_millis() >= 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(event_time: EventTime) -> TimeConfig {
        TimeConfig {
            event_time,
            max_ahead: Duration::from_mins(1),
            max_behind: Some(Duration::from_mins(10)),
            idle_timeout: Duration::from_secs(10),
            max_wait: Duration::from_secs(30),
            max_flow_duration: Duration::from_hours(1),
        }
    }

    fn s(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn received(at: i64) -> FlowTimes {
        FlowTimes {
            received: Some(s(at)),
            ..FlowTimes::default()
        }
    }

    /// Event second, clamped, clock ahead.
    fn instant(flow: i64, record: i64, log_append: bool, wall: i64) -> (i64, bool, bool) {
        let record = RecordTime {
            timestamp: Some(s(record)),
            log_append,
        };
        let got = config(EventTime::Received)
            .event_instant(received(flow), record, None, s(wall))
            .expect("a time is stated");
        (got.at.as_millis() / 1000, got.clamped, got.clock_ahead)
    }

    #[test]
    fn times_out_of_bounds_are_replaced() {
        let (t, wall) = (100_000, 100_000);
        // flow, record → event, clamped
        for (flow, record, event, clamped) in [
            (t, t, t, false),
            (t + 60, t, t + 60, false),
            (t + 61, t, t, true),
            (t - 600, t, t - 600, false),
            (t - 601, t, t, true),
            (0, t, t, true),
            (-5, t, t, false),
        ] {
            assert_eq!(
                instant(flow, record, true, wall),
                (event, clamped, false),
                "{flow} {record}"
            );
        }
    }

    #[test]
    fn producer_clocks_are_capped_at_the_wall_and_broker_clocks_are_not() {
        let wall = 100_000;
        let cap = wall + 60;
        // flow, record → event, clamped, clock ahead
        for (flow, record, expected) in [
            (wall, wall, (wall, false, false)),
            (cap, cap, (cap, false, false)),
            (cap + 1, cap, (cap, false, true)),
            (cap + 3600, cap + 3600, (cap, true, true)),
            (wall, cap + 3600, (wall, false, true)),
            (cap + 3600, wall, (wall, true, false)),
            (wall - 3600, cap + 3600, (cap, true, true)),
        ] {
            assert_eq!(
                instant(flow, record, false, wall),
                expected,
                "{flow} {record}"
            );
        }
        let later = wall + 3600;
        assert_eq!(instant(later, later, true, wall), (later, false, false));
    }

    #[test]
    fn never_too_far_behind_when_max_behind_is_never() {
        let mut config = config(EventTime::Received);
        config.max_behind = None;
        let record = RecordTime {
            timestamp: Some(s(1_000_000_000)),
            log_append: true,
        };
        let got = config
            .event_instant(received(7), record, None, s(0))
            .unwrap();
        assert_eq!((got.at, got.clamped), (s(7), false));
    }

    #[test]
    fn the_configured_time_is_taken_and_the_record_stands_in() {
        let flow = FlowTimes {
            received: Some(s(300)),
            end: Some(s(200)),
            start: Some(s(100)),
        };
        let record = RecordTime {
            timestamp: Some(s(310)),
            log_append: true,
        };
        for (which, without, second) in [
            (
                EventTime::Received,
                FlowTimes {
                    received: None,
                    ..flow
                },
                300,
            ),
            (EventTime::End, FlowTimes { end: None, ..flow }, 200),
            (
                EventTime::Start,
                FlowTimes {
                    start: None,
                    ..flow
                },
                100,
            ),
        ] {
            let at = |flow| {
                let got = config(which).event_instant(flow, record, None, s(0));
                got.map(|i| (i.at, i.clamped))
            };
            assert_eq!(at(flow), Some((s(second), false)));
            assert_eq!(at(without), Some((s(310), false)));
        }
    }

    #[test]
    fn without_a_record_time_the_flow_then_the_stream_stand_in() {
        let none = RecordTime {
            timestamp: None,
            log_append: true,
        };
        let at = |flow, stream| {
            let got = config(EventTime::End).event_instant(flow, none, stream, s(1000));
            got.map(|i| (i.at, i.clock_ahead))
        };
        assert_eq!(at(received(9), None), Some((s(9), false)));
        assert_eq!(at(FlowTimes::default(), Some(s(5))), Some((s(5), false)));
        assert_eq!(at(FlowTimes::default(), None), None);
        // Nobody vouches for the time, whatever the record calls its type.
        assert_eq!(at(received(5000), None), Some((s(1060), true)));
    }
}
