//! The shape of what consumers read: the JSON form of these types is the contract.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Traffic in one window. Volumes are exact integers; rates are volume divided by the window's
/// length, rounded down. 1 Mbit/s is 10^6 bit/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// Bytes, after sampling.
    pub bytes: u64,
    /// Packets, after sampling.
    pub packets: u64,
    /// Flow records.
    pub flows: u64,
    /// bytes × 8 / window length, rounded down.
    pub bits_per_second: u64,
    /// packets / window length, rounded down.
    pub packets_per_second: u64,
    /// flows / window length, rounded down.
    pub flows_per_second: u64,
}

/// Where in its life an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Over the threshold in this window. Written by versions without a lifecycle.
    Active,
    /// The first message of an alert.
    Started,
    /// Open: over the threshold, or not for long enough to end.
    Ongoing,
    /// The last message of an alert.
    Ended,
}

/// Why an alert has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It was below for as long as the rule's `lifecycle.hold`.
    BelowThreshold,
    /// The rule counts something else now: its filter, key, interval, scope, sampling or attribution changed.
    RuleChanged,
    /// The rule is not configured any more.
    RuleRemoved,
    /// It was told before all partitions had reported, and then another prefix was found.
    Unconfirmed,
    /// Another prefix, inside it or around it, is over a threshold in its place: `superseded_by`.
    Superseded,
    /// A silence with `end` has begun. What is still over a threshold goes on in a silenced alert: `superseded_by`.
    Silenced,
    /// It was silenced, and the silence is over. What is still over a threshold goes on in another alert: `superseded_by`.
    SilenceOver,
}

/// Address family.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FamilyName {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Which address of a flow was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyName {
    /// The destination.
    Dst,
    /// The source.
    Src,
}

/// How prefixes were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// Over the threshold, with no reported prefix inside.
    MostSpecific,
    /// Over the threshold after subtraction of reported prefixes inside.
    Discounted,
    /// Every prefix over the threshold.
    All,
}

/// The rule behind a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleRef {
    /// Name, as configured.
    pub name: String,
    /// 16 hex digits that change when the rule's selection or decision does.
    #[schemars(regex(pattern = "^[0-9a-f]{16}$"))]
    pub fingerprint: String,
    /// Labels, as configured.
    pub labels: BTreeMap<String, String>,
}

/// `[start, end)`, RFC 3339, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowRef {
    /// First instant inside.
    #[schemars(extend("format" = "date-time"))]
    pub start: String,
    /// First instant after.
    #[schemars(extend("format" = "date-time"))]
    pub end: String,
}

/// A threshold that was exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// `bytes`, `packets`, `flows`, `bits_per_second`, `packets_per_second` or `flows_per_second`.
    #[schemars(extend("enum" = ["bytes", "packets", "flows", "bits_per_second", "packets_per_second", "flows_per_second"]))]
    pub metric: String,
    /// The threshold at this prefix length, in the metric's unit.
    pub threshold: u64,
    /// The value that exceeded it, in the same unit: the conditioned one in discounted mode.
    pub value: u64,
}

/// The highest rate so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Peak {
    /// Bits per second over one window.
    pub bits_per_second: u64,
    /// Start of that window.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

/// What most-specific reporting hides: a silent prefix and its traffic outside reported prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Masked {
    /// The silent prefix.
    pub prefix: String,
    /// Its volume minus that of reported prefixes inside.
    pub bits_per_second: u64,
}

/// Traffic over more than one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cumulative {
    /// Bytes, after sampling.
    pub bytes: u64,
    /// Packets, after sampling.
    pub packets: u64,
    /// Flow records.
    pub flows: u64,
}

/// The largest leaf inside a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Largest {
    /// The leaf: a host, or shorter where `resolution` is.
    pub prefix: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its packets.
    pub packets: u64,
}

/// A prefix with its traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrefixVolume {
    /// The prefix.
    pub prefix: String,
    /// Its traffic.
    pub volume: Volume,
}

/// The configured entries that hold a prefix, of `scope` and of `overrides`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The longest entry's prefix.
    pub scope: String,
    /// The labels of all; of those with the same name, the longest entry's.
    pub labels: BTreeMap<String, String>,
}

/// A group of prefixes that the rule's `gate` lets through while its total is over the group's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupVolume {
    /// The label that makes the group.
    pub label: String,
    /// Its value.
    pub name: String,
    /// Everything in the group, both families.
    pub volume: Volume,
}

/// The longest prefix length that was kept apart, by family. Below 32 or 128 when a window held
/// more distinct addresses than `max_prefixes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FamilyResolution {
    /// IPv4.
    #[schemars(range(max = 32))]
    pub ipv4: u8,
    /// IPv6.
    #[schemars(range(max = 128))]
    pub ipv6: u8,
}

/// Whether all input was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// Input partitions closed through the window's end by their own stream time, not by idleness.
    pub partitions_reported: u32,
    /// Input partitions expected.
    pub partitions_expected: u32,
    /// The window began before the first record read, or spans a gap, or is not final.
    pub partial: bool,
}

/// How sure the volume is, as far as sampling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Every flow's sampling rate was known.
    High,
    /// Some flow's was not: it counted as 1.
    Low,
}

/// Sampling behind a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampledRate {
    /// Lowest rate, 1 in N. An unknown rate counts as 1.
    pub min_rate: u32,
    /// Highest rate.
    pub max_rate: u32,
    /// Bytes before multiplication.
    pub raw_bytes: u64,
    /// Low when some rate was unknown.
    pub confidence: Confidence,
}

/// One contributor in a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// What it is, e.g. a source prefix.
    pub value: String,
    /// Its share of the sample, 0 to 1.
    pub share: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// What a sample of the flows behind an alert says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Flows in the sample.
    pub sample_size: u32,
    /// Largest sources, largest first.
    pub top_sources: Vec<Share>,
}

/// A prefix that is over a threshold, window by window until it is not any more. `hotprefix.alert.v1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// `hotprefix.alert.v1`.
    #[schemars(extend("const" = super::ALERT_SCHEMA))]
    pub schema: String,
    /// Derived from rule, selection, prefix and first window: the same in every replay.
    pub id: String,
    /// 0 for the first message with this id; a higher one replaces a lower one.
    pub revision: u32,
    /// State of the alert.
    pub status: Status,
    /// Why it has ended; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EndReason")]
    pub end_reason: Option<EndReason>,
    /// The alert that took its place, if that is why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub superseded_by: Option<String>,
    /// The silence that it started in; absent if none. It is written, and not active. An alert is silenced from its
    /// first final message to its last, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub silenced_by: Option<String>,
    /// False while input partitions are missing: a final revision follows.
    pub r#final: bool,
    /// Groups alerts of one rule that are one event: on prefixes that cover one another, at the same time
    /// or within the rule's `lifecycle.rearm`. The id of the first of them.
    pub incident_id: String,
    /// How many times the incident has begun: 1, and one more each time after all of its alerts had ended.
    #[serde(default)]
    pub incident_pulse: u32,
    /// The rule.
    pub rule: RuleRef,
    /// The prefix.
    pub prefix: String,
    /// Its family.
    pub family: FamilyName,
    /// Which address was counted.
    pub key: KeyName,
    /// How the prefix was chosen.
    pub mode: ModeName,
    /// The window.
    pub window: WindowRef,
    /// All traffic under the prefix.
    pub volume: Volume,
    /// Traffic outside reported prefixes inside it; discounted mode only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Volume")]
    pub conditioned_volume: Option<Volume>,
    /// Everything that the rule selected in the window, both families.
    pub rule_total: Volume,
    /// A value above is beyond 2^64 − 1 and is given as that.
    pub saturated: bool,
    /// Exactly the metrics in whose result the prefix is; none where it is not over a threshold now, or has ended.
    pub triggers: Vec<Trigger>,
    /// The rule's, `warning` by default, or the highest of its `escalation` that is reached; where the
    /// prefix is not over a threshold now, what it was when it last was.
    pub severity: String,
    /// Start of the first window over the threshold.
    #[schemars(extend("format" = "date-time"))]
    pub first_seen: String,
    /// End of the last window over the threshold.
    #[schemars(extend("format" = "date-time"))]
    pub last_seen: String,
    /// The highest rate so far.
    pub peak: Peak,
    /// Everything under the prefix since `first_seen`.
    #[serde(default)]
    pub cumulative: Cumulative,
    /// An alert that is not renewed by then has ended. Of an alert that has ended: the end of its window.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    /// The largest traffic hidden around this prefix by the choice of prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Masked")]
    pub masked: Option<Masked>,
    /// Distinct leaves under the prefix.
    pub hosts: u64,
    /// The leaf with most bytes under the prefix.
    pub largest: Largest,
    /// The configured entries that hold the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Target")]
    pub target: Option<Target>,
    /// The gate's group that the prefix is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupVolume")]
    pub group: Option<GroupVolume>,
    /// Longest length kept apart.
    pub resolution: FamilyResolution,
    /// Whether all input was seen.
    pub completeness: Completeness,
    /// Sampling behind the volume.
    pub sampling: SampledRate,
    /// A sample of the flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Evidence")]
    pub evidence: Option<Evidence>,
}

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// Every expected partition is closed through its end: this record and its alerts are whole.
    Final,
    /// Partitions are missing: alerts so far are provisional, a final record follows.
    Provisional,
    /// Selections of two versions of the rule share the window: nothing was reported.
    RuleChange,
    /// The rule is not configured any more: nothing was reported.
    UnknownRule,
}

/// One rule's window, also when nothing is over a threshold. `hotprefix.window.v1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowRecord {
    /// `hotprefix.window.v1`.
    #[schemars(extend("const" = super::WINDOW_SCHEMA))]
    pub schema: String,
    /// 0 for the first record of the window; a higher one replaces a lower one.
    pub revision: u32,
    /// What became of the window.
    pub state: WindowState,
    /// The rule.
    pub rule: RuleRef,
    /// The window.
    pub window: WindowRef,
    /// Everything that the rule selected in the window, both families.
    pub total: Volume,
    /// A value in this record is beyond 2^64 − 1 and is given as that.
    pub saturated: bool,
    /// Alerts written in the same transaction.
    pub alerts_written: u64,
    /// Prefixes over `max_alerts_per_window`, of which nothing is told.
    pub alerts_cut: u64,
    /// Prefixes over a threshold, those that were cut left out.
    #[serde(default)]
    pub prefixes_over: u64,
    /// Alerts that are open after it: started, and not ended.
    #[serde(default)]
    pub alerts_open: u64,
    /// Those of them that are silenced.
    #[serde(default)]
    pub alerts_silenced: u64,
    /// Prefixes that were over a threshold in an earlier provisional record and are not: a longer
    /// prefix inside took their place.
    pub superseded: Vec<String>,
    /// Distinct leaves, both families.
    pub leaves: u64,
    /// The silent prefix with the largest traffic outside reported prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Masked")]
    pub masked: Option<Masked>,
    /// Late flows: counted here as the oldest open window, or dropped while it was.
    pub late_flows: u64,
    /// Empty windows of this rule right before this one that have no record of their own, because
    /// stream time jumped.
    pub skipped_windows: u64,
    /// Longest length kept apart.
    pub resolution: FamilyResolution,
    /// Whether all input was seen.
    pub completeness: Completeness,
}
