//! Fingerprints: SHA-256 over a canonical text, the first 8 bytes.
//!
//! Invariant: the texts here are stored in topics by every version of this program. A change to one of
//! them makes every rule look edited at the next upgrade: raise the number in its first line then, and
//! say so in the changelog.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::context::RuleContext;
use super::model::{Attribution, Fingerprint, KeySide, LatePolicy, LengthSet, Limit, Mode};
use super::{Clear, Gate, Level, LevelOver, Lifecycle, Rule};
use crate::flow::{SamplingConfig, SamplingDefault, SamplingMode};
use crate::net::Family;
use crate::window::EventTime;

/// The fingerprint of a text.
fn of(text: &str) -> Fingerprint {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Fingerprint(u64::from_be_bytes(first))
}

/// Both fingerprints of a rule in one.
pub(super) fn combined(selection: Fingerprint, decision: Fingerprint) -> Fingerprint {
    of(&format!("hotprefix rule 1\n{selection}\n{decision}\n"))
}

/// Everything that decides which flows count where. The name belongs to it: two rules that select the
/// same flows still have sums of their own.
pub(super) fn selection(rule: &Rule, context: &RuleContext) -> Fingerprint {
    selected(rule, context, rule.filter.canonical())
}

/// The selection without the items of the sets that the filter names.
pub(super) fn identity(rule: &Rule, context: &RuleContext) -> Fingerprint {
    selected(rule, context, rule.filter.canonical_by_name())
}

fn selected(rule: &Rule, context: &RuleContext, filter: &str) -> Fingerprint {
    let mut text = String::from("hotprefix selection 1\n");
    line(&mut text, "name", &rule.name);
    line(&mut text, "filter", filter);
    // It decides where sums are added up.
    if let Some(group) = &rule.incident_group {
        line(&mut text, "incident_group", group);
    }
    let key = match rule.key {
        KeySide::Dst => "dst",
        KeySide::Src => "src",
    };
    line(&mut text, "key", key);
    for family in Family::ALL {
        if rule.lengths(family).count() > 0 {
            line(&mut text, "counts", family.name());
        }
    }
    line(
        &mut text,
        "interval_ms",
        &rule.interval.as_millis().to_string(),
    );
    line(&mut text, "grace_ms", &rule.grace.as_millis().to_string());
    let late = match rule.late {
        LatePolicy::OldestOpen => "oldest_open",
        LatePolicy::Drop => "drop",
    };
    line(&mut text, "late", late);
    let attribution = match rule.attribution {
        Attribution::Arrival => "arrival",
        Attribution::Spread => "spread",
    };
    line(&mut text, "attribution", attribution);
    for entry in rule.scope.iter().flat_map(|scope| scope.entries()) {
        line(&mut text, "scope", &entry.prefix.to_string());
    }
    let event_time = match context.event_time {
        EventTime::Received => "received",
        EventTime::End => "end",
        EventTime::Start => "start",
    };
    line(&mut text, "event_time", event_time);
    sampling(&mut text, &context.sampling);
    of(&text)
}

fn sampling(text: &mut String, config: &SamplingConfig) {
    let mode = match config.mode {
        SamplingMode::Auto => "auto",
        SamplingMode::Never => "never",
        SamplingMode::Always => "always",
    };
    let default = |default: SamplingDefault| match default {
        SamplingDefault::Unknown => "unknown".to_owned(),
        SamplingDefault::Rate(rate) => rate.to_string(),
        SamplingDefault::Reject => "reject".to_owned(),
    };
    line(
        text,
        "sampling",
        &format!("{mode} {}", default(config.default)),
    );
    let mut exporters = config.exporters.clone();
    exporters.sort_by_key(|(prefix, _)| *prefix);
    for (prefix, exporter) in exporters {
        let inherited = exporter.default.map_or_else(|| "-".to_owned(), default);
        let forced = exporter
            .r#override
            .map_or_else(|| "-".to_owned(), |rate| rate.to_string());
        line(text, "exporter", &format!("{prefix} {inherited} {forced}"));
    }
}

/// Everything else: what detect does with the sums.
pub(super) fn decision(rule: &Rule) -> Fingerprint {
    let mut text = String::from("hotprefix decision 1\n");
    let mode = match rule.mode {
        Mode::MostSpecific => "most_specific",
        Mode::Discounted => "discounted",
        Mode::All => "all",
    };
    line(&mut text, "mode", mode);
    for family in Family::ALL {
        line(&mut text, family.name(), &length_set(rule.lengths(family)));
    }
    for limit in &rule.limits {
        for family in Family::ALL {
            let value = format!("{} {}", family.name(), stated(limit, family));
            line(&mut text, limit.metric.name(), &value);
        }
    }
    label_lines(&mut text, "label", &rule.labels);
    line(&mut text, "severity", &rule.severity);
    // Lines that only rules with them have leave the fingerprints of others as they were.
    if let Some(overrides) = &rule.overrides {
        line(&mut text, "overrides", &overrides.digest().to_string());
    }
    for (name, limits) in rule.gate.iter().flat_map(Gate::groups) {
        let limits = limits
            .iter()
            .map(|l| format!("{} {}", l.metric.name(), l.stated));
        let limits = limits.collect::<Vec<_>>().join(" ");
        line(
            &mut text,
            "gate",
            &format!("{} {limits}", name.escape_default()),
        );
    }
    if let Some(gate) = &rule.gate {
        line(&mut text, "gate_label", &gate.label);
    }
    if rule.lifecycle != Lifecycle::default() {
        line(&mut text, "lifecycle", &lifecycle(&rule.lifecycle));
    }
    for level in &rule.escalation {
        line(&mut text, "escalation", &escalation(level));
    }
    for silence in &rule.silences {
        line(&mut text, "silence", &silence.canonical());
    }
    for entry in rule.scope.iter().flat_map(|scope| scope.entries()) {
        label_lines(&mut text, &entry.prefix.to_string(), &entry.labels);
    }
    line(&mut text, "max_prefixes", &rule.max_prefixes.to_string());
    line(
        &mut text,
        "max_alerts",
        &rule.max_alerts_per_window.to_string(),
    );
    of(&text)
}

fn escalation(level: &Level) -> String {
    let over = match &level.over {
        LevelOver::PerMille(times) => times.to_string(),
        LevelOver::Limits(limits) => all_stated(limits),
    };
    format!("{} {over}", level.severity)
}

fn lifecycle(lifecycle: &Lifecycle) -> String {
    let Lifecycle {
        after,
        hold,
        repeat,
        rearm,
        clear,
    } = lifecycle;
    let clear = match clear {
        Clear::PerMille(share) => share.to_string(),
        Clear::Limits(limits) => all_stated(limits),
    };
    format!("for {after} hold {hold} repeat {repeat} rearm {rearm} clear {clear}")
}

fn all_stated(limits: &[Limit]) -> String {
    let limits = limits.iter().flat_map(|limit| {
        Family::ALL.map(|family| {
            let name = limit.metric.name();
            format!("{name} {} {}", family.name(), stated(limit, family))
        })
    });
    limits.collect::<Vec<_>>().join(" ")
}

fn length_set(lengths: &LengthSet) -> String {
    let list: Vec<String> = lengths.longest_first().map(|l| l.to_string()).collect();
    let kind = if lengths.is_range() { "range" } else { "list" };
    format!("{kind} {}", list.join(" "))
}

/// `first-length:threshold`, where it changes.
fn stated(limit: &Limit, family: Family) -> String {
    let mut out = String::new();
    let mut before = None;
    for length in 0..=family.bits() {
        let value = limit
            .is_set(family, length)
            .then(|| limit.stated(family, length));
        if length == 0 || value != before {
            let value = value.map_or_else(|| "-".to_owned(), |v| v.to_string());
            // Writing to a `String` cannot fail.
            let _ = write!(out, " {length}:{value}");
        }
        before = value;
    }
    out
}

fn label_lines(text: &mut String, of: &str, labels: &BTreeMap<String, String>) {
    for (key, value) in labels {
        line(text, of, &format!("{key} {}", value.escape_default()));
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{key} {value}");
}
