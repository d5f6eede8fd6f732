//! Findings → alerts and window records, as consumers read them.
//!
//! Nothing here depends on when, where or how often it runs: the body of a message is a function of
//! rule, window and what was counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::life::{Hush, Message, Name, Said, Seen, id_of};
use super::pass::{Finding, GroupTotal, MaskedPrefix, Outcome, Rates, Sums};
use super::track::ToldAs;
use crate::alert::{
    ALERT_SCHEMA, Alert, Completeness, Confidence, Cumulative, FamilyName, FamilyResolution,
    GroupVolume, Largest, Masked, ModeName, Peak, RuleRef, SampledRate, Status, Target, Trigger,
    Volume, WINDOW_SCHEMA, WindowRecord, WindowRef, WindowState,
};
use crate::net::{Family, Prefix};
use crate::rule::{Fingerprint, Level, LevelOver, Rule, Scope, Silence};
use crate::time::{Timestamp, millis};
use crate::window::Window;

/// What every message of a window says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) name: &'a str,
    pub(super) told_as: &'a ToldAs,
    /// `None`: it is not configured any more.
    pub(super) rule: Option<&'a Rule>,
    pub(super) window: Window,
    pub(super) total: Sums,
    pub(super) resolution: FamilyResolution,
    pub(super) completeness: Completeness,
    pub(super) is_final: bool,
}

impl Context<'_> {
    /// The rule, as messages name it.
    pub(super) fn rule_ref(&self) -> RuleRef {
        RuleRef {
            name: self.name.to_owned(),
            fingerprint: self.told_as.fingerprint.to_string(),
            labels: self.told_as.labels.clone(),
        }
    }
}

/// What a rule's alerts go by: prefixes over a threshold, and open ones that are not.
pub(super) fn seen(rule: &Rule, window: Window, outcome: &Outcome) -> BTreeMap<Prefix, Seen> {
    let silences = rule.silences.iter();
    let silences: Vec<_> = silences.filter(|s| s.holds_at(window.start)).collect();
    let seen = |finding: &Finding, severity| {
        let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        let seen = Seen {
            severity,
            bytes: narrow(finding.volume.bytes),
            packets: narrow(finding.volume.packets),
            flows: narrow(finding.volume.flows),
            silence: silence(rule, finding, &silences),
        };
        (finding.prefix, seen)
    };
    let over = outcome.findings.iter();
    let over = over.map(|f| seen(f, Some(severity(rule, f).to_owned())));
    let quiet = outcome.quiet.iter().map(|f| seen(f, None));
    over.chain(quiet).collect()
}

/// What silences alerts on the prefix: the first of those that do, which has effect as all of them together.
fn silence(rule: &Rule, finding: &Finding, silences: &[&Silence]) -> Option<Hush> {
    let ask_labels = silences.iter().any(|silence| silence.has_labels());
    let target = ask_labels.then(|| target(rule, finding)).flatten();
    let label = |key: &str| {
        let of_target = target.as_ref().and_then(|target| target.labels.get(key));
        of_target
            .or_else(|| rule.labels.get(key))
            .map(String::as_str)
    };
    let mut covering = silences.iter().filter(|s| s.covers(finding.prefix, label));
    let first = covering.next()?;
    Some(Hush {
        name: Arc::clone(&first.name),
        ends: first.ends || covering.any(|silence| silence.ends),
    })
}

/// Narrows exact values, and remembers whether one did not fit.
#[derive(Debug)]
struct Narrow {
    interval_ms: u128,
    saturated: bool,
}

impl Narrow {
    fn new(interval: Duration) -> Self {
        Self {
            interval_ms: u128::from(millis(interval).max(1).unsigned_abs()),
            saturated: false,
        }
    }

    /// A leaf that reached the highest value may have lost some, so that value counts as beyond.
    fn number(&mut self, value: u128) -> u64 {
        let narrow = u64::try_from(value).unwrap_or(u64::MAX);
        self.saturated |= narrow == u64::MAX;
        narrow
    }

    fn per_second(&mut self, value: u128, unit: u128) -> u64 {
        self.number(value.saturating_mul(unit * 1000) / self.interval_ms)
    }

    fn volume(&mut self, sums: &Sums) -> Volume {
        Volume {
            bytes: self.number(sums.bytes),
            packets: self.number(sums.packets),
            flows: self.number(sums.flows),
            bits_per_second: self.per_second(sums.bytes, 8),
            packets_per_second: self.per_second(sums.packets, 1),
            flows_per_second: self.per_second(sums.flows, 1),
        }
    }

    fn sampling(&mut self, rates: &Rates) -> SampledRate {
        SampledRate {
            min_rate: rates.min.max(1),
            max_rate: rates.max.max(1),
            raw_bytes: self.number(rates.raw_bytes),
            confidence: match rates.min {
                0 => Confidence::Low,
                _ => Confidence::High,
            },
        }
    }

    fn masked(&mut self, masked: &MaskedPrefix) -> Masked {
        Masked {
            prefix: masked.prefix.to_string(),
            bits_per_second: self.per_second(masked.bytes, 8),
        }
    }
}

/// Messages as alerts. Of a prefix that is not in `outcome` no traffic is known.
pub(super) fn alerts(context: &Context<'_>, outcome: &Outcome, messages: &[Message]) -> Vec<Alert> {
    let found = outcome.findings.iter().chain(&outcome.quiet);
    let found: BTreeMap<Prefix, &Finding> = found.map(|f| (f.prefix, f)).collect();
    messages
        .iter()
        .map(|message| {
            if let Some(finding) = found.get(&message.prefix) {
                return alert(context, finding, message);
            }
            let is_discounted = context.told_as.mode == ModeName::Discounted;
            let unseen = Finding::unseen(message.prefix, is_discounted);
            alert(context, &unseen, message)
        })
        .collect()
}

fn alert(context: &Context<'_>, finding: &Finding, message: &Message) -> Alert {
    let Context { rule, window, .. } = *context;
    let Message { said, life, .. } = message;
    let mut narrow = Narrow::new(window.length());
    let identity = context.told_as.identity;
    let id_of = |name: &Name| id_of(context.name, identity, name);
    let id = id_of(&Name {
        first: life.first,
        prefix: finding.prefix,
    });
    let (status, end_reason) = match said {
        Said::Started => (Status::Started, None),
        Said::Ongoing => (Status::Ongoing, None),
        Said::Ended(why) => (Status::Ended, Some(*why)),
    };
    Alert {
        schema: ALERT_SCHEMA.to_owned(),
        incident_id: life.incident.id(id_of).to_string(),
        incident_pulse: life.incident.pulse,
        id: id.to_string(),
        revision: message.revision,
        status,
        end_reason,
        superseded_by: message.by.as_ref().map(|by| id_of(by).to_string()),
        silenced_by: life.silenced.as_deref().map(str::to_owned),
        r#final: context.is_final,
        rule: context.rule_ref(),
        prefix: finding.prefix.to_string(),
        family: match finding.prefix.family() {
            Family::V4 => FamilyName::Ipv4,
            Family::V6 => FamilyName::Ipv6,
        },
        key: context.told_as.key,
        mode: context.told_as.mode,
        window: window_ref(window),
        volume: narrow.volume(&finding.volume),
        conditioned_volume: finding.conditioned.as_ref().map(|c| narrow.volume(c)),
        rule_total: narrow.volume(&context.total),
        // A prefix that is over a threshold may be so in another alert's name.
        triggers: match rule {
            Some(rule) if !said.is_end() => triggers(rule, finding, &mut narrow),
            _ => Vec::new(),
        },
        severity: message.severity(rule).to_owned(),
        first_seen: life.first.to_string(),
        last_seen: life.last.to_string(),
        peak: Peak {
            bits_per_second: narrow.per_second(life.peak.0.into(), 8),
            at: life.peak.1.to_string(),
        },
        cumulative: Cumulative {
            bytes: narrow.number(life.bytes.into()),
            packets: narrow.number(life.packets.into()),
            flows: narrow.number(life.flows.into()),
        },
        expires_at: expires(context, *said).to_string(),
        masked: finding.masked.as_ref().map(|m| narrow.masked(m)),
        hosts: finding.hosts,
        largest: Largest {
            prefix: finding.largest.prefix.to_string(),
            bytes: finding.largest.bytes,
            packets: finding.largest.packets,
        },
        target: rule.and_then(|rule| target(rule, finding)),
        group: rule.and_then(|rule| group(rule, finding, &mut narrow)),
        resolution: context.resolution,
        completeness: context.completeness,
        sampling: narrow.sampling(&finding.rates),
        evidence: None,
        saturated: narrow.saturated,
    }
}

/// When an alert of which nothing more is heard has ended: the next message comes before.
fn expires(context: &Context<'_>, said: Said) -> Timestamp {
    let end = context.window.end;
    match context.rule.map(|rule| &rule.lifecycle) {
        Some(pace) if !said.is_end() => {
            let windows = pace.hold + pace.repeat + 1;
            end.plus(context.window.length() * windows)
        }
        _ => end,
    }
}

fn triggers(rule: &Rule, finding: &Finding, narrow: &mut Narrow) -> Vec<Trigger> {
    let mut over = finding.over.clone();
    over.sort_by_key(|over| rule.limits[over.limit].metric);
    over.into_iter()
        .map(|over| {
            let metric = rule.limits[over.limit].metric;
            Trigger {
                metric: metric.name().to_owned(),
                threshold: rule.threshold(over.limit, finding.prefix, finding.place),
                value: narrow.number(metric.value(over.volume, narrow.interval_ms as u64)),
            }
        })
        .collect()
}

/// The highest severity that some metric reaches.
fn severity<'a>(rule: &'a Rule, finding: &Finding) -> &'a str {
    let prefix = finding.prefix;
    let reached = |level: &&Level| {
        finding.over.iter().any(|over| {
            let metric = rule.limits[over.limit].metric;
            match &level.over {
                LevelOver::PerMille(times) => {
                    let stated = rule.threshold(over.limit, prefix, finding.place);
                    let interval_ms = millis(rule.interval).unsigned_abs();
                    over.volume > metric.volume_limit_times(stated, *times, interval_ms)
                }
                LevelOver::Limits(limits) => limits
                    .iter()
                    .filter(|limit| limit.metric == metric)
                    .any(|l| over.volume > l.volume(prefix.family())[usize::from(prefix.length())]),
            }
        })
    };
    let highest = rule.escalation.iter().rev().find(reached);
    highest.map_or(&rule.severity, |level| &level.severity)
}

fn group(rule: &Rule, finding: &Finding, narrow: &mut Narrow) -> Option<GroupVolume> {
    let gate = rule.gate.as_ref()?;
    let GroupTotal { group, total } = finding.group?;
    let (name, _) = &gate.groups()[group];
    Some(GroupVolume {
        label: gate.label.clone(),
        name: name.clone(),
        volume: narrow.volume(&total),
    })
}

/// Whose prefix it is: what the longest scope entry or override around it says, and then those around
/// that.
fn target(rule: &Rule, finding: &Finding) -> Option<Target> {
    let entries = rule.scope.as_deref().map(Scope::entries);
    let entry = entries.zip(finding.entry).map(|(all, i)| &all[i]);
    let overrides = rule.overrides.iter();
    let mut around: Vec<_> = overrides
        .flat_map(|overrides| overrides.around(finding.prefix))
        .map(|o| (o.prefix, &o.labels))
        .chain(entry.map(|e| (e.prefix, &e.labels)))
        .collect();
    around.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.length()));
    let (longest, _) = around.first()?;
    let mut labels = BTreeMap::new();
    for (key, value) in around.iter().flat_map(|(_, labels)| labels.iter()) {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Some(Target {
        scope: longest.to_string(),
        labels,
    })
}

/// What became of a window.
pub(super) struct Fate {
    pub(super) state: WindowState,
    pub(super) revision: u32,
    pub(super) alerts_written: u64,
    pub(super) alerts_open: u64,
    pub(super) alerts_silenced: u64,
    pub(super) superseded: Vec<Prefix>,
    pub(super) late_flows: u64,
    pub(super) skipped_windows: u64,
    pub(super) resolution: FamilyResolution,
    pub(super) completeness: Completeness,
}

/// A window's record.
pub(super) fn record(
    rule: RuleRef,
    window: Window,
    outcome: &Outcome,
    fate: &Fate,
) -> WindowRecord {
    let mut narrow = Narrow::new(window.length());
    let total = narrow.volume(&outcome.total);
    let masked = outcome.masked.as_ref().map(|m| narrow.masked(m));
    WindowRecord {
        schema: WINDOW_SCHEMA.to_owned(),
        revision: fate.revision,
        state: fate.state,
        rule,
        window: window_ref(window),
        total,
        saturated: narrow.saturated,
        alerts_written: fate.alerts_written,
        alerts_cut: outcome.cut,
        prefixes_over: outcome.findings.len() as u64,
        alerts_open: fate.alerts_open,
        alerts_silenced: fate.alerts_silenced,
        superseded: fate.superseded.iter().map(Prefix::to_string).collect(),
        leaves: outcome.leaves,
        masked,
        late_flows: fate.late_flows,
        skipped_windows: fate.skipped_windows,
        resolution: fate.resolution,
        completeness: fate.completeness,
    }
}

/// A rule of which only the selection is known.
pub(super) fn unknown_rule_ref(name: &str, selection: Fingerprint) -> RuleRef {
    RuleRef {
        name: name.to_owned(),
        fingerprint: selection.to_string(),
        labels: BTreeMap::new(),
    }
}

fn window_ref(window: Window) -> WindowRef {
    WindowRef {
        start: window.start.to_string(),
        end: window.end.to_string(),
    }
}

/// The id of the alert on `prefix` that begins in the window at `first`: a UUID of version 5.
pub fn alert_id(rule: &str, identity: Fingerprint, prefix: Prefix, first: Timestamp) -> String {
    id_of(rule, identity, &Name { first, prefix }).to_string()
}
