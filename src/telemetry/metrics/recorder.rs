//! Distributions: recorded by the stages as things happen, per transaction or window, never per record.

use std::time::Duration;

use opentelemetry::metrics::{Histogram, Meter, MeterProvider as _, NoopMeterProvider};

use super::table::{Metric, Source, Unit};

/// From a few milliseconds to the minute after which a thread counts as stuck.
const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

const FLUSH: Metric = Metric {
    name: "hotprefix_flush_duration_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "Time of a flush, from the swap of the tables to commit or abort.",
    worry: "It comes near `flush_interval`: then flushes follow each other, and counting is about to fall behind.",
    source: Source::Histogram(SECONDS),
};
const EMISSION: Metric = Metric {
    name: "hotprefix_emission_duration_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "Time of an emission, from encoding to commit or abort.",
    worry: "The 99th percentile is above a second: see the commit's share of it.",
    source: Source::Histogram(SECONDS),
};

pub(super) const ALL: &[Metric] = &[FLUSH, EMISSION];

/// What the stages record into. Without [`super::Metrics`] behind it, it forgets.
#[derive(Clone, Debug)]
pub struct Recorder {
    flush: Histogram<f64>,
    emission: Histogram<f64>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(&NoopMeterProvider::new().meter("hotprefix"))
    }
}

impl Recorder {
    pub(super) fn new(meter: &Meter) -> Self {
        let histogram = |metric: &Metric| {
            meter
                .f64_histogram(metric.name)
                .with_description(metric.help)
                .with_unit(metric.unit.ucum())
                .with_boundaries(metric.buckets().to_vec())
                .build()
        };
        Self {
            flush: histogram(&FLUSH),
            emission: histogram(&EMISSION),
        }
    }

    /// A flush took so long from the swap of its tables to commit or abort.
    pub fn flush(&self, took: Duration) {
        self.flush.record(took.as_secs_f64(), &[]);
    }

    /// An emission took so long from encoding to commit or abort.
    pub fn emission(&self, took: Duration) {
        self.emission.record(took.as_secs_f64(), &[]);
    }
}
