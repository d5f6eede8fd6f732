//! Windows, stream time, lateness, spreading. Pure.
//!
//! In: the times of a flow and its record, and the stream time of their partition. Out: an event
//! time, the window or windows it counts in, and whether those are still open. Guarantees: every
//! time has exactly one window of a length; a window that is closed at a stream time is closed at
//! every later one; shares of a spread flow add up to it exactly and touch open windows only.

mod event_time;
mod settings;
mod spread;

use std::time::Duration;

use crate::time::{Timestamp, millis};

pub use event_time::{EventInstant, FlowTimes, RecordTime};
pub use settings::{EventTime, TimeConfig};
pub use spread::{Shares, Span};

/// `[start, end)`, aligned to the epoch by the interval's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant after.
    pub end: Timestamp,
}

impl Window {
    /// The window of length `interval` (at least 1 ms) that holds `at`.
    pub fn containing(at: Timestamp, interval: Duration) -> Self {
        let len = millis(interval).max(1);
        let start = at
            .as_millis()
            .saturating_sub(at.as_millis().rem_euclid(len));
        Self::starting(Timestamp::from_millis(start), interval)
    }

    /// The window of length `interval` that starts at `start`, which must be aligned.
    pub fn starting(start: Timestamp, interval: Duration) -> Self {
        Self {
            start,
            end: start.plus(interval),
        }
    }

    /// Whether `at` lies inside.
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// The window after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self::starting(self.end, self.length())
    }

    /// The oldest window of length `interval` that is still open at stream time `stream`.
    pub fn oldest_open(stream: Timestamp, interval: Duration, grace: Duration) -> Self {
        Self::containing(stream.minus(grace), interval)
    }

    /// Whether flows of this window are late at stream time `stream`: it ended `grace` ago.
    pub fn is_closed(self, stream: Timestamp, grace: Duration) -> bool {
        self.end.plus(grace) <= stream
    }

    /// Its length.
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(at: i64) -> Timestamp {
        Timestamp::from_millis(at)
    }

    #[test]
    fn windows_are_aligned_to_the_epoch_on_both_sides() {
        let minute = Duration::from_mins(1);
        for (at, start) in [
            (0, 0),
            (59_999, 0),
            (60_000, 60_000),
            (-1, -60_000),
            (-60_000, -60_000),
        ] {
            let window = Window::containing(ms(at), minute);
            assert_eq!((window.start, window.end), (ms(start), ms(start + 60_000)));
        }
    }

    #[test]
    fn a_window_contains_its_start_and_not_its_end() {
        let window = Window::starting(ms(60_000), Duration::from_mins(1));
        assert_eq!(window.length(), Duration::from_mins(1));
        let contained = [59_999, 60_000, 119_999, 120_000].map(|at| window.contains(ms(at)));
        assert_eq!(contained, [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn the_oldest_open_window_is_open_and_the_one_before_is_closed(
            stream in 0..10_000_000_i64, interval in 1..100_000_u64, grace in 0..100_000_u64,
        ) {
            let (interval, grace) = (Duration::from_millis(interval), Duration::from_millis(grace));
            let oldest = Window::oldest_open(ms(stream), interval, grace);
            prop_assert!(!oldest.is_closed(ms(stream), grace));
            let before = Window::containing(oldest.start.minus(Duration::from_millis(1)), interval);
            prop_assert_eq!(before.next(), oldest);
            prop_assert!(before.is_closed(ms(stream), grace));
        }
    }
}
