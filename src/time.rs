//! Points in time, as milliseconds since the Unix epoch.
//!
//! Nothing in the pure modules reads a clock: a [`Timestamp`] comes in with a record, or as an argument.

use std::fmt;
use std::time::Duration;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest representable time: before every record.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable time: after every record.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time plus `d`, saturating.
    #[must_use]
    pub const fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// This time minus `d`, saturating.
    #[must_use]
    pub const fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        let diff = self.0.saturating_sub(earlier.0);
        if diff > 0 {
            Duration::from_millis(diff as u64)
        } else {
            Duration::ZERO
        }
    }
}

/// Whole milliseconds of `d`, saturating.
pub const fn millis(d: Duration) -> i64 {
    let ms = d.as_millis();
    if ms > i64::MAX as u128 {
        i64::MAX
    } else {
        ms as i64
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds only where there are any; a time that the calendar
    /// does not hold prints as its number with `ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => t.fmt(f),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc3339_utc() {
        let t = Timestamp::from_millis(1_568_127_847_000);
        assert_eq!(t.to_string(), "2019-09-10T15:04:07Z");
        assert_eq!(
            t.plus(Duration::from_millis(5)).to_string(),
            "2019-09-10T15:04:07.005Z"
        );
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MIN.minus(Duration::from_secs(1)), Timestamp::MIN);
        assert_eq!(
            Timestamp::MAX.since(Timestamp::MIN),
            Duration::from_millis(i64::MAX as u64)
        );
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }
}
