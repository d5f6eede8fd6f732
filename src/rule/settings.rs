//! What an operator can say about a rule: the serde form.
//!
//! Shapes are checked here, values by [`super::compile()`], which names every wrong one by its path.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{Attribution, KeySide, LatePolicy, Mode};
use crate::units::Scalar;

/// What a duration may be, for messages.
const DURATION: &str = "a duration with a unit, such as 500ms, 60s, 5m, 1h30m or 2d";

/// One of `rules:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Unique name: 1 to 100 of letters, digits, `.`, `_`, `-`. Consumers and charts depend on it.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,100}$"))]
    pub name: String,
    /// Which flows: CEL over flow fields, e.g. `direction == "ingress" && dst_port in [53, 123]`.
    /// Empty takes every flow.
    #[serde(default)]
    pub filter: String,
    /// Which address is counted: `dst` (default) or `src`.
    #[serde(default)]
    pub key: KeySide,
    /// Window length, 1s to 24h. Default 60s.
    #[serde(default = "default_interval")]
    #[schemars(title = DURATION)]
    pub interval: Scalar,
    /// How long a window waits for disorder, 0s to 24h. Default 5s.
    #[serde(default = "default_grace")]
    #[schemars(title = DURATION)]
    pub grace: Scalar,
    /// What happens to flows later than that: `oldest_open` (default where event time is
    /// `received`) or `drop` (default otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<LatePolicy>,
    /// Which windows a flow counts in: `arrival` (default) or `spread` over its duration.
    #[serde(default)]
    pub attribution: Attribution,
    /// Which prefixes over a threshold are reported: `most_specific` (default), `discounted`, `all`.
    #[serde(default)]
    pub mode: Mode,
    /// Prefix lengths looked at, by family: a range `0..32`, a list `[32, 24, 22]` or one length.
    #[serde(default)]
    pub prefix_length: PrefixLengthConfig,
    /// At least one, here or in `overrides`; a prefix over any of them is reported.
    pub thresholds: ThresholdsConfig,
    /// Own prefixes: other key addresses are not counted, and aggregation stops at the entry.
    /// A list of prefixes, each bare or with labels, or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ListOrFile<ScopeItem>>,
    /// Thresholds and labels of single prefixes: the longest that holds a prefix decides. A list, or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<ListOrFile<OverrideConfig>>,
    /// Groups of prefixes that are reported only while the group's total is over thresholds of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateConfig>,
    /// When an alert starts, goes on and ends.
    #[serde(default)]
    pub lifecycle: LifecycleConfig,
    /// Rules with the same name here share incidents: an alert joins that of another rule on a prefix that covers it, or that it
    /// covers. They are detected by one task. 1 to 100 of letters, digits, `.`, `_`, `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,100}$"))]
    pub incident_group: Option<String>,
    /// Copied into alerts.
    #[serde(default)]
    pub labels: BTreeMap<String, Scalar>,
    /// Copied into alerts. 1 to 32 of letters, digits, `.`, `_`, `-`. Default `warning`.
    #[serde(default = "default_severity")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,32}$"))]
    pub severity: String,
    /// Higher severities, each above the one before: an alert has the last whose thresholds it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<EscalationConfig>,
    /// Distinct addresses kept per window and family, 1 to 1G. Default 4M.
    #[serde(default = "default_max_prefixes")]
    pub max_prefixes: Scalar,
    /// Alerts written per window, 1 to 1M. Default 10000.
    #[serde(default = "default_max_alerts")]
    pub max_alerts_per_window: Scalar,
}

fn default_interval() -> Scalar {
    "60s".into()
}

fn default_grace() -> Scalar {
    "5s".into()
}

fn default_severity() -> String {
    "warning".to_owned()
}

fn default_max_prefixes() -> Scalar {
    "4M".into()
}

fn default_max_alerts() -> Scalar {
    "10000".into()
}

/// `lifecycle:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LifecycleConfig {
    /// Intervals in a row over a threshold before an alert starts, 1 to 10000. Default 1.
    #[serde(rename = "for")]
    pub after: Scalar,
    /// Intervals in a row not over it before the alert ends, 1 to 10000. Default 3.
    pub hold: Scalar,
    /// An open alert is told every so many intervals, 1 to 10000. Default 1.
    pub repeat: Scalar,
    /// An alert that starts within so many intervals after the end of one whose prefix covers it, or that it
    /// covers, is the same incident, 0 to 10000. Default 10.
    pub rearm: Scalar,
    /// While an alert is open, a prefix is over its threshold when it is over this share of it, such as
    /// `80%`, or over these thresholds. Default `100%`.
    pub clear_at: ClearConfig,
}

impl Default for LifecycleConfig {
    fn default() -> Self {
        Self {
            after: "1".into(),
            hold: "3".into(),
            repeat: "1".into(),
            rearm: "10".into(),
            clear_at: ClearConfig::Share("100%".into()),
        }
    }
}

/// `clear_at:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ClearConfig {
    /// `80%` of the threshold.
    Share(Scalar),
    /// Thresholds of their own.
    Thresholds(Box<ThresholdsConfig>),
}

/// `prefix_length:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrefixLengthConfig {
    /// IPv4 lengths. Default `[32, 24, 22]`; `[]` counts no IPv4.
    #[serde(default = "default_lengths_v4")]
    pub ipv4: Lengths,
    /// IPv6 lengths. Default `[128, 64, 48]`; `[]` counts no IPv6.
    #[serde(default = "default_lengths_v6")]
    pub ipv6: Lengths,
}

impl Default for PrefixLengthConfig {
    fn default() -> Self {
        Self {
            ipv4: default_lengths_v4(),
            ipv6: default_lengths_v6(),
        }
    }
}

fn default_lengths_v4() -> Lengths {
    Lengths::List(["32", "24", "22"].map(Scalar::from).into())
}

fn default_lengths_v6() -> Lengths {
    Lengths::List(["128", "64", "48"].map(Scalar::from).into())
}

/// Prefix lengths of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Lengths {
    /// `0..32`, both ends included, or one length.
    Range(Scalar),
    /// Exactly these.
    List(Vec<Scalar>),
}

/// `thresholds:`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdsConfig {
    /// Bytes per interval, e.g. `100MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Threshold>,
    /// Packets per interval, e.g. `1M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Threshold>,
    /// Flows per interval, e.g. `50k`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<Threshold>,
    /// Bits per second, e.g. `1.5Gbps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<Threshold>,
    /// Packets per second, e.g. `200kpps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_second: Option<Threshold>,
    /// Flows per second, e.g. `5k`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_per_second: Option<Threshold>,
}

/// One metric's thresholds: a value, a table by prefix length, or either by family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Threshold {
    /// For all lengths.
    Value(Scalar),
    /// `{32: 100Mbps, 24: 1Gbps}`, `{ipv4: …, ipv6: …}`, or tables inside families.
    Table(BTreeMap<String, Threshold>),
}

/// A list in place, or a file that the configuration layer reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ListOrFile<T> {
    /// In place.
    List(Vec<T>),
    /// One item per line, comments from `#` on.
    File(FileRef),
}

/// `{file: path}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Path of the file, relative to the configuration file.
    pub file: PathBuf,
}

impl<T> ListOrFile<T> {
    /// The file to read, if it is one.
    pub const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::List(_) => None,
            Self::File(file) => Some(&file.file),
        }
    }
}

/// One of `scope:`: a prefix, bare or with labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ScopeItem {
    /// `198.51.100.0/22`
    Prefix(String),
    /// `{prefix: 198.51.100.0/22, labels: {customer: example}}`
    Labelled(LabelledPrefix),
}

/// `{prefix: …, labels: {…}}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelledPrefix {
    /// The prefix.
    pub prefix: String,
    /// Copied into the target of alerts inside it.
    #[serde(default)]
    pub labels: BTreeMap<String, Scalar>,
}

/// One of `overrides:`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "{prefix: …, thresholds: {…}} or {prefix: …, never: true}"
)]
pub struct OverrideConfig {
    /// The prefix.
    pub prefix: String,
    /// Stand in for the rule's thresholds in this prefix. What is not stated is inherited.
    #[serde(default)]
    pub thresholds: ThresholdsConfig,
    /// Nothing in it is reported. Default false.
    #[serde(default)]
    pub never: bool,
    /// Whether traffic in it counts towards shorter prefixes, too. Default false.
    #[serde(default)]
    pub count_in_parents: bool,
    /// Copied into the target of alerts inside it.
    #[serde(default)]
    pub labels: BTreeMap<String, Scalar>,
}

/// `gate:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// Entries of `scope` and `overrides` with the same value of this label are one group.
    pub label: String,
    /// What a group's total must be over, in any metric.
    #[serde(default)]
    pub thresholds: TotalsConfig,
    /// Thresholds of single groups, by the label's value. What is not stated is as above.
    #[serde(default)]
    pub groups: BTreeMap<String, TotalsConfig>,
}

/// Thresholds of something that has no prefix length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TotalsConfig {
    /// Bytes per interval, e.g. `100GiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Scalar>,
    /// Packets per interval, e.g. `100M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Scalar>,
    /// Flows per interval, e.g. `5M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<Scalar>,
    /// Bits per second, e.g. `10Gbps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<Scalar>,
    /// Packets per second, e.g. `2Mpps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_second: Option<Scalar>,
    /// Flows per second, e.g. `50k`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_per_second: Option<Scalar>,
}

/// One of `escalation:`. Either `times` or `thresholds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationConfig {
    /// 1 to 32 of letters, digits, `.`, `_`, `-`.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,32}$"))]
    pub severity: String,
    /// Over a threshold so many times, such as `2` or `"1.5"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Scalar>,
    /// Over these, in metrics that the rule has thresholds in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<ThresholdsConfig>,
}
