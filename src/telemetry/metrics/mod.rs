//! Every metric of hotprefix.
//!
//! In: a [`Watch`] and what the stages put into a [`Recorder`]. Out: the text that Prometheus reads, and
//! the same instruments for the reader that sends. Guarantees: each collection, whoever starts it, shows
//! one [`Snapshot`](super::Snapshot) of its own; the data path knows no metric; the number of series is bounded, whatever
//! arrives. Names are a contract with dashboards and alert rules.
//!
//! Invariant: each reader has a provider of its own. In one provider the SDK lets each collection run the
//! callbacks into what every reader has aggregated: series that are gone would be there again.
//!
//! Invariant: [`all`] is every metric there is. Instruments are made from it, and so is `docs/metrics.md`.

mod bounds;
mod count;
mod detect;
mod input;
mod kafka;
mod process;
mod recorder;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::metrics::{AsyncInstrument, AsyncInstrumentBuilder, Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, MeterProviderBuilder, SdkMeterProvider, Stream};
use prometheus::{Registry, TextEncoder};

use super::Watch;
use crate::partial::Fates;

pub use recorder::Recorder;
pub use table::{Label, Metric, Unit, Values};

use bounds::Bounds;
use table::{Read, Seen, Source};

/// Partitions with series of their own.
const MAX_PARTITIONS: usize = 1_000;
/// Rules with series of their own: as many as can be configured.
const MAX_RULES: usize = crate::count::MAX_RULES;
/// Brokers with series of their own, for each client.
const MAX_BROKERS: usize = 256;
/// Above what the bounds allow, so that the SDK never folds series by itself.
const MAX_SERIES: usize = 2 * MAX_PARTITIONS * Fates::NAMES.len();

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

/// Every metric, by what it is about, in the order of the documentation.
pub const PARTS: &[(&str, &[Metric])] = &[
    ("Input", input::ALL),
    ("Count", count::ALL),
    ("Detect", detect::ALL),
    ("Durations and sizes", recorder::ALL),
    ("Kafka clients", kafka::ALL),
    ("Process", process::ALL),
];

/// Every metric.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    PARTS.iter().flat_map(|(_, metrics)| *metrics)
}

/// The instruments and their text form.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    // Providers hold the callbacks: instruments end with them.
    shown: SdkMeterProvider,
    sent: Option<SdkMeterProvider>,
    recorder: Recorder,
    bounds: Arc<Bounds>,
}

impl Metrics {
    /// Instruments about `resource`, for `/metrics` and for the one reader that `attach` adds, if any.
    /// Nothing is observed before [`Self::observe`].
    pub fn new(
        resource: Resource,
        attach: impl FnOnce(MeterProviderBuilder) -> Option<MeterProviderBuilder>,
    ) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let shown = builder(resource.clone()).with_reader(exporter).build();
        let sent = attach(builder(resource)).map(MeterProviderBuilder::build);
        let meters: Vec<_> = [&shown].into_iter().chain(&sent).map(meter).collect();
        let bounds = Arc::<Bounds>::default();
        Ok(Self {
            recorder: Recorder::new(&meters, Arc::clone(&bounds)),
            bounds,
            registry,
            shown,
            sent,
        })
    }

    /// What the stages record into.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Shows what `watch` says, anew at each collection. Once.
    pub fn observe(&self, watch: &Watch) {
        for provider in [&self.shown].into_iter().chain(&self.sent) {
            let meter = meter(provider);
            let seen = Arc::new(Mutex::new(Seen {
                bounds: Arc::clone(&self.bounds),
                ..Seen::default()
            }));
            // Callbacks run in this order, and those of one reader for one collection at a time.
            let mut begins = Some(Watch::clone(watch));
            for metric in all() {
                match metric.source {
                    Source::Counter(read) => {
                        let counter = meter.f64_observable_counter(metric.name);
                        described(counter, metric, read, &seen, begins.take()).build();
                    }
                    Source::Gauge(read) => {
                        let gauge = meter.f64_observable_gauge(metric.name);
                        described(gauge, metric, read, &seen, begins.take()).build();
                    }
                    // Recorded as it happens.
                    Source::Histogram(_) => {}
                }
            }
        }
    }

    /// The text that Prometheus reads, as of now.
    pub fn render(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    /// What the attached reader reads, to shut it down.
    pub const fn sent(&self) -> Option<&SdkMeterProvider> {
        self.sent.as_ref()
    }
}

/// [`Seen`] by the callbacks of one reader, from its first one on.
type Collection = Arc<Mutex<Seen>>;

fn lock(seen: &Collection) -> MutexGuard<'_, Seen> {
    // Its snapshot is replaced as a whole.
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn builder(resource: Resource) -> MeterProviderBuilder {
    SdkMeterProvider::builder()
        .with_resource(resource)
        .with_view(|_: &Instrument| {
            Stream::builder()
                .with_cardinality_limit(MAX_SERIES)
                .build()
                .ok()
        })
}

fn meter(provider: &SdkMeterProvider) -> Meter {
    provider.meter("hotprefix")
}

/// Of either kind, all but its name.
fn described<'a, I>(
    instrument: AsyncInstrumentBuilder<'a, I, f64>,
    metric: &Metric,
    read: Read,
    seen: &Collection,
    begins: Option<Watch>,
) -> AsyncInstrumentBuilder<'a, I, f64> {
    instrument
        .with_description(metric.help)
        .with_unit(metric.unit.ucum())
        .with_callback(callback(read, seen, begins))
}

/// Shows what `read` finds in the collection's snapshot, which the callback that `begins` takes.
fn callback(
    read: Read,
    seen: &Collection,
    begins: Option<Watch>,
) -> impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static {
    let seen = Arc::clone(seen);
    move |observer| {
        if let Some(watch) = &begins {
            let now = watch();
            lock(&seen).now = now;
        }
        read(&lock(&seen), &mut |value, labels| {
            observer.observe(value, labels);
        });
    }
}
