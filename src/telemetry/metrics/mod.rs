//! Every metric of hotprefix.
//!
//! In: a [`Watch`] and what the stages put into a [`Recorder`]. Out: the text that Prometheus reads, and
//! the same instruments for every further reader of the provider. Guarantees: each collection, whoever
//! starts it, shows one [`Snapshot`] of its own; the data path knows no metric; the number of series is
//! bounded, whatever arrives. Names are a contract with dashboards and alert rules.
//!
//! Invariant: [`all`] is every metric there is. Instruments are made from it, and so is `docs/metrics.md`.

mod count;
mod detect;
mod input;
mod process;
mod recorder;
mod table;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, MeterProviderBuilder, SdkMeterProvider, Stream};
use prometheus::{Registry, TextEncoder};

use super::{Snapshot, Watch};
use crate::partial::Fates;

pub use recorder::Recorder;
pub use table::{Label, Metric, Unit, Values};

use table::{Read, Source};

/// Partitions with series of their own.
const MAX_PARTITIONS: usize = 1_000;
/// Exporters with series of their own.
const MAX_EXPORTERS: usize = 1_000;
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

/// Every metric, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let parts = [
        process::ALL,
        input::ALL,
        count::ALL,
        detect::ALL,
        recorder::ALL,
    ];
    parts.into_iter().flatten()
}

/// The instruments and their text form.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    // Holds the callbacks: instruments end with it.
    provider: SdkMeterProvider,
    recorder: Recorder,
}

impl Metrics {
    /// Instruments about `resource`, for `/metrics` and for the readers that `more` adds.
    /// Nothing is observed before [`Self::observe`].
    pub fn new(
        resource: Resource,
        more: impl FnOnce(MeterProviderBuilder) -> MeterProviderBuilder,
    ) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let builder = SdkMeterProvider::builder()
            .with_reader(exporter)
            .with_resource(resource)
            .with_view(|_: &Instrument| {
                Stream::builder()
                    .with_cardinality_limit(MAX_SERIES)
                    .build()
                    .ok()
            });
        let provider = more(builder).build();
        Ok(Self {
            recorder: Recorder::new(&provider.meter("hotprefix")),
            registry,
            provider,
        })
    }

    /// What the stages record into.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Shows what `watch` says, anew at each collection. Once.
    pub fn observe(&self, watch: &Watch) {
        let meter = self.provider.meter("hotprefix");
        for (at, metric) in all().enumerate() {
            // Callbacks run in this order, one collection on one thread.
            let begins = (at == 0).then(|| Watch::clone(watch));
            observe(&meter, metric, begins);
        }
    }

    /// The text that Prometheus reads, as of now.
    pub fn render(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    /// The provider behind, to flush and to shut down.
    pub const fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }
}

thread_local! {
    /// What the collection on this thread shows. Collections of several readers may run at a time,
    /// each on a thread of its own: so its numbers belong together.
    static SEEN: RefCell<Snapshot> = RefCell::default();
}

/// Adds an instrument. Its callback takes a new snapshot first if it `begins` a collection.
fn observe(meter: &Meter, metric: &Metric, begins: Option<Watch>) {
    let callback = |read: Read| {
        move |observer: &dyn AsyncInstrument<f64>| {
            if let Some(watch) = &begins {
                SEEN.replace(watch());
            }
            SEEN.with_borrow(|seen| {
                read(seen, &mut |value, labels| observer.observe(value, labels));
            });
        }
    };
    match metric.source {
        Source::Counter(read) => {
            meter
                .f64_observable_counter(metric.name)
                .with_description(metric.help)
                .with_unit(metric.unit.ucum())
                .with_callback(callback(read))
                .build();
        }
        Source::Gauge(read) => {
            meter
                .f64_observable_gauge(metric.name)
                .with_description(metric.help)
                .with_unit(metric.unit.ucum())
                .with_callback(callback(read))
                .build();
        }
        // Recorded as it happens.
        Source::Histogram(_) => {}
    }
}
