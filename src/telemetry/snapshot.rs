//! Where the stages of this process stand, as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clients::ClientStatistics;
use crate::count::{ExporterIssues, RuleSums};
use crate::net::Addr;
use crate::partial::{Fates, SourceId};
use crate::time::Timestamp;

/// Answers with the present state. Called at each scrape and probe; must not block.
pub type Watch = Arc<dyn Fn() -> Snapshot + Send + Sync>;

/// Exporters that are counted apart: their addresses are what a packet claims, and anybody can make them up.
pub(super) const MAX_EXPORTERS: usize = 1_000;

/// Where the stages of this process stand. A stage that does not run here is `None`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// The count stage.
    pub count: Option<CountStatus>,
    /// The detect stage.
    pub detect: Option<DetectStatus>,
    /// What each Kafka client says of itself, by its name.
    pub clients: BTreeMap<String, ClientStatistics>,
    /// The version of librdkafka.
    pub librdkafka: String,
    /// Named sets read again, since start.
    pub reloads: Reloads,
    /// Errors that Kafka clients reported, since start.
    pub client_errors: u64,
    /// The last of them while it lasts: connections that are down.
    pub client_error: Option<String>,
}

/// Named sets read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// With what is in force since, be it the same.
    pub applied: u64,
    /// Because something was wrong: everything stayed as it was.
    pub refused: u64,
}

/// The count stage.
#[derive(Clone, Debug, Default)]
pub struct CountStatus {
    /// Whether the group has assigned partitions to this member, be it none, since it last joined.
    pub assigned: bool,
    /// The partitions of this process, and those it had before: their fates stay counted.
    pub sources: BTreeMap<SourceId, SourceStatus>,
    /// Flushes: each is one committed transaction.
    pub flushes: Work,
    /// Leaves in tables now, all rules and windows.
    pub leaves: u64,
    /// What each rule selected in committed flushes of this process.
    pub rules: BTreeMap<Arc<str>, RuleSums>,
    /// What was wrong with flows, by exporter; `None` is no exporter, and all that came when there were
    /// `MAX_EXPORTERS`. [`Self::add_exporter`] keeps it so.
    pub exporters: BTreeMap<Option<Addr>, ExporterIssues>,
}

impl CountStatus {
    /// So much more was wrong with flows of `exporter`.
    pub fn add_exporter(&mut self, exporter: Option<Addr>, issues: ExporterIssues) {
        let known = &mut self.exporters;
        let apart = known.len() - usize::from(known.contains_key(&None));
        let is_apart = apart < MAX_EXPORTERS || known.contains_key(&exporter);
        known
            .entry(exporter.filter(|_| is_apart))
            .or_default()
            .add(issues);
    }
}

/// One input partition.
#[derive(Clone, Debug, Default)]
pub struct SourceStatus {
    /// Whether this process reads it now.
    pub assigned: bool,
    /// What became of its records in committed transactions of this process.
    pub fates: Fates,
    /// Stream time; `None` before the first record.
    pub stream_time: Option<Timestamp>,
    /// Whether its silence is confirmed.
    pub idle: bool,
    /// Whether it is not read, since it is far ahead of the slowest one.
    pub waiting: bool,
    /// Records that the broker has and this process has not counted; `None` while unknown.
    pub lag: Option<u64>,
    /// Set when most of its records were undecodable.
    pub wrong_format: Option<WrongFormat>,
}

/// A partition that has something else in it than flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongFormat {
    /// What the records look like.
    pub likely: String,
    /// When the last undecodable record was counted, by the clock.
    pub last: Timestamp,
}

/// The detect stage.
#[derive(Clone, Debug, Default)]
pub struct DetectStatus {
    /// Whether the group has assigned partitions to this member, be it none, since it last joined.
    pub assigned: bool,
    /// Partials partitions of this process, with the records not applied yet; `None` while unknown.
    pub lag: BTreeMap<i32, Option<u64>>,
    /// Partials partitions whose state is being restored.
    pub restoring: Vec<i32>,
    /// Input partitions that hold a window back for longer than `max_wait`.
    pub missing: Vec<SourceId>,
    /// Windows open now.
    pub open_windows: u64,
    /// Leaves of open windows.
    pub leaves: u64,
    /// Emissions: each is one committed transaction.
    pub emissions: Work,
    /// Alerts that are open and not silenced after the last final window, by rule, of the rules that are this process's to finalise.
    pub active_alerts: BTreeMap<String, u64>,
    /// Final messages of alerts committed.
    pub alerts: u64,
    /// Alerts that started, and those that ended, among these; those that are silenced left out.
    pub alerts_started: u64,
    /// See [`Self::alerts_started`].
    pub alerts_ended: u64,
    /// Alerts that started silenced.
    pub alerts_silenced: u64,
    /// Provisional messages of alerts committed.
    pub provisional_alerts: u64,
    /// Prefixes over `max_alerts_per_window`.
    pub alerts_cut: u64,
    /// Window records committed.
    pub windows: u64,
    /// Deltas for a window that was finalised before they came.
    pub late_deltas: u64,
}

/// Transactions of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Committed.
    pub committed: u64,
    /// Aborted, to be done again.
    pub aborted: u64,
    /// Bytes written, before compression.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_that_come_when_there_are_too_many_are_counted_together() {
        let mut count = CountStatus::default();
        let one = ExporterIssues {
            clamped: 2,
            unknown_sampling: 1,
        };
        count.add_exporter(None, one);
        let first = 10..10 + MAX_EXPORTERS as u32;
        for exporter in first.clone().chain(0..5).chain(first.clone()) {
            count.add_exporter(Some(Addr::V4(exporter)), one);
        }
        let times = |n| ExporterIssues {
            clamped: 2 * n,
            unknown_sampling: n,
        };
        let mut expected: BTreeMap<_, _> = first.map(|e| (Some(Addr::V4(e)), times(2))).collect();
        expected.insert(None, times(1 + 5));
        assert_eq!(count.exporters, expected);
    }
}
