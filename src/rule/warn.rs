//! What is valid in a rule but probably not meant.

use std::time::Duration;

use super::compile::has_limit;
use super::context::RuleWarning;
use super::model::Limit;
use super::{Override, Rule};
use crate::flow::{Field, FieldSet};
use crate::net::{Family, Prefix};
use crate::window::EventTime;

/// Above so many lengths one threshold cannot fit them all.
const MANY_LENGTHS: usize = 8;

/// Exporters hold a flow back at least that long before its end is known.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(15);

/// Fields that can tell where a flow was seen.
const PLACES: [Field; 8] = [
    Field::Direction,
    Field::Exporter,
    Field::InIf,
    Field::OutIf,
    Field::SrcIfName,
    Field::SrcIfDesc,
    Field::DstIfName,
    Field::DstIfDesc,
];

/// Everything about a compiled rule that an operator should know before it runs.
pub fn warnings(rule: &Rule, event_time: EventTime) -> Vec<RuleWarning> {
    let mut found = Vec::new();
    let mut warn = |path, message| found.push(RuleWarning { path, message });
    if rule.scope.is_none() && rule.limits.iter().any(one_for_many(rule)) {
        warn(
            "thresholds",
            format!(
                "one threshold holds for more than {MANY_LENGTHS} prefix lengths without a scope: ordinary \
                 traffic of large networks will be reported; list the lengths that matter, give a table by \
                 length, or a scope"
            ),
        );
    }
    let places: FieldSet = PLACES.into_iter().collect();
    if !rule.filter.fields().iter().any(|f| places.contains(f)) {
        warn(
            "filter",
            "does not look at direction, interface or exporter, and there is no input.observe: a flow that \
             several routers see, or one router on both ways, counts several times"
                .to_owned(),
        );
    }
    if event_time != EventTime::Received && rule.grace < INACTIVE_TIMEOUT {
        warn(
            "grace",
            "is below 15s while time.event_time is not received: exporters hold flows back for their inactive \
             timeout, 15s and more, so most flows will be late"
                .to_owned(),
        );
    }
    // A rule may be meant for its overrides alone.
    if rule.overrides.is_none() || Family::ALL.iter().any(|f| has_limit(rule, *f)) {
        for family in Family::ALL {
            if let Some(message) = unlimited(rule, family) {
                warn("thresholds", message);
            }
        }
    }
    if let Some(limit) = rule
        .limits
        .iter()
        .find(|limit| is_shared_table(rule, limit))
    {
        warn(
            "thresholds",
            format!(
                "the table of {} is by length alone and holds for IPv6 too, where the same lengths are far \
                 larger networks: write {{ipv4: {{..}}, ipv6: {{..}}}}",
                limit.metric.name()
            ),
        );
    }
    if rule.limits.iter().any(|limit| has_zero(rule, limit)) {
        let message = "0 reports every prefix with any traffic".to_owned();
        warn("thresholds", message);
    }
    if let Some(message) = unreachable_entries(rule) {
        warn("scope", message);
    }
    for message in idle_overrides(rule) {
        warn("overrides", message);
    }
    found
}

fn one_for_many(rule: &Rule) -> impl Fn(&Limit) -> bool + '_ {
    |limit| {
        Family::ALL.iter().any(|family| {
            let mut values: Vec<u64> = rule
                .lengths(*family)
                .longest_first()
                .filter(|length| limit.is_set(*family, *length))
                .map(|length| limit.stated(*family, length))
                .collect();
            let lengths = values.len();
            values.dedup();
            lengths > MANY_LENGTHS && values.len() == 1
        })
    }
}

/// Lengths that no threshold reaches: a table that begins at longer ones.
fn unlimited(rule: &Rule, family: Family) -> Option<String> {
    let without: Vec<String> = rule
        .lengths(family)
        .longest_first()
        .filter(|length| !rule.limits.iter().any(|l| l.is_set(family, *length)))
        .map(|length| length.to_string())
        .collect();
    (!without.is_empty()).then(|| {
        format!(
            "none holds for {} prefix lengths {}: an entry holds for its length and longer ones",
            family.name(),
            without.join(", ")
        )
    })
}

/// Whether one table by length was given for both families, and both are looked at.
fn is_shared_table(rule: &Rule, limit: &Limit) -> bool {
    let (v4, v6) = (&limit.stated_v4, &limit.stated_v6[..limit.stated_v4.len()]);
    let both = Family::ALL.iter().all(|f| rule.lengths(*f).count() > 0);
    both && v4 == v6 && v4.iter().any(|stated| *stated != v4[0])
}

fn has_zero(rule: &Rule, limit: &Limit) -> bool {
    Family::ALL.iter().any(|family| {
        rule.lengths(*family)
            .longest_first()
            .any(|length| limit.is_set(*family, length) && limit.stated(*family, length) == 0)
    })
}

fn unreachable_entries(rule: &Rule) -> Option<String> {
    let scope = rule.scope.as_ref()?;
    let longest = |family| rule.lengths(family).longest_first().next();
    let without: Vec<String> = scope
        .entries()
        .iter()
        .filter(|e| longest(e.prefix.family()).is_none_or(|l| l < e.prefix.length()))
        .map(|e| e.prefix.to_string())
        .take(MANY_LENGTHS)
        .collect();
    (!without.is_empty()).then(|| {
        format!(
            "{} can have no alert: every length in prefix_length is shorter than the entry",
            without.join(", ")
        )
    })
}

/// Overrides that no alert can meet.
fn idle_overrides(rule: &Rule) -> Vec<String> {
    let entries = || {
        rule.overrides
            .iter()
            .flat_map(|overrides| overrides.entries())
    };
    let outside = |prefix: Prefix| {
        rule.scope.as_ref().is_some_and(|scope| {
            let entries = scope.entries();
            let next = entries.partition_point(|e| e.prefix < prefix);
            let covers_next = entries.get(next).is_some_and(|e| prefix.covers(e.prefix));
            scope.entry_index(prefix.addr()).is_none() && !covers_next
        })
    };
    let uncounted = |prefix: Prefix| rule.lengths(prefix.family()).count() == 0;
    let longest = |family| rule.lengths(family).longest_first().next();
    let never_looked_at = |o: &Override| {
        let from = o.steps.iter().filter_map(|(_, steps)| steps.first());
        let from = from.map(|(from, _)| *from).min();
        from.is_some_and(|from| {
            from > o.prefix.length() && longest(o.prefix.family()).is_none_or(|l| l < from)
        })
    };
    let named = |is: &dyn Fn(&Override) -> bool| {
        let some = entries().filter(|o| is(o)).take(MANY_LENGTHS);
        some.map(|o| o.prefix.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut messages = Vec::new();
    let mut say = |which: String, what: &str| {
        if !which.is_empty() {
            messages.push(format!("{what}: {which}"));
        }
    };
    say(
        named(&|o| !uncounted(o.prefix) && outside(o.prefix)),
        "outside the scope, where nothing is counted",
    );
    say(
        named(&|o| uncounted(o.prefix)),
        "of a family that prefix_length leaves out",
    );
    say(
        named(&|o| !uncounted(o.prefix) && never_looked_at(o)),
        "with thresholds only for lengths that are never looked at, as prefix_length does not list them",
    );
    messages
}
