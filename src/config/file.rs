//! The configuration file as it is written: the serde form, which is also the documented schema.
//!
//! Every key has its default and unit here. Bounds that a type cannot say are checked when the file
//! is read ([`super::load`]); the checked form is [`super::Config`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::{
    DirectionText, DurationText, EventTimeText, FormatText, LogFormatText, MembershipText,
    OnGapText, OutputFormatText, SamplingModeText,
};
use crate::rule::{RuleConfig, SilenceConfig};
use crate::units::Scalar;

/// What `input.start` may be.
pub(super) const START: &str =
    "`latest`, `earliest`, a time such as `2026-11-23T05:14:00Z`, or how long ago, such as `-2h`";
/// What a default sampling rate may be.
pub(super) const RATE: &str = "`unknown`, `reject`, or a rate N (1 in N) from 1 to 4294967295";
/// What `http.listen` may be.
pub(super) const LISTEN: &str =
    "an IP address and port such as `127.0.0.1:9464` or `[::]:9464`, or `off`";

/// hotprefix: exact prefix alerts out of a Kafka topic of network flows, exactly once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    /// Names topics, consumer groups and transactional ids: 1 to 100 of `a-z A-Z 0-9 . _ -`.
    /// Every process of one application has the same.
    pub application_id: String,
    /// Names this process among those of one application. Unset: the variable `POD_NAME`, else the host name
    /// and a lock-file slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// How instances belong to their consumer groups. `static`: one that is back within `session.timeout.ms`
    /// keeps its partitions without a rebalance, but until then nobody else takes them.
    pub membership: MembershipText,
    /// What is consumed.
    pub input: InputSection,
    /// Event time, and how long to wait for whom.
    pub time: TimeSection,
    /// How bytes and packets are scaled by the exporters' sampling rates.
    pub sampling: SamplingSection,
    /// How often the count stage commits: 10ms to 10s. A crash replays at most this much.
    pub flush_interval: DurationText,
    /// The alerts and window records.
    pub output: OutputSection,
    /// The topics between the stages.
    pub internal: InternalSection,
    /// Records that cannot be decoded.
    pub dead_letters: DeadLettersSection,
    /// Handed to librdkafka under its own dotted names. Any value may be `{file: PATH}`: then the
    /// file's content is the value.
    #[schemars(extend("default" = { "bootstrap.servers": "localhost:9092" }))]
    pub kafka: BTreeMap<String, KafkaValue>,
    /// Health and metrics.
    pub http: HttpSection,
    /// Logs.
    pub telemetry: TelemetrySection,
    /// Named sets for filters (`exporter in sets.borders`): a list, or `{file: PATH}` with one entry per
    /// line, which is read again on SIGHUP and when it changes.
    pub sets: BTreeMap<String, SetSection>,
    /// Files with one rule or a list of rules each, `*` and `?` allowed, relative to this file.
    pub rule_files: Vec<String>,
    /// Times at which alerts are written, marked and not active, by rule, prefix or label: maintenance windows, and
    /// what is known.
    pub silences: Vec<SilenceConfig>,
    /// The rules: what to count, and when to alert. 1 to 256 together with those of `rule_files`.
    pub rules: Vec<RuleConfig>,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            application_id: "hotprefix".to_owned(),
            instance_id: None,
            membership: MembershipText::default(),
            input: InputSection::default(),
            time: TimeSection::default(),
            sampling: SamplingSection::default(),
            flush_interval: DurationText::from("1s"),
            output: OutputSection::default(),
            internal: InternalSection::default(),
            dead_letters: DeadLettersSection::default(),
            kafka: BTreeMap::new(),
            http: HttpSection::default(),
            telemetry: TelemetrySection::default(),
            sets: BTreeMap::new(),
            rule_files: Vec::new(),
            silences: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// What is consumed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InputSection {
    /// Literal topic names, at least one.
    pub topics: Vec<String>,
    /// `auto` looks at each record; the others force one family.
    pub format: FormatText,
    /// Where reading begins when the group has no offset: `latest`, `earliest`, a time such as
    /// `2026-11-23T05:14:00Z`, or how long ago, such as `-2h`.
    #[schemars(title = START)]
    pub start: String,
    /// What to do when records were deleted before they were read.
    pub on_gap: OnGapText,
    /// Direction of a flow whose record does not say one. Unset: the default of its format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction_default: Option<DirectionText>,
    /// Where flows are counted, so that each counts once though several routers see it.
    pub observe: ObserveSection,
}

impl Default for InputSection {
    fn default() -> Self {
        Self {
            topics: vec!["flow-messages-enriched".to_owned()],
            format: FormatText::Auto,
            start: "latest".to_owned(),
            on_gap: OnGapText::Continue,
            direction_default: None,
            observe: ObserveSection::default(),
        }
    }
}

/// Where flows are counted. Flows seen elsewhere are not selected by any rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObserveSection {
    /// Only these exporters: addresses, prefixes or sets (`sets.borders`). Empty: all.
    pub exporters: Vec<String>,
    /// For an exporter (address or prefix), only flows seen at these interface indexes: the input interface
    /// of an ingress flow, the output interface of an egress flow. Exporters that are not named: all.
    pub interfaces: BTreeMap<String, Vec<u32>>,
}

impl ObserveSection {
    /// Whether it restricts nothing.
    pub fn is_empty(&self) -> bool {
        self.exporters.is_empty() && self.interfaces.is_empty()
    }
}

/// Event time, and how long to wait for whom.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeSection {
    /// Which of a flow's times is its event time. The Kafka timestamp stands in for one that is missing.
    pub event_time: EventTimeText,
    /// An event time this far after the record's Kafka timestamp is replaced by it: 1s to 1d.
    pub max_ahead: DurationText,
    /// An event time this far before the record's Kafka timestamp is replaced by it: 1s to 30d, or
    /// `never` for backfills.
    pub max_behind: DurationText,
    /// Confirmed silence after which a partition no longer holds windows open: 1s to 1h.
    pub idle_timeout: DurationText,
    /// How long a window waits for a partition that is stuck before provisional alerts: 1s to 1h.
    pub max_wait: DurationText,
    /// The longest flow that `attribution: spread` divides over windows: 1s to 1d.
    pub max_flow_duration: DurationText,
}

impl Default for TimeSection {
    fn default() -> Self {
        Self {
            event_time: EventTimeText::Received,
            max_ahead: DurationText::from("60s"),
            max_behind: DurationText::from("10m"),
            idle_timeout: DurationText::from("10s"),
            max_wait: DurationText::from("30s"),
            max_flow_duration: DurationText::from("1h"),
        }
    }
}

/// How bytes and packets are scaled by the exporters' sampling rates.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingSection {
    /// `auto` multiplies unless the record says that it is normalized; `never`; `always`.
    pub mode: SamplingModeText,
    /// The rate of a flow that does not say one: `unknown` (counts as 1, with low confidence), a rate N
    /// (1 in N, 1 to 4294967295), or `reject` (the flow becomes a dead letter).
    #[schemars(title = RATE)]
    pub default: Scalar,
    /// By exporter address or prefix, longest match.
    pub exporters: BTreeMap<String, ExporterSection>,
}

impl Default for SamplingSection {
    fn default() -> Self {
        Self {
            mode: SamplingModeText::Auto,
            default: Scalar::from("unknown"),
            exporters: BTreeMap::new(),
        }
    }
}

/// The sampling rate of some exporters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExporterSection {
    /// Instead of `sampling.default`: `unknown`, N or `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(title = RATE)]
    pub default: Option<Scalar>,
    /// The rate, whatever the flows say: N, 1 to 4294967295.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub r#override: Option<u32>,
}

/// The alerts and window records.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputSection {
    /// The wire form.
    pub format: OutputFormatText,
    /// The alert topic. Unset: `<application_id>-alerts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// The topics between the stages.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InternalSection {
    /// Partitions of `<application_id>-partials` and `-state`: 1 to 1000. A rule lives in one of them.
    /// A change needs `hotprefix reset`.
    #[schemars(range(min = 1, max = 1000))]
    pub partitions: u32,
    /// Replication factor of the topics that hotprefix creates: 1 to 100. Unset: the broker's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replication_factor: Option<u32>,
}

impl Default for InternalSection {
    fn default() -> Self {
        Self {
            partitions: 4,
            replication_factor: None,
        }
    }
}

/// Records that cannot be decoded.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLettersSection {
    /// At most this many are written per block of 10,000 offsets of a partition: 0 to 10000. All are
    /// counted.
    #[schemars(range(min = 0, max = 10_000))]
    pub per_block: u32,
}

impl Default for DeadLettersSection {
    fn default() -> Self {
        Self { per_block: 100 }
    }
}

/// A value for librdkafka.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KafkaValue {
    /// As it is.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// The content of a file, without the line break at its end.
    File(FileReference),
}

// Deliberately without the value: it may be a secret, and a property's name is not known here.
impl std::fmt::Debug for KafkaValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(reference) => reference.fmt(f),
            _ => f.write_str(super::HIDDEN),
        }
    }
}

/// A file to read something from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReference {
    /// Its path, relative to the configuration file.
    pub file: String,
}

/// Health and metrics.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// Address and port of `/metrics`, `/livez` and `/readyz`, or `off`.
    #[schemars(title = LISTEN)]
    pub listen: String,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9464".to_owned(),
        }
    }
}

/// Logs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    /// Written to standard error.
    pub log: LogSection,
}

/// Logs, written to standard error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// One readable line, or one JSON object, per event.
    pub format: LogFormatText,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`), and levels by module, such as
    /// `info,hotprefix::kafka=debug`.
    pub filter: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            format: LogFormatText::Text,
            filter: "info".to_owned(),
        }
    }
}

/// A named set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SetSection {
    /// Addresses, prefixes, numbers or texts.
    List(Vec<Scalar>),
    /// The same from a file: one per line, `#` begins a comment.
    File(FileReference),
}
