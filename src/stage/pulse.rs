//! Who is at work since when: a dead counting thread would stay a member of its group for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The pulses of all threads of a process.
pub(super) struct Pulses {
    started: Instant,
    all: Mutex<Vec<(&'static str, Arc<AtomicU64>)>>,
}

impl Default for Pulses {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            all: Mutex::default(),
        }
    }
}

/// The pulse of one thread.
#[derive(Clone)]
pub(super) struct Pulse {
    started: Instant,
    /// Milliseconds after `started` plus one; 0 at rest.
    busy_since: Arc<AtomicU64>,
}

impl Pulses {
    /// A pulse for the thread `name`, at rest.
    pub(super) fn of(&self, name: &'static str) -> Pulse {
        let busy_since = Arc::new(AtomicU64::new(0));
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, Arc::clone(&busy_since)));
        Pulse {
            started: self.started,
            busy_since,
        }
    }

    /// A thread that has been at one piece of work for longer than `limit`.
    pub(super) fn stuck(&self, limit: Duration) -> Option<&'static str> {
        let now = self.started.elapsed();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .find(|(_, busy_since)| match busy_since.load(Ordering::Relaxed) {
                0 => false,
                since => now > limit + Duration::from_millis(since - 1),
            })
            .map(|(name, _)| *name)
    }
}

impl Pulse {
    /// Does a piece of work that must end in time.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.begin();
        let _rest = Rest(&self.busy_since);
        work()
    }

    /// In the middle of a piece of work, waits for what may take as long as it likes: a cluster that is away is no
    /// thread that is stuck.
    pub(super) fn wait<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.busy_since.store(0, Ordering::Relaxed);
        let result = wait();
        self.begin();
        result
    }

    fn begin(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.busy_since.store(now + 1, Ordering::Relaxed);
    }
}

/// The work has ended, be it by a panic: a thread that is gone is not stuck.
struct Rest<'p>(&'p AtomicU64);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_does_not_end_is_stuck_and_rest_is_not() {
        let pulses = Pulses::default();
        let (resting, working) = (pulses.of("resting"), pulses.of("working"));
        resting.during(|| ());
        working.during(|| {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(5) {
                std::thread::yield_now();
            }
            assert_eq!(pulses.stuck(Duration::from_millis(1)), Some("working"));
            assert_eq!(pulses.stuck(Duration::from_mins(1)), None);
            working.wait(|| assert_eq!(pulses.stuck(Duration::ZERO), None));
            assert_eq!(pulses.stuck(Duration::from_mins(1)), None);
        });
        assert_eq!(pulses.stuck(Duration::ZERO), None);
    }
}
