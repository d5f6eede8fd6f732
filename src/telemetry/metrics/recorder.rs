//! Distributions: recorded by the stages as things happen, per transaction or window, never per record.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::bounds::Bounds;
use super::count::RULE;
use super::table::{Label, Metric, OTHER, Source, Unit};

/// From a few milliseconds to the minute after which a thread counts as stuck.
const WORK: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// From what one flush interval explains to partitions that were away for an hour.
const WAITS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
];
/// Up to more than one window's memory holds.
const LEAVES: &[f64] = &[
    0.0,
    10.0,
    100.0,
    1_000.0,
    10_000.0,
    100_000.0,
    1_000_000.0,
    10_000_000.0,
];

const FLUSH: Metric = Metric {
    name: "hotprefix_flush_duration_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "Time of a flush, from the swap of the tables to commit or abort.",
    worry: "It comes near `flush_interval`: then flushes follow each other, and counting is about to fall behind.",
    source: Source::Histogram(WORK),
};
const EMISSION: Metric = Metric {
    name: "hotprefix_emission_duration_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "Time of an emission, from encoding to commit or abort.",
    worry: "The 99th percentile is above a second: see the commit's share of it.",
    source: Source::Histogram(WORK),
};
const FINALISE: Metric = Metric {
    name: "hotprefix_finalise_duration_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "Time of the prefix pass over the windows of one emission, final or provisional.",
    worry: "It comes near the shortest interval: windows have more addresses than one core can look at; see the leaves.",
    source: Source::Histogram(WORK),
};
const COMMIT: Metric = Metric {
    name: "hotprefix_commit_duration_seconds",
    unit: Unit::Seconds,
    labels: &[Label::one_of("stage", &["count", "detect"])],
    help: "Time of a successful commit: what is still unsent is written, offsets are sent, the transaction ends.",
    worry: "The 99th percentile is above a second: brokers, their disks or replication are slow. At 10 s brokers abort.",
    source: Source::Histogram(WORK),
};
const COMPLETENESS: Metric = Metric {
    name: "hotprefix_completeness_wait_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "How long a window with traffic waited, from its closing by the first input partition to that by the last.",
    worry: "It comes near `max_wait`, after which alerts are provisional: a partition lags, see its delay.",
    source: Source::Histogram(WAITS),
};
const WINDOW_LEAVES: Metric = Metric {
    name: "hotprefix_window_leaves",
    unit: Unit::Count("address"),
    labels: RULE,
    help: "Distinct addresses of a rule's final window.",
    worry: "It reaches the rule's `max_prefixes`, above which addresses are folded into shorter prefixes.",
    source: Source::Histogram(LEAVES),
};
const LATENCY: Metric = Metric {
    name: "hotprefix_alert_latency_seconds",
    unit: Unit::Seconds,
    labels: &[],
    help: "From the end of a final window with alerts to their commit.",
    worry: "It is well above the rules' `grace` and `flush_interval`: see delay, completeness wait and commit. High after a \
            start that catches up.",
    source: Source::Histogram(WAITS),
};

pub(super) const ALL: &[Metric] = &[
    FLUSH,
    EMISSION,
    FINALISE,
    COMMIT,
    COMPLETENESS,
    WINDOW_LEAVES,
    LATENCY,
];

/// What the stages record into. Without [`super::Metrics`] behind it, it forgets.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    flush: Distribution,
    emission: Distribution,
    finalise: Distribution,
    commit: Distribution,
    completeness: Distribution,
    window_leaves: Distribution,
    latency: Distribution,
    bounds: Arc<Bounds>,
}

/// One distribution, for each reader.
#[derive(Clone, Debug, Default)]
struct Distribution(Vec<Histogram<f64>>);

impl Distribution {
    fn new(metric: &Metric, meters: &[Meter]) -> Self {
        let histogram = |meter: &Meter| {
            meter
                .f64_histogram(metric.name)
                .with_description(metric.help)
                .with_unit(metric.unit.ucum())
                .with_boundaries(metric.buckets().to_vec())
                .build()
        };
        Self(meters.iter().map(histogram).collect())
    }

    fn record(&self, value: f64, labels: &[KeyValue]) {
        for histogram in &self.0 {
            histogram.record(value, labels);
        }
    }
}

impl Recorder {
    pub(super) fn new(meters: &[Meter], bounds: Arc<Bounds>) -> Self {
        let histogram = |metric| Distribution::new(metric, meters);
        Self {
            flush: histogram(&FLUSH),
            emission: histogram(&EMISSION),
            finalise: histogram(&FINALISE),
            commit: histogram(&COMMIT),
            completeness: histogram(&COMPLETENESS),
            window_leaves: histogram(&WINDOW_LEAVES),
            latency: histogram(&LATENCY),
            bounds,
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

    /// Finding an emission's alerts took so long.
    pub fn finalise(&self, took: Duration) {
        self.finalise.record(took.as_secs_f64(), &[]);
    }

    /// A successful commit of `stage`, which is `count` or `detect`, took so long.
    pub fn commit(&self, stage: &'static str, took: Duration) {
        let labels = [KeyValue::new("stage", stage)];
        self.commit.record(took.as_secs_f64(), &labels);
    }

    /// A window waited so long between its first and its last source.
    pub fn completeness_wait(&self, waited: Duration) {
        self.completeness.record(waited.as_secs_f64(), &[]);
    }

    /// A final window of `rule` had so many addresses.
    pub fn window_leaves(&self, rule: &str, leaves: u64) {
        let is_shown = self.bounds.rules.takes(rule);
        let rule = if is_shown { rule } else { OTHER };
        let labels = [KeyValue::new("rule", rule.to_owned())];
        self.window_leaves.record(leaves as f64, &labels);
    }

    /// A final window's alerts were committed so long after its end.
    pub fn alert_latency(&self, took: Duration) {
        self.latency.record(took.as_secs_f64(), &[]);
    }
}
