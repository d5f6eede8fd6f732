//! Flows in, alerts out, without Kafka: both tasks in one place, as one input partition. Pure.
//!
//! In: record values in order. Out: alerts and window records as the detect stage would commit them. Guarantees: the
//! same tasks, encodings and decisions as in the service, so the same windows and volumes; nothing
//! depends on the wall clock. What only Kafka knows is absent: records have no timestamp of their
//! own, so a flow's time is taken as it is.

mod reader;

use std::sync::Arc;
use std::time::Duration;

use crate::alert::{Alert, WindowRecord};
use crate::count::{CountTask, DeadLetter, Plan, Record, Resume, ResumeError};
use crate::detect::{DetectPlan, DetectTask, StateError};
use crate::partial::{self, CorruptPartial, Fates, SourceId};
use crate::time::Timestamp;

pub use reader::{ReadError, Records};

/// Records after which counts are handed on. The result does not depend on it.
const FLUSH_RECORDS: u64 = 100_000;
/// Addresses after which counts are handed on.
const FLUSH_LEAVES: usize = 1_000_000;

/// Why a replay cannot go on: a defect, never the input.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The count task does not begin.
    #[error(transparent)]
    Count(#[from] ResumeError),
    /// The detect task does not begin.
    #[error(transparent)]
    Detect(#[from] StateError),
    /// What count wrote cannot be read.
    #[error(transparent)]
    Partial(#[from] CorruptPartial),
}

/// Both tasks and what is between them.
#[derive(Debug)]
pub struct Replay {
    count: CountTask,
    detect: DetectTask,
    /// How far the last window closes after the last record.
    patience: Duration,
    records: u64,
    partials: i64,
    fates: Fates,
}

/// What came of some records.
#[derive(Debug, Default)]
pub struct Step {
    /// Alerts of windows that closed.
    pub alerts: Vec<Alert>,
    /// Records of windows that closed.
    pub windows: Vec<WindowRecord>,
    /// Records that are no flows, up to the cap.
    pub dead_letters: Vec<DeadLetter>,
}

impl Replay {
    /// Tasks that have seen nothing. `topic` names the input in results.
    pub fn new(plan: Arc<Plan>, topic: &str, max_wait: Duration) -> Result<Self, ReplayError> {
        let topic: Arc<str> = topic.into();
        let detect = DetectPlan {
            rules: plan.rules.clone(),
            topics: vec![Arc::clone(&topic)],
            max_wait,
        };
        let rules = plan.rules.iter();
        let patience = rules
            .map(|r| r.interval + r.grace)
            .max()
            .unwrap_or_default();
        let source = SourceId {
            topic,
            partition: 0,
        };
        let resume = Resume::Fresh {
            next_offset: 0,
            from_log_start: true,
        };
        Ok(Self {
            count: CountTask::new(source, plan, resume)?,
            detect: DetectTask::new(0, &detect, Vec::new(), None, 1)?,
            patience,
            records: 0,
            partials: 0,
            fates: Fates::default(),
        })
    }

    /// Counts one record. Now and then that makes windows due.
    pub fn record(&mut self, payload: &[u8]) -> Result<Step, ReplayError> {
        let record = Record {
            offset: self.count.next_offset(),
            timestamp: None,
            log_append_time: false,
            payload: Some(payload),
            key: None,
        };
        // No clock caps the flows' own times.
        self.count.record(&record, Timestamp::MAX);
        self.records += 1;
        if self.records.is_multiple_of(FLUSH_RECORDS) || self.count.leaves() >= FLUSH_LEAVES {
            self.flush()
        } else {
            Ok(Step::default())
        }
    }

    /// Closes every window, as silence would.
    pub fn finish(mut self) -> Result<(Step, Fates), ReplayError> {
        // Windows that the records themselves closed say so: silence closes only the rest.
        let mut step = self.flush()?;
        let end = self.count.stream_time().map(|t| t.plus(self.patience));
        self.count.idle(end);
        let last = self.flush()?;
        step.alerts.extend(last.alerts);
        step.windows.extend(last.windows);
        step.dead_letters.extend(last.dead_letters);
        Ok((step, self.fates))
    }

    /// Records so far.
    pub const fn records(&self) -> u64 {
        self.records
    }

    fn flush(&mut self) -> Result<Step, ReplayError> {
        let mut flush = self.count.flush();
        self.fates.add(&flush.fates);
        let mut step = Step {
            dead_letters: std::mem::take(&mut flush.dead_letters),
            ..Step::default()
        };
        for record in flush.encode(1, 1).records {
            let partial = partial::decode(&record.payload)?;
            self.detect.apply(self.partials, partial, Timestamp::MIN);
            self.partials += 1;
            while let Some(mut emission) = self.detect.emission() {
                step.alerts.append(&mut emission.alerts);
                step.windows.append(&mut emission.windows);
                self.detect.committed(emission);
            }
        }
        Ok(step)
    }
}

#[cfg(test)]
mod tests;
