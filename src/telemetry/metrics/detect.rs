//! The detect stage: windows, alerts and emissions.

use opentelemetry::KeyValue;

use super::count::{OUTCOME, RULE, by_rule, outcomes};
use super::table::{Label, Metric, Seen, Show, Source, Unit};
use super::{MAX_PARTITIONS, input};
use crate::telemetry::DetectStatus;

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_partials_lag_records",
        unit: Unit::Count("record"),
        labels: &[Label::at_most("partition", MAX_PARTITIONS)],
        help: "Partials that are not applied yet, by partials partition.",
        worry: "It grows for minutes: detect cannot keep up, and alerts are late.",
        source: Source::Gauge(|s, show| {
            for (partition, lag) in s
                .now
                .detect
                .iter()
                .flat_map(|d| &d.lag)
                .take(MAX_PARTITIONS)
            {
                if let Some(lag) = lag {
                    let partition = KeyValue::new("partition", i64::from(*partition));
                    show(*lag as f64, &[partition]);
                }
            }
        }),
    },
    Metric {
        name: "hotprefix_missing_sources",
        unit: Unit::Count("partition"),
        labels: &[],
        help: "Input partitions that hold a window back for longer than max_wait.",
        worry: "Above 0: alerts are provisional until these partitions have a leader and somebody counts them.",
        source: Source::Gauge(|s, show| of(s, show, |d| d.missing.len() as u64)),
    },
    Metric {
        name: "hotprefix_missing_source",
        unit: Unit::Flag,
        labels: &[
            Label::at_most("topic", MAX_PARTITIONS),
            Label::at_most("partition", MAX_PARTITIONS),
        ],
        help: "1 for each input partition that holds a window back for longer than max_wait.",
        worry: "It is there: it names the partitions to look at.",
        source: Source::Gauge(|s, show| {
            let missing = s.now.detect.iter().flat_map(|d| &d.missing);
            missing
                .take(MAX_PARTITIONS)
                .for_each(|source| show(1.0, &input::labels(source)));
        }),
    },
    Metric {
        name: "hotprefix_open_windows",
        unit: Unit::Count("window"),
        labels: &[],
        help: "Windows open now.",
        worry: "It grows: windows are not closed, see `hotprefix_missing_source` and the delay of partitions.",
        source: Source::Gauge(|s, show| of(s, show, |d| d.open_windows)),
    },
    Metric {
        name: "hotprefix_detect_leaves",
        unit: Unit::Count("address"),
        labels: &[],
        help: "Addresses in open windows.",
        worry: "It comes near what memory holds (28 to 56 bytes each, and a window's once more while it is merged); a rule's `max_prefixes` bounds it.",
        source: Source::Gauge(|s, show| of(s, show, |d| d.leaves)),
    },
    Metric {
        name: "hotprefix_emissions_total",
        unit: Unit::Count("transaction"),
        labels: OUTCOME,
        help: "Kafka transactions of the detect stage by outcome; an aborted one is done again.",
        worry: "`committed` stands still: no alert can come out. `aborted` keeps growing: the log says why.",
        source: Source::Counter(|s, show| {
            if let Some(detect) = &s.now.detect {
                outcomes(detect.emissions, show);
            }
        }),
    },
    Metric {
        name: "hotprefix_emission_bytes_total",
        unit: Unit::Bytes,
        labels: &[],
        help: "Bytes written in committed emissions, before compression.",
        worry: "Not by itself; it is what alerts, window records and state cost.",
        source: Source::Counter(|s, show| of(s, show, |d| d.emissions.bytes)),
    },
    Metric {
        name: "hotprefix_alerts_total",
        unit: Unit::Count("alert"),
        labels: &[Label::one_of("final", &["true", "false"])],
        help: "Messages of alerts committed, final and provisional.",
        worry: "`final=\"false\"` grows: windows wait for partitions that do not answer.",
        source: Source::Counter(|s, show| {
            if let Some(d) = &s.now.detect {
                show(d.alerts as f64, &[KeyValue::new("final", true)]);
                show(
                    d.provisional_alerts as f64,
                    &[KeyValue::new("final", false)],
                );
            }
        }),
    },
    Metric {
        name: "hotprefix_alert_changes_total",
        unit: Unit::Count("alert"),
        labels: &[Label::one_of("status", &["started", "ended"])],
        help: "Alerts that started, and alerts that ended, in final windows; those that are silenced left out.",
        worry: "Far more of both than there are incidents: a threshold is where traffic usually is; see `lifecycle`.",
        source: Source::Counter(|s, show| {
            if let Some(d) = &s.now.detect {
                show(
                    d.alerts_started as f64,
                    &[KeyValue::new("status", "started")],
                );
                show(d.alerts_ended as f64, &[KeyValue::new("status", "ended")]);
            }
        }),
    },
    Metric {
        name: "hotprefix_silenced_alerts_total",
        unit: Unit::Count("alert"),
        labels: &[],
        help: "Alerts that started silenced, in final windows.",
        worry: "It grows outside of maintenance: a silence covers more than it was meant to; `silenced_by` in the alerts names it.",
        source: Source::Counter(|s, show| {
            if let Some(d) = &s.now.detect {
                show(d.alerts_silenced as f64, &[]);
            }
        }),
    },
    Metric {
        name: "hotprefix_active_alerts",
        unit: Unit::Count("alert"),
        labels: RULE,
        help: "Alerts of a rule that are open and not silenced after its last final window, on the instance that finalised it.",
        worry: "Above 0: that is what hotprefix is for. Look at the alerts.",
        source: Source::Gauge(|s, show| {
            let rules = s.now.detect.iter().flat_map(|d| &d.active_alerts);
            by_rule(
                s,
                rules.map(|(rule, alerts)| (rule.as_str(), *alerts)),
                show,
            );
        }),
    },
    Metric {
        name: "hotprefix_alerts_cut_total",
        unit: Unit::Count("alert"),
        labels: &[],
        help: "Prefixes over max_alerts_per_window, of which nothing is told.",
        worry: "It grows: a threshold is too low for the traffic, or the attack is that wide.",
        source: Source::Counter(|s, show| of(s, show, |d| d.alerts_cut)),
    },
    Metric {
        name: "hotprefix_windows_total",
        unit: Unit::Count("window"),
        labels: &[],
        help: "Window records committed.",
        worry: "It stands still for longer than the longest interval and grace: no window is closed.",
        source: Source::Counter(|s, show| of(s, show, |d| d.windows)),
    },
    Metric {
        name: "hotprefix_late_deltas_total",
        unit: Unit::Count("delta"),
        labels: &[],
        help: "Deltas for a window that was finalised before they came, from a partition that was new.",
        worry: "It grows by itself, without partitions being added to the input.",
        source: Source::Counter(|s, show| of(s, show, |d| d.late_deltas)),
    },
];

/// A plain number of the detect stage.
fn of(seen: &Seen, show: &mut Show<'_>, read: fn(&DetectStatus) -> u64) {
    if let Some(detect) = &seen.now.detect {
        show(read(detect) as f64, &[]);
    }
}
