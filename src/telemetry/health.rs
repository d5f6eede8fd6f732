//! Whether this process does its job, and if not, what is in the way.

use std::time::Duration;

use super::Snapshot;

/// At most this many partitions are named in one reason.
const NAMED: usize = 10;
/// How long after its last undecodable record a partition counts as one of a wrong format: a stray writer on a
/// quiet partition must not keep an instance from being ready until enough flows have come.
const WRONG_FOR: Duration = Duration::from_mins(1);

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Records are counted and windows are closed.
    Ready,
    /// They are not, for these reasons.
    NotReady(Vec<String>),
}

/// What stands in the way of counting and closing windows, by the stages' own account.
pub fn readiness(snapshot: &Snapshot) -> Readiness {
    let mut reasons = Vec::new();
    if snapshot.count.is_none() && snapshot.detect.is_none() {
        reasons.push("starting".to_owned());
    }
    if let Some(count) = &snapshot.count {
        if !count.assigned {
            reasons.push("count: waiting for the group to assign partitions".to_owned());
        }
        for (source, status) in count.sources.iter().filter(|(_, s)| s.assigned) {
            if let Some(wrong) = &status.wrong_format
                && snapshot.at.since(wrong.last) < WRONG_FOR
            {
                reasons.push(format!("{source}: wrong input format: {}", wrong.likely));
            }
        }
    }
    if let Some(detect) = &snapshot.detect {
        if !detect.assigned {
            reasons.push("detect: waiting for the group to assign partitions".to_owned());
        }
        if !detect.restoring.is_empty() {
            let names = named(&detect.restoring);
            reasons.push(format!(
                "detect: restoring state of partials partitions {names}"
            ));
        }
        if !detect.missing.is_empty() {
            let names = named(&detect.missing);
            reasons.push(format!("detect: windows wait for input partitions {names}"));
        }
    }
    if let Some(error) = &snapshot.client_error {
        reasons.push(format!("kafka: {error}"));
    }
    if reasons.is_empty() {
        Readiness::Ready
    } else {
        Readiness::NotReady(reasons)
    }
}

fn named<T: std::fmt::Display>(things: &[T]) -> String {
    let mut names: Vec<_> = things.iter().take(NAMED).map(T::to_string).collect();
    if things.len() > NAMED {
        names.push(format!("and {} more", things.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partial::SourceId;
    use crate::telemetry::{CountStatus, DetectStatus, SourceStatus, WrongFormat};
    use crate::time::Timestamp;

    fn source(partition: i32) -> SourceId {
        SourceId {
            topic: "flows".into(),
            partition,
        }
    }

    fn healthy() -> Snapshot {
        let status = SourceStatus {
            assigned: true,
            ..SourceStatus::default()
        };
        Snapshot {
            count: Some(CountStatus {
                assigned: true,
                sources: [(source(0), status)].into(),
                ..CountStatus::default()
            }),
            detect: Some(DetectStatus {
                assigned: true,
                ..DetectStatus::default()
            }),
            ..Snapshot::default()
        }
    }

    fn reasons(snapshot: &Snapshot) -> Vec<String> {
        match readiness(snapshot) {
            Readiness::Ready => Vec::new(),
            Readiness::NotReady(reasons) => reasons,
        }
    }

    #[test]
    fn working_stages_are_ready() {
        assert_eq!(readiness(&healthy()), Readiness::Ready);
        let mut count_only = healthy();
        count_only.detect = None;
        assert_eq!(readiness(&count_only), Readiness::Ready);
    }

    #[test]
    fn nothing_running_is_not_ready() {
        assert_eq!(reasons(&Snapshot::default()), ["starting"]);
    }

    #[test]
    fn missing_partitions_are_named_up_to_ten() {
        let mut snapshot = healthy();
        snapshot.detect.as_mut().unwrap().missing = vec![source(1), source(3)];
        assert_eq!(
            reasons(&snapshot),
            ["detect: windows wait for input partitions flows/1, flows/3"]
        );
        snapshot.detect.as_mut().unwrap().missing = (0..12).map(source).collect();
        assert!(reasons(&snapshot)[0].ends_with("flows/9, and 2 more"));
    }

    #[test]
    fn wrong_format_of_an_assigned_partition_is_told() {
        let mut snapshot = healthy();
        let sources = &mut snapshot.count.as_mut().unwrap().sources;
        let status = sources.get_mut(&source(0)).unwrap();
        let last = Timestamp::from_millis(1_000);
        status.wrong_format = Some(WrongFormat {
            likely: "looks like Avro".into(),
            last,
        });
        snapshot.at = last;
        assert_eq!(
            reasons(&snapshot),
            ["flows/0: wrong input format: looks like Avro"]
        );
        let mut quiet = snapshot.clone();
        quiet.at = last.plus(WRONG_FOR);
        assert_eq!(readiness(&quiet), Readiness::Ready);
        let sources = &mut snapshot.count.as_mut().unwrap().sources;
        sources.get_mut(&source(0)).unwrap().assigned = false;
        assert_eq!(readiness(&snapshot), Readiness::Ready);
    }

    #[test]
    fn waiting_restoring_and_errors_are_not_ready() {
        let mut snapshot = healthy();
        snapshot.count.as_mut().unwrap().assigned = false;
        snapshot.detect.as_mut().unwrap().assigned = false;
        snapshot.detect.as_mut().unwrap().restoring = vec![2];
        snapshot.client_error = Some("all brokers are down".into());
        assert_eq!(
            reasons(&snapshot),
            [
                "count: waiting for the group to assign partitions",
                "detect: waiting for the group to assign partitions",
                "detect: restoring state of partials partitions 2",
                "kafka: all brokers are down",
            ]
        );
    }
}
