//! What a scrape shows.

mod bounds;
mod readers;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::input::EXCLUSIVE_FATES;
use super::*;
use crate::count::{ExporterIssues, RuleSums};
use crate::net::Addr;
use crate::partial::SourceId;
use crate::telemetry::{BrokerState, ClientState, ClientStatistics};
use crate::telemetry::{CountStatus, DetectStatus, Snapshot, SourceStatus, Work};
use crate::time::Timestamp;

fn source(partition: i32) -> SourceId {
    SourceId {
        topic: "flows".into(),
        partition,
    }
}

fn status(selected: u64) -> SourceStatus {
    SourceStatus {
        assigned: true,
        fates: Fates {
            selected,
            clamped: 2,
            ..Fates::default()
        },
        stream_time: Some(Timestamp::from_millis(1_500)),
        idle: false,
        waiting: false,
        lag: Some(7),
        wrong_format: None,
    }
}

const fn issues(clamped: u64, unknown_sampling: u64) -> ExporterIssues {
    ExporterIssues {
        clamped,
        unknown_sampling,
    }
}

fn watched(watch: impl Fn() -> Snapshot + Send + Sync + 'static) -> Metrics {
    let metrics = Metrics::new(Resource::builder_empty().build(), |_| None).unwrap();
    let watch: Watch = Arc::new(watch);
    metrics.observe(&watch);
    metrics
}

fn render(snapshot: Snapshot) -> String {
    watched(move || snapshot.clone()).render().unwrap()
}

fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|l| l == *line), "no `{line}` in\n{text}");
    }
}

#[test]
fn count_stage_is_shown_by_partition_and_rule() {
    let sums = RuleSums {
        flows: 1,
        bytes: 2,
        packets: 3,
        late_flows: 4,
    };
    let text = render(Snapshot {
        count: Some(CountStatus {
            assigned: true,
            sources: [(source(0), status(5)), (source(1), status(6))].into(),
            flushes: Work {
                committed: 3,
                aborted: 1,
                bytes: 99,
            },
            leaves: 12,
            exporters: [
                (Some(Addr::V4(0xc000_0201)), issues(0, 4)),
                (Some(Addr::V4(0xc000_0202)), issues(3, 0)),
            ]
            .into(),
            rules: [("web".into(), sums), ("dns".into(), RuleSums::default())].into(),
        }),
        client_errors: 2,
        at: Timestamp::from_millis(4_000),
        librdkafka: "2.12.1".into(),
        ..Snapshot::default()
    });
    assert_lines(
        &text,
        &[
            r#"hotprefix_records_total{fate="selected",partition="0",topic="flows"} 5"#,
            r#"hotprefix_records_total{fate="selected",partition="1",topic="flows"} 6"#,
            r#"hotprefix_records_total{fate="undecodable",partition="1",topic="flows"} 0"#,
            r#"hotprefix_record_events_total{event="clamped",partition="1",topic="flows"} 2"#,
            r#"hotprefix_input_lag_records{partition="0",topic="flows"} 7"#,
            r#"hotprefix_input_stream_time_seconds{partition="0",topic="flows"} 1.5"#,
            r#"hotprefix_input_delay_seconds{partition="0",topic="flows"} 2.5"#,
            r#"hotprefix_rule_flows_total{rule="web"} 1"#,
            r#"hotprefix_rule_flows_total{rule="dns"} 0"#,
            r#"hotprefix_rule_bytes_total{rule="web"} 2"#,
            r#"hotprefix_rule_packets_total{rule="web"} 3"#,
            r#"hotprefix_rule_late_flows_total{rule="web"} 4"#,
            concat!(
                "hotprefix_build_info{librdkafka=\"2.12.1\",version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            r#"hotprefix_input_idle{partition="0",topic="flows"} 0"#,
            r#"hotprefix_flushes_total{outcome="committed"} 3"#,
            r#"hotprefix_flushes_total{outcome="aborted"} 1"#,
            "hotprefix_flush_bytes_total 99",
            "hotprefix_count_leaves 12",
            r#"hotprefix_unknown_sampling_flows_total{exporter="192.0.2.1"} 4"#,
            r#"hotprefix_clamped_flows_total{exporter="192.0.2.2"} 3"#,
            "hotprefix_client_errors_total 2",
            "hotprefix_ready 1",
            "# TYPE hotprefix_records_total counter",
            "# TYPE hotprefix_input_lag_records gauge",
        ],
    );
    assert!(!text.contains("hotprefix_alerts_total{"), "{text}");
}

#[test]
fn detect_stage_is_shown_with_missing_sources() {
    let text = render(Snapshot {
        detect: Some(DetectStatus {
            assigned: true,
            lag: [(0, Some(3)), (1, None)].into(),
            missing: vec![source(2)],
            open_windows: 4,
            leaves: 5,
            active_alerts: [("web".to_owned(), 3)].into(),
            alerts: 6,
            alerts_started: 4,
            alerts_ended: 2,
            alerts_silenced: 3,
            provisional_alerts: 1,
            alerts_cut: 7,
            windows: 8,
            late_deltas: 9,
            ..DetectStatus::default()
        }),
        ..Snapshot::default()
    });
    assert_lines(
        &text,
        &[
            r#"hotprefix_partials_lag_records{partition="0"} 3"#,
            "hotprefix_missing_sources 1",
            r#"hotprefix_missing_source{partition="2",topic="flows"} 1"#,
            "hotprefix_open_windows 4",
            "hotprefix_detect_leaves 5",
            r#"hotprefix_alerts_total{final="true"} 6"#,
            r#"hotprefix_alerts_total{final="false"} 1"#,
            r#"hotprefix_alert_changes_total{status="started"} 4"#,
            r#"hotprefix_alert_changes_total{status="ended"} 2"#,
            "hotprefix_silenced_alerts_total 3",
            r#"hotprefix_active_alerts{rule="web"} 3"#,
            "hotprefix_alerts_cut_total 7",
            "hotprefix_windows_total 8",
            "hotprefix_late_deltas_total 9",
            "hotprefix_ready 0",
        ],
    );
    assert!(!text.contains(r#"partials_lag_records{partition="1"}"#));
}

#[test]
fn a_scrape_forgets_what_is_gone() {
    let missing = Arc::new(Mutex::new(vec![source(2)]));
    let seen = Arc::clone(&missing);
    let metrics = watched(move || Snapshot {
        detect: Some(DetectStatus {
            missing: seen.lock().unwrap().clone(),
            ..DetectStatus::default()
        }),
        ..Snapshot::default()
    });
    let text = metrics.render().unwrap();
    assert!(text.contains("hotprefix_missing_source{"), "{text}");
    missing.lock().unwrap().clear();
    let text = metrics.render().unwrap();
    assert!(!text.contains("hotprefix_missing_source{"), "{text}");
}

#[test]
fn clients_are_shown_with_what_they_have() {
    let consumer = ClientStatistics {
        now: Some(ClientState {
            brokers_up: 2,
            fetch_queue: Some((5, 600)),
            producer_queue: None,
            brokers: [(7, broker())].into(),
        }),
        retries: 3,
        rebalances: Some(1),
        ..ClientStatistics::default()
    };
    let text = render(Snapshot {
        clients: [
            ("count-consumer".to_owned(), consumer),
            ("count-producer".to_owned(), ClientStatistics::default()),
        ]
        .into(),
        ..Snapshot::default()
    });
    assert_lines(
        &text,
        &[
            r#"hotprefix_kafka_brokers_up{client="count-consumer"} 2"#,
            r#"hotprefix_kafka_fetch_queue_records{client="count-consumer"} 5"#,
            r#"hotprefix_kafka_fetch_queue_bytes{client="count-consumer"} 600"#,
            r#"hotprefix_kafka_retries_total{client="count-consumer"} 3"#,
            r#"hotprefix_kafka_retries_total{client="count-producer"} 0"#,
            r#"hotprefix_kafka_rebalances_total{client="count-consumer"} 1"#,
            r#"hotprefix_kafka_rtt_p99_seconds{broker="7",client="count-consumer"} 0.25"#,
            r#"hotprefix_kafka_throttle_seconds{broker="7",client="count-consumer"} 0"#,
        ],
    );
    // A producer has no group, and nothing holds for a client that has not reported yet.
    assert!(!text.contains(r#"rebalances_total{client="count-producer"}"#));
    assert!(!text.contains(r#"brokers_up{client="count-producer"}"#));
}

fn broker() -> BrokerState {
    BrokerState {
        rtt_p99: Some(0.25),
        throttle: 0.0,
    }
}

#[test]
fn every_series_has_the_labels_of_its_entry_and_no_others() {
    let text = watched(bounds::crowd).render().unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        let metric = all().find(|m| m.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the table"));
        let shown = rest.split_once('}').map_or("", |(labels, _)| labels);
        let shown = shown.split(',').filter_map(|label| label.split_once('='));
        let shown: BTreeSet<_> = shown.map(|(name, _)| name).collect();
        let entry: BTreeSet<_> = metric.labels.iter().map(|label| label.name).collect();
        assert_eq!(shown, entry, "{line}");
    }
}

#[test]
fn names_follow_the_rules_of_prometheus() {
    let mut names = BTreeSet::new();
    for metric in all() {
        let name = metric.name;
        assert!(names.insert(name), "{name} is there twice");
        assert_eq!(
            metric.kind() == "counter",
            name.ends_with("_total"),
            "{name}"
        );
        let base = name.trim_end_matches("_total");
        assert_eq!(
            metric.unit == Unit::Seconds,
            base.ends_with("_seconds"),
            "{name}"
        );
        assert_eq!(
            metric.unit == Unit::Bytes,
            base.ends_with("_bytes"),
            "{name}"
        );
        for text in [metric.help, metric.worry] {
            assert!(text.ends_with('.') && !text.contains('|'), "{name}: {text}");
        }
        let buckets = metric.buckets();
        assert!(buckets.is_sorted_by(|a, b| a < b), "{name}");
        assert_eq!(metric.kind() == "histogram", !buckets.is_empty(), "{name}");
    }
}

#[test]
fn histograms_have_their_own_buckets() {
    let metrics = watched(Snapshot::default);
    metrics.recorder().commit("count", Duration::from_millis(7));
    let text = metrics.render().unwrap();
    assert_lines(
        &text,
        &[
            r#"hotprefix_commit_duration_seconds_bucket{stage="count",le="0.005"} 0"#,
            r#"hotprefix_commit_duration_seconds_bucket{stage="count",le="0.01"} 1"#,
            r#"hotprefix_commit_duration_seconds_bucket{stage="count",le="60"} 1"#,
        ],
    );
}

#[test]
fn exclusive_fates_are_the_first_six() {
    let (exclusive, events) = Fates::NAMES.split_at(EXCLUSIVE_FATES);
    assert_eq!(exclusive.last(), Some(&"undecodable"));
    assert_eq!(events.first(), Some(&"late_counted"));
}
