//! Every instrument of hotprefix.
//!
//! All are observed: a scrape takes one [`Snapshot`] and each instrument reads its part of it, so that
//! the data path knows no metric. Names are a contract with dashboards and alert rules.
//! Invariant: the number of series is bounded by [`MAX_PARTITIONS`] and [`MAX_EXPORTERS`], whatever
//! arrives; what is beyond counts as `other`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::{Registry, TextEncoder};

use super::{CountStatus, DetectStatus, Readiness, Snapshot, SourceStatus, Work, readiness};
use crate::partial::{Fates, SourceId};

/// Input partitions with series of their own.
const MAX_PARTITIONS: usize = 1_000;
/// Exporters with series of their own.
const MAX_EXPORTERS: usize = 1_000;
/// What stands for the rest.
const OTHER: &str = "other";
/// Above what the bounds allow, so that the SDK never folds series by itself.
const MAX_SERIES: usize = 2 * MAX_PARTITIONS * Fates::NAMES.len();
/// The fates of which each record has exactly one; the others are events besides.
const EXCLUSIVE_FATES: usize = 6;

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The exporter does not work.
    #[error("metrics: {0}")]
    Exporter(#[from] opentelemetry_sdk::error::OTelSdkError),
    /// The text form does not work.
    #[error("metrics: {0}")]
    Text(#[from] prometheus::Error),
}

/// The instruments and their text form.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    // Holds the callbacks: instruments end with it.
    provider: SdkMeterProvider,
    seen: Seen,
    scraping: Mutex<()>,
}

/// What the present scrape shows.
type Seen = Arc<Mutex<Snapshot>>;

impl Metrics {
    /// Instruments with nothing to show yet.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let provider = SdkMeterProvider::builder()
            .with_reader(exporter)
            .with_resource(Resource::builder().with_service_name("hotprefix").build())
            .with_view(|_: &Instrument| {
                Stream::builder()
                    .with_cardinality_limit(MAX_SERIES)
                    .build()
                    .ok()
            })
            .build();
        let seen = Seen::default();
        let add = Instruments {
            meter: provider.meter("hotprefix"),
            seen: Arc::clone(&seen),
        };
        process(&add);
        input(&add);
        count(&add);
        detect(&add);
        Ok(Self {
            registry,
            provider,
            seen,
            scraping: Mutex::default(),
        })
    }

    /// The text that Prometheus reads, for one state.
    pub fn render(&self, snapshot: Snapshot) -> Result<String, MetricsError> {
        // One scrape at a time, so that each shows one snapshot.
        let _scraping = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    /// The provider behind, for a second exporter.
    pub const fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }
}

/// One series' value and labels.
type Show<'a> = dyn FnMut(f64, &[KeyValue]) + 'a;

/// Adds instruments, each with a function from snapshot to series.
struct Instruments {
    meter: Meter,
    seen: Seen,
}

impl Instruments {
    fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn(&Snapshot, &mut Show<'_>) + Send + Sync + 'static,
    ) {
        let seen = Arc::clone(&self.seen);
        let builder = self.meter.f64_observable_counter(name);
        builder
            .with_description(help)
            .with_callback(move |observer| {
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                read(&seen, &mut |value, labels| observer.observe(value, labels));
            })
            .build();
    }

    fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn(&Snapshot, &mut Show<'_>) + Send + Sync + 'static,
    ) {
        let seen = Arc::clone(&self.seen);
        let builder = self.meter.f64_observable_gauge(name);
        builder
            .with_description(help)
            .with_callback(move |observer| {
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                read(&seen, &mut |value, labels| observer.observe(value, labels));
            })
            .build();
    }

    /// A plain number of the count stage.
    fn of_count(&self, name: &'static str, help: &'static str, read: fn(&CountStatus) -> u64) {
        self.gauge(name, help, move |s, show| {
            if let Some(count) = &s.count {
                show(read(count) as f64, &[]);
            }
        });
    }

    /// A plain number of the detect stage.
    fn of_detect(&self, name: &'static str, help: &'static str, read: fn(&DetectStatus) -> u64) {
        self.gauge(name, help, move |s, show| {
            if let Some(detect) = &s.detect {
                show(read(detect) as f64, &[]);
            }
        });
    }

    /// A plain sum of the detect stage.
    fn sum_of_detect(
        &self,
        name: &'static str,
        help: &'static str,
        read: fn(&DetectStatus) -> u64,
    ) {
        self.counter(name, help, move |s, show| {
            if let Some(detect) = &s.detect {
                show(read(detect) as f64, &[]);
            }
        });
    }

    /// The transactions of a stage.
    fn work(&self, names: [&'static str; 3], read: fn(&Snapshot) -> Option<Work>) {
        let [transactions, seconds, bytes] = names;
        self.counter(
            transactions,
            "Kafka transactions by outcome; an aborted one is done again.",
            move |s, show| {
                if let Some(work) = read(s) {
                    let outcome = |name: &'static str| [KeyValue::new("outcome", name)];
                    show(work.committed as f64, &outcome("committed"));
                    show(work.aborted as f64, &outcome("aborted"));
                }
            },
        );
        self.counter(
            seconds,
            "Time from begin to commit or abort, summed.",
            move |s, show| {
                if let Some(work) = read(s) {
                    show(work.busy.as_secs_f64(), &[]);
                }
            },
        );
        self.counter(
            bytes,
            "Bytes written in transactions, before compression.",
            move |s, show| {
                if let Some(work) = read(s) {
                    show(work.bytes as f64, &[]);
                }
            },
        );
    }
}

fn process(add: &Instruments) {
    add.gauge("hotprefix_build_info", "1, with the version.", |_, show| {
        show(1.0, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
    });
    add.gauge("hotprefix_ready", "1 while /readyz says so.", |s, show| {
        let ready = readiness(s) == Readiness::Ready;
        show(f64::from(u8::from(ready)), &[]);
    });
    add.counter(
        "hotprefix_client_errors_total",
        "Errors that Kafka clients reported.",
        |s, show| show(s.client_errors as f64, &[]),
    );
}

fn input(add: &Instruments) {
    add.counter(
        "hotprefix_records_total",
        "Records of committed transactions of this process; each has exactly one fate.",
        |s, show| fates(s, "fate", 0..EXCLUSIVE_FATES, show),
    );
    add.counter(
        "hotprefix_record_events_total",
        "What else happened to some records: late_counted, clamped, clock_ahead, dead_letters, unknown_sampling, lost.",
        |s, show| fates(s, "event", EXCLUSIVE_FATES..Fates::NAMES.len(), show),
    );
    add.gauge(
        "hotprefix_input_lag_records",
        "Records on the broker that are not counted yet, by input partition.",
        |s, show| per_source(s, show, |status| status.lag.map(|lag| lag as f64)),
    );
    add.gauge(
        "hotprefix_input_stream_time_seconds",
        "Highest event time seen, as Unix time, by input partition.",
        |s, show| {
            per_source(s, show, |status| {
                Some(status.stream_time?.as_millis() as f64 / 1000.0)
            });
        },
    );
    add.gauge(
        "hotprefix_input_idle",
        "1 while a partition's silence is confirmed.",
        |s, show| per_source(s, show, |status| Some(f64::from(u8::from(status.idle)))),
    );
    add.counter(
        "hotprefix_unknown_sampling_flows_total",
        "Flows counted as sampling rate 1 because nobody said, by exporter.",
        |s, show| unknown_sampling(s, show),
    );
}

fn count(add: &Instruments) {
    add.of_count(
        "hotprefix_count_leaves",
        "Addresses in the tables of the count stage.",
        |c| c.leaves,
    );
    add.work(
        [
            "hotprefix_flushes_total",
            "hotprefix_flush_seconds_total",
            "hotprefix_flush_bytes_total",
        ],
        |s| s.count.as_ref().map(|c| c.flushes),
    );
}

fn detect(add: &Instruments) {
    add.gauge(
        "hotprefix_partials_lag_records",
        "Partials that are not applied yet, by partials partition.",
        |s, show| {
            for (partition, lag) in s.detect.iter().flat_map(|d| &d.lag).take(MAX_PARTITIONS) {
                if let Some(lag) = lag {
                    let partition = KeyValue::new("partition", i64::from(*partition));
                    show(*lag as f64, &[partition]);
                }
            }
        },
    );
    add.of_detect(
        "hotprefix_missing_sources",
        "Input partitions that hold a window back for longer than max_wait.",
        |d| d.missing.len() as u64,
    );
    add.gauge(
        "hotprefix_missing_source",
        "1 for each input partition that holds a window back.",
        |s, show| {
            let missing = s.detect.iter().flat_map(|d| &d.missing);
            missing
                .take(MAX_PARTITIONS)
                .for_each(|source| show(1.0, &labels(source)));
        },
    );
    add.of_detect("hotprefix_open_windows", "Windows open now.", |d| {
        d.open_windows
    });
    add.of_detect(
        "hotprefix_detect_leaves",
        "Addresses in open windows.",
        |d| d.leaves,
    );
    add.work(
        [
            "hotprefix_emissions_total",
            "hotprefix_emission_seconds_total",
            "hotprefix_emission_bytes_total",
        ],
        |s| s.detect.as_ref().map(|d| d.emissions),
    );
    add.counter("hotprefix_alerts_total", "Alerts committed.", |s, show| {
        if let Some(d) = &s.detect {
            show(d.alerts as f64, &[KeyValue::new("final", true)]);
            show(
                d.provisional_alerts as f64,
                &[KeyValue::new("final", false)],
            );
        }
    });
    add.sum_of_detect(
        "hotprefix_alerts_cut_total",
        "Alerts over max_alerts_per_window, not written.",
        |d| d.alerts_cut,
    );
    add.sum_of_detect(
        "hotprefix_windows_total",
        "Window records committed.",
        |d| d.windows,
    );
    add.sum_of_detect(
        "hotprefix_late_deltas_total",
        "Deltas for a window that was finalised before they came, from a partition that was new.",
        |d| d.late_deltas,
    );
}

fn labels(source: &SourceId) -> [KeyValue; 2] {
    [
        KeyValue::new("topic", source.topic.to_string()),
        KeyValue::new("partition", i64::from(source.partition)),
    ]
}

/// A number of each assigned partition that has one.
fn per_source(
    snapshot: &Snapshot,
    show: &mut Show<'_>,
    read: impl Fn(&SourceStatus) -> Option<f64>,
) {
    let sources = snapshot.count.iter().flat_map(|c| &c.sources);
    for (source, status) in sources.filter(|(_, s)| s.assigned).take(MAX_PARTITIONS) {
        if let Some(value) = read(status) {
            show(value, &labels(source));
        }
    }
}

/// The fates `which` by partition; partitions beyond the bound are one.
fn fates(
    snapshot: &Snapshot,
    label: &'static str,
    which: std::ops::Range<usize>,
    show: &mut Show<'_>,
) {
    let mut other = None;
    let mut show_all = |[topic, partition]: [KeyValue; 2], fates: &Fates| {
        for (name, value) in fates.iter().skip(which.start).take(which.len()) {
            let labels = [topic.clone(), partition.clone(), KeyValue::new(label, name)];
            show(value as f64, &labels);
        }
    };
    let sources = snapshot.count.iter().flat_map(|c| &c.sources);
    for (at, (source, status)) in sources.enumerate() {
        if at < MAX_PARTITIONS {
            show_all(labels(source), &status.fates);
        } else {
            other.get_or_insert_with(Fates::default).add(&status.fates);
        }
    }
    if let Some(fates) = other {
        let labels = [
            KeyValue::new("topic", OTHER),
            KeyValue::new("partition", OTHER),
        ];
        show_all(labels, &fates);
    }
}

fn unknown_sampling(snapshot: &Snapshot, show: &mut Show<'_>) {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (exporter, flows) in snapshot.count.iter().flat_map(|c| &c.unknown_sampling) {
        let name = if sums.len() < MAX_EXPORTERS {
            exporter.to_string()
        } else {
            OTHER.to_owned()
        };
        *sums.entry(name).or_default() += flows;
    }
    for (exporter, flows) in sums {
        show(flows as f64, &[KeyValue::new("exporter", exporter)]);
    }
}

#[cfg(test)]
mod tests;
