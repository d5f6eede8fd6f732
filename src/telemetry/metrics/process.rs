//! The process as a whole.

use opentelemetry::KeyValue;

use super::table::{Label, Metric, Source, Unit, flag};
use crate::telemetry::{Readiness, readiness};

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_build_info",
        unit: Unit::Flag,
        labels: &[Label::info("version")],
        help: "1, with the version.",
        worry: "Instances of one application differ for longer than a rollout.",
        source: Source::Gauge(|_, show| {
            show(1.0, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
        }),
    },
    Metric {
        name: "hotprefix_ready",
        unit: Unit::Flag,
        labels: &[],
        help: "1 while /readyz says so.",
        worry: "0 for longer than a start or a rebalance: /readyz names the reasons.",
        source: Source::Gauge(|s, show| show(flag(readiness(s) == Readiness::Ready), &[])),
    },
    Metric {
        name: "hotprefix_client_errors_total",
        unit: Unit::Count("error"),
        labels: &[],
        help: "Errors that Kafka clients reported.",
        worry: "It keeps growing: the log and /readyz say what fails. A few at a broker's restart are normal.",
        source: Source::Counter(|s, show| show(s.client_errors as f64, &[])),
    },
];
