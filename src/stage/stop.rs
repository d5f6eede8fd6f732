//! The wish to stop.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Once requested, stays so.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<OnceLock<Instant>>);

impl Stop {
    /// Asks every stage to commit and end.
    pub fn request(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// Whether anybody asked.
    pub fn is_requested(&self) -> bool {
        self.0.get().is_some()
    }

    /// How long ago somebody asked first.
    pub fn requested_for(&self) -> Option<Duration> {
        self.0.get().map(Instant::elapsed)
    }
}
