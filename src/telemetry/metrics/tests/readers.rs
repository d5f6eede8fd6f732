//! Readers beside the scrape.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{
    self, AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics, SumDataPoint,
};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};

use super::*;

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
    let metrics = Metrics::new(resource, |builder| Some(builder.with_reader(second))).unwrap();
    metrics.observe(
        &(Arc::new(move || Snapshot {
            client_errors: counter.fetch_add(1, Ordering::Relaxed) + 1,
            ..Snapshot::default()
        }) as Watch),
    );
    metrics.recorder().flush(Duration::from_millis(30));

    let text = metrics.render().unwrap();
    assert_lines(
        &text,
        &[
            "hotprefix_client_errors_total 1",
            "hotprefix_flush_duration_seconds_count 1",
        ],
    );
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

/// Whether `metrics` names a partition that holds windows back.
fn names_a_missing_source(metrics: &ResourceMetrics) -> bool {
    let all = metrics.scope_metrics().flat_map(ScopeMetrics::metrics);
    all.map(data::Metric::name)
        .any(|name| name == "hotprefix_missing_source")
}

fn holding_back(missing: Vec<SourceId>) -> Snapshot {
    Snapshot {
        detect: Some(DetectStatus {
            missing,
            ..DetectStatus::default()
        }),
        ..Snapshot::default()
    }
}

#[test]
fn what_one_reader_saw_and_is_gone_is_not_shown_by_another() {
    let reader = Second(Arc::new(ManualReader::default()));
    let second = reader.clone();
    let resource = Resource::builder_empty().build();
    let metrics = Metrics::new(resource, |builder| Some(builder.with_reader(second))).unwrap();
    let missing = Arc::new(Mutex::new(vec![source(2)]));
    let seen = Arc::clone(&missing);
    metrics.observe(&(Arc::new(move || holding_back(seen.lock().unwrap().clone())) as Watch));
    let mut collected = ResourceMetrics::default();

    let text = metrics.render().unwrap();
    assert!(text.contains("hotprefix_missing_source{"), "{text}");
    missing.lock().unwrap().clear();
    reader.collect(&mut collected).unwrap();
    assert!(!names_a_missing_source(&collected), "{collected:?}");

    missing.lock().unwrap().push(source(3));
    reader.collect(&mut collected).unwrap();
    assert!(names_a_missing_source(&collected), "{collected:?}");
    missing.lock().unwrap().clear();
    let text = metrics.render().unwrap();
    assert!(!text.contains("hotprefix_missing_source{"), "{text}");
}

#[test]
fn a_collection_during_another_leaves_nothing_in_it() {
    let reader = Second(Arc::new(ManualReader::default()));
    let second = reader.clone();
    let resource = Resource::builder_empty().build();
    let metrics = Metrics::new(resource, |builder| Some(builder.with_reader(second))).unwrap();
    let taken = AtomicU64::new(0);
    metrics.observe(
        &(Arc::new(move || {
            if taken.fetch_add(1, Ordering::Relaxed) > 0 {
                return holding_back(vec![source(2)]);
            }
            // While the scrape is on its way, all of the other collection passes.
            let reader = reader.clone();
            let other = std::thread::spawn(move || {
                let mut collected = ResourceMetrics::default();
                reader.collect(&mut collected).unwrap();
                names_a_missing_source(&collected)
            });
            assert!(other.join().unwrap());
            Snapshot::default()
        }) as Watch),
    );
    let text = metrics.render().unwrap();
    assert!(!text.contains("hotprefix_missing_source"), "{text}");
}
