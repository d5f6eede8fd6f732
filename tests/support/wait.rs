//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Calls `ready` every `every` until it gives a value; panics with `what` after `within`.
pub(crate) fn until<T>(
    what: &str,
    within: Duration,
    every: Duration,
    mut ready: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::park_timeout(every);
    }
}

/// Lets `pause` pass: for tests whose subject is the passing of time, never to wait for something.
pub(crate) fn pass(pause: Duration) {
    let deadline = Instant::now() + pause;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        if left.is_zero() {
            break;
        }
        std::thread::park_timeout(left);
    }
}
