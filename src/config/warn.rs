//! Valid settings that do not go well together.

use std::time::Duration;

use super::error::Issues;
use super::model::Config;
use crate::rule::{Attribution, Rule};
use crate::units::format_duration;
use crate::window::EventTime;

/// How long NetFlow exporters hold an idle flow back by default.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long they hold a long flow back.
const ACTIVE_TIMEOUT: Duration = Duration::from_mins(1);

/// Warns about combinations. What a rule's own keys say together is up to [`crate::rule::warnings`].
pub(super) fn about(config: &Config, issues: &mut Issues) {
    about_time(config, issues);
    for rule in &config.rules {
        about_rule(rule, config, issues);
    }
}

fn about_time(config: &Config, issues: &mut Issues) {
    let time = &config.time;
    if time.max_wait < time.idle_timeout {
        issues.warn("time.max_wait", format!(
            "{} is below idle_timeout ({}): a silent partition causes provisional alerts before it can be found idle",
            format_duration(time.max_wait), format_duration(time.idle_timeout)
        ));
    }
    let hold_back = match time.event_time {
        EventTime::Received => return,
        EventTime::End => INACTIVE_TIMEOUT,
        EventTime::Start => ACTIVE_TIMEOUT,
    };
    if time.max_behind.is_some_and(|behind| behind < hold_back * 2) {
        issues.warn("time.max_behind", format!(
            "replaces the event time of flows that their exporter held back; {} and more fits this event_time",
            format_duration(hold_back * 2)
        ));
    }
}

fn about_rule(rule: &Rule, config: &Config, issues: &mut Issues) {
    let path = |key: &str| format!("rules[{}].{key}", rule.name);
    let event_time = config.time.event_time;
    if event_time == EventTime::Start && (INACTIVE_TIMEOUT..ACTIVE_TIMEOUT).contains(&rule.grace) {
        issues.warn(
            path("grace"),
            format!(
                "{} does not fit time.event_time start: exporters hold a long flow back for their active timeout, {} and more",
                format_duration(rule.grace),
                format_duration(ACTIVE_TIMEOUT)
            ),
        );
    }
    if rule.grace > rule.interval * 4 {
        issues.warn(
            path("grace"),
            format!(
                "{} is more than four intervals: every alert is that late, and that many windows stay in memory",
                format_duration(rule.grace)
            ),
        );
    }
    if config.flush_interval > rule.interval {
        issues.warn(
            "flush_interval",
            format!(
                "{} is longer than the interval of rule {} ({}): alerts are late by as much",
                format_duration(config.flush_interval),
                rule.name,
                format_duration(rule.interval)
            ),
        );
    }
    if rule.attribution == Attribution::Spread && event_time == EventTime::Start {
        issues.warn(
            path("attribution"),
            "spread goes back from the event time by the flow's duration, but time.event_time is its start",
        );
    }
}
