//! The wall clock: the only place that reads it.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
