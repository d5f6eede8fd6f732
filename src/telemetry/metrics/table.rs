//! What a metric is: its name, its documentation, and where its values come from.

use std::sync::Arc;

use opentelemetry::KeyValue;

use super::bounds::Bounds;
use crate::telemetry::Snapshot;

/// What stands for all values of a label beyond its bound.
pub(super) const OTHER: &str = "other";

/// One series' value and labels.
pub(super) type Show<'a> = dyn FnMut(f64, &[KeyValue]) + 'a;

/// What one collection of one reader shows, so that its numbers belong together.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) now: Snapshot,
    pub(super) bounds: Arc<Bounds>,
}

/// Shows the series of a metric, as one collection sees them.
pub(super) type Read = fn(&Seen, &mut Show<'_>);

/// A metric. Names are a contract with dashboards and alert rules.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, the same in `/metrics` and in OTLP.
    pub name: &'static str,
    /// What one of it is.
    pub unit: Unit,
    /// Its labels; one series for each combination that there is.
    pub labels: &'static [Label],
    /// What it says, in one sentence: the `HELP` text.
    pub help: &'static str,
    /// When an operator should worry, and what it then means.
    pub worry: &'static str,
    /// Type and values.
    pub(super) source: Source,
}

/// The type of a metric, and where its values come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A sum that only grows, read at each collection.
    Counter(Read),
    /// A value of now, read at each collection.
    Gauge(Read),
    /// Recorded by the stages as it happens; the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Metric {
    /// `counter`, `gauge` or `histogram`.
    pub const fn kind(&self) -> &'static str {
        match self.source {
            Source::Counter(_) => "counter",
            Source::Gauge(_) => "gauge",
            Source::Histogram(_) => "histogram",
        }
    }

    /// The upper bounds of a histogram's buckets; none of another metric.
    pub const fn buckets(&self) -> &'static [f64] {
        match self.source {
            Source::Histogram(buckets) => buckets,
            Source::Counter(_) | Source::Gauge(_) => &[],
        }
    }
}

/// The unit of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds. Points in time are Unix time.
    Seconds,
    /// Bytes.
    Bytes,
    /// Things, named in the singular.
    Count(&'static str),
    /// No unit: 1 means yes.
    Flag,
}

impl Unit {
    /// As OTLP has it: UCUM, with things in braces.
    pub(super) fn ucum(self) -> String {
        match self {
            Self::Seconds => "s".to_owned(),
            Self::Bytes => "By".to_owned(),
            Self::Count(thing) => format!("{{{thing}}}"),
            Self::Flag => "1".to_owned(),
        }
    }
}

/// A label and how many values it can have, whatever arrives.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// The values of a label.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// These.
    OneOf(&'static [&'static str]),
    /// At most so many; what is beyond counts together as `other`.
    OrOther(usize),
    /// At most so many; what is beyond is not shown.
    AtMost(usize),
    /// One, which tells about the process.
    Info,
}

impl Label {
    pub(super) const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        let values = Values::OneOf(values);
        Self { name, values }
    }

    pub(super) const fn or_other(name: &'static str, bound: usize) -> Self {
        let values = Values::OrOther(bound);
        Self { name, values }
    }

    pub(super) const fn at_most(name: &'static str, bound: usize) -> Self {
        let values = Values::AtMost(bound);
        Self { name, values }
    }

    pub(super) const fn info(name: &'static str) -> Self {
        let values = Values::Info;
        Self { name, values }
    }
}

/// 1 for yes.
pub(super) fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}
