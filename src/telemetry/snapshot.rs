//! Where the stages of this process stand, as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::net::Addr;
use crate::partial::{Fates, SourceId};
use crate::time::Timestamp;

/// Answers with the present state. Called at each scrape and probe; must not block.
pub type Watch = Arc<dyn Fn() -> Snapshot + Send + Sync>;

/// Where the stages of this process stand. A stage that does not run here is `None`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The count stage.
    pub count: Option<CountStatus>,
    /// The detect stage.
    pub detect: Option<DetectStatus>,
    /// Errors that Kafka clients reported, since start.
    pub client_errors: u64,
    /// The last of them while it lasts: connections that are down.
    pub client_error: Option<String>,
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
    /// Flows counted as sampling rate 1 because nobody said, by exporter.
    pub unknown_sampling: BTreeMap<Addr, u64>,
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
    /// Records that the broker has and this process has not counted; `None` while unknown.
    pub lag: Option<u64>,
    /// Set while most of its records are undecodable: what the records look like.
    pub wrong_format: Option<String>,
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
    /// Final alerts committed.
    pub alerts: u64,
    /// Provisional alerts committed.
    pub provisional_alerts: u64,
    /// Alerts over `max_alerts_per_window`.
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
