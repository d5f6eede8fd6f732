//! Findings → alerts and window records, as consumers read them.
//!
//! Nothing here depends on when, where or how often it runs: the body of a message is a function of
//! rule, window and what was counted.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::pass::{Finding, MaskedPrefix, Outcome, Sums};
use crate::alert::{
    ALERT_SCHEMA, Alert, Completeness, Confidence, FamilyName, FamilyResolution, KeyName, Largest,
    Masked, ModeName, Peak, RuleRef, SampledRate, Status, Target, Trigger, Volume, WINDOW_SCHEMA,
    WindowRecord, WindowRef, WindowState,
};
use crate::net::{Family, Prefix};
use crate::rule::{Fingerprint, KeySide, Mode, Rule, Scope};
use crate::time::{Timestamp, millis};
use crate::window::Window;

/// Namespace of alert ids, made once at random.
const ALERT_IDS: Uuid = Uuid::from_u128(0x9f2d_41c3_6a58_4e07_b1d4_2c7e_90a3_5f16);
/// An alert that is not renewed for this many windows has ended.
const RENEWAL_WINDOWS: u32 = 2;

/// What every message of a window says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) rule: &'a Rule,
    pub(super) window: Window,
    pub(super) total: Sums,
    pub(super) resolution: FamilyResolution,
    pub(super) completeness: Completeness,
    pub(super) is_final: bool,
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

    fn masked(&mut self, masked: &MaskedPrefix) -> Masked {
        Masked {
            prefix: masked.prefix.to_string(),
            bits_per_second: self.per_second(masked.bytes, 8),
        }
    }
}

/// One finding as an alert.
pub(super) fn alert(context: &Context<'_>, finding: &Finding, revision: u32) -> Alert {
    let Context { rule, window, .. } = *context;
    let mut narrow = Narrow::new(rule.interval);
    let id = alert_id(&rule.name, rule.selection, finding.prefix, window.start);
    let volume = narrow.volume(&finding.volume);
    let conditioned_volume = finding.conditioned.as_ref().map(|c| narrow.volume(c));
    let expires = window.end.plus(rule.interval * RENEWAL_WINDOWS);
    Alert {
        schema: ALERT_SCHEMA.to_owned(),
        incident_id: id.clone(),
        id,
        revision,
        status: Status::Active,
        r#final: context.is_final,
        rule: rule_ref(rule),
        prefix: finding.prefix.to_string(),
        family: match finding.prefix.family() {
            Family::V4 => FamilyName::Ipv4,
            Family::V6 => FamilyName::Ipv6,
        },
        key: match rule.key {
            KeySide::Dst => KeyName::Dst,
            KeySide::Src => KeyName::Src,
        },
        mode: match rule.mode {
            Mode::MostSpecific => ModeName::MostSpecific,
            Mode::Discounted => ModeName::Discounted,
            Mode::All => ModeName::All,
        },
        window: window_ref(window),
        peak: Peak {
            bits_per_second: volume.bits_per_second,
            at: window.start.to_string(),
        },
        volume,
        conditioned_volume,
        rule_total: narrow.volume(&context.total),
        triggers: triggers(rule, finding, &mut narrow),
        severity: rule.severity.clone(),
        first_seen: window.start.to_string(),
        last_seen: window.end.to_string(),
        expires_at: expires.to_string(),
        masked: finding.masked.as_ref().map(|m| narrow.masked(m)),
        hosts: finding.hosts,
        largest: Largest {
            prefix: finding.largest.prefix.to_string(),
            bytes: finding.largest.bytes,
            packets: finding.largest.packets,
        },
        target: target(rule, finding),
        resolution: context.resolution,
        completeness: context.completeness,
        sampling: SampledRate {
            min_rate: finding.rates.min.max(1),
            max_rate: finding.rates.max.max(1),
            raw_bytes: narrow.number(finding.rates.raw_bytes),
            confidence: match finding.rates.min {
                0 => Confidence::Low,
                _ => Confidence::High,
            },
        },
        evidence: None,
        saturated: narrow.saturated,
    }
}

fn triggers(rule: &Rule, finding: &Finding, narrow: &mut Narrow) -> Vec<Trigger> {
    let mut over: Vec<_> = finding
        .over
        .iter()
        .map(|o| (&rule.limits[o.limit], o.volume))
        .collect();
    over.sort_by_key(|(limit, _)| limit.metric);
    let prefix = finding.prefix;
    over.into_iter()
        .map(|(limit, volume)| Trigger {
            metric: limit.metric.name().to_owned(),
            threshold: limit.stated(prefix.family(), prefix.length()),
            value: narrow.number(limit.metric.value(volume, narrow.interval_ms as u64)),
        })
        .collect()
}

fn target(rule: &Rule, finding: &Finding) -> Option<Target> {
    let entries = rule.scope.as_ref().map(Scope::entries)?;
    let entry = &entries[finding.entry?];
    Some(Target {
        scope: entry.prefix.to_string(),
        labels: entry.labels.clone(),
    })
}

/// What became of a window.
pub(super) struct Fate {
    pub(super) state: WindowState,
    pub(super) revision: u32,
    pub(super) alerts_written: u64,
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
        superseded: fate.superseded.iter().map(Prefix::to_string).collect(),
        leaves: outcome.leaves,
        masked,
        late_flows: fate.late_flows,
        skipped_windows: fate.skipped_windows,
        resolution: fate.resolution,
        completeness: fate.completeness,
    }
}

/// A configured rule, as messages name it.
pub(super) fn rule_ref(rule: &Rule) -> RuleRef {
    RuleRef {
        name: rule.name.to_string(),
        fingerprint: rule.fingerprint().to_string(),
        labels: rule.labels.clone(),
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
pub fn alert_id(rule: &str, selection: Fingerprint, prefix: Prefix, first: Timestamp) -> String {
    let name = format!("{rule}\n{selection}\n{prefix}\n{}", first.as_millis());
    Uuid::new_v5(&ALERT_IDS, name.as_bytes()).to_string()
}
