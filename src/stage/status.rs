//! Where the stages stand, for telemetry.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::kafka::{ClientLog, library_version};
use crate::telemetry::{CountStatus, DetectStatus, Recorder, Reloads, Snapshot, clock};

/// What failed is tried again all the time, and tells so each time, a commit after 20 s at the latest. A trouble that was
/// not renewed for this long is over: where nothing flows no success follows that would say so.
const TROUBLE: Duration = Duration::from_secs(30);

/// Written by the stages, read by whoever asks. Locks are held for a copy only.
#[derive(Debug, Default)]
pub struct Status {
    count: Mutex<Option<CountStatus>>,
    detect: Mutex<Option<DetectStatus>>,
    trouble: Mutex<[Option<Trouble>; 2]>,
    reloads: Mutex<Reloads>,
    clients: Arc<ClientLog>,
    recorder: Recorder,
}

/// What failed, and when.
#[derive(Debug)]
struct Trouble {
    at: Instant,
    why: String,
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
        Snapshot {
            count: lock(&self.count).clone(),
            detect: lock(&self.detect).clone(),
            at: clock::now(),
            clients: self.clients.statistics.all(),
            librdkafka: library_version(),
            reloads: *lock(&self.reloads),
            client_errors: self.clients.errors.count(),
            client_error: self.lasting_trouble(Instant::now()),
        }
    }

    /// Where clients leave their complaints and reports.
    pub(super) const fn clients(&self) -> &Arc<ClientLog> {
        &self.clients
    }

    /// Where durations go.
    pub(super) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Counts reloads.
    pub(crate) fn reloads(&self, change: impl FnOnce(&mut Reloads)) {
        change(&mut lock(&self.reloads));
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
        self.clients.errors.record(why);
        lock(&self.trouble)[stage as usize] = Some(Trouble {
            at: Instant::now(),
            why: why.to_owned(),
        });
    }

    fn lasting_trouble(&self, now: Instant) -> Option<String> {
        let lasts = |trouble: &&Trouble| now.duration_since(trouble.at) < TROUBLE;
        let troubles = lock(&self.trouble);
        troubles.iter().flatten().find(lasts).map(|t| t.why.clone())
    }

    /// A request or transaction succeeded.
    pub(super) fn no_trouble(&self, stage: Stage) {
        lock(&self.trouble)[stage as usize] = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_lasts_until_a_success_of_its_stage_or_until_it_is_not_renewed() {
        let status = Status::default();
        let lasting = |after| status.lasting_trouble(Instant::now() + after);
        status.trouble(Stage::Count, "no leader");
        status.no_trouble(Stage::Detect);
        assert_eq!(status.snapshot().client_error.as_deref(), Some("no leader"));
        assert_eq!(lasting(TROUBLE / 2).as_deref(), Some("no leader"));
        assert_eq!(lasting(TROUBLE), None);
        status.no_trouble(Stage::Count);
        assert_eq!(status.snapshot().client_error, None);
    }
}
