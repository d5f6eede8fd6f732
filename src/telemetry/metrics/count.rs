//! The count stage: tables and flushes.

use opentelemetry::KeyValue;

use super::MAX_RULES;
use super::table::{Label, Metric, OTHER, Seen, Show, Source, Unit};
use crate::count::RuleSums;
use crate::telemetry::Work;

/// How a transaction ended.
pub(super) const OUTCOME: &[Label] = &[Label::one_of("outcome", &["committed", "aborted"])];

/// What each rule is labelled with.
pub(super) const RULE: &[Label] = &[Label::or_other("rule", MAX_RULES)];

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_rule_flows_total",
        unit: Unit::Count("flow"),
        labels: RULE,
        help: "Flows that a rule selected, in committed flushes.",
        worry: "It stands still for a rule that should see traffic: look at its filter, and in the log for fields that the \
                input never carries.",
        source: Source::Counter(|s, show| rules(s, show, |sums| sums.flows)),
    },
    Metric {
        name: "hotprefix_rule_bytes_total",
        unit: Unit::Bytes,
        labels: RULE,
        help: "Bytes that a rule selected, after sampling, in committed flushes.",
        worry: "It differs from what interface counters say by more than sampling explains: see unknown sampling, and \
                whether flows are exported twice.",
        source: Source::Counter(|s, show| rules(s, show, |sums| sums.bytes)),
    },
    Metric {
        name: "hotprefix_rule_packets_total",
        unit: Unit::Count("packet"),
        labels: RULE,
        help: "Packets that a rule selected, after sampling, in committed flushes.",
        worry: "As for bytes.",
        source: Source::Counter(|s, show| rules(s, show, |sums| sums.packets)),
    },
    Metric {
        name: "hotprefix_rule_late_flows_total",
        unit: Unit::Count("flow"),
        labels: RULE,
        help: "Flows that came after their window was closed: counted in the oldest open one, or dropped, as the rule's late says.",
        worry: "It is more than a few in a thousand of the rule's flows: raise `grace`, or shorten the exporters' active timeout.",
        source: Source::Counter(|s, show| rules(s, show, |sums| sums.late_flows)),
    },
    Metric {
        name: "hotprefix_count_leaves",
        unit: Unit::Count("address"),
        labels: &[],
        help: "Addresses in the tables of the count stage.",
        worry: "It stays near 4,000,000, where tables are flushed early: shorten `flush_interval` or add an instance.",
        source: Source::Gauge(|s, show| {
            if let Some(count) = &s.now.count {
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
            if let Some(count) = &s.now.count {
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
            if let Some(count) = &s.now.count {
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

fn rules(seen: &Seen, show: &mut Show<'_>, read: fn(&RuleSums) -> u64) {
    let rules = seen.now.count.iter().flat_map(|c| &c.rules);
    by_rule(seen, rules.map(|(rule, sums)| (&**rule, read(sums))), show);
}

/// Shows numbers by rule; those of rules beyond the bound are added up.
pub(super) fn by_rule<'s>(
    seen: &Seen,
    numbers: impl Iterator<Item = (&'s str, u64)>,
    show: &mut Show<'_>,
) {
    let mut other = None;
    for (rule, number) in numbers {
        if seen.bounds.rules.takes(rule) {
            show(number as f64, &[KeyValue::new("rule", rule.to_owned())]);
        } else {
            let sum = other.get_or_insert(0_u64);
            *sum = sum.saturating_add(number);
        }
    }
    if let Some(other) = other {
        show(other as f64, &[KeyValue::new("rule", OTHER)]);
    }
}
