//! Where the stages stand, for telemetry.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kafka::ErrorLog;
use crate::telemetry::{CountStatus, DetectStatus, Recorder, Snapshot};

/// Written by the stages, read by whoever asks. Locks are held for a copy only.
#[derive(Debug, Default)]
pub struct Status {
    count: Mutex<Option<CountStatus>>,
    detect: Mutex<Option<DetectStatus>>,
    trouble: Mutex<[Option<String>; 2]>,
    errors: Arc<ErrorLog>,
    recorder: Recorder,
}

/// Whose trouble.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Count,
    Detect,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain values, whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Status {
    /// Of stages that record into `recorder`.
    pub fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            ..Self::default()
        }
    }

    /// All of it, at one moment.
    pub fn snapshot(&self) -> Snapshot {
        let trouble = lock(&self.trouble).iter().flatten().next().cloned();
        Snapshot {
            count: lock(&self.count).clone(),
            detect: lock(&self.detect).clone(),
            client_errors: self.errors.count(),
            client_error: trouble,
        }
    }

    /// Where clients leave their complaints.
    pub(super) const fn errors(&self) -> &Arc<ErrorLog> {
        &self.errors
    }

    /// Where durations go.
    pub(super) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Changes what is known of count.
    pub(super) fn count(&self, change: impl FnOnce(&mut CountStatus)) {
        change(lock(&self.count).get_or_insert_default());
    }

    /// Changes what is known of detect.
    pub(super) fn detect(&self, change: impl FnOnce(&mut DetectStatus)) {
        change(lock(&self.detect).get_or_insert_default());
    }

    /// A request or transaction failed, and will be tried again.
    pub(super) fn trouble(&self, stage: Stage, why: &str) {
        tracing::warn!(?stage, "{why}");
        self.errors.record(why);
        lock(&self.trouble)[stage as usize] = Some(why.to_owned());
    }

    /// A request or transaction succeeded.
    pub(super) fn no_trouble(&self, stage: Stage) {
        lock(&self.trouble)[stage as usize] = None;
    }
}
