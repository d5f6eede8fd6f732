//! [`RuleConfig`] → [`Rule`], with every problem found on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Problems, RuleContext, RuleError};
use super::filter::Filter;
use super::fingerprint;
use super::model::{Fingerprint, LatePolicy};
use super::prefixes::parse_prefix;
use super::scope::{Scope, ScopeEntry, check_label, parse_scope_file};
use super::settings::{ListOrFile, RuleConfig, ScopeItem};
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
    let filter = filter(&config.filter, context, &mut problems);
    let second = Duration::from_secs(1);
    let interval = duration("interval", &config.interval, second, &mut problems);
    let grace = duration("grace", &config.grace, Duration::ZERO, &mut problems);
    let lengths_v4 = thresholds::lengths(&config.prefix_length, Family::V4, &mut problems);
    let lengths_v6 = thresholds::lengths(&config.prefix_length, Family::V6, &mut problems);
    // Limits are checked even where the interval is wrong, to report all problems at once.
    let interval_ms = interval.map_or(1000, |i| i.as_millis() as u64);
    let limits = thresholds::limits(&config.thresholds, interval_ms, &mut problems);
    let scope = scope(config.scope.as_ref(), context, &mut problems);
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
            limits,
            scope,
            max_prefixes: max_prefixes?,
            max_alerts_per_window: max_alerts?,
        })
    })();
    match checked {
        Some(rule) if problems.is_empty() => finish(rule, context, problems),
        _ => Err(problems.into_errors()),
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
    } else if !Family::ALL.iter().any(|f| has_limit(&rule, *f)) {
        problems.add(
            "thresholds",
            "none of the lengths in prefix_length has a threshold",
        );
    }
    if !problems.is_empty() {
        return Err(problems.into_errors());
    }
    rule.selection = fingerprint::selection(&rule, context);
    rule.decision = fingerprint::decision(&rule);
    Ok(rule)
}

fn has_limit(rule: &Rule, family: Family) -> bool {
    rule.lengths(family)
        .longest_first()
        .any(|length| rule.limits.iter().any(|l| l.is_set(family, length)))
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

/// 1 to `max` of letters, digits, `.`, `_`, `-`.
fn check_word(text: &str, max: usize) -> Result<(), String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !text.is_empty() && text.len() <= max && text.chars().all(valid) {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is not valid: 1 to {max} of letters, digits, `.`, `_`, `-`"
        ))
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

fn labels(
    path: &str,
    labels: &BTreeMap<String, Scalar>,
    problems: &mut Problems,
) -> Option<BTreeMap<String, String>> {
    let checked: Vec<Option<(String, String)>> = labels
        .iter()
        .map(|(key, value)| {
            let checked = check_label(key, value.as_str());
            problems.take(format!("{path}.{key}"), checked)?;
            Some((key.clone(), value.0.clone()))
        })
        .collect();
    checked.into_iter().collect()
}

fn scope(
    config: Option<&ListOrFile<ScopeItem>>,
    context: &RuleContext,
    problems: &mut Problems,
) -> Option<Scope> {
    let (path, entries) = match config? {
        ListOrFile::List(items) => ("scope", scope_items(items, problems)),
        ListOrFile::File(file) => {
            let Some(text) = context.files.get(&file.file) else {
                problems.add(
                    "scope.file",
                    format!("{} was not read", file.file.display()),
                );
                return None;
            };
            let entries = parse_scope_file(text).map_err(|errors| {
                for error in errors {
                    problems.add("scope.file", format!("{}, {error}", file.file.display()));
                }
            });
            ("scope.file", entries.ok())
        }
    };
    let entries = entries?;
    if entries.is_empty() {
        problems.add(path, "has no prefix: nothing would be counted");
        return None;
    }
    let repeated = |prefix| format!("{prefix} is given twice");
    problems.take(path, Scope::new(entries).map_err(repeated))
}

fn scope_items(items: &[ScopeItem], problems: &mut Problems) -> Option<Vec<ScopeEntry>> {
    let entries: Vec<Option<ScopeEntry>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let path = format!("scope[{index}]");
            let (text, labels) = match item {
                ScopeItem::Prefix(prefix) => (prefix, Some(BTreeMap::new())),
                ScopeItem::Labelled(item) => {
                    let path = format!("{path}.labels");
                    (&item.prefix, self::labels(&path, &item.labels, problems))
                }
            };
            let prefix = problems.take(path, parse_prefix(text));
            Some(ScopeEntry {
                prefix: prefix?,
                labels: labels?,
            })
        })
        .collect();
    entries.into_iter().collect()
}
