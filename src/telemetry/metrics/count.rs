//! The count stage: tables and flushes.

use opentelemetry::KeyValue;

use super::table::{Label, Metric, Show, Source, Unit};
use crate::telemetry::Work;

/// How a transaction ended.
pub(super) const OUTCOME: &[Label] = &[Label::one_of("outcome", &["committed", "aborted"])];

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_count_leaves",
        unit: Unit::Count("address"),
        labels: &[],
        help: "Addresses in the tables of the count stage.",
        worry: "It stays near 4,000,000, where tables are flushed early: shorten `flush_interval` or add an instance.",
        source: Source::Gauge(|s, show| {
            if let Some(count) = &s.count {
                show(count.leaves as f64, &[]);
            }
        }),
    },
    Metric {
        name: "hotprefix_flushes_total",
        unit: Unit::Count("transaction"),
        labels: OUTCOME,
        help: "Kafka transactions of the count stage by outcome; an aborted one is done again.",
        worry: "`committed` stands still: nothing is counted. `aborted` keeps growing: the log says why.",
        source: Source::Counter(|s, show| {
            if let Some(count) = &s.count {
                outcomes(count.flushes, show);
            }
        }),
    },
    Metric {
        name: "hotprefix_flush_bytes_total",
        unit: Unit::Bytes,
        labels: &[],
        help: "Bytes written in committed flushes, before compression.",
        worry: "Not by itself; it is what `<app>-partials` costs.",
        source: Source::Counter(|s, show| {
            if let Some(count) = &s.count {
                show(count.flushes.bytes as f64, &[]);
            }
        }),
    },
];

/// Committed and aborted transactions.
pub(super) fn outcomes(work: Work, show: &mut Show<'_>) {
    let outcome = |name: &'static str| [KeyValue::new("outcome", name)];
    show(work.committed as f64, &outcome("committed"));
    show(work.aborted as f64, &outcome("aborted"));
}
