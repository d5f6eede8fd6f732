//! What a scrape shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{
    self, AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics, SumDataPoint,
};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};

use super::input::EXCLUSIVE_FATES;
use super::*;
use crate::net::Addr;
use crate::partial::SourceId;
use crate::telemetry::{CountStatus, DetectStatus, SourceStatus, Work};
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
        lag: Some(7),
        wrong_format: None,
    }
}

fn watched(watch: impl Fn() -> Snapshot + Send + Sync + 'static) -> Metrics {
    let metrics = Metrics::new(Resource::builder_empty().build(), |builder| builder).unwrap();
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
fn count_stage_is_shown_by_partition() {
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
            unknown_sampling: [(Addr::V4(0xc000_0201), 4)].into(),
        }),
        client_errors: 2,
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
            r#"hotprefix_input_idle{partition="0",topic="flows"} 0"#,
            r#"hotprefix_flushes_total{outcome="committed"} 3"#,
            r#"hotprefix_flushes_total{outcome="aborted"} 1"#,
            "hotprefix_flush_bytes_total 99",
            "hotprefix_count_leaves 12",
            r#"hotprefix_unknown_sampling_flows_total{exporter="192.0.2.1"} 4"#,
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
            alerts: 6,
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
fn series_are_bounded_and_nothing_is_lost() {
    let partitions = MAX_PARTITIONS as i32 + 5;
    let exporters = MAX_EXPORTERS as u32 + 5;
    let text = render(Snapshot {
        count: Some(CountStatus {
            assigned: true,
            sources: (0..partitions).map(|p| (source(p), status(1))).collect(),
            unknown_sampling: (0..exporters).map(|e| (Addr::V4(e), 1)).collect(),
            ..CountStatus::default()
        }),
        ..Snapshot::default()
    });
    let series = |prefix: &str| text.lines().filter(|l| l.starts_with(prefix)).count();
    assert_eq!(
        series("hotprefix_records_total{fate=\"selected\""),
        MAX_PARTITIONS + 1
    );
    assert_eq!(
        series("hotprefix_unknown_sampling_flows_total{"),
        MAX_EXPORTERS + 1
    );
    assert_lines(
        &text,
        &[
            r#"hotprefix_records_total{fate="selected",partition="other",topic="other"} 5"#,
            r#"hotprefix_unknown_sampling_flows_total{exporter="other"} 5"#,
        ],
    );
}

#[test]
fn exclusive_fates_are_the_first_six() {
    let (exclusive, events) = Fates::NAMES.split_at(EXCLUSIVE_FATES);
    assert_eq!(exclusive.last(), Some(&"undecodable"));
    assert_eq!(events.first(), Some(&"late_counted"));
}

/// A second reader, as an exporter to OTLP is one.
#[derive(Clone, Debug)]
struct Second(Arc<ManualReader>);

impl MetricReader for Second {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }
    fn collect(&self, into: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(into)
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// The values of a counter in `metrics`.
fn sums(metrics: &ResourceMetrics, name: &str) -> Vec<f64> {
    let all = metrics.scope_metrics().flat_map(ScopeMetrics::metrics);
    let found = all.filter(|m| m.name() == name);
    let values = found.flat_map(|m| match m.data() {
        AggregatedMetrics::F64(MetricData::Sum(sum)) => sum
            .data_points()
            .map(SumDataPoint::value)
            .collect::<Vec<_>>(),
        other => panic!("{name} is {other:?}"),
    });
    values.collect()
}

#[test]
fn each_collection_of_each_reader_takes_one_snapshot_of_its_own() {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let reader = Second(Arc::new(ManualReader::default()));
    let second = reader.clone();
    let resource = Resource::builder_empty().with_service_name("any").build();
    let metrics = Metrics::new(resource, |builder| builder.with_reader(second)).unwrap();
    metrics.observe(
        &(Arc::new(move || Snapshot {
            client_errors: counter.fetch_add(1, Ordering::Relaxed) + 1,
            ..Snapshot::default()
        }) as Watch),
    );
    metrics.recorder().flush(Duration::from_millis(30));

    let text = metrics.render().unwrap();
    assert_lines(&text, &["hotprefix_client_errors_total 1"]);
    let mut collected = ResourceMetrics::default();
    reader.collect(&mut collected).unwrap();
    assert_eq!(sums(&collected, "hotprefix_client_errors_total"), [2.0]);
    assert_eq!(taken.load(Ordering::Relaxed), 2);
    let name = collected.resource().get(&"service.name".into());
    assert_eq!(name, Some("any".into()));
    let names: Vec<_> = collected
        .scope_metrics()
        .flat_map(ScopeMetrics::metrics)
        .map(data::Metric::name)
        .collect();
    assert!(
        names.contains(&"hotprefix_flush_duration_seconds"),
        "{names:?}"
    );
}
