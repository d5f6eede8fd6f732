//! Windows, stream time, lateness, spreading. Pure.

mod settings;

use std::time::Duration;

use crate::time::{Timestamp, millis};

pub use settings::{EventTime, TimeConfig};

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

    /// The window after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self::starting(self.end, self.length())
    }

    /// Its length.
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }
}
