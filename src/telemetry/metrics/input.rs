//! Input partitions: what became of their records, and how far they are.

use std::ops::Range;

use opentelemetry::KeyValue;

use super::MAX_PARTITIONS;
use super::table::{Label, Metric, OTHER, Seen, Show, Source, Unit, flag};
use crate::count::ExporterIssues;
use crate::partial::{Fates, SourceId};
use crate::telemetry::SourceStatus;
use crate::telemetry::snapshot::MAX_EXPORTERS;

/// The fates of which each record has exactly one; the others are events besides.
pub(super) const EXCLUSIVE_FATES: usize = 6;
const FATES: (&[&str], &[&str]) = Fates::NAMES.split_at(EXCLUSIVE_FATES);

const SUMMED: [Label; 2] = [
    Label::or_other("topic", MAX_PARTITIONS),
    Label::or_other("partition", MAX_PARTITIONS),
];
const OF_PARTITION: &[Label] = &[
    Label::at_most("topic", MAX_PARTITIONS),
    Label::at_most("partition", MAX_PARTITIONS),
];

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_records_total",
        unit: Unit::Count("record"),
        labels: &[SUMMED[0], SUMMED[1], Label::one_of("fate", FATES.0)],
        help: "Records of committed transactions of this process; each has exactly one fate.",
        worry: "`undecodable` or `implausible` is more than a few in a thousand (look at the dead letters), \
                `late` grows (raise `grace`, or look for an exporter whose clock is wrong), `selected` stops.",
        source: Source::Counter(|s, show| fates(s, "fate", 0..EXCLUSIVE_FATES, show)),
    },
    Metric {
        name: "hotprefix_record_events_total",
        unit: Unit::Count("record"),
        labels: &[SUMMED[0], SUMMED[1], Label::one_of("event", FATES.1)],
        help: "What else happened to some records.",
        worry: "`lost` grows: the broker deleted records before they were read. `clamped` or `clock_ahead` \
                grows: an exporter's clock is wrong. `unknown_sampling` grows: volumes may be too low.",
        source: Source::Counter(|s, show| {
            fates(s, "event", EXCLUSIVE_FATES..Fates::NAMES.len(), show);
        }),
    },
    Metric {
        name: "hotprefix_input_lag_records",
        unit: Unit::Count("record"),
        labels: OF_PARTITION,
        help: "Records on the broker that are not counted yet, by input partition.",
        worry: "It grows for minutes: the input is faster than this instance; add one. One partition alone: its \
                leader is slow, or the topic's keys are uneven.",
        source: Source::Gauge(|s, show| {
            per_source(s, show, |status| status.lag.map(|lag| lag as f64));
        }),
    },
    Metric {
        name: "hotprefix_input_stream_time_seconds",
        unit: Unit::Seconds,
        labels: OF_PARTITION,
        help: "Highest event time seen, as Unix time, by input partition.",
        worry: "It stands still while records arrive; see the delay, which is what to alert on.",
        source: Source::Gauge(|s, show| {
            per_source(s, show, |status| {
                Some(status.stream_time?.as_millis() as f64 / 1000.0)
            });
        }),
    },
    Metric {
        name: "hotprefix_input_delay_seconds",
        unit: Unit::Seconds,
        labels: OF_PARTITION,
        help: "How far stream time is behind the clock, by input partition; absent before its first record.",
        worry: "It is above a minute and not falling: flows arrive late, or this instance cannot keep up (then \
                the lag grows, too). Below 0: an exporter's clock is ahead.",
        source: Source::Gauge(|s, show| {
            per_source(s, show, |status| {
                let behind = s.now.at.as_millis() - status.stream_time?.as_millis();
                Some(behind as f64 / 1000.0)
            });
        }),
    },
    Metric {
        name: "hotprefix_input_idle",
        unit: Unit::Flag,
        labels: OF_PARTITION,
        help: "1 while a partition's silence is confirmed.",
        worry: "1 for a partition that should have traffic: its collector sends nothing.",
        source: Source::Gauge(|s, show| per_source(s, show, |status| Some(flag(status.idle)))),
    },
    Metric {
        name: "hotprefix_input_waiting",
        unit: Unit::Flag,
        labels: OF_PARTITION,
        help: "1 while a partition is not read, because it is far ahead of the slowest one of all instances.",
        worry: "1 for minutes while the delay of another partition does not fall: that one is stuck, or its instance is.",
        source: Source::Gauge(|s, show| per_source(s, show, |status| Some(flag(status.waiting)))),
    },
    Metric {
        name: "hotprefix_unknown_sampling_flows_total",
        unit: Unit::Count("flow"),
        labels: &[Label::or_other("exporter", MAX_EXPORTERS)],
        help: "Flows counted as sampling rate 1 because nobody said, by exporter; other has those without one, too.",
        worry: "An exporter that samples is listed: its volumes are too low by its rate; set `sampling` for it.",
        source: Source::Counter(|s, show| {
            by_exporter(s, show, |issues| issues.unknown_sampling);
        }),
    },
    Metric {
        name: "hotprefix_clamped_flows_total",
        unit: Unit::Count("flow"),
        labels: &[Label::or_other("exporter", MAX_EXPORTERS)],
        help: "Flows whose time was out of bounds and replaced by the record's, by exporter; other has those without one, \
               too.",
        worry: "An exporter is listed: its clock is wrong, or with `time.event_time: received` the collector's.",
        source: Source::Counter(|s, show| by_exporter(s, show, |issues| issues.clamped)),
    },
];

pub(super) fn labels(source: &SourceId) -> [KeyValue; 2] {
    [
        KeyValue::new("topic", source.topic.to_string()),
        KeyValue::new("partition", i64::from(source.partition)),
    ]
}

/// A sum of each exporter that has any.
fn by_exporter(seen: &Seen, show: &mut Show<'_>, read: impl Fn(&ExporterIssues) -> u64) {
    for (exporter, issues) in seen.now.count.iter().flat_map(|c| &c.exporters) {
        let flows = read(issues);
        if flows > 0 {
            let exporter = exporter.map_or_else(|| OTHER.to_owned(), |e| e.to_string());
            show(flows as f64, &[KeyValue::new("exporter", exporter)]);
        }
    }
}

/// A number of each assigned partition that has one.
fn per_source(seen: &Seen, show: &mut Show<'_>, read: impl Fn(&SourceStatus) -> Option<f64>) {
    let sources = seen.now.count.iter().flat_map(|c| &c.sources);
    for (source, status) in sources.filter(|(_, s)| s.assigned).take(MAX_PARTITIONS) {
        if let Some(value) = read(status) {
            show(value, &labels(source));
        }
    }
}

/// The fates `which` by partition; partitions beyond the bound are one.
fn fates(seen: &Seen, label: &'static str, which: Range<usize>, show: &mut Show<'_>) {
    let mut other = None;
    let mut show_all = |[topic, partition]: [KeyValue; 2], fates: &Fates| {
        for (name, value) in fates.iter().skip(which.start).take(which.len()) {
            let labels = [topic.clone(), partition.clone(), KeyValue::new(label, name)];
            show(value as f64, &labels);
        }
    };
    let sources = seen.now.count.iter().flat_map(|c| &c.sources);
    for (source, status) in sources {
        if seen.bounds.sources.takes(source) {
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
