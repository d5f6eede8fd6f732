//! The wall clock: the only place that reads it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Timestamp, millis};

/// Now, for what is told to others in finer steps.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the shell's clock; everything else gets time as an argument"
)]
pub fn system() -> SystemTime {
    SystemTime::now()
}

/// Now, UTC. A clock before 1970 or beyond the range reads as its nearer end.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the shell's clock; everything else gets time as an argument"
)]
pub fn now() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp::from_millis(millis(since)),
        Err(before) => Timestamp::from_millis(-millis(before.duration())),
    }
}

/// The time at the first call, and what has passed since: for how long something lasts. It goes on at its pace when somebody
/// sets the machine's clock.
pub fn steady() -> Timestamp {
    static BEGAN: OnceLock<(Instant, Timestamp)> = OnceLock::new();
    let (at, time) = BEGAN.get_or_init(|| (Instant::now(), now()));
    time.plus(at.elapsed())
}

/// Notices that somebody sets the wall clock back.
#[derive(Debug, Default)]
pub struct SetBack {
    /// Of wall clock and steady one, at the look before.
    last: Option<(Timestamp, Timestamp)>,
}

impl SetBack {
    /// How far it was set back since the look before, if that is more than `limit`.
    pub fn look(&mut self, limit: Duration) -> Option<Duration> {
        self.seen((now(), steady()), limit)
    }

    fn seen(&mut self, at: (Timestamp, Timestamp), limit: Duration) -> Option<Duration> {
        let (wall, steady) = self.last.replace(at)?;
        let expected = wall.plus(at.1.since(steady));
        Some(expected.since(at.0)).filter(|by| *by > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_is_noticed_once_and_one_that_goes_wrong_slowly_or_forwards_is_not()
    {
        let mut looks = SetBack::default();
        let mut seen = |wall: i64, steady: i64| {
            let at = [wall, steady].map(|seconds| Timestamp::from_millis(seconds * 1_000));
            looks.seen((at[0], at[1]), Duration::from_secs(5))
        };
        assert_eq!(seen(1_000, 0), None);
        assert_eq!(seen(1_060, 60), None);
        assert_eq!(seen(1_056, 61), None, "5 s");
        assert_eq!(seen(1_052, 62), None, "5 s again");
        assert_eq!(seen(5_000, 63), None);
        assert_eq!(seen(4_994, 64), Some(Duration::from_secs(7)));
        assert_eq!(seen(4_995, 65), None);
        assert_eq!(seen(-10, 66), Some(Duration::from_secs(5_006)));
    }
}
