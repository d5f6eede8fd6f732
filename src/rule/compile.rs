//! [`RuleConfig`] → [`Rule`], with every problem found on the way.

use std::sync::Arc;
use std::time::Duration;

use super::context::{Problems, RuleContext, RuleError};
use super::escalation::{self, Level};
use super::filter::Filter;
use super::fingerprint;
use super::gate::{self, Gate};
use super::lifecycle::{self, Lifecycle};
use super::lists;
use super::model::{Fingerprint, LatePolicy, Limit};
use super::overrides::Overrides;
use super::scope::Scope;
use super::settings::RuleConfig;
use super::silence::Silence;
use super::words::{check_word, labels};
use super::{Rule, thresholds};
use crate::net::Family;
use crate::units::{Scalar, format_duration, parse_count, parse_duration};
use crate::window::EventTime;

const DAY: Duration = Duration::from_hours(24);

/// Checks and compiles a rule. All problems are reported, each with the path of its key.
pub fn compile(config: &RuleConfig, context: &RuleContext) -> Result<Rule, Vec<RuleError>> {
    let mut problems = Problems::default();
    if let Err(message) = check_word(&config.name, 100) {
        problems.add("name", message);
    }
    if let Err(message) = check_word(&config.severity, 32) {
        problems.add("severity", message);
    }
    if let Some(group) = &config.incident_group
        && let Err(message) = check_word(group, 100)
    {
        problems.add("incident_group", message);
    }
    let filter = filter(&config.filter, context, &mut problems);
    let second = Duration::from_secs(1);
    let interval = duration("interval", &config.interval, second, &mut problems);
    let grace = duration("grace", &config.grace, Duration::ZERO, &mut problems);
    let lengths_v4 = thresholds::lengths(&config.prefix_length, Family::V4, &mut problems);
    let lengths_v6 = thresholds::lengths(&config.prefix_length, Family::V6, &mut problems);
    // Limits are checked even where the interval is wrong, to report all problems at once.
    let interval_ms = interval.map_or(1000, |i| i.as_millis() as u64);
    let decided = decide(config, context, interval_ms, &mut problems);
    let labels = labels("labels", &config.labels, &mut problems);
    let max_prefixes = count(
        "max_prefixes",
        &config.max_prefixes,
        1_000_000_000,
        &mut problems,
    );
    let max_alerts = count(
        "max_alerts_per_window",
        &config.max_alerts_per_window,
        1_000_000,
        &mut problems,
    );
    let checked = (|| {
        Some(Rule {
            name: Arc::from(config.name.as_str()),
            selection: Fingerprint::default(),
            identity: Fingerprint::default(),
            decision: Fingerprint::default(),
            labels: labels?,
            severity: config.severity.clone(),
            filter: filter?,
            key: config.key,
            interval: interval?,
            grace: grace?,
            late: late(config, context),
            attribution: config.attribution,
            mode: config.mode,
            lengths_v4: lengths_v4?,
            lengths_v6: lengths_v6?,
            limits: decided.limits,
            overrides: decided.overrides.map(Arc::new),
            gate: decided.gate,
            lifecycle: decided.lifecycle?,
            incident_group: config.incident_group.as_deref().map(Arc::from),
            escalation: decided.escalation,
            silences: silences(&config.name, context),
            scope: decided.scope.map(Arc::new),
            max_prefixes: max_prefixes?,
            max_alerts_per_window: max_alerts?,
        })
    })();
    match checked {
        Some(rule) if problems.is_empty() => finish(rule, context, problems),
        _ => Err(problems.into_errors()),
    }
}

/// What depends on each other: thresholds, and the lists of prefixes that they are about.
struct Decided {
    scope: Option<Scope>,
    limits: Vec<Limit>,
    overrides: Option<Overrides>,
    gate: Option<Gate>,
    lifecycle: Option<Lifecycle>,
    escalation: Vec<Level>,
}

fn decide(
    config: &RuleConfig,
    context: &RuleContext,
    interval_ms: u64,
    problems: &mut Problems,
) -> Decided {
    let overrides = lists::overrides(config.overrides.as_ref(), context, problems);
    let more = overrides.iter().flatten().flat_map(|o| &o.steps);
    let more = more.map(|(metric, _)| *metric).collect();
    let stated = &config.thresholds;
    let limits = thresholds::limits(stated, "thresholds", &more, interval_ms, problems);
    let metrics: Vec<_> = limits.iter().map(|limit| limit.metric).collect();
    let gate = config.gate.as_ref();
    let label = gate.map(|gate| gate.label.as_str());
    let sorted = overrides.map(|entries| {
        let sorted = Overrides::new(entries, &metrics, interval_ms, label);
        sorted.map_err(|prefix| format!("{prefix} is given twice"))
    });
    let overrides = sorted.and_then(|sorted| problems.take("overrides", sorted));
    let scope = lists::scope(config.scope.as_ref(), context, problems);
    // Where a list is wrong, it is not known which groups there are.
    let is_known = scope.is_some() == config.scope.is_some()
        && overrides.is_some() == config.overrides.is_some();
    let gate = gate.filter(|_| is_known).map(|gate| {
        gate::gate(
            gate,
            scope.as_ref(),
            overrides.as_ref(),
            interval_ms,
            problems,
        )
    });
    let (levels, severity) = (&config.escalation, &config.severity);
    Decided {
        lifecycle: lifecycle::lifecycle(&config.lifecycle, &limits, interval_ms, problems),
        escalation: escalation::levels(levels, severity, &limits, interval_ms, problems),
        scope,
        limits,
        overrides: overrides.filter(|overrides| !overrides.entries().is_empty()),
        gate,
    }
}

/// Checks what needs several keys at once, and fingerprints.
fn finish(
    mut rule: Rule,
    context: &RuleContext,
    mut problems: Problems,
) -> Result<Rule, Vec<RuleError>> {
    if Family::ALL.iter().all(|f| rule.lengths(*f).count() == 0) {
        problems.add("prefix_length", "has no length in either family");
    } else if !is_overridden(&rule) && !Family::ALL.iter().any(|f| has_limit(&rule, *f)) {
        problems.add(
            "thresholds",
            "none of the lengths in prefix_length has a threshold",
        );
    }
    if !problems.is_empty() {
        return Err(problems.into_errors());
    }
    rule.selection = fingerprint::selection(&rule, context);
    rule.identity = fingerprint::identity(&rule, context);
    rule.decision = fingerprint::decision(&rule);
    Ok(rule)
}

/// `rule` with the items that the sets of `context` have, where `filter` is its filter's text.
pub fn with_sets(rule: &Rule, filter: &str, context: &RuleContext) -> Result<Rule, Vec<RuleError>> {
    let mut problems = Problems::default();
    let filter = self::filter(filter, context, &mut problems);
    let Some(filter) = filter.filter(|_| problems.is_empty()) else {
        return Err(problems.into_errors());
    };
    let mut rule = Rule {
        filter,
        ..rule.clone()
    };
    rule.selection = fingerprint::selection(&rule, context);
    Ok(rule)
}

/// Whether an override has a threshold.
fn is_overridden(rule: &Rule) -> bool {
    let mut entries = rule
        .overrides
        .iter()
        .flat_map(|overrides| overrides.entries());
    entries.any(|entry| !entry.steps.is_empty())
}

/// Whether a length that is looked at has a threshold of the rule itself.
pub(super) fn has_limit(rule: &Rule, family: Family) -> bool {
    rule.lengths(family)
        .longest_first()
        .any(|length| rule.limits.iter().any(|l| l.is_set(family, length)))
}

fn silences(rule: &str, context: &RuleContext) -> Vec<Silence> {
    let all = context.silences.iter();
    all.filter(|silence| silence.is_about(rule))
        .cloned()
        .collect()
}

fn late(config: &RuleConfig, context: &RuleContext) -> LatePolicy {
    config.late.unwrap_or(match context.event_time {
        EventTime::Received => LatePolicy::OldestOpen,
        EventTime::End | EventTime::Start => LatePolicy::Drop,
    })
}

impl RuleConfig {
    /// The rule with every default written out, as it is in force.
    #[must_use]
    pub fn effective(&self, context: &RuleContext) -> Self {
        Self {
            late: Some(late(self, context)),
            ..self.clone()
        }
    }
}

fn filter(source: &str, context: &RuleContext, problems: &mut Problems) -> Option<Filter> {
    match Filter::compile(source, &context.sets) {
        Ok(filter) => Some(filter.and(&context.observe)),
        Err(errors) => {
            for error in errors {
                problems.add("filter", error);
            }
            None
        }
    }
}

fn duration(
    path: &'static str,
    text: &Scalar,
    min: Duration,
    problems: &mut Problems,
) -> Option<Duration> {
    let value = problems.take(path, parse_duration(text.as_str()))?;
    if (min..=DAY).contains(&value) {
        return Some(value);
    }
    let (min, bound) = (
        format_duration(min),
        if value < min { "below" } else { "above" },
    );
    problems.add(path, format!("{text} is {bound} the valid {min} to 24h"));
    None
}

fn count(path: &'static str, text: &Scalar, max: u64, problems: &mut Problems) -> Option<usize> {
    let value = problems.take(path, parse_count(text.as_str()))?;
    if (1..=max).contains(&value) {
        return usize::try_from(value).ok();
    }
    problems.add(path, format!("{text} is not within 1 to {max}"));
    None
}
