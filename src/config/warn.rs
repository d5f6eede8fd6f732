//! Valid settings that do not go well together.

use std::time::Duration;

use super::error::Issues;
use super::model::Config;
use crate::flow::Field;
use crate::rule::{Attribution, LatePolicy, Rule};
use crate::units::format_duration;
use crate::window::EventTime;

/// How long NetFlow exporters hold an idle flow back by default.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long they hold a long flow back.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Warns about combinations; `observed` says whether `input.observe` restricts anything.
pub(super) fn about(config: &Config, observed: bool, issues: &mut Issues) {
    about_time(config, issues);
    for rule in &config.rules {
        about_rule(rule, config, observed, issues);
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

fn about_rule(rule: &Rule, config: &Config, observed: bool, issues: &mut Issues) {
    let path = |key: &str| format!("rules[{}].{key}", rule.name);
    let (wanted, what) = match config.time.event_time {
        EventTime::Received => (Duration::ZERO, ""),
        EventTime::End => (INACTIVE_TIMEOUT, "inactive"),
        EventTime::Start => (ACTIVE_TIMEOUT, "active"),
    };
    if rule.grace < wanted {
        issues.warn(path("grace"), format!(
            "{} does not fit this time.event_time: exporters hold a flow back for their {what} timeout, {} and more",
            format_duration(rule.grace), format_duration(wanted)
        ));
    }
    if config.time.event_time == EventTime::Received
        && rule.late == LatePolicy::Drop
        && rule.grace < config.flush_interval
    {
        issues.warn(
            path("late"),
            "drops flows that a short grace makes late; oldest_open counts them",
        );
    }
    if rule.grace > rule.interval * 4 {
        issues.warn(path("grace"), format!(
            "{} is more than four intervals: every alert is that late, and that many windows stay in memory",
            format_duration(rule.grace)
        ));
    }
    if config.flush_interval > rule.interval {
        issues.warn(
            "flush_interval",
            format!(
                "{} is longer than the interval of rule `{}` ({}): alerts are late by as much",
                format_duration(config.flush_interval),
                rule.name,
                format_duration(rule.interval)
            ),
        );
    }
    if rule.attribution == Attribution::Spread && config.time.event_time == EventTime::Start {
        issues.warn(path("attribution"), "spread goes back from the event time by the flow's duration, and time.event_time is the start already");
    }
    let seen_at = [
        Field::Direction,
        Field::InIf,
        Field::OutIf,
        Field::Exporter,
        Field::SrcIfName,
        Field::SrcIfDesc,
        Field::DstIfName,
        Field::DstIfDesc,
    ];
    if !observed && !seen_at.iter().any(|f| rule.filter.fields().contains(*f)) {
        issues.warn(path("filter"), "looks at neither direction nor interface nor exporter, and input.observe is empty: a flow that two routers export, or one router on both sides, counts twice");
    }
}
