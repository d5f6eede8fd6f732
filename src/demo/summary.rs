//! The demo's line of numbers, from two looks at the stages.

use crate::partial::Fates;
use crate::telemetry::Snapshot;
use crate::time::Timestamp;

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Flows counted in committed transactions.
    pub(super) flows: u64,
    /// Of the slowest partition.
    pub(super) stream_time: Option<Timestamp>,
    /// Window records committed.
    pub(super) windows: u64,
    /// Alerts committed.
    pub(super) alerts: u64,
}

impl Summary {
    /// What the stages say.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut fates = Fates::default();
        let sources = snapshot.count.iter().flat_map(|c| c.sources.values());
        let mut stream_time = None;
        for source in sources {
            fates.add(&source.fates);
            if let Some(time) = source.stream_time {
                stream_time = Some(stream_time.map_or(time, |t: Timestamp| t.min(time)));
            }
        }
        let detect = snapshot.detect.as_ref();
        Self {
            flows: fates.records(),
            stream_time,
            windows: detect.map_or(0, |d| d.windows),
            alerts: detect.map_or(0, |d| d.alerts + d.provisional_alerts),
        }
    }

    /// One line; the rate is since `before`, which was `millis` ago.
    pub(super) fn line(&self, before: &Self, millis: u64) -> String {
        let flows = u128::from(self.flows.saturating_sub(before.flows));
        let rate = flows * 1000 / u128::from(millis.max(1));
        let stream_time = self
            .stream_time
            .map_or_else(|| "none yet".to_owned(), |t| t.to_string());
        format!(
            "{rate} flows/s  {} flows  stream time {stream_time}  {} windows  {} alerts",
            self.flows, self.windows, self.alerts
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partial::SourceId;
    use crate::telemetry::{CountStatus, DetectStatus, SourceStatus};

    #[test]
    fn numbers_are_sums_and_stream_time_is_the_slowest() {
        let source = |partition, ms| {
            let id = SourceId {
                topic: "flows".into(),
                partition,
            };
            let fates = Fates {
                selected: 10,
                undecodable: 1,
                ..Fates::default()
            };
            let stream_time = Some(Timestamp::from_millis(ms));
            let status = SourceStatus {
                fates,
                stream_time,
                ..SourceStatus::default()
            };
            (id, status)
        };
        let summary = Summary::of(&Snapshot {
            count: Some(CountStatus {
                sources: [source(0, 2_000), source(1, 1_000)].into(),
                ..CountStatus::default()
            }),
            detect: Some(DetectStatus {
                windows: 3,
                alerts: 2,
                provisional_alerts: 1,
                ..DetectStatus::default()
            }),
            ..Snapshot::default()
        });
        assert_eq!(
            summary.line(&Summary::default(), 500),
            "44 flows/s  22 flows  stream time 1970-01-01T00:00:01Z  3 windows  3 alerts"
        );
    }

    #[test]
    fn nothing_yet_is_said_so() {
        let none = Summary::of(&Snapshot::default());
        assert_eq!(
            none.line(&none, 0),
            "0 flows/s  0 flows  stream time none yet  0 windows  0 alerts"
        );
    }
}
